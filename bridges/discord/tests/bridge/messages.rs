//! What is done to messages, in both directions: edits, deletions, replies, reactions.

use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, GENERAL},
    guilds::ALICE,
    talk::DIRECT,
    world::World,
};

impl World {
    /// Alice sends an event; its id.
    pub fn sends(&self, room: &str, kind: &str, content: &Json) -> String {
        let transaction = format!("t{}", self.discord.new_id());
        let sent = self.alice.put(["rooms", room, "send", kind, &transaction], content).ok();
        self.server.settle();
        self.listen();
        sent["event_id"].as_str().unwrap().to_owned()
    }

    pub fn says(&self, room: &str, body: &str) -> String {
        self.sends(room, "m.room.message", &json!({ "msgtype": "m.text", "body": body }))
    }

    pub fn edits(&self, room: &str, event_id: &str, body: &str) {
        self.sends(
            room,
            "m.room.message",
            &json!({
                "msgtype": "m.text", "body": format!("* {body}"),
                "m.new_content": { "msgtype": "m.text", "body": body },
                "m.relates_to": { "rel_type": "m.replace", "event_id": event_id },
            }),
        );
    }

    pub fn redacts(&self, room: &str, event_id: &str) {
        let transaction = format!("r{}", self.discord.new_id());
        self.alice.put(["rooms", room, "redact", event_id, &transaction], &json!({})).ok();
        self.server.settle();
        self.listen();
    }

    /// What the bot says in a room.
    pub fn notices(&self, room: &str) -> Vec<String> {
        let bot = "@discordbot:hub.example";
        self.said(room).into_iter().filter(|(sender, _)| sender == bot).map(|(_, body)| body).collect()
    }

    /// The messages of a place at Discord, as their contents.
    pub fn there(&self, channel: &str) -> Vec<String> {
        let messages = self.discord.messages.borrow();
        let here = messages.iter().filter(|message| message["channel_id"] == channel);
        here.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }

    /// The last body with which Discord was asked so.
    pub fn asked(&self, start: &str) -> Json {
        let asked = self.discord.asked.borrow();
        asked.iter().rev().find(|(name, _)| name.starts_with(start)).map(|(_, body)| body.clone()).unwrap_or_default()
    }

    fn current(&self, room: &str, event_id: &str) -> Json {
        self.event(room, event_id)["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"].clone()
    }
}

pub fn id(message: &Json) -> &str {
    message["id"].as_str().unwrap()
}

#[test]
fn an_edit_of_discords_replaces_each_part() {
    let world = World::connected(101);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "one");
    world.listen();
    let event = world.last(&room);
    world.server.advance(5_000);
    world.discord.edits(&message, "two");
    world.listen();
    assert_eq!(world.current(&room, &event), "two");
    // The same edit again, with each refresh of Discord's.
    world.discord.unfurls(&message, json!({ "type": "link", "title": "A page" }));
    world.listen();
    assert_eq!(world.bodies(&room), ["one", "* two"]);
}

#[test]
fn what_discord_finds_behind_a_link_is_no_edit_of_the_persons() {
    let world = World::connected(102);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "look: https://example.org/");
    world.listen();
    let event = world.says(&room, "mine: https://example.org/");
    let mine = world.discord.messages.borrow().last().unwrap().clone();
    for message in [&message, &mine] {
        world.discord.unfurls(message, json!({ "type": "link", "title": "A page" }));
    }
    // Only what changed comes, in some refreshes.
    world.tell("MESSAGE_UPDATE", json!({ "id": mine["id"], "channel_id": GENERAL, "embeds": [] }));
    assert_eq!(world.bodies(&room), ["look: https://example.org/", "mine: https://example.org/"]);
    assert_eq!(world.current(&room, &event), Json::Null);
}

#[test]
fn deletions_one_and_many_take_all_parts_away() {
    let world = World::connected(103);
    let room = world.bridge(GENERAL);
    let long = format!("{}\n\n{}", "a".repeat(30_000), "b".repeat(30_000));
    let messages = [long.as_str(), "two", "three"].map(|text| world.discord.says(ANNA, "anna", text));
    world.listen();
    assert!(world.bodies(&room).len() > 3, "the long one is several events");
    world.discord.deletes(GENERAL, &[&messages[0]["id"]]);
    world.listen();
    let left: Vec<Json> = timeline(&world, &room);
    assert_eq!(left.iter().map(|event| event["content"]["body"].clone()).collect::<Vec<_>>(), ["two", "three"]);
    world.discord.deletes(GENERAL, &[&messages[1]["id"], &messages[2]["id"]]);
    world.listen();
    assert_eq!(timeline(&world, &room), Vec::<Json>::new());
}

