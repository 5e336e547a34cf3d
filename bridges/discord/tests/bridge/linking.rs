//! The owner says who they are at Discord, and is that person from then on.

use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, APPLICATION, BOT, GENERAL, GUILD},
    guilds::{ALICE, CHAT},
    world::World,
};

fn code(world: &World) -> String {
    let reply = world.manage("link");
    let at = reply.find("/link ").unwrap();
    reply[at + 6..][..9].to_owned()
}

fn command(user: &str, name: &str, code: &str) -> Json {
    json!({
        "type": 2, "id": "9", "application_id": APPLICATION, "token": "answer-secret", "guild_id": GUILD,
        "member": { "user": { "id": user, "username": name, "global_name": name } },
        "data": { "id": "8", "name": "link", "options": [{ "name": "code", "type": 3, "value": code }] },
    })
}

fn text(answer: &Json) -> &str {
    assert_eq!((answer["type"].clone(), answer["data"]["flags"].clone()), (json!(4), json!(64)), "only they see it");
    answer["data"]["content"].as_str().unwrap()
}

fn link(world: &World) {
    let code = code(world);
    let (status, answer) = world.hook(&command(ALICE, "Alice D.", &code));
    assert_eq!(status, 200);
    assert!(text(&answer).contains("You are linked"), "{answer}");
    world.server.settle();
}

#[test]
fn discord_checks_the_address_and_a_wrong_signature_is_refused() {
    let world = World::connected(30);
    assert_eq!(world.hook(&json!({ "type": 1 })), (200, json!({ "type": 1 })));
    assert_eq!(world.forged_hook(&json!({ "type": 1 })).0, 401);
    let (status, answer) = world.hook(&json!({ "type": 2, "data": { "name": "other" } }));
    assert!(status == 200 && text(&answer).contains("/link"));
    assert_eq!(world.hook(&json!({ "kind": 1 })).0, 400);
    assert_eq!(world.discord.guilds.commands.borrow()[0]["name"], "link", "the command is registered");
}

#[test]
fn what_the_owner_writes_at_discord_is_shown_as_the_owners() {
    let world = World::connected(31);
    let room = world.bridge(GENERAL);
    world.discord.says(ALICE, "alice", "before");
    world.listen();
    link(&world);
    world.discord.says(ALICE, "alice", "after");
    world.listen();
    // What is said through the owner's account comes back as nobody's.
    world.send(&room, "1", "from here");
    world.listen();
    let said = |sender: &str, body: &str| (sender.to_owned(), body.to_owned());
    let (alice, ghost) = (world.alice.user_id.as_str(), format!("@_discord_{ALICE}:hub.example"));
    assert_eq!(world.said(&room), [said(&ghost, "before"), said(alice, "after"), said(alice, "from here")]);
    assert_eq!(world.discord.said(), [("alice".to_owned(), "from here".to_owned())], "nothing goes back");
    assert_eq!(world.status()["person"], "Alice D.");
    assert!(world.last_managed().contains("is you at Discord"), "{}", world.last_managed());
}

#[test]
fn mentions_of_the_owner_highlight_and_the_owner_is_mentioned_by_their_own_id() {
    let world = World::connected(32);
    let room = world.bridge(GENERAL);
    link(&world);
    world.discord.says(ANNA, "anna", &format!("<@{ALICE}> look"));
    world.listen();
    let event = world.event(&room, &world.last(&room));
    assert_eq!(event["content"]["m.mentions"]["user_ids"], json!([world.alice.user_id]));

    let pill = format!("<a href=\"https://matrix.to/#/{}\">Alice</a> is me", world.alice.user_id);
    let content = json!({
        "msgtype": "m.text", "body": "Alice is me", "format": "org.matrix.custom.html", "formatted_body": pill,
        "m.mentions": { "user_ids": [world.alice.user_id] },
    });
    world.alice.put(["rooms", &room, "send", "m.room.message", "1"], &content).ok();
    world.server.settle();
    assert_eq!(world.discord.said()[0].1, format!("<@{ALICE}> is me"));
}

#[test]
fn the_bot_is_not_the_owner() {
    let world = World::connected(33);
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", &format!("<@{BOT}> are you there?"));
    world.listen();
    let event = world.event(&room, &world.last(&room));
    assert_eq!(event["content"]["m.mentions"]["user_ids"], json!(["@discordbot:hub.example"]));
    assert_eq!(world.status()["person"], Json::Null);
}

#[test]
fn a_code_in_a_message_to_the_bot_links_and_opens_no_room() {
    let world = World::connected(34);
    let code = code(&world);
    let alice = json!({ "id": ALICE, "username": "alice", "global_name": "Alice D." });
    world.discord.says_in(CHAT, alice.clone(), &format!("link {}", code.to_lowercase()));
    world.listen();
    assert!(world.discord.guilds.by_bot.borrow()[0].1.contains("You are linked"));
    assert_eq!(world.status()["person"], "Alice D.");
    world.listen();
    assert_eq!(world.status()["portals"], json!([]), "neither the code nor the answer opens a room");
    // It was told twice, and works once.
    world.discord.says_in(CHAT, alice, &code);
    world.listen();
    assert!(world.discord.guilds.by_bot.borrow()[1].1.contains("do not know this code"));
}

