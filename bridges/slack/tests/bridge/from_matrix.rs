//! From the room to Slack: once, in order, and never a silent loss.

use hubbub_bridge::contract::LoginCommand;
use serde_json::{Value as Json, json};

use crate::{
    homeserver::BOT,
    slack::{Fault, TOKEN},
    world::{ALICE, World},
};

/// What the bot said last, and to which event it replied.
fn last_notice(world: &World, room_id: &str) -> (String, Option<String>) {
    let events = world.homeserver.room(room_id).events;
    let event = events.iter().rfind(|event| event.sender == BOT).expect("a notice");
    assert_eq!(event.content["msgtype"], "m.notice");
    let reply = event.content.pointer("/m.relates_to/m.in_reply_to/event_id");
    let body = event.content["body"].as_str().unwrap().to_owned();
    (body, reply.and_then(Json::as_str).map(str::to_owned))
}

#[test]
fn a_message_is_posted_once_with_its_mark_and_its_echo_is_not_shown() {
    for echo_metadata in [true, false] {
        let (world, login_id, portal) = World::bridged();
        world.slack.echo_metadata.set(echo_metadata);
        let room = portal.room_id.as_str();

        let event_id = world.matrix_says(room, ALICE, "hello *you*");
        world.settle();
        world.deliver_echoes(&login_id);
        world.settle();

        let message = world.slack.history.borrow()["C0GENERAL"].last().unwrap().clone();
        assert_eq!(message["metadata"]["event_type"], "hubbub_txn");
        assert_eq!(message["metadata"]["event_payload"]["t"], event_id.as_str());
        assert_eq!(world.slack.posted("C0GENERAL").len(), 1);
        assert_eq!(world.homeserver.bodies(room), ["hello *you*"]);
        let rows = world.d1("SELECT event_id FROM message_map", vec![]);
        assert_eq!(rows, [[event_id.into()]]);
    }
}

#[test]
fn an_echo_that_comes_before_the_answer_is_not_shown() {
    for echo_metadata in [true, false] {
        let (world, login_id, portal) = World::bridged();
        world.slack.echo_metadata.set(echo_metadata);
        world.slack.suffer_next([Fault::DropAnswer]);
        let room = portal.room_id.as_str();

        world.matrix_says(room, ALICE, "quick");
        world.run_until(|world| !world.slack.echoes.borrow().is_empty());
        world.deliver_echoes(&login_id);
        world.settle();

        assert_eq!(world.slack.posted("C0GENERAL"), ["quick"], "echo metadata: {echo_metadata}");
        assert_eq!(world.homeserver.bodies(room), ["quick"]);
    }
}

#[test]
fn an_event_that_comes_again_is_posted_once() {
    let (world, _, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let event =
        world.homeserver.human_sends(room, ALICE, "m.room.message", json!({ "msgtype": "m.text", "body": "x" }));

    for _ in 0..3 {
        world.hand_over(room, vec![event.clone()]);
        world.settle();
    }

    assert_eq!(world.slack.posted("C0GENERAL"), ["x"]);
}

#[test]
fn unknown_outcomes_are_looked_up_before_anything_is_sent_again() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
    let faults = [Fault::DropAnswer, Fault::Close, Fault::Close, Fault::DropAnswer, Fault::Http(503), Fault::NotSent];
    world.slack.suffer_next(faults);
    world.slack.history_faults.borrow_mut().extend([Some(Fault::Close), Some(Fault::RateLimited(2))]);

    for number in 0..8 {
        world.matrix_says(room, ALICE, &format!("m{number}"));
    }
    world.settle();

    let expected: Vec<_> = (0..8).map(|number| format!("m{number}")).collect();
    assert_eq!(world.slack.posted("C0GENERAL"), expected);
    assert!(world.slack.faults.borrow().is_empty());
    assert!(world.slack.calls_of("conversations.history") > 4);
}

#[test]
fn a_rate_limit_is_waited_for() {
    for fault in [Fault::RateLimited(7), Fault::RateLimitedInBody] {
        let (world, _, portal) = World::bridged();
        world.slack.suffer_next([fault]);
        let before = world.now.get();

        world.matrix_says(portal.room_id.as_str(), ALICE, "patience");
        world.settle();

        assert_eq!(world.slack.posted("C0GENERAL"), ["patience"]);
        let calls = world.slack.calls.borrow();
        let posts: Vec<_> = calls.iter().filter(|(method, _)| method == "chat.postMessage").collect();
        let wait = if fault == Fault::RateLimited(7) { 7_000 } else { 5_000 };
        assert_eq!(posts.len(), 2);
        assert!(posts[1].1 - before >= wait, "{fault:?}");
    }
}

