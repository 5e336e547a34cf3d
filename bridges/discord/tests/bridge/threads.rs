//! Threads and the posts of forums: at Discord each is a channel of its own, here all are in the channel's room.

use serde_json::{Value as Json, json};

use crate::{
    discord::{ANNA, GENERAL, GUILD},
    messages::id,
    world::World,
};

const FORUM: &str = "100000000000000020";

fn threaded(root: &str, body: &str) -> Json {
    json!({
        "msgtype": "m.text", "body": body,
        "m.relates_to": {
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root },
        },
    })
}

impl World {
    fn says_in(&self, thread: &str, content: &str) -> Json {
        let message = self.discord.says_more(ANNA, content, json!({ "channel_id": thread }));
        self.listen();
        message
    }

    fn relation(&self, room: &str, event_id: &str) -> Json {
        self.event(room, event_id)["content"]["m.relates_to"].clone()
    }

    fn count(&self, start: &str) -> usize {
        self.discord.asked.borrow().iter().filter(|(name, _)| name == start).count()
    }
}

#[test]
fn a_thread_begun_at_a_message_hangs_on_it_in_both_directions() {
    let world = World::connected(201);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "who comes?");
    world.listen();
    let root = world.last(&room);
    let thread = world.discord.begins("Who comes", Some(&message), true);
    let said = world.says_in(&thread, "me");
    let reply = world.last(&room);
    assert_eq!(
        world.relation(&room, &reply),
        json!({
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root },
        })
    );

    let own = world.sends(&room, "m.room.message", &threaded(&root, "me, too"));
    assert_eq!(world.there(&thread), ["me", "me, too"]);
    assert_eq!(world.bodies(&room).len(), 3, "its echo is known");
    // What is done to messages there is done there.
    world.edits(&room, &own, "not me");
    assert_eq!(world.there(&thread), ["me", "not me"]);
    world.discord.edits(&said, "me!");
    world.listen();
    let like = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": reply, "key": "👍" } });
    world.sends(&room, "m.reaction", &like);
    assert_eq!(world.count(&format!("PUT channels/{thread}/messages/{}/reactions/%F0%9F%91%8D/@me", id(&said))), 1);
    world.redacts(&room, &own);
    assert_eq!(world.there(&thread), ["me!"]);
    assert_eq!(world.notices(&room), Vec::<String>::new());
    assert_eq!(world.count(&format!("GET channels/{thread}")), 0, "it was told");
}

#[test]
fn a_thread_begun_without_a_message_hangs_on_the_notice_of_it() {
    let world = World::connected(202);
    let room = world.bridge(GENERAL);
    let thread = world.discord.begins("Plans", None, true);
    let reference = json!({ "channel_id": thread, "guild_id": GUILD });
    world.discord.says_more(ANNA, "Plans", json!({ "type": 18, "message_reference": reference }));
    world.listen();
    let root = world.last(&room);
    assert!(world.bodies(&room)[0].starts_with("started a thread:"));
    world.says_in(&thread, "the first");
    assert_eq!(world.relation(&room, &world.last(&room))["event_id"], root);
    world.sends(&room, "m.room.message", &threaded(&root, "the second"));
    assert_eq!(world.there(&thread), ["the first", "the second"]);
}

#[test]
fn an_old_thread_is_asked_for_once_and_gets_a_root_with_its_name() {
    let world = World::connected(203);
    let message = world.discord.says(ANNA, "anna", "long ago");
    let thread = world.discord.begins("Old things", Some(&message), false);
    world.discord.messages.borrow_mut().clear();
    world.listen();
    world.server.advance(1_000);
    let room = world.bridge(GENERAL);
    world.listen();
    world.says_in(&thread, "still here");
    world.says_in(&thread, "and here");
    assert_eq!(world.bodies(&room), ["🧵 Old things", "still here", "and here"]);
    assert_eq!(world.count(&format!("GET channels/{thread}")), 1);
    let page = world.alice.query(["rooms", &room, "messages"], &[("dir", "f"), ("limit", "50")]).ok();
    let events: Vec<&Json> =
        page["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message").collect();
    let root = events[0]["event_id"].as_str().unwrap();
    assert!(events[1..].iter().all(|event| event["content"]["m.relates_to"]["event_id"] == root));
    world.sends(&room, "m.room.message", &threaded(root, "here, too"));
    assert_eq!(world.there(&thread), ["still here", "and here", "here, too"]);
}

