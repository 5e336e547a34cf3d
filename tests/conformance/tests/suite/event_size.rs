//! Events above 65,536 bytes.

use hubbub_conformance::Homeserver;
use serde_json::json;

const TOO_LONG: usize = 70_000;

/// Suite: TestEvent/Large Event
#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;

    let content = json!({"msgtype": "m.text", "body": "a".repeat(TOO_LONG)});
    alice.put(["rooms", &room, "send", "m.room.message", "1"], content).await.with_status(413);
}

/// Suite: TestEvent/Large State Event
#[tokio::test]
async fn state_that_is_too_large_is_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;

    let content = json!({"body": "a".repeat(TOO_LONG)});
    alice.put(["rooms", &room, "state", "hubbub.test.state"], content).await.with_status(413);
}