/// The messages of a room that were not taken back.
fn timeline(world: &World, room: &str) -> Vec<Json> {
    let page = world.alice.query(["rooms", room, "messages"], &[("dir", "f"), ("limit", "100")]).ok();
    let messages = page["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message");
    messages.filter(|event| event["content"] != json!({})).cloned().collect()
}

#[test]
fn an_edit_and_a_deletion_of_the_rooms_reach_discord_and_do_not_come_back() {
    let world = World::connected(104);
    let room = world.bridge(GENERAL);
    let event = world.says(&room, "frist");
    world.server.advance(2_000);
    world.edits(&room, &event, "first");
    assert_eq!(world.there(GENERAL), ["first"]);
    assert!(world.asked("PATCH webhooks/")["allowed_mentions"].is_object());
    assert_eq!(world.bodies(&room), ["frist", "* first"], "its echo is no edit of its own");
    world.redacts(&room, &event);
    assert_eq!(world.there(GENERAL), Vec::<String>::new());
    assert_eq!(world.notices(&room), Vec::<String>::new());
}

#[test]
fn what_was_not_sent_from_here_cannot_be_edited_here() {
    let world = World::connected(105);
    let room = world.bridge(GENERAL);
    world.link();
    world.discord.says(ALICE, "alice", "typed there");
    world.listen();
    let event = world.last(&room);
    assert_eq!(world.event(&room, &event)["sender"], world.alice.user_id);
    world.edits(&room, &event, "other words");
    assert_eq!(world.there(GENERAL), ["typed there"]);
    let notice = "Discord did not take this edit: Discord lets only its author edit it. What you wrote in Discord, \
                  edit there.";
    assert_eq!(world.notices(&room), [notice]);
}

#[test]
fn what_somebody_said_there_is_deleted_from_here() {
    let world = World::connected(106);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "spam");
    world.listen();
    let event = world.last(&room);
    world.redacts(&room, &event);
    assert_eq!(world.there(GENERAL), Vec::<String>::new());
}

fn reply(event_id: &str, body: &str, mentions: &[&str]) -> Json {
    json!({
        "msgtype": "m.text", "body": body, "m.mentions": { "user_ids": mentions },
        "m.relates_to": { "m.in_reply_to": { "event_id": event_id } },
    })
}

#[test]
fn an_answer_there_is_an_answer_here() {
    let world = World::connected(107);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a question");
    world.listen();
    let question = world.last(&room);
    let reference = json!({ "type": 0, "message_id": message["id"], "channel_id": GENERAL });
    world.discord.says_more(ANNA, "an answer", json!({ "type": 19, "message_reference": reference }));
    world.listen();
    let shown = world.event(&room, &world.last(&room));
    assert_eq!(shown["content"]["m.relates_to"], json!({ "m.in_reply_to": { "event_id": question } }));
}

#[test]
fn an_answer_from_here_leads_to_the_message_and_pings_only_whom_it_means() {
    let world = World::connected(108);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a *question*\nof two lines");
    world.listen();
    let question = world.last(&room);
    let answer = world.sends(&room, "m.room.message", &reply(&question, "an answer", &[]));
    let link = format!("https://discord.com/channels/{}/{GENERAL}/{}", crate::discord::GUILD, id(&message));
    let line = format!("-# ↪ [Reply to]({link}) **Anna**: a question of two lines");
    assert_eq!(world.there(GENERAL)[1], format!("{line}\nan answer"));
    assert_eq!(world.asked("POST webhooks/")["allowed_mentions"]["users"], json!([]));

    // An edit keeps the line.
    world.edits(&room, &answer, "a better answer");
    assert_eq!(world.there(GENERAL)[1], format!("{line}\na better answer"));

    let ghost = format!("@_discord_{ANNA}:hub.example");
    world.sends(&room, "m.room.message", &reply(&question, "for you", &[&ghost]));
    assert!(world.there(GENERAL)[2].starts_with(&format!("-# ↪ [Reply to]({link}) **<@{ANNA}>**: ")));
    assert_eq!(world.asked("POST webhooks/")["allowed_mentions"]["users"], json!([ANNA]));

    // Of an answer to an answer, the line above it is no part.
    world.sends(&room, "m.room.message", &reply(&answer, "to myself", &[]));
    assert!(world.there(GENERAL)[3].ends_with("**alice**: a better answer\nto myself"), "{}", world.there(GENERAL)[3]);
    assert_eq!(world.bodies(&room).len(), 5);
}

