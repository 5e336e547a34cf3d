//! `POST /rooms/{id}/forget`.

use hubbub_conformance::{Homeserver, SyncAnswer, User};
use serde_json::{Value, json};

async fn two_in_a_room(body: Value) -> (User, User, String) {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(body).await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    (alice, bob, room)
}

fn with_left_rooms() -> Value {
    json!({"room": {"include_leave": true}})
}

fn sections_with(sync: &SyncAnswer, room: &str) -> Vec<String> {
    let rooms = sync["rooms"].as_object();
    let sections = rooms.into_iter().flatten().filter(|(_, section)| section.get(room).is_some());
    sections.map(|(name, _)| name.clone()).collect()
}

/// Suite: TestRoomForget/Can't forget room you're still in
#[tokio::test]
async fn a_joined_room_cannot_be_forgotten() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;

    alice.forget(&room).await.refused(400, "M_UNKNOWN");
}

/// Suite: TestRoomForget/Forgotten room messages cannot be paginated
#[tokio::test]
async fn the_history_of_a_forgotten_room_is_closed() {
    let (alice, bob, room) = two_in_a_room(json!({"preset": "public_chat"})).await;
    alice.send_text(&room, "before the leave").await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;

    bob.forget(&room).await.ok();

    // No query at all: the right to read is judged before the missing `dir`.
    bob.get(["rooms", &room, "messages"]).await.refused(403, "M_FORBIDDEN");
}

/// Suite: TestRoomForget/Forgetting room does not show up in v2 initial /sync
#[tokio::test]
async fn a_forgotten_room_is_in_no_section_of_an_initial_sync() {
    let (alice, bob, room) = two_in_a_room(json!({"preset": "public_chat"})).await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;
    alice.send_text_and_wait(&room, "after the leave").await;

    bob.forget(&room).await.ok();
    alice.send_text_and_wait(&room, "after it was forgotten").await;

    let sync = bob.sync().filter(with_left_rooms()).await;
    assert_eq!(sections_with(&sync, &room), [] as [&str; 0]);
}

/// Goes beyond the letter of the spec: a user's other devices must still learn that the room was left.
///
/// Suite: TestRoomForget/Leave for forgotten room shows up in v2 incremental /sync
#[tokio::test]
async fn the_leave_of_a_forgotten_room_still_reaches_a_device_that_was_not_there() {
    let (alice, bob, room) = two_in_a_room(json!({"preset": "public_chat"})).await;
    let since = bob.wait_for_member(&room, &bob, "join").await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;

    bob.forget(&room).await.ok();

    let news = bob.sync().since(&since).filter(with_left_rooms());
    news.until("the leave", |sync| sections_with(sync, &room) == ["leave"]).await;
}

/// Suite: TestRoomForget/Can forget room you've been kicked from
#[tokio::test]
async fn a_kicked_user_has_the_room_neither_joined_nor_invited() {
    let (alice, bob, room) = two_in_a_room(json!({"preset": "public_chat"})).await;

    alice.kick(&room, &bob).await.ok();

    alice.wait_for_member(&room, &bob, "leave").await;
    let gone = |sync: &SyncAnswer| sections_with(sync, &room).iter().all(|section| section == "leave");
    bob.sync().until("the room's absence", gone).await;
}

/// Suite: TestRoomForget/Can re-join room if re-invited
#[tokio::test]
async fn who_forgot_a_room_needs_a_new_invite_and_then_reads_its_history() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "private_chat"})).await;
    // Not as state, so it is an event without effect.
    alice.send(&room, "m.room.join_rules", json!({"join_rule": "invite"})).await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await;
    let before = alice.send_text_and_wait(&room, "before the leave").await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;
    bob.forget(&room).await.ok();

    bob.post(["join", &room]).json(json!({})).await.refused(403, "M_FORBIDDEN");
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await;
    bob.wait_for_member(&room, &bob, "join").await;

    let page = async |limit: &str| {
        let page = bob.get(["rooms", &room, "messages"]).query("dir", "b").query("limit", limit).await.ok();
        page["chunk"].as_array().expect("a chunk").clone()
    };
    assert!(page("100").await.iter().any(|event| event["event_id"] == before.as_str()));
    let newest = alice.send_text_and_wait(&room, "after the return").await;
    bob.wait_for_event(&room, &newest).await;
    assert_eq!(page("1").await[0]["event_id"], newest.as_str());
}

/// Suite: TestRoomForget/Can forget room we weren't an actual member
#[tokio::test]
async fn who_only_refused_an_invite_forgets_the_room() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"invite": [bob.id]})).await;
    bob.wait_for_member(&room, &bob, "invite").await;
    bob.leave(&room).await;
    alice.leave(&room).await;

    bob.forget(&room).await.ok();

    alice.forget(&room).await.ok();
}
