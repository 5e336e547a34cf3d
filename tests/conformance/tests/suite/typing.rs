//! `PUT /rooms/{id}/typing/{userId}`.

use std::time::Duration;

use hubbub_conformance::{Homeserver, SyncAnswer, User};
use serde_json::{Value, json};

async fn two_in_a_room() -> (User, User, String, String) {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    let since = bob.wait_for_member(&room, &bob, "join").await;
    (alice, bob, room, since)
}

async fn set_typing(user: &User, room: &str, body: Value) -> hubbub_conformance::Answer {
    user.put(["rooms", room, "typing", &user.id], body).await
}

fn types(sync: &SyncAnswer, room: &str) -> Option<Value> {
    sync.ephemeral(room, "m.typing").map(|event| event["content"]["user_ids"].clone())
}

async fn typing_is_seen(alice: &User, bob: &User, room: &str, since: &str) {
    set_typing(alice, room, json!({"typing": true, "timeout": 10000})).await.ok();
    let alice_alone = json!([alice.id]);
    bob.sync().since(since).until("typing", |sync| types(sync, room).as_ref() == Some(&alice_alone)).await;
}

/// Suite: TestTyping/Typing notification sent to local room members
#[tokio::test]
async fn a_member_sees_another_typing() {
    let (alice, bob, room, since) = two_in_a_room().await;

    typing_is_seen(&alice, &bob, &room, &since).await;
}

/// Suite: TestTyping/Typing can be explicitly stopped
#[tokio::test]
async fn a_member_sees_that_another_stopped_typing() {
    let (alice, bob, room, since) = two_in_a_room().await;
    typing_is_seen(&alice, &bob, &room, &since).await;

    set_typing(&alice, &room, json!({"typing": false})).await.ok();

    bob.sync().since(&since).until("nobody typing", |sync| types(sync, &room) == Some(json!([]))).await;
}

/// Suite: TestTyping/Typing events DO NOT include a `room_id` field
#[tokio::test]
async fn a_typing_event_has_no_room_id() {
    let (alice, bob, room, since) = two_in_a_room().await;
    typing_is_seen(&alice, &bob, &room, &since).await;

    // Whether a timeout of nothing is accepted is left to the server.
    set_typing(&alice, &room, json!({"typing": true, "timeout": 0})).await;

    let sync = bob.sync().since(&since).until("typing", |sync| types(sync, &room).is_some()).await;
    let event = sync.ephemeral(&room, "m.typing").expect("a typing event");
    assert!(event.get("room_id").is_none(), "{event}");
}

/// Suite: TestLeakyTyping
#[tokio::test]
async fn who_is_not_in_the_room_sees_nobody_typing() {
    let (alice, bob, room, since) = two_in_a_room().await;
    let carol = alice.server.register("carol").await;
    carol.create_room(json!({})).await;
    let carols_token = carol.sync_token().await;

    typing_is_seen(&alice, &bob, &room, &since).await;

    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(carol.sync().since(&carols_token).await.joined(&room).is_null());
}