#[test]
fn an_answer_whose_outcome_is_unknown_is_found_again() {
    let world = World::connected(109);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "a question");
    world.listen();
    let question = world.last(&room);
    world.discord.faults.borrow_mut().push(crate::discord::Fault::DropAnswer);
    world.sends(&room, "m.room.message", &reply(&question, "an answer", &[]));
    world.server.advance(60_000);
    world.says(&room, "and more");
    assert_eq!(world.there(GENERAL).len(), 3);
    assert_eq!(world.bodies(&room), ["a question", "an answer", "and more"]);
}

#[test]
fn a_reaction_from_here_is_the_bots_and_goes_with_the_event() {
    let world = World::connected(110);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "nice");
    world.listen();
    let event = world.last(&room);
    let annotation = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": "👍️" } });
    let reaction = world.sends(&room, "m.reaction", &annotation);
    let path = format!("channels/{GENERAL}/messages/{}/reactions/%F0%9F%91%8D/@me", id(&message));
    assert!(world.discord.asked.borrow().iter().any(|(name, _)| *name == format!("PUT {path}")));
    assert_eq!(reactions(&world, &room).len(), 1, "its echo is known");
    world.redacts(&room, &reaction);
    assert!(world.discord.asked.borrow().iter().any(|(name, _)| *name == format!("DELETE {path}")));

    // Somebody adds, takes away, and adds again.
    for added in [true, false, true] {
        world.discord.reacts(ANNA, GENERAL, id(&message), "🎉", added);
        world.listen();
        world.server.advance(1_000);
    }
    assert_eq!(reactions(&world, &room).len(), 1);
    world.tell(
        "MESSAGE_REACTION_REMOVE_ALL",
        json!({ "channel_id": GENERAL, "guild_id": crate::discord::GUILD, "message_id": message["id"] }),
    );
    assert_eq!(reactions(&world, &room).len(), 0);
}

fn reactions(world: &World, room: &str) -> Vec<Json> {
    let page = world.alice.query(["rooms", room, "messages"], &[("dir", "f"), ("limit", "100")]).ok();
    let reactions = page["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.reaction");
    reactions.filter(|event| event["content"] != json!({})).cloned().collect()
}

#[test]
fn a_direct_chat_opens_with_its_first_message_and_the_bot_speaks_in_it() {
    let world = World::connected(111);
    let message = world.discord.says_more(ANNA, "psst", json!({ "channel_id": DIRECT }));
    world.listen();
    let room = direct_room(&world);
    assert_eq!(world.bodies(&room), ["psst"]);
    assert_eq!(world.state(&room, "m.room.name", "")["name"], "Anna");
    let direct = world.alice.get(["user", &world.alice.user_id, "account_data", "m.direct"]).ok();
    assert_eq!(direct[format!("@_discord_{ANNA}:hub.example")], json!([room]));

    let heard = world.last(&room);
    let answer = world.sends(&room, "m.room.message", &reply(&heard, "yes?", &[]));
    let asked = world.asked(&format!("POST channels/{DIRECT}/messages"));
    assert_eq!(asked["message_reference"], json!({ "message_id": message["id"], "fail_if_not_exists": false }));
    assert_eq!(world.there(DIRECT), ["psst", "yes?"]);
    world.edits(&room, &answer, "yes!");
    assert_eq!(world.there(DIRECT), ["psst", "yes!"]);
    world.redacts(&room, &answer);
    assert_eq!(world.there(DIRECT), ["psst"]);
    assert_eq!(world.bodies(&room), ["psst", "* yes!"], "no echo, and what was taken back is gone");
    assert!(!world.discord.asked.borrow().iter().any(|(name, _)| name.contains("webhooks")));

    // What others say is theirs.
    world.redacts(&room, &heard);
    assert!(world.notices(&room)[0].ends_with("in a direct chat everybody deletes their own messages only."));
}

