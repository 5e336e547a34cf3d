//! `GET /rooms/{id}/threads`, and receipts in threads.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

async fn reply(user: &User, room: &str, root: &str, body: &str) -> String {
    let relation = json!({"rel_type": "m.thread", "event_id": root});
    user.send(room, "m.room.message", json!({"msgtype": "m.text", "body": body, "m.relates_to": relation})).await
}

/// Each thread's root with its newest reply, as the list has them.
async fn threads(user: &User, room: &str) -> Vec<(String, String)> {
    let body = user.get(["rooms", room, "threads"]).version("v1").await.ok();
    let text = |value: &Value| value.as_str().expect("an event id").to_owned();
    let chunk = body["chunk"].as_array().expect("a chunk");
    let newest = |root: &Value| text(&root["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"]);
    chunk.iter().map(|root| (text(&root["event_id"]), newest(root))).collect()
}

/// Suite: TestThreadsEndpoint
#[tokio::test]
async fn threads_are_listed_by_their_newest_reply() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let (one, two) = (alice.send_text(&room, "one").await, alice.send_text(&room, "two").await);
    let in_one = reply(&alice, &room, &one, "in one").await;
    let in_two = reply(&alice, &room, &two, "in two").await;
    let of_two = (two, in_two);
    assert_eq!(threads(&alice, &room).await, [of_two.clone(), (one.clone(), in_one)]);

    let newest = reply(&alice, &room, &one, "again in one").await;
    assert_eq!(threads(&alice, &room).await, [(one, newest), of_two]);
}

/// Suite: TestThreadReceiptsInSyncMSC4102
#[tokio::test]
async fn an_unthreaded_receipt_is_shown_rather_than_a_threaded_one_on_the_same_event() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    let root = alice.send_text(&room, "root").await;
    let event = reply(&alice, &room, &root, "reply").await;
    for body in [json!({}), json!({"thread_id": root})] {
        alice.post(["rooms", &room, "receipt", "m.read", &event]).json(body).await.ok();
    }

    for reader in [&alice, &bob] {
        let shows = |sync: &hubbub_conformance::SyncAnswer| {
            let receipts = sync.ephemeral(&room, "m.receipt");
            let own = receipts.map(|receipts| &receipts["content"][&event]["m.read"][&alice.id]);
            own.is_some_and(|own| own["ts"].is_u64() && own.get("thread_id").is_none())
        };
        reader.sync().until("the unthreaded receipt", shows).await;
    }
}
