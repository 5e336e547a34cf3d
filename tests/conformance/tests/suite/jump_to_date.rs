//! `GET /rooms/{id}/timestamp_to_event`: the public suite's TestJumpToDateEndpoint, as far as it needs neither a second
//! server nor an application service.

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

/// “should find event after given timestamp”
#[tokio::test]
async fn the_event_after_a_time_is_found() {
    let room = Room::make().await;
    assert_eq!(room.at(room.times[1], "f").await.ok()["event_id"], room.messages[0].as_str());
}

/// “should find event before given timestamp”
#[tokio::test]
async fn the_event_before_a_time_is_found() {
    let room = Room::make().await;
    assert_eq!(room.at(room.times[2], "b").await.ok()["event_id"], room.messages[1].as_str());
}

/// “should find nothing before the earliest timestamp”
#[tokio::test]
async fn nothing_is_found_before_the_room_was_made() {
    let room = Room::make().await;
    room.at(room.times[0], "b").await.refused(404, "M_NOT_FOUND");
}

/// “should find nothing after the latest timestamp”
#[tokio::test]
async fn nothing_is_found_after_the_last_event() {
    let room = Room::make().await;
    room.at(room.times[2], "f").await.refused(404, "M_NOT_FOUND");
}
