//! `GET /rooms/{id}/timestamp_to_event`: jumping to a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hubbub_conformance::{Call, Homeserver, User};
use serde_json::json;

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

/// A room with the messages A and B, and times before the room, before A and after B.
struct Room {
    alice: User,
    id: String,
    messages: [String; 2],
    times: [u128; 3],
}

impl Room {
    async fn make() -> Self {
        let alice = Homeserver::from_env().register("alice").await;
        let pause = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = now();
            tokio::time::sleep(Duration::from_millis(300)).await;
            now
        };
        let before = pause().await;
        let id = alice.create_room(json!({"preset": "public_chat"})).await;
        let made = pause().await;
        let messages = [alice.send_text(&id, "A").await, alice.send_text(&id, "B").await];
        let after = pause().await;
        Self { alice, id, messages, times: [before, made, after] }
    }

    fn at(&self, time: u128, direction: &str) -> Call {
        let call = self.alice.get(["rooms", &self.id, "timestamp_to_event"]).version("v1");
        call.query("ts", &time.to_string()).query("dir", direction)
    }
}

/// Suite: TestJumpToDateEndpoint/parallel/should find event after given timestamp
#[tokio::test]
async fn the_event_after_a_time_is_found() {
    let room = Room::make().await;
    assert_eq!(room.at(room.times[1], "f").await.ok()["event_id"], room.messages[0].as_str());
}

/// Suite: TestJumpToDateEndpoint/parallel/should find event before given timestamp
#[tokio::test]
async fn the_event_before_a_time_is_found() {
    let room = Room::make().await;
    assert_eq!(room.at(room.times[2], "b").await.ok()["event_id"], room.messages[1].as_str());
}

/// Suite: TestJumpToDateEndpoint/parallel/should find nothing before the earliest timestamp
#[tokio::test]
async fn nothing_is_found_before_the_room_was_made() {
    let room = Room::make().await;
    room.at(room.times[0], "b").await.refused(404, "M_NOT_FOUND");
}

/// Suite: TestJumpToDateEndpoint/parallel/should find nothing after the latest timestamp
#[tokio::test]
async fn nothing_is_found_after_the_last_event() {
    let room = Room::make().await;
    room.at(room.times[2], "f").await.refused(404, "M_NOT_FOUND");
}

/// A room where an application service said two messages at once; `None` where the tests know of no service.
async fn said_at_once() -> Option<(Room, u128)> {
    let room = Room::make().await;
    let service = room.alice.server.appservice().await?;
    service.join(&room.id).await;
    // Ahead of the clock, so that no event that the room has already is as near.
    let ts = now() + 60_000;
    let mut messages = Vec::new();
    for body in ["C", "D"] {
        let path = ["rooms", room.id.as_str(), "send", "m.room.message", body];
        let call = service.put(path, json!({"msgtype": "m.text", "body": body})).query("ts", &ts.to_string());
        messages.push(call.await.ok()["event_id"].as_str().expect("an event id").to_owned());
    }
    let messages = messages.try_into().expect("two messages");
    Some((Room { messages, ..room }, ts))
}

/// Suite: TestJumpToDateEndpoint/parallel/should find next event topologically before given timestamp when all message timestamps are the same
#[tokio::test]
async fn the_later_of_two_events_of_one_time_is_found_before_it() {
    let Some((room, ts)) = said_at_once().await else { return };
    assert_eq!(room.at(ts, "b").await.ok()["event_id"], room.messages[1].as_str());
}

/// Suite: TestJumpToDateEndpoint/parallel/should find next event topologically after given timestamp when all message timestamps are the same
#[tokio::test]
async fn the_earlier_of_two_events_of_one_time_is_found_after_it() {
    let Some((room, ts)) = said_at_once().await else { return };
    assert_eq!(room.at(ts, "f").await.ok()["event_id"], room.messages[0].as_str());
}

async fn stranger_is_refused(preset: &str) {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": preset})).await;
    let call = bob.get(["rooms", &room, "timestamp_to_event"]).version("v1");
    call.query("ts", &now().to_string()).query("dir", "b").await.refused(403, "M_FORBIDDEN");
}

/// Suite: TestJumpToDateEndpoint/parallel/should not be able to query a private room you are not a member of
#[tokio::test]
async fn nothing_is_found_in_a_private_room_that_one_is_not_in() {
    stranger_is_refused("private_chat").await;
}

/// Suite: TestJumpToDateEndpoint/parallel/should not be able to query a public room you are not a member of
#[tokio::test]
async fn nothing_is_found_in_a_public_room_that_one_is_not_in() {
    stranger_is_refused("public_chat").await;
}