#[test]
fn a_channel_that_is_no_thread_of_a_bridged_one_is_asked_for_once_and_dropped() {
    let world = World::connected(204);
    let room = world.bridge(GENERAL);
    let other = "100000000000000030";
    let place = json!({ "id": other, "type": 0, "guild_id": GUILD, "name": "other" });
    world.discord.places.borrow_mut().push(place);
    let thread = world.discord.begins("Elsewhere", None, false);
    world.discord.set_place(&thread, |place| place["parent_id"] = other.into());
    for place in [other, thread.as_str(), other, "100000000000000031"] {
        world.says_in(place, "nobody hears");
    }
    assert_eq!(world.count(&format!("GET channels/{other}")), 1);
    assert_eq!(world.bodies(&room), Vec::<String>::new());
}

#[test]
fn a_thread_begun_here_is_begun_there() {
    let world = World::connected(205);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "**one** two three four five six seven eight nine ten");
    world.listen();
    let root = world.last(&room);
    world.sends(&room, "m.room.message", &threaded(&root, "in a thread"));
    world.sends(&room, "m.room.message", &threaded(&root, "more"));
    assert_eq!(world.there(id(&message)), ["in a thread", "more"]);
    let name = world.asked(&format!("POST channels/{GENERAL}/messages/{}/threads", id(&message)))["name"].clone();
    assert_eq!(name, "**one** two three four five six seven eight");
    assert_eq!(world.bodies(&room).len(), 3);
    // So it is with a message of one's own.
    let own = world.says(&room, "mine");
    world.sends(&room, "m.room.message", &threaded(&own, "and its thread"));
    let there = world.discord.messages.borrow().last().unwrap().clone();
    assert_eq!(there["content"], "and its thread");
    assert_ne!(there["channel_id"], GENERAL);
}

#[test]
fn an_archived_thread_comes_back_and_a_locked_one_is_said_to_be_locked() {
    let world = World::connected(206);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a root");
    let thread = world.discord.begins("A root", Some(&message), true);
    world.listen();
    let root = world.last(&room);
    world.discord.set_place(&thread, |place| place["thread_metadata"]["archived"] = true.into());
    world.sends(&room, "m.room.message", &threaded(&root, "hello again"));
    assert_eq!(world.there(&thread), ["hello again"]);
    world.discord.set_place(&thread, |place| place["thread_metadata"]["locked"] = true.into());
    world.sends(&room, "m.room.message", &threaded(&root, "hello?"));
    assert_eq!(world.notices(&room), ["Discord did not take this message: the thread is locked."]);
}

#[test]
fn a_forum_is_a_room_whose_threads_are_its_posts() {
    let world = World::connected(207);
    let forum = json!({ "id": FORUM, "type": 15, "guild_id": GUILD, "name": "help" });
    world.discord.guilds.channels.borrow_mut().push(forum);
    let room = world.bridge("#help");
    let post = world.discord.posts(FORUM, "It does not work", "What shall I do?");
    world.listen();
    let root = world.last(&room);
    assert_eq!(world.bodies(&room), ["It does not work\n\nWhat shall I do?"]);
    assert_eq!(world.event(&room, &root)["content"]["m.relates_to"], Json::Null);
    world.says_in(id(&post), "Wait.");
    assert_eq!(world.relation(&room, &world.last(&room))["event_id"], root);
    world.sends(&room, "m.room.message", &threaded(&root, "Try again."));
    assert_eq!(world.there(id(&post)), ["What shall I do?", "Wait.", "Try again."]);
    let mut answer = threaded(&root, "What did you do?");
    answer["m.relates_to"]["is_falling_back"] = false.into();
    world.sends(&room, "m.room.message", &answer);
    let link = format!("https://discord.com/channels/{GUILD}/{0}/{0}", id(&post));
    let answered = format!("-# ↪ [Reply to]({link}) **Anna**: What shall I do?\nWhat did you do?");
    assert_eq!(world.there(id(&post))[3], answered);
    // The post is a message of its own thread.
    let like = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": root, "key": "👍" } });
    world.sends(&room, "m.reaction", &like);
    world.discord.edits(&post, "What now?");
    world.listen();
    assert_eq!(world.bodies(&room).last().unwrap(), "* It does not work\n\nWhat now?");

    world.says(&room, "Hello, forum");
    assert_eq!(
        world.notices(&room),
        ["Discord did not take this message: it is a forum: write in one of its threads."]
    );
}

