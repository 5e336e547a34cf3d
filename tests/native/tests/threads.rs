//! The list of a room's threads, and what is unread in them.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

fn related(parent: &str, rel_type: &str, body: &str) -> Json {
    json!({"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": rel_type, "event_id": parent}})
}

/// Sends under a transaction id made of the content: no test sends the same twice.
#[track_caller]
fn say(client: &Client, room: &str, content: &Json) -> String {
    client.server.advance(1);
    let sent = client.put(["rooms", room, "send", "m.room.message", &content.to_string()], content).ok();
    sent["event_id"].as_str().unwrap().to_owned()
}

fn reply(client: &Client, room: &str, root: &str, body: &str) -> String {
    say(client, room, &related(root, "m.thread", body))
}

#[track_caller]
fn threads(client: &Client, room: &str, query: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
    let page = client.query_v1(["rooms", room, "threads"], query).ok();
    let roots = page["chunk"].as_array().unwrap();
    for root in roots {
        assert!(root["unsigned"]["m.relations"]["m.thread"]["latest_event"].is_object(), "{root}");
        assert_eq!(root["room_id"], room);
    }
    let ids = roots.iter().map(|root| root["event_id"].as_str().unwrap().to_owned()).collect();
    (ids, page["next_batch"].as_str().map(str::to_owned))
}

#[test]
fn threads_are_listed_by_their_newest_reply() {
    let (_, alice, bob, room) = two_in_a_room();
    let (one, two) = (alice.send_text(&room, "one"), alice.send_text(&room, "two"));
    assert_eq!(threads(&bob, &room, &[]), (vec![], None));
    reply(&alice, &room, &one, "a");
    reply(&alice, &room, &two, "b");
    assert_eq!(threads(&bob, &room, &[]), (vec![two.clone(), one.clone()], None));

    let newest = reply(&bob, &room, &one, "c");
    assert_eq!(threads(&bob, &room, &[]), (vec![one.clone(), two.clone()], None));
    let redacted = json!({});
    bob.put(["rooms", &room, "redact", &newest, "r"], &redacted).ok();
    assert_eq!(threads(&bob, &room, &[]), (vec![two, one], None));
}

#[test]
fn threads_page_and_each_comes_once() {
    let (_, alice, bob, room) = two_in_a_room();
    let mut roots = Vec::new();
    for number in 0..7 {
        let root = alice.send_text(&room, "root");
        reply(&alice, &room, &root, &number.to_string());
        roots.insert(0, root);
    }
    let mut found = Vec::new();
    let mut from = None;
    for size in [3, 3, 1] {
        let mut query = vec![("limit", "3")];
        query.extend(from.as_deref().map(|from: &str| ("from", from)));
        let (page, next) = threads(&bob, &room, &query);
        assert_eq!(page.len(), size);
        found.extend(page);
        from = next;
    }
    assert_eq!((found, from), (roots, None));
}

#[test]
fn own_threads_are_those_begun_or_answered() {
    let (_, alice, bob, room) = two_in_a_room();
    let begun = bob.send_text(&room, "begun by bob");
    let answered = alice.send_text(&room, "answered by bob");
    let foreign = alice.send_text(&room, "foreign");
    for root in [&begun, &answered, &foreign] {
        reply(&alice, &room, root, root);
    }
    reply(&bob, &room, &answered, "by bob");

    let own = [("include", "participated")];
    assert_eq!(threads(&bob, &room, &own).0, [answered.clone(), begun.clone()]);
    assert_eq!(threads(&alice, &room, &own).0, [answered.clone(), foreign.clone(), begun.clone()]);
    assert_eq!(threads(&bob, &room, &[("include", "all")]).0, [answered, foreign, begun]);
    let first = threads(&bob, &room, &[("include", "participated"), ("limit", "1")]);
    let next = first.1.unwrap();
    assert_eq!(threads(&bob, &room, &[("include", "participated"), ("limit", "1"), ("from", &next)]).0.len(), 1);
}

#[test]
fn a_list_of_threads_that_cannot_be_is_refused() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let root = alice.send_text(&room, "root");
    reply(&alice, &room, &root, "reply");

    carl.query_v1(["rooms", &room, "threads"], &[]).refused(403, "M_FORBIDDEN");
    carl.query_v1(["rooms", "!none:hub.example", "threads"], &[]).refused(403, "M_FORBIDDEN");
    bob.query_v1(["rooms", &room, "threads"], &[("include", "some")]).refused(400, "M_INVALID_PARAM");
    bob.query_v1(["rooms", &room, "threads"], &[("from", "nonsense")]).refused(400, "M_INVALID_PARAM");
    bob.query_v1(["rooms", &room, "threads"], &[("limit", "x")]).refused(400, "M_INVALID_PARAM");
}

