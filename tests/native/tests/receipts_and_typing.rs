//! Receipts, read markers and typing.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

fn read<'a>(room: &'a str, kind: &'a str, event: &'a str) -> [&'a str; 5] {
    ["rooms", room, "receipt", kind, event]
}

#[test]
fn a_receipt_reaches_the_reader_and_the_others() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");
    let (alice_since, bob_since) = (alice.sync(None).next_batch(), bob.sync(None).next_batch());

    bob.post(read(&room, "m.read", &event), &json!({})).ok();

    for sync in [alice.sync(Some(&alice_since)), bob.sync(Some(&bob_since))] {
        let receipts = sync.ephemeral(&room, "m.receipt");
        assert!(receipts[0]["content"][&event]["m.read"][&bob.user_id]["ts"].is_i64());
        assert!(receipts[0]["room_id"].is_null());
    }
    assert_eq!(bob.sync(Some(&bob_since)).joined(&room)["unread_notifications"]["notification_count"], 0);
}

#[test]
fn a_private_receipt_is_seen_by_its_reader_only() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");
    let (alice_since, bob_since) = (alice.sync(None).next_batch(), bob.sync(None).next_batch());

    bob.post(read(&room, "m.read.private", &event), &json!({})).ok();

    let own = bob.sync(Some(&bob_since)).ephemeral(&room, "m.receipt");
    assert!(own[0]["content"][&event]["m.read.private"][&bob.user_id].is_object());
    assert!(alice.sync(Some(&alice_since)).ephemeral(&room, "m.receipt").is_empty());
}

#[test]
fn a_threaded_receipt_names_its_thread() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");
    let since = alice.sync(None).next_batch();

    bob.post(read(&room, "m.read", &event), &json!({"thread_id": "main"})).ok();

    let receipts = alice.sync(Some(&since)).ephemeral(&room, "m.receipt");
    assert_eq!(receipts[0]["content"][&event]["m.read"][&bob.user_id]["thread_id"], "main");
}

#[test]
fn a_receipt_that_cannot_be_is_refused() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let event = alice.send_text(&room, "hello");
    let post = |kind: &str, body: Json| bob.post(read(&room, kind, &event), &body);

    post("m.nonsense", json!({})).refused(400, "M_INVALID_PARAM");
    post("m.read", json!({"thread_id": 7})).refused(400, "M_BAD_JSON");
    assert_eq!(post("m.read", json!({"thread_id": ""})).status, 400);
    post("m.fully_read", json!({"thread_id": "main"})).refused(400, "M_INVALID_PARAM");
    bob.post(read(&room, "m.read", "nonsense"), &json!({})).refused(400, "M_INVALID_PARAM");
    carl.post(read(&room, "m.read", &event), &json!({})).refused(403, "M_FORBIDDEN");
}

#[test]
fn read_markers_set_the_marker_and_receipts_in_one_request() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");
    let markers = json!({"m.fully_read": event, "m.read": event, "m.read.private": event});

    bob.post(["rooms", &room, "read_markers"], &markers).ok();

    let sync = bob.sync(None);
    let content = &sync.ephemeral(&room, "m.receipt")[0]["content"][&event];
    assert!(content["m.read"][&bob.user_id].is_object() && content["m.read.private"][&bob.user_id].is_object());
    let data = sync.joined(&room)["account_data"]["events"].as_array().unwrap().clone();
    assert!(data.contains(&json!({"type": "m.fully_read", "content": {"event_id": event}})));
    bob.post(["rooms", &room, "read_markers"], &json!({})).ok();
    bob.post(["rooms", &room, "read_markers"], &json!({"m.read": 7})).refused(400, "M_BAD_JSON");
}

#[test]
fn the_fully_read_marker_is_a_kind_of_receipt_too() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");
    let since = bob.sync(None).next_batch();

    bob.post(read(&room, "m.fully_read", &event), &json!({})).ok();

    let sync = bob.sync(Some(&since));
    assert_eq!(sync.joined(&room)["account_data"]["events"][0]["content"]["event_id"], event.as_str());
}

#[test]
fn typing_starts_is_seen_and_stops() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let (before, carls) = (bob.sync(None).next_batch(), carl.sync(None).next_batch());
    let typing = |body: Json| alice.put(["rooms", &room, "typing", &alice.user_id], &body).ok();

    typing(json!({"typing": true, "timeout": 10_000}));
    let sync = bob.sync(Some(&before));
    assert_eq!(
        sync.ephemeral(&room, "m.typing"),
        [json!({"type": "m.typing", "content": {"user_ids": [alice.user_id]}})]
    );
    assert!(!carl.sync(Some(&carls)).mentions(&room));

    typing(json!({"typing": false}));
    for since in [before, sync.next_batch()] {
        let stopped = bob.sync(Some(&since)).ephemeral(&room, "m.typing");
        assert_eq!(stopped, [json!({"type": "m.typing", "content": {"user_ids": []}})]);
    }
}

#[test]
fn typing_ends_by_itself_and_a_waiting_poll_hears_of_it() {
    let (server, alice, bob, room) = two_in_a_room();
    alice.put(["rooms", &room, "typing", &alice.user_id], &json!({"typing": true, "timeout": 4_000})).ok();
    let since = bob.sync(None).next_batch();
    let poll = bob.start_sync(&since);
    let began = server.now();

    let sync = hubbub_native::SyncBody(server.finish(&poll).ok());

    assert_eq!(sync.ephemeral(&room, "m.typing")[0]["content"]["user_ids"], json!([]));
    assert!((4_000..10_000).contains(&(server.now() - began)));
}

#[test]
fn one_types_for_oneself_and_where_one_is() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let typing = json!({"typing": true});

    bob.put(["rooms", &room, "typing", &alice.user_id], &typing).refused(403, "M_FORBIDDEN");
    carl.put(["rooms", &room, "typing", &carl.user_id], &typing).refused(403, "M_FORBIDDEN");
    bob.put(["rooms", &room, "typing", &bob.user_id], &json!({})).refused(400, "M_BAD_JSON");
    bob.put(["rooms", &room, "typing", &bob.user_id], &json!({"typing": true, "timeout": 0})).ok();
}
