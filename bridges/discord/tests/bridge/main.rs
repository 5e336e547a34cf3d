//! The Discord bridge on the whole server, natively: what Discord tells enters by the gateway's machine and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod discord;
mod emoji;
mod files;
mod gateway;
mod guilds;
mod limits;
mod line;
mod linking;
mod management;
mod messages;
mod places;
mod speaking;
mod talk;
mod threads;
mod world;

use discord::{ANNA, BOT, Fault, GENERAL};
use serde_json::json;
use world::World;

#[test]
fn a_message_comes_into_the_room_and_the_answer_goes_back_by_the_persons_name() {
    let world = World::connected(1);
    world.discord.says(ANNA, "anna", "before");
    let room = world.bridge(GENERAL);
    world.discord.says(ANNA, "anna", "**hello** there");
    world.listen();
    world.send(&room, "1", "and the *answer*");
    // The echo comes on the gateway.
    world.listen();

    let ghost = format!("@_discord_{ANNA}:hub.example");
    let said = |sender: &str, body: &str| (sender.to_owned(), body.to_owned());
    let alice = world.alice.user_id.as_str();
    assert_eq!(
        world.said(&room),
        [said(&ghost, "before"), said(&ghost, "hello there"), said(alice, "and the *answer*")]
    );
    assert_eq!(world.discord.said().len(), 1);
    assert_eq!(world.discord.said()[0].0, "alice");
    assert_eq!(world.state(&room, "m.room.name", "")["name"], "general");
    assert_eq!(world.state(&room, "m.room.topic", "")["topic"], "Everything");
    assert_eq!(world.state(&room, "m.room.member", &ghost)["displayname"], "Anna");
}

#[test]
fn the_name_of_who_speaks_is_the_one_they_have_here() {
    let world = World::connected(2);
    world.alice.put(["profile", &world.alice.user_id, "displayname"], &json!({ "displayname": "Alice L." })).ok();
    let room = world.bridge(GENERAL);
    world.send(&room, "1", "one");
    world.send(&room, "2", "two");
    world.server.advance(60_000);
    let said = world.discord.said();
    assert_eq!(said, [("Alice L.".to_owned(), "one".to_owned()), ("Alice L.".to_owned(), "two".to_owned())]);
    assert_eq!(world.discord.calls.borrow()["POST channels"], 1, "a channel has one webhook");
}

#[test]
fn a_resume_brings_what_was_missed_and_a_replay_doubles_nothing() {
    let world = World::connected(3);
    let room = world.bridge(GENERAL);
    for number in 0..3 {
        world.discord.says(ANNA, "anna", &format!("{number}"));
    }
    world.listen();
    world.discord.says(ANNA, "anna", "missed");
    // The connection is lost, and the object that held it; Discord replays what it had told before, too.
    world.hang_up();
    world.server.crash(&world.login_address());
    world.replay_from(1);
    world.listen();
    assert_eq!(world.identifies(), 1, "a session is resumed");
    assert_eq!(world.bodies(&room), ["0", "1", "2", "missed"]);
    assert_eq!(world.status()["counters"]["duplicates"], 3, "the messages");
}

