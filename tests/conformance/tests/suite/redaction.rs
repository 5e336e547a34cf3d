//! `PUT /rooms/{id}/redact/{eventId}/{txnId}`.

use hubbub_conformance::Homeserver;
use serde_json::json;

/// Suite: TestRedact/Event content is redacted
#[tokio::test]
async fn a_redacted_event_is_still_served_without_its_content() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    let content = json!({"msgtype": "m.text", "body": "to be taken back"});
    let event_id = alice.send(&room, "m.room.message", content.clone()).await;
    assert_eq!(bob.event(&room, &event_id).await.with_status(200)["content"], content);

    let redaction = alice.redact(&room, &event_id, "a slip").await.ok();

    assert!(redaction["event_id"].is_string());
    assert_eq!(bob.event(&room, &event_id).await.with_status(200)["content"], json!({}));
}
