//! Unread and highlight counts.

use hubbub_core::contract::user::{Caller, PushRuleOperation, UserCommand};
use ruma::OwnedEventId;
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, raw},
    support::{ALICE, BOB, User, next},
};

fn start() -> (User, Caller, TestRoom) {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.member("@carol:hub", "@carol:hub", "join");
    room.join(&user);
    (user, caller, room)
}

fn counts(user: &User, caller: &Caller, room: &TestRoom) -> (u64, u64) {
    let body = user.sync(caller, None);
    let counts = &body["rooms"]["join"][room.id()]["unread_notifications"];
    (counts["notification_count"].as_u64().unwrap(), counts["highlight_count"].as_u64().unwrap())
}

fn threaded(room: &mut TestRoom, root: &OwnedEventId, body: &str) -> OwnedEventId {
    let content = json!({
        "msgtype": "m.text", "body": body,
        "m.relates_to": {"rel_type": "m.thread", "event_id": root},
    });
    room.append(BOB, "m.room.message", None, content)
}

fn related(room: &mut TestRoom, event_type: &str, rel_type: &str, target: &OwnedEventId) -> OwnedEventId {
    let content = json!({
        "msgtype": "m.text", "body": "related",
        "m.relates_to": {"rel_type": rel_type, "event_id": target, "key": "x"},
    });
    room.append(BOB, event_type, None, content)
}

/// The story of a public suite's threaded-receipts test.
#[test]
fn receipts_count_threads_apart() {
    let (user, caller, mut room) = start();
    let since = next(&user.sync(&caller, None)).to_owned();
    let a = room.text(BOB, "root");
    let b = threaded(&mut room, &a, "in the thread");
    threaded(&mut room, &a, &format!("hello {ALICE}"));
    let d = room.text(BOB, &format!("hello {ALICE}"));
    threaded(&mut room, &a, "in the thread");
    let f = related(&mut room, "m.room.message", "m.reference", &a);
    let g = related(&mut room, "m.reaction", "m.annotation", &f);
    room.deliver(&user);

    let by_thread = json!({"room": {"timeline": {"unread_thread_notifications": true}}});
    let entry = |filter: &Json| {
        let body = user.sync_with(&caller, Some(&since), filter.clone());
        body["rooms"]["join"][room_id()].clone()
    };
    let total = || {
        let entry = entry(&json!({}));
        assert!(entry.get("unread_thread_notifications").is_none());
        pair(&entry["unread_notifications"])
    };
    let split = || {
        let entry = entry(&by_thread);
        let thread = entry.get("unread_thread_notifications").map(|threads| pair(&threads[a.as_str()]));
        (pair(&entry["unread_notifications"]), thread)
    };
    assert_eq!(total(), (6, 2));
    assert_eq!(split(), ((3, 1), Some((3, 1))));

    room.receipt(ALICE, &a, Some("main"));
    room.deliver(&user);
    assert_eq!(total(), (5, 2));
    assert_eq!(split(), ((2, 1), Some((3, 1))));

    room.receipt(ALICE, &b, Some(a.as_str()));
    room.deliver(&user);
    assert_eq!(total(), (4, 2));
    assert_eq!(split(), ((2, 1), Some((2, 1))));
    let receipts = &entry(&json!({}))["ephemeral"]["events"][0]["content"];
    assert_eq!(receipts[a.as_str()]["m.read"][ALICE]["thread_id"], "main");
    assert_eq!(receipts[b.as_str()]["m.read"][ALICE]["thread_id"], a.as_str());

    room.receipt(ALICE, &d, None);
    room.deliver(&user);
    assert_eq!(total(), (2, 0));
    assert_eq!(split(), ((1, 0), Some((1, 0))));

    room.receipt(ALICE, &g, Some(a.as_str()));
    room.deliver(&user);
    assert_eq!(total(), (1, 0));
    assert_eq!(split(), ((1, 0), None));
}

fn room_id() -> &'static str {
    "!r:hub"
}

fn pair(counts: &Json) -> (u64, u64) {
    (counts["notification_count"].as_u64().unwrap(), counts["highlight_count"].as_u64().unwrap())
}

#[test]
fn own_events_and_history_do_not_count() {
    let (user, caller, mut room) = start();
    assert_eq!(counts(&user, &caller, &room), (0, 0));
    room.text(ALICE, "mine");
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (0, 0));
    room.text(BOB, "yours");
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (1, 0));
}

#[test]
fn a_private_receipt_counts_as_reading() {
    let (user, caller, mut room) = start();
    let message = room.text(BOB, "one");
    room.deliver(&user);
    room.receipt_of_type(ALICE, "m.read.private", &message, None);
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (0, 0));
}

#[test]
fn somebody_elses_receipt_reads_nothing() {
    let (user, caller, mut room) = start();
    let message = room.text(BOB, "one");
    room.receipt("@carol:hub", &message, None);
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (1, 0));
}

#[test]
fn a_redacted_message_no_longer_counts() {
    let (user, caller, mut room) = start();
    let message = room.text(BOB, "hello alice");
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (1, 1));
    room.redact(&message);
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (0, 0));
}

#[test]
fn leaving_clears_the_counts_and_a_rejoin_starts_at_none() {
    let (user, caller, mut room) = start();
    room.text(BOB, "one");
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    room.text(BOB, "two");
    room.join(&user);
    assert_eq!(counts(&user, &caller, &room), (0, 0));
}

#[test]
fn a_mention_of_the_whole_room_needs_the_power() {
    let (user, caller, mut room) = start();
    room.facts.power_levels = Some(raw(&json!({"users": {BOB: 50}})));
    let mention = json!({"body": "all", "m.mentions": {"room": true}});
    room.append("@carol:hub", "m.room.message", None, mention.clone());
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (1, 0));
    room.append(BOB, "m.room.message", None, mention.clone());
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (2, 1));
    // A creator of a room of version 12 has all powers.
    room.facts.creators = vec!["@carol:hub".try_into().unwrap()];
    room.append("@carol:hub", "m.room.message", None, mention);
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (3, 2));
}

#[test]
fn a_silenced_room_counts_nothing() {
    let (user, caller, mut room) = start();
    let operation = PushRuleOperation::Put {
        kind: "room".to_owned(),
        rule_id: room.id().to_owned(),
        rule: raw(&json!({"actions": []})),
        before: None,
        after: None,
    };
    let silence = UserCommand::PushRules { caller: caller.clone(), operation };
    user.ask::<Json>(silence).unwrap();
    room.text(BOB, "one");
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (0, 0));
}

#[test]
fn counts_survive_an_eviction_of_the_object() {
    let (mut user, caller, mut room) = start();
    room.text(BOB, "one");
    room.deliver(&user);
    user.reopen();
    room.text(BOB, "two alice");
    room.deliver(&user);
    assert_eq!(counts(&user, &caller, &room), (2, 1));
}
