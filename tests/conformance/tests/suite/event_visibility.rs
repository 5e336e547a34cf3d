//! `GET /rooms/{id}/event/{eventId}` under each history visibility. A refusal is 404, never 403.

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

struct Room {
    id: String,
    writer: User,
    reader: User,
}

impl Room {
    /// A `public_chat` room whose history visibility overrides that of the preset. The reader is not in it yet.
    async fn with_history(visibility: &str) -> Self {
        let server = Homeserver::from_env();
        let (writer, reader) = (server.register("writer").await, server.register("reader").await);
        let content = json!({"history_visibility": visibility});
        let initial_state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": content}]);
        let id = writer.create_room(json!({"preset": "public_chat", "initial_state": initial_state})).await;
        Self { id, writer, reader }
    }

    async fn reader_joins(&self) {
        self.reader.join(&self.id).await;
        self.writer.wait_for_member(&self.id, &self.reader, "join").await;
        self.reader.wait_for_member(&self.id, &self.reader, "join").await;
    }

    async fn reader_is_invited(&self) {
        self.writer.invite(&self.id, &self.reader).await.ok();
        self.writer.wait_for_member(&self.id, &self.reader, "invite").await;
    }

    async fn write(&self) -> String {
        let event_id = self.writer.send(&self.id, "m.room.message", content()).await;
        self.writer.wait_for_event(&self.id, &event_id).await;
        event_id
    }

    async fn fetch(&self, event_id: &str) -> Answer {
        self.reader.event(&self.id, event_id).await
    }

    async fn reader_sees(&self, event_id: &str) {
        let event = self.fetch(event_id).await.with_status(200);
        assert_eq!(event["content"], content());
        assert_eq!(event["type"], "m.room.message");
        assert_eq!(event["room_id"], self.id.as_str());
        assert_eq!(event["sender"], self.writer.id.as_str());
        assert_eq!(event["event_id"], event_id);
        assert!(event["origin_server_ts"].is_number());
    }
}

fn content() -> Value {
    json!({"msgtype": "m.text", "body": "a line of text"})
}

/// Suite: TestFetchEvent
#[tokio::test]
async fn a_member_fetches_an_event() {
    let room = Room::with_history("shared").await;
    room.reader_joins().await;

    let event_id = room.write().await;

    room.reader_sees(&event_id).await;
}

/// Suite: TestFetchHistoricalJoinedEventDenied
#[tokio::test]
async fn joined_history_hides_what_was_said_before_the_join() {
    let room = Room::with_history("joined").await;
    let event_id = room.write().await;

    room.reader_joins().await;

    room.fetch(&event_id).await.with_status(404);
}

/// Suite: TestFetchHistoricalSharedEvent
#[tokio::test]
async fn shared_history_shows_what_was_said_before_the_join() {
    let room = Room::with_history("shared").await;
    let event_id = room.write().await;

    room.reader_joins().await;

    room.reader_sees(&event_id).await;
}

/// Suite: TestFetchHistoricalInvitedEventFromBetweenInvite
#[tokio::test]
async fn invited_history_shows_what_was_said_between_invite_and_join() {
    let room = Room::with_history("invited").await;
    room.reader_is_invited().await;
    let event_id = room.write().await;

    room.reader_joins().await;

    room.reader_sees(&event_id).await;
}

/// Suite: TestFetchHistoricalInvitedEventFromBeforeInvite
#[tokio::test]
async fn invited_history_hides_what_was_said_before_the_invite() {
    let room = Room::with_history("invited").await;
    let event_id = room.write().await;
    room.reader_is_invited().await;

    room.reader_joins().await;

    room.fetch(&event_id).await.with_status(404);
}

/// Suite: TestFetchEventNonWorldReadable
#[tokio::test]
async fn shared_history_is_hidden_from_who_never_joined() {
    let room = Room::with_history("shared").await;

    let event_id = room.write().await;

    room.fetch(&event_id).await.with_status(404);
}

/// Suite: TestFetchEventWorldReadable
#[tokio::test]
async fn world_readable_history_is_open_to_who_never_joined() {
    let room = Room::with_history("world_readable").await;

    let event_id = room.write().await;

    room.reader_sees(&event_id).await;
}
