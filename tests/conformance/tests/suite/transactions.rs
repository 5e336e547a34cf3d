//! Transaction ids: who sees them, and what a repeated one does.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

async fn user_with_room() -> (User, String) {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    (alice, room)
}

async fn send(user: &User, room: &str, transaction: &str, body: &str) -> Value {
    let content = json!({"msgtype": "m.text", "body": body});
    let sent = user.put(["rooms", room, "send", "m.room.message", transaction], content).await.ok();
    assert!(sent["event_id"].is_string(), "{sent}");
    sent["event_id"].clone()
}

async fn sees_transaction_id(user: &User, room: &str, event_id: &Value, transaction: &str) {
    let is_echo = |event: &Value| event["event_id"] == *event_id && event["unsigned"]["transaction_id"] == transaction;
    user.sync().until("the transaction id", |sync| sync.timeline(room).iter().any(is_echo)).await;
}

/// Suite: TestTxnInEvent
#[tokio::test]
async fn the_sending_device_reads_the_transaction_id_on_the_event() {
    let (alice, room) = user_with_room().await;

    let event_id = send(&alice, &room, "txn-1", "hello").await;

    let event = alice.event(&room, event_id.as_str().expect("an event id")).await.ok();
    assert_eq!(event["unsigned"]["transaction_id"], "txn-1");
}

/// Suite: TestTxnScopeOnLocalEcho
#[tokio::test]
async fn a_new_login_of_the_same_device_still_sees_the_transaction_id() {
    let (account, room) = user_with_room().await;
    let alice = account.login_again(json!({})).await;
    let event_id = send(&alice, &room, "txn-1", "hello").await;
    sees_transaction_id(&alice, &room, &event_id, "txn-1").await;

    let again = alice.login_again(json!({"device_id": alice.device_id})).await;

    assert_eq!(again.device_id, alice.device_id);
    sees_transaction_id(&again, &room, &event_id, "txn-1").await;
}

/// Suite: TestTxnIdempotencyScopedToDevice
#[tokio::test]
async fn a_new_login_of_the_same_device_repeats_a_transaction() {
    let (account, room) = user_with_room().await;
    let alice = account.login_again(json!({})).await;
    let first = send(&alice, &room, "txn-1", "hello").await;

    let again = alice.login_again(json!({"device_id": alice.device_id})).await;

    assert_eq!(again.device_id, alice.device_id);
    assert_eq!(send(&again, &room, "txn-1", "hello").await, first);
}

/// Suite: TestTxnIdempotency
#[tokio::test]
async fn a_transaction_id_stands_for_one_event_in_one_room() {
    let (alice, room) = user_with_room().await;
    let other_room = alice.create_room(json!({})).await;

    let first = send(&alice, &room, "txn-1", "hello").await;
    let other_content = send(&alice, &room, "txn-1", "something else").await;
    let elsewhere = send(&alice, &other_room, "txn-1", "hello").await;

    assert_eq!(other_content, first);
    assert_ne!(elsewhere, first);
}

/// Suite: TestTxnIdWithRefreshToken
#[tokio::test]
async fn transaction_ids_outlive_a_refresh_of_the_access_token() {
    let (account, room) = user_with_room().await;
    let server = &account.server;
    let session = server.login(account.localpart(), &account.password, json!({"refresh_token": true})).await.ok();
    let alice = User::from_answer(server, &session, &account.password);
    let event_id = send(&alice, &room, "txn-1", "hello").await;

    let refreshed = server.post(["refresh"]).json(json!({"refresh_token": session["refresh_token"]})).await.ok();

    assert!(refreshed["refresh_token"].is_string(), "a new refresh token");
    let token = refreshed["access_token"].as_str().expect("a new access token").to_owned();
    let alice = User { token, ..alice };
    sees_transaction_id(&alice, &room, &event_id, "txn-1").await;
    assert_eq!(send(&alice, &room, "txn-1", "hello").await, event_id);
}