#[test]
fn the_default_pace_is_one_message_a_second() {
    let (world, _, portal) = World::bridged();

    for number in 0..5 {
        world.matrix_says(portal.room_id.as_str(), ALICE, &format!("m{number}"));
    }
    world.settle();

    let calls = world.slack.calls.borrow();
    let times: Vec<_> = calls.iter().filter(|(method, _)| method == "chat.postMessage").map(|(_, at)| *at).collect();
    assert_eq!(times.len(), 5);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
}

#[test]
fn a_refusal_is_shown_as_a_reply_and_stops_nothing() {
    for code in ["not_in_channel", "channel_not_found", "msg_too_long", "is_archived", "restricted_action", "odd_code"]
    {
        let (world, _, portal) = World::bridged();
        let room = portal.room_id.as_str();
        world.slack.suffer_next([Fault::Error(code)]);

        let event_id = world.matrix_says(room, ALICE, "refused");
        world.matrix_says(room, ALICE, "next");
        world.settle();

        let (notice, reply) = last_notice(&world, room);
        assert!(notice.starts_with("Slack did not take this message: "), "{notice}");
        assert_eq!(reply, Some(event_id));
        assert_eq!(world.slack.posted("C0GENERAL"), ["next"]);
    }
}

#[test]
fn what_cannot_be_decided_is_shown_as_uncertain_and_not_sent_again() {
    let (world, _, portal) = World::bridged();
    let room = portal.room_id.as_str();
    world.slack.suffer_next([Fault::Close]);
    world.slack.history_faults.borrow_mut().push_back(Some(Fault::Error("missing_scope")));

    let event_id = world.matrix_says(room, ALICE, "who knows");
    world.settle();

    let (notice, reply) = last_notice(&world, room);
    assert!(notice.contains("not certain"), "{notice}");
    assert_eq!(reply, Some(event_id));
    assert!(world.slack.posted("C0GENERAL").is_empty());
}

#[test]
fn what_is_not_bridged_yet_says_so() {
    let (world, _, portal) = World::bridged();
    let room = portal.room_id.as_str();
    let send = |kind: &str, content: Json| {
        let event = world.homeserver.human_sends(room, ALICE, kind, content);
        world.hand_over(room, vec![event]);
        world.settle();
        last_notice(&world, room).0
    };

    assert!(send("m.room.encrypted", json!({ "algorithm": "m.megolm.v1.aes-sha2" })).contains("encrypted"));
    assert!(world.slack.posted("C0GENERAL").is_empty());
}

#[test]
fn only_the_owner_writes_to_slack() {
    let (world, _, portal) = World::bridged();
    let room = portal.room_id.as_str();

    world.matrix_says(room, "@bob:hub.test", "me too");
    world.settle();

    assert!(world.slack.posted("C0GENERAL").is_empty());
    assert!(last_notice(&world, room).0.contains("@alice:hub.test"));
}

#[test]
fn a_long_message_becomes_several_posts_each_once() {
    let (world, login_id, portal) = World::bridged();
    world.login::<()>(&login_id, LoginCommand::SetPace { per_second: 50 }).unwrap();
    world.slack.suffer_next([Fault::DropAnswer, Fault::Close]);
    let text = "word ".repeat(2_000);

    world.matrix_says(portal.room_id.as_str(), ALICE, text.trim());
    world.settle();
    world.deliver_echoes(&login_id);
    world.settle();

    let posted = world.slack.posted("C0GENERAL");
    assert!(posted.len() >= 3, "{}", posted.len());
    let words: usize = posted.iter().map(|post| post.split_whitespace().count()).sum();
    assert_eq!(words, 2_000);
    assert_eq!(world.homeserver.bodies(portal.room_id.as_str()).len(), 1);
}

#[test]
fn messages_wait_for_a_lost_token_and_go_out_with_the_new_one() {
    let (world, login_id, portal) = World::bridged();
    let room = portal.room_id.as_str();
    *world.slack.dead.borrow_mut() = Some("token_revoked");

    world.matrix_says(room, ALICE, "one");
    world.matrix_says(room, ALICE, "two");
    world.settle();
    assert_eq!(world.status(&login_id).state.as_str(), "bad_credentials");
    assert!(world.slack.posted("C0GENERAL").is_empty());

    *world.slack.dead.borrow_mut() = None;
    assert_eq!(world.finish(&login_id, TOKEN).unwrap().login_id, login_id);
    world.settle();

    assert_eq!(world.slack.posted("C0GENERAL"), ["one", "two"]);
}