#[test]
fn threads_begun_before_one_joined_or_after_one_left_are_not_shown() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let hidden = json!({"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}});
    let room = alice.create_room(&json!({"preset": "public_chat", "initial_state": [hidden]}));
    let before = alice.send_text(&room, "before");
    bob.join(&room);
    let during = alice.send_text(&room, "during");
    // It becomes a thread when bob is gone.
    let quiet = alice.send_text(&room, "quiet");
    reply(&alice, &room, &before, "a");
    reply(&alice, &room, &during, "b");
    assert_eq!(threads(&bob, &room, &[]).0, std::slice::from_ref(&during));

    bob.leave(&room);
    let after = alice.send_text(&room, "after");
    reply(&alice, &room, &after, "c");
    reply(&alice, &room, &quiet, "d");
    assert_eq!(threads(&bob, &room, &[]).0, [during]);
}

/// Notifications and highlights of the main timeline and, if it has any, of a thread.
fn unread(client: &Client, room: &str, thread: &str) -> (Json, Json) {
    let filter = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;
    let sync = client.sync_with(&[("filter", filter)]);
    let of = |counts: &Json| json!([counts["notification_count"], counts["highlight_count"]]);
    let joined = sync.joined(room);
    let of_thread = &joined["unread_thread_notifications"][thread];
    (of(&joined["unread_notifications"]), if of_thread.is_null() { Json::Null } else { of(of_thread) })
}

#[test]
fn what_refers_to_ones_own_reply_counts_in_its_thread() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let own = reply(&bob, &room, &root, "mine");
    bob.post(["rooms", &room, "receipt", "m.read", &own], &json!({})).ok();

    say(&alice, &room, &related(&own, "m.reference", "about yours"));

    assert_eq!(unread(&bob, &room, &root), (json!([0, 0]), json!([1, 0])));
}

#[test]
fn a_thread_is_read_by_its_own_receipt_or_an_unthreaded_one() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let first = reply(&alice, &room, &root, "first");
    let second = reply(&alice, &room, &root, "second");
    let read = |event: &str, body: Json| bob.post(["rooms", &room, "receipt", "m.read", event], &body).ok();
    assert_eq!(unread(&bob, &room, &root), (json!([1, 0]), json!([2, 0])));

    read(&root, json!({"thread_id": "main"}));
    assert_eq!(unread(&bob, &room, &root), (json!([0, 0]), json!([2, 0])));
    read(&first, json!({"thread_id": root}));
    assert_eq!(unread(&bob, &room, &root), (json!([0, 0]), json!([1, 0])));
    read(&second, json!({}));
    assert_eq!(unread(&bob, &room, &root), (json!([0, 0]), Json::Null));
}

#[test]
fn an_edit_does_not_notify_but_a_new_mention_in_it_does() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = alice.send_text(&room, "hello");
    bob.post(["rooms", &room, "receipt", "m.read", &text], &json!({})).ok();
    let edit = |body: &str, mentions: Json| {
        let mut content = related(&text, "m.replace", &format!("* {body}"));
        content["m.new_content"] = json!({"msgtype": "m.text", "body": body});
        content["m.mentions"] = mentions;
        say(&alice, &room, &content);
    };

    edit("hello there", json!({}));
    assert_eq!(unread(&bob, &room, ""), (json!([0, 0]), Json::Null));
    edit("hello bob", json!({"user_ids": [bob.user_id]}));
    assert_eq!(unread(&bob, &room, ""), (json!([1, 1]), Json::Null));
}

#[test]
fn a_mention_of_a_user_or_by_a_moderator_of_the_room_highlights() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = |body: &str, mentions: Json| json!({"msgtype": "m.text", "body": body, "m.mentions": mentions});

    say(&alice, &room, &text("to bob", json!({"user_ids": [bob.user_id]})));
    assert_eq!(unread(&bob, &room, "").0, json!([1, 1]));
    say(&alice, &room, &text("to all", json!({"room": true})));
    assert_eq!(unread(&bob, &room, "").0, json!([2, 2]));
    // With m.mentions the text itself mentions nobody.
    say(&alice, &room, &text("bob, @room", json!({})));
    assert_eq!(unread(&bob, &room, "").0, json!([3, 2]));
    // Who may not notify the room mentions nobody by it.
    say(&bob, &room, &text("to all", json!({"room": true})));
    assert_eq!(unread(&alice, &room, "").0, json!([1, 0]));
}
