//! Read receipts and read markers.

use hubbub_conformance::{Homeserver, User, events};
use serde_json::json;

async fn send_receipt(user: &User, room: &str, event_id: &str) {
    user.post(["rooms", room, "receipt", "m.read", event_id]).json(json!({})).await.ok();
}

/// Suite: TestRoomReceipts/Receipts DO NOT include a `room_id` field
#[tokio::test]
async fn ones_own_receipt_comes_down_sync_without_a_room_id() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let first = alice.send_text_and_wait(&room, "first").await;

    send_receipt(&alice, &room, &first).await;

    let has_receipt = |event_id: &str, sync: &hubbub_conformance::SyncAnswer| {
        let receipts = sync.ephemeral(&room, "m.receipt");
        receipts.is_some_and(|receipts| receipts["content"][event_id]["m.read"].get(&alice.id).is_some())
    };
    let sync = alice.sync().until("the receipt", |sync| has_receipt(&first, sync)).await;
    let second = alice.send_text_and_wait(&room, "second").await;
    send_receipt(&alice, &room, &second).await;
    let news = alice.sync().since(&sync.next_batch());
    let news = news.until("the second receipt", |sync| has_receipt(&second, sync)).await;
    let receipts = news.ephemeral(&room, "m.receipt").expect("a receipt");
    assert!(receipts.get("room_id").is_none(), "{receipts}");
}

/// Suite: TestRoomReadMarkers
#[tokio::test]
async fn read_markers_come_down_sync_as_receipt_and_account_data() {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({})).await;
    let event_id = alice.send_text_and_wait(&room, "read me").await;

    let markers = json!({"m.fully_read": event_id, "m.read": event_id});
    alice.post(["rooms", &room, "read_markers"]).json(markers).await.ok();

    alice
        .sync()
        .until("receipt and marker", |sync| {
            let receipt = sync.ephemeral(&room, "m.receipt");
            let has_receipt =
                receipt.is_some_and(|receipt| receipt["content"][&event_id]["m.read"].get(&alice.id).is_some());
            let has_marker = events(&sync.joined(&room)["account_data"])
                .iter()
                .any(|event| event["type"] == "m.fully_read" && event["content"]["event_id"] == event_id.as_str());
            has_receipt && has_marker
        })
        .await;
}