#[test]
fn what_was_stored_reaches_the_room_although_its_login_dies() {
    let world = World::connected(4);
    let room = world.bridge(GENERAL);
    world.server.set_settling(false);
    for number in 0..5 {
        world.discord.says(ANNA, "anna", &format!("{number}"));
        world.listen();
        world.server.crash(&world.login_address());
    }
    world.server.set_settling(true);
    world.server.settle();
    world.server.advance(60_000);
    assert_eq!(world.bodies(&room), ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_lost_answer_is_found_again_by_what_was_said() {
    let world = World::connected(5);
    let room = world.bridge(GENERAL);
    world.send(&room, "0", "first");
    world.discord.faults.borrow_mut().push(Fault::DropAnswer);
    world.send(&room, "1", "second");
    world.listen();
    world.server.advance(600_000);
    world.send(&room, "2", "third");
    world.server.advance(60_000);
    world.listen();
    let contents: Vec<_> = world.discord.said().into_iter().map(|(_, content)| content).collect();
    assert_eq!(contents, ["first", "second", "third"]);
    assert_eq!(world.bodies(&room), ["first", "second", "third"]);
}

#[test]
fn what_was_not_done_is_sent_again_in_order() {
    let world = World::connected(6);
    let room = world.bridge(GENERAL);
    world.discord.faults.borrow_mut().extend([Fault::RateLimited, Fault::Close, Fault::RateLimited]);
    for number in 0..4 {
        world.send(&room, &format!("{number}"), &format!("{number}"));
    }
    world.server.advance(600_000);
    world.listen();
    let contents: Vec<_> = world.discord.said().into_iter().map(|(_, content)| content).collect();
    assert_eq!(contents, ["0", "1", "2", "3"]);
    assert_eq!(world.bodies(&room), ["0", "1", "2", "3"]);
}

#[test]
fn a_portal_that_dies_with_an_answer_outstanding_says_nothing_twice() {
    for seed in 20..24 {
        let world = World::connected(seed);
        let room = world.bridge(GENERAL);
        let portal = world.portal_address();
        world.server.set_settling(false);
        for number in 0..6 {
            world.discord.says(ANNA, "anna", &format!("d{number}"));
            if number % 2 == 0 {
                world.discord.faults.borrow_mut().push(Fault::DropAnswer);
            }
            world.send(&room, &format!("{number}"), &format!("m{number}"));
            world.listen();
            world.server.crash(&portal);
        }
        world.server.set_settling(true);
        world.server.settle();
        for _ in 0..10 {
            world.server.advance(60_000);
            world.listen();
        }
        let contents: Vec<_> = world.discord.said().into_iter().map(|(_, content)| content).collect();
        assert_eq!(contents, ["m0", "m1", "m2", "m3", "m4", "m5"], "seed {seed}");
        let mut bodies = world.bodies(&room);
        bodies.sort();
        let expected: Vec<_> = ["d", "m"].iter().flat_map(|kind| (0..6).map(move |n| format!("{kind}{n}"))).collect();
        assert_eq!(bodies, expected, "seed {seed}");
    }
}

#[test]
fn edits_deletions_and_reactions_of_discord_are_shown() {
    let world = World::connected(7);
    let room = world.bridge(GENERAL);
    let message = world.discord.says(ANNA, "anna", "frist");
    world.listen();
    let event = world.last(&room);
    world.server.advance(5_000);
    let mut edited = message.clone();
    edited["content"] = "first".into();
    edited["edited_timestamp"] = world.timestamp().into();
    edited["guild_id"] = discord::GUILD.into();
    world.tell("MESSAGE_UPDATE", edited);
    let shown = world.event(&room, &event);
    assert_eq!(shown["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"], "first");

    let id = message["id"].clone();
    let at = json!({ "channel_id": GENERAL, "guild_id": discord::GUILD, "message_id": id, "user_id": ANNA });
    let mut reaction = at.clone();
    reaction["emoji"] = json!({ "id": null, "name": "🎉" });
    world.tell("MESSAGE_REACTION_ADD", reaction);
    let shown = world.event(&room, &world.last(&room));
    assert_eq!(shown["content"]["m.relates_to"]["key"], "🎉");

    world.tell("MESSAGE_DELETE", json!({ "id": id, "channel_id": GENERAL, "guild_id": discord::GUILD }));
    assert_eq!(world.event(&room, &event)["content"], json!({}));
}

#[test]
fn a_channel_that_nobody_chose_makes_no_room() {
    let world = World::connected(8);
    world.discord.says(ANNA, "anna", "into the void");
    world.listen();
    assert_eq!(world.status()["counters"]["dropped"], 1);
    assert_eq!(world.status()["account"]["user"], BOT);
    assert_eq!(world.status()["portals"], json!([]));
}
