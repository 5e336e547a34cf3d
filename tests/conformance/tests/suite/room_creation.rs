//! `POST /createRoom`, and what the creator sees of a room just made.

use std::time::Duration;

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

async fn creator() -> User {
    Homeserver::from_env().register("alice").await
}

/// Suite: TestRoomCreate/POST /createRoom makes a public room
#[tokio::test]
async fn a_public_room_with_an_alias_is_made() {
    let alice = creator().await;
    let name = hubbub_conformance::random_name("lobby");

    let body = json!({"visibility": "public", "room_alias_name": name});
    let room = alice.post(["createRoom"]).json(body).await.with_status(200);

    assert!(room["room_id"].is_string());
}

/// Suite: TestRoomCreate/POST /createRoom makes a private room
#[tokio::test]
async fn a_private_room_is_made() {
    let alice = creator().await;

    let room = alice.post(["createRoom"]).json(json!({"visibility": "private"})).await.with_status(200);

    assert!(room["room_id"].is_string());
}

/// Suite: TestRoomCreate/POST /createRoom makes a room with a topic
#[tokio::test]
async fn a_topic_given_at_creation_is_state() {
    let alice = creator().await;

    let room = alice.create_room(json!({"topic": "Tea and cake"})).await;

    assert_eq!(alice.state(&room, "m.room.topic").await["topic"], "Tea and cake");
}

fn assert_rich_topic(content: &Value, topic: &str) {
    assert_eq!(content["topic"], topic);
    let texts = content["m.topic"]["m.text"].as_array().expect("m.topic has an m.text array");
    assert_eq!(texts.len(), 1, "{content}");
    assert_eq!(texts[0]["body"], topic);
    assert!(texts[0].get("mimetype").is_none_or(|mimetype| mimetype == "text/plain"), "{content}");
}

/// Suite: TestRoomCreate/POST /createRoom makes a room with a topic and writes rich topic representation
#[tokio::test]
async fn a_topic_given_at_creation_is_also_written_as_a_rich_topic() {
    let alice = creator().await;

    let room = alice.create_room(json!({"topic": "Tea and cake"})).await;

    assert_rich_topic(&alice.state(&room, "m.room.topic").await, "Tea and cake");
}

fn with_initial_topic(topic: &str) -> Value {
    json!([{"type": "m.room.topic", "state_key": "", "content": {"topic": topic}}])
}

/// Suite: TestRoomCreate/POST /createRoom makes a room with a topic via initial_state
#[tokio::test]
async fn a_topic_in_initial_state_is_taken_as_it_is() {
    let alice = creator().await;

    let room = alice.create_room(json!({"initial_state": with_initial_topic("Tea and cake")})).await;

    let content = alice.state(&room, "m.room.topic").await;
    assert_eq!(content["topic"], "Tea and cake");
    assert!(content.get("m.topic").is_none(), "{content}");
}

/// Suite: TestRoomCreate/POST /createRoom makes a room with a topic via initial_state overwritten by topic
#[tokio::test]
async fn the_topic_beats_a_topic_in_initial_state() {
    let alice = creator().await;

    let body = json!({"topic": "Coffee", "initial_state": with_initial_topic("Tea and cake")});
    let room = alice.create_room(body).await;

    assert_rich_topic(&alice.state(&room, "m.room.topic").await, "Coffee");
}

/// Suite: TestRoomCreate/POST /createRoom makes a room with a name
#[tokio::test]
async fn a_name_given_at_creation_is_state() {
    let alice = creator().await;

    let room = alice.create_room(json!({"name": "Kitchen"})).await;

    assert_eq!(alice.state(&room, "m.room.name").await["name"], "Kitchen");
}

/// Suite: TestRoomCreate/POST /createRoom creates a room with the given version
#[tokio::test]
async fn an_old_room_version_that_is_asked_for_is_used() {
    let alice = creator().await;

    let room = alice.create_room(json!({"room_version": "2"})).await;

    assert_eq!(alice.state(&room, "m.room.create").await["room_version"], "2");
}

/// Suite: TestRoomCreate/POST /createRoom makes a private room with invites
#[tokio::test]
async fn a_private_room_with_invites_is_made() {
    let alice = creator().await;
    let bob = alice.server.register("bob").await;

    let body = json!({"visibility": "private", "invite": [bob.id]});
    let room = alice.post(["createRoom"]).json(body).await.with_status(200);

    assert!(room["room_id"].is_string());
}

/// Suite: TestRoomCreate/POST /createRoom rejects attempts to create rooms with numeric versions
#[tokio::test]
async fn a_room_version_that_is_a_number_is_refused() {
    let alice = creator().await;

    alice.post(["createRoom"]).json(json!({"room_version": 1})).await.refused(400, "M_BAD_JSON");
}

/// Suite: TestRoomCreate/POST /createRoom rejects attempts to create rooms with unknown versions
#[tokio::test]
async fn an_unknown_room_version_is_refused() {
    let alice = creator().await;

    let answer = alice.post(["createRoom"]).json(json!({"room_version": "no such version"})).await;

    answer.refused(400, "M_UNSUPPORTED_ROOM_VERSION");
}

