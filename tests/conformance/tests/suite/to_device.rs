//! To-device messages.

use hubbub_conformance::{Homeserver, SyncAnswer, User, events};
use serde_json::{Value, json};

/// The message of this type that a device gets from a token on.
async fn arrival(user: &User, since: &str, event_type: &str) -> Value {
    let found =
        |sync: &SyncAnswer| events(&sync["to_device"]).iter().find(|event| event["type"] == event_type).cloned();
    let answer = user.sync().since(since).until(event_type, |sync| found(sync).is_some()).await;
    found(&answer).expect("the poll ended with it")
}

/// Suite: TestToDeviceMessages
#[tokio::test]
async fn a_message_arrives_at_the_devices_that_it_names_as_it_was_sent() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let (bob, carol) = (server.register("bob").await, server.register("carol").await);
    let (bobs, carols) = (bob.sync_token().await, carol.sync_token().await);
    let to_bob = json!({"my_key": "my_value", "nested": {"list": [1, true, null]}});
    let to_carol = json!({"my_key": "another value"});

    let messages = json!({ &bob.id: {&bob.device_id: to_bob}, &carol.id: {&carol.device_id: to_carol} });
    alice.put(["sendToDevice", "my.test.type", "my_txn_id"], json!({ "messages": messages })).await.with_status(200);

    for (user, since, content) in [(&bob, bobs, to_bob), (&carol, carols, to_carol)] {
        let event = arrival(user, &since, "my.test.type").await;
        assert_eq!((&event["sender"], &event["content"]), (&json!(alice.id), &content), "{event}");
    }
}