fn direct_room(world: &World) -> String {
    let portals = world.status()["portals"].clone();
    let portal = portals.as_array().unwrap().iter().find(|portal| portal["id"] == DIRECT).unwrap();
    assert_eq!(portal["kind"], "direct");
    let command = hubbub_bridge::contract::LoginCommand::Bridge { channel: DIRECT.to_owned() };
    let bridged: hubbub_bridge::contract::Bridged = world.server.call(world.login_address(), command).unwrap();
    bridged.room_id.to_string()
}

#[test]
fn a_lost_answer_in_a_direct_chat_is_found_again() {
    let world = World::connected(112);
    world.discord.says_more(ANNA, "psst", json!({ "channel_id": DIRECT }));
    world.listen();
    let room = direct_room(&world);
    world.says(&room, "one");
    world.discord.faults.borrow_mut().push(crate::discord::Fault::DropAnswer);
    world.says(&room, "two");
    world.server.advance(60_000);
    world.says(&room, "three");
    assert_eq!(world.there(DIRECT), ["psst", "one", "two", "three"]);
    assert_eq!(world.bodies(&room), ["psst", "one", "two", "three"]);

    world.discord.faults.borrow_mut().push(crate::discord::Fault::DropAnswer);
    world.server.set_settling(false);
    world.says(&room, "four");
    let portals = world.status()["portals"].clone();
    world.server.crash(&hubbub_core::contract::Address::new(
        hubbub_core::contract::Class::Portal,
        portals[0]["portal_id"].as_str().unwrap(),
    ));
    world.server.set_settling(true);
    world.server.settle();
    world.server.advance(60_000);
    world.listen();
    assert_eq!(world.there(DIRECT), ["psst", "one", "two", "three", "four"]);
    assert_eq!(world.bodies(&room), ["psst", "one", "two", "three", "four"]);
}

#[test]
fn a_chat_is_opened_by_name_and_refused_with_a_sentence() {
    use hubbub_bridge::contract::{Bridged, LoginCommand};
    let world = World::connected(113);
    let open = |person: &str| {
        let command = LoginCommand::OpenChat { person: person.to_owned() };
        world.server.call::<Bridged>(world.login_address(), command)
    };
    let bridged = open("Anna").unwrap();
    world.server.settle();
    let room = bridged.room_id.to_string();
    assert_eq!(open(ANNA).unwrap().room_id, bridged.room_id, "the same one each time");
    world.says(&room, "hello");
    assert_eq!(world.there(DIRECT), ["hello"]);
    assert_eq!(open("nobody").unwrap_err().error, "Nobody at Discord is called “nobody”.");
    let refused = open(crate::talk::SHY).unwrap_err();
    assert!(refused.error.contains("the person does not take direct messages."), "{}", refused.error);
}

#[test]
fn forwards_polls_buttons_and_discords_own_words_are_shown() {
    let world = World::connected(114);
    let room = world.bridge(GENERAL);
    let snapshot = json!({ "message": { "type": 0, "content": "from elsewhere", "attachments": [], "embeds": [] } });
    let reference = json!({ "type": 1, "channel_id": "1", "message_id": "2" });
    let said = |content: &str, more: Json| world.discord.says_more(ANNA, content, more);
    said("", json!({ "message_reference": reference, "message_snapshots": [snapshot] }));
    let answers = json!([{ "answer_id": 1, "poll_media": { "text": "Tea" } }]);
    said("", json!({ "poll": { "question": { "text": "What?" }, "answers": answers } }));
    let button = json!({ "type": 1, "components": [{ "type": 2, "style": 1, "label": "Press me", "custom_id": "x" }] });
    said("choose", json!({ "components": [button] }));
    said("", json!({ "type": 7 }));
    said("", json!({ "type": 6, "message_reference": { "message_id": "3", "channel_id": GENERAL } }));
    said("", json!({ "type": 99 }));
    world.listen();
    let bodies = world.bodies(&room);
    for (body, word) in
        bodies.iter().zip(["from elsewhere", "Tea", "Press me", "joined the server", "pinned", "Open in Discord"])
    {
        assert!(body.contains(word), "{word} in {body}");
    }
    assert_eq!(bodies.len(), 6);
    assert_eq!(timeline(&world, &room)[3]["content"]["msgtype"], "m.notice");
    assert_eq!(timeline(&world, &room)[0]["content"]["m.relates_to"], Json::Null, "a forward answers nothing");
}