#[test]
fn a_command_that_comes_by_the_gateway_is_answered_there() {
    let world = World::connected(35);
    let code = code(&world);
    world.tell("INTERACTION_CREATE", command(ALICE, "Alice D.", &code));
    let callbacks = world.discord.guilds.callbacks.borrow();
    assert_eq!(callbacks[0].0, "9/answer-secret");
    assert!(text(&callbacks[0].1).contains("You are linked"));
}

#[test]
fn a_code_works_once_and_for_ten_minutes() {
    let world = World::connected(36);
    let first = code(&world);
    let second = code(&world);
    assert!(text(&world.hook(&command(ALICE, "Alice", &first)).1).contains("do not know"), "replaced");
    assert!(text(&world.hook(&command(ALICE, "Alice", &second)).1).contains("You are linked"));
    assert!(text(&world.hook(&command(ANNA, "Anna", &second)).1).contains("do not know"), "used");
    let third = code(&world);
    world.server.advance(600_001);
    assert!(text(&world.hook(&command(ANNA, "Anna", &third)).1).contains("do not know"), "too late");
    assert_eq!(world.status()["person"], "Alice");
}

#[test]
fn who_guesses_is_stopped_and_others_are_not() {
    let world = World::connected(37);
    let code = code(&world);
    for _ in 0..5 {
        assert!(text(&world.hook(&command(ANNA, "Anna", "AAAA-AAAA")).1).contains("do not know"));
    }
    assert!(text(&world.hook(&command(ANNA, "Anna", &code)).1).contains("too many"), "even the right one");
    assert!(text(&world.hook(&command(ALICE, "Alice", &code)).1).contains("You are linked"));
}

#[test]
fn unlinking_makes_the_owner_a_ghost_again() {
    let world = World::connected(38);
    let room = world.bridge(GENERAL);
    assert!(world.manage("unlink").contains("did not know who you are"));
    link(&world);
    assert!(world.manage("status").contains("You are Alice D. there"));
    assert!(world.manage("unlink").contains("shown as a ghost's"));
    assert!(world.manage("status").contains("say link"));
    world.discord.says(ALICE, "alice", "who am I?");
    world.listen();
    assert_eq!(world.said(&room), [(format!("@_discord_{ALICE}:hub.example"), "who am I?".to_owned())]);
}

#[test]
fn a_link_outlives_its_object() {
    let world = World::connected(39);
    let room = world.bridge(GENERAL);
    link(&world);
    world.server.crash(&world.login_address());
    world.server.crash(&world.portal_address());
    world.discord.says(ALICE, "alice", "still me");
    world.listen();
    assert_eq!(world.said(&room), [(world.alice.user_id.clone(), "still me".to_owned())]);
}

#[test]
fn what_others_say_through_webhooks_has_a_ghost_for_each_name() {
    let world = World::connected(40);
    let room = world.bridge(GENERAL);
    for (name, content) in [("Relay Rita", "one"), ("Relay Rob", "two"), ("Relay Rita", "three")] {
        world.discord.says_by_webhook("100000000000000055", name, content);
    }
    world.listen();
    let said = world.said(&room);
    assert!(said[0].0 == said[2].0 && said[0].0 != said[1].0, "{said:?}");
    let shown = world.state(&room, "m.room.member", &said[1].0);
    assert_eq!(shown["displayname"], "Relay Rob");
}

#[test]
fn a_webhook_with_very_many_names_has_a_ghost_for_the_rest_of_them() {
    let world = World::connected(42);
    let room = world.bridge(GENERAL);
    for number in 0..205 {
        world.discord.says_by_webhook("100000000000000055", &format!("Name {number}"), "hi");
    }
    world.listen();
    let members = world.alice.get(["rooms", &room, "joined_members"]).ok()["joined"].as_object().unwrap().len();
    // Alice, the bot, 200 names and one for all others.
    assert_eq!(members, 203);
}

#[test]
fn a_login_of_somebody_else_stays_apart() {
    let world = World::connected(41);
    let room = world.bridge(GENERAL);
    link(&world);
    let bob = world.server.account("bob");
    let status: hubbub_core::error::MatrixError = world.start_for(&bob).unwrap_err();
    assert_eq!(status.status, 403, "the bot is alice's");
    assert!(world.manage_as(&bob, "link").contains("no such connected account"));
    assert!(world.manage_as(&bob, "unlink").contains("no such connected account"));
    world.discord.says(ALICE, "alice", "mine");
    world.listen();
    assert_eq!(world.said(&room)[0].0, world.alice.user_id);
}