#[test]
fn what_is_said_in_a_thread_outlives_the_login() {
    let world = World::connected(208);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a root");
    let thread = world.discord.begins("A root", Some(&message), false);
    world.server.set_settling(false);
    for number in 0..4 {
        world.says_in(&thread, &format!("{number}"));
        world.server.crash(&world.login_address());
    }
    world.server.set_settling(true);
    world.server.settle();
    world.server.advance(60_000);
    let mut bodies = world.bodies(&room);
    bodies.sort();
    assert_eq!(bodies, ["0", "1", "2", "3", "a root"]);
}

#[test]
fn a_lost_answer_in_a_thread_is_found_again() {
    let world = World::connected(209);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a root");
    world.listen();
    let root = world.last(&room);
    world.sends(&room, "m.room.message", &threaded(&root, "one"));
    world.discord.faults.borrow_mut().push(crate::discord::Fault::DropAnswer);
    world.sends(&room, "m.room.message", &threaded(&root, "two"));
    world.server.advance(60_000);
    world.sends(&room, "m.room.message", &threaded(&root, "three"));
    assert_eq!(world.there(id(&message)), ["one", "two", "three"]);
    assert_eq!(world.bodies(&room), ["a root", "one", "two", "three"]);
}

#[test]
fn a_portal_that_dies_with_an_answer_from_a_thread_outstanding_says_nothing_twice() {
    for seed in 211..214 {
        let world = World::connected(seed);
        let room = world.bridge(GENERAL);
        let message = world.discord.says(ANNA, "anna", "a root");
        world.listen();
        let root = world.last(&room);
        let thread = world.discord.begins("A root", Some(&message), true);
        let portal = world.portal_address();
        world.server.set_settling(false);
        for number in 0..4 {
            world.says_in(&thread, &format!("d{number}"));
            if number % 2 == 0 {
                world.discord.faults.borrow_mut().push(crate::discord::Fault::DropAnswer);
            }
            world.sends(&room, "m.room.message", &threaded(&root, &format!("m{number}")));
            world.server.crash(&portal);
        }
        world.server.set_settling(true);
        world.server.settle();
        for _ in 0..10 {
            world.server.advance(60_000);
            world.listen();
        }
        let mut there = world.there(&thread);
        there.sort();
        assert_eq!(there, ["d0", "d1", "d2", "d3", "m0", "m1", "m2", "m3"], "seed {seed}");
        let mut bodies = world.bodies(&room);
        bodies.sort();
        assert_eq!(bodies, ["a root", "d0", "d1", "d2", "d3", "m0", "m1", "m2", "m3"], "seed {seed}");
    }
}

#[test]
fn a_catch_up_reads_live_threads_again() {
    let world = World::connected(210);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "a root");
    let thread = world.discord.begins("A root", Some(&message), true);
    world.listen();
    let root = world.last(&room);
    // The connection was gone when this was said.
    let missed = world.discord.says_more(ANNA, "missed", json!({ "channel_id": thread }));
    let place = json!({ "id": thread, "last_message_id": missed["id"] });
    let mut messages = world.discord.messages.borrow_mut();
    messages.iter_mut().find(|one| one["id"] == message["id"]).unwrap()["thread"] = place;
    drop(messages);
    world.server.advance(300_000);
    let command = hubbub_bridge::contract::PortalCommand::Tend { catch_up: true };
    let _: hubbub_bridge::contract::Tended = world.server.call(world.portal_address(), command).unwrap();
    world.server.settle();
    assert_eq!(world.bodies(&room), ["a root", "missed"]);
    assert_eq!(world.relation(&room, &world.last(&room))["event_id"], root);
    // Its frame comes after all.
    world.listen();
    assert_eq!(world.bodies(&room), ["a root", "missed"]);
}