/// Suite: TestRoomCreate/Rooms can be created with an initial invite list (SYN-205)
#[tokio::test]
async fn who_is_invited_at_creation_sees_the_invite() {
    let alice = creator().await;
    let bob = alice.server.register("bob").await;

    let room = alice.create_room(json!({"invite": [bob.id]})).await;

    bob.wait_for_member(&room, &bob, "invite").await;
}

/// Suite: TestRoomCreate/Can /sync newly created room
#[tokio::test]
async fn an_event_of_a_new_room_comes_down_sync() {
    let alice = creator().await;
    let room = alice.create_room(json!({})).await;

    let event_id = alice.send(&room, "hubbub.test", json!({})).await;

    alice.wait_for_event(&room, &event_id).await;
}

/// Suite: TestRoomCreate/POST /createRoom ignores attempts to set the room version via creation_content
#[tokio::test]
async fn creation_content_sets_own_keys_but_not_the_room_version() {
    let alice = creator().await;

    let room = alice.create_room(json!({"creation_content": {"room_version": "mine", "flavour": "mint"}})).await;

    let sync = alice.sync().until("the room", |sync| !sync.timeline(&room).is_empty()).await;
    let create = &sync.timeline(&room)[0];
    assert_eq!(create["type"], "m.room.create");
    assert_eq!(create["content"]["flavour"], "mint");
    assert!(create["content"]["room_version"].is_string());
    assert_ne!(create["content"]["room_version"], "mine");
}

/// Suite: TestRoomCreationReportsEventsToMyself/parallel/Room creation reports m.room.create to myself
#[tokio::test]
async fn the_creator_sees_the_create_event() {
    let alice = creator().await;
    let capabilities = alice.get(["capabilities"]).await.ok();
    let version = capabilities["capabilities"]["m.room_versions"]["default"].as_str().expect("a default version");

    let room = alice.create_room(json!({})).await;

    // Only room versions up to 10 name the creator in the content.
    let names_creator = version.parse::<u32>().is_ok_and(|version| version <= 10);
    let is_create = |event: &Value| {
        event["type"] == "m.room.create"
            && event["sender"] == alice.id.as_str()
            && (!names_creator || event["content"]["creator"] == alice.id.as_str())
    };
    alice.sync().until("m.room.create", |sync| sync.timeline(&room).iter().any(is_create)).await;
}

/// Suite: TestRoomCreationReportsEventsToMyself/parallel/Room creation reports m.room.member to myself
#[tokio::test]
async fn the_creator_sees_the_own_join() {
    let alice = creator().await;

    let room = alice.create_room(json!({})).await;

    let is_own_join = |event: &Value| {
        event["type"] == "m.room.member"
            && event["sender"] == alice.id.as_str()
            && event["state_key"] == alice.id.as_str()
            && event["content"]["membership"] == "join"
    };
    alice.sync().until("the join", |sync| sync.timeline(&room).iter().any(is_own_join)).await;
}

/// Suite: TestRoomCreationReportsEventsToMyself/parallel/Setting room topic reports m.room.topic to myself
#[tokio::test]
async fn who_sets_a_topic_sees_it_in_the_timeline() {
    let alice = creator().await;
    let room = alice.create_room(json!({})).await;

    alice.set_state(&room, "m.room.topic", json!({"topic": "Tea"})).await;

    let is_topic = |event: &Value| {
        event["type"] == "m.room.topic"
            && event.get("state_key").is_some()
            && event["sender"] == alice.id.as_str()
            && event["content"]["topic"] == "Tea"
    };
    alice.sync().until("the topic", |sync| sync.timeline(&room).iter().any(is_topic)).await;
}

/// The spec is silent about this; it spares every client a pointless event.
///
/// Suite: TestRoomCreationReportsEventsToMyself/parallel/Setting state twice is idempotent
#[tokio::test]
async fn setting_the_same_state_again_makes_no_new_event() {
    let alice = creator().await;
    let room = alice.create_room(json!({})).await;
    let content = json!({"flavour": "mint"});

    let first = alice.put_state(&room, "hubbub.test.state", "key", content.clone()).await.ok();
    let again = alice.put_state(&room, "hubbub.test.state", "key", content).await.ok();

    assert!(first["event_id"].is_string());
    assert_eq!(first["event_id"], again["event_id"]);
}

/// Suite: TestRoomCreationReportsEventsToMyself/parallel/Joining room twice is idempotent
#[tokio::test]
async fn joining_again_makes_no_new_event() {
    let alice = creator().await;
    let room = alice.create_room(json!({})).await;
    let membership_event = async || {
        let state = alice.get(["rooms", &room, "state"]).await.ok();
        let state = state.as_array().expect("an array").clone();
        let member = state.iter().find(|event| event["type"] == "m.room.member").expect("a member event");
        member["event_id"].as_str().expect("an event id").to_owned()
    };

    alice.join(&room).await;
    let first = membership_event().await;
    alice.join(&room).await;

    // An event would have come by now.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(membership_event().await, first);
}
