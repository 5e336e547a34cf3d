//! What somebody who left still reads of a room whose history is open to members only.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

const CUSTOM: &str = "hubbub.test.state";

struct Departed {
    room: String,
    alice: User,
    /// Has left.
    bob: User,
    bobs_leave: String,
    /// Alice's messages while Bob was there.
    heard: Vec<String>,
    /// Bob's token from after leaving, before what followed.
    token: String,
}

impl Departed {
    /// Bob leaves; then name, custom state and messages change, and Carol joins.
    async fn new() -> Self {
        let server = Homeserver::from_env();
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        let content = json!({"history_visibility": "joined"});
        let initial_state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": content}]);
        let room = alice.create_room(json!({"preset": "public_chat", "initial_state": initial_state})).await;
        alice.set_state(&room, "m.room.name", json!({"name": "old name"})).await;
        alice.set_state(&room, CUSTOM, json!({"age": "old"})).await;
        bob.join(&room).await;
        alice.wait_for_member(&room, &bob, "join").await;
        let mut heard = Vec::new();
        for body in ["heard 1", "heard 2", "heard 3"] {
            heard.push(alice.send_text_and_wait(&room, body).await);
        }
        bob.leave(&room).await;
        alice.wait_for_member(&room, &bob, "leave").await;
        let member = alice.get(["rooms", &room, "state", "m.room.member", &bob.id]).query("format", "event");
        let bobs_leave = member.await.ok()["event_id"].as_str().expect("an event id").to_owned();
        let token = bob.sync_token().await;

        alice.send_text_and_wait(&room, "unheard").await;
        alice.set_state(&room, CUSTOM, json!({"age": "new"})).await;
        alice.set_state(&room, "m.room.name", json!({"name": "new name"})).await;
        let carol = server.register("carol").await;
        carol.join(&room).await;
        alice.wait_for_member(&room, &carol, "join").await;
        Self { room, alice, bob, bobs_leave, heard, token }
    }

    async fn messages(&self, direction: &str, limit: &str) -> Vec<Value> {
        let call = self.bob.get(["rooms", &self.room, "messages"]);
        let call = call.query("dir", direction).query("limit", limit).query("from", &self.token);
        call.await.ok()["chunk"].as_array().expect("chunk is an array").clone()
    }
}

/// Suite: TestLeftRoomFixture/Can get rooms/{roomId}/state for a departed room
#[tokio::test]
async fn who_left_reads_custom_state_as_it_was_then() {
    let departed = Departed::new().await;

    assert_eq!(departed.bob.state(&departed.room, CUSTOM).await, json!({"age": "old"}));
    assert_eq!(departed.alice.state(&departed.room, CUSTOM).await, json!({"age": "new"}));
}

/// Suite: TestLeftRoomFixture/Can get rooms/{roomId}/members for a departed room
#[tokio::test]
async fn who_left_reads_the_members_as_they_were_then() {
    let departed = Departed::new().await;

    let members = departed.bob.get(["rooms", &departed.room, "members"]).await.ok();

    let chunk = members["chunk"].as_array().expect("an array");
    let mut found: Vec<_> = chunk.iter().map(|event| (&event["state_key"], &event["content"]["membership"])).collect();
    found.sort_by_key(|(user, _)| user.as_str());
    let (alice, bob) = (json!(departed.alice.id), json!(departed.bob.id));
    assert_eq!(found, [(&alice, &json!("join")), (&bob, &json!("leave"))]);
}

/// Suite: TestLeftRoomFixture/Can get rooms/{roomId}/messages for a departed room
#[tokio::test]
async fn who_left_pages_back_from_the_own_leave() {
    let departed = Departed::new().await;

    let chunk = departed.messages("b", "3").await;

    let mut found: Vec<_> = chunk.iter().filter_map(|event| event["event_id"].as_str()).collect();
    let mut expected = vec![departed.heard[1].as_str(), departed.heard[2].as_str(), departed.bobs_leave.as_str()];
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Suite: TestLeftRoomFixture/Can get 'm.room.name' state for a departed room
#[tokio::test]
async fn who_left_reads_the_name_as_it_was_then() {
    let departed = Departed::new().await;

    assert_eq!(departed.bob.state(&departed.room, "m.room.name").await["name"], "old name");
    assert_eq!(departed.alice.state(&departed.room, "m.room.name").await["name"], "new name");
}

/// Suite: TestLeftRoomFixture/Getting messages going forward is limited for a departed room
#[tokio::test]
async fn who_left_finds_nothing_when_paging_forward() {
    let departed = Departed::new().await;

    assert_eq!(departed.messages("f", "100").await, [] as [Value; 0]);
}
