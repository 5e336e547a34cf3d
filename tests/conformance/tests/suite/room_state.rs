//! Reading and writing a room's state.

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

async fn room(body: Value) -> (User, String) {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(body).await;
    (alice, room)
}

/// Suite: TestRoomState/GET /rooms/:room_id/state/m.room.member/:user_id fetches my membership
#[tokio::test]
async fn a_member_reads_the_own_membership() {
    let (alice, room) = room(json!({})).await;

    assert_eq!(alice.member_state(&room, &alice.id).await["membership"], "join");
}

/// Suite: TestRoomState/GET /rooms/:room_id/state/m.room.member/:user_id?format=event fetches my membership event
#[tokio::test]
async fn a_member_reads_the_own_membership_as_a_whole_event() {
    let (alice, room) = room(json!({})).await;

    let event = alice.get(["rooms", &room, "state", "m.room.member", &alice.id]).query("format", "event").await.ok();

    assert_eq!(event["sender"], alice.id.as_str());
    assert_eq!(event["room_id"], room.as_str());
    assert_eq!(event["content"]["membership"], "join");
}

/// Suite: TestRoomState/GET /rooms/:room_id/state/m.room.power_levels fetches powerlevels
#[tokio::test]
async fn the_power_levels_of_a_new_room_leave_nothing_to_defaults() {
    let (alice, room) = room(json!({})).await;

    let levels = alice.get(["rooms", &room, "state", "m.room.power_levels"]).await.ok();

    let names = ["ban", "kick", "redact", "users_default", "state_default", "events_default", "users", "events"];
    for name in names {
        assert!(levels.get(name).is_some(), "{name} in {levels}");
    }
}

/// Suite: TestRoomState/GET /rooms/:room_id/joined_members fetches my membership
#[tokio::test]
async fn joined_members_have_both_keys_of_a_profile() {
    let (alice, room) = room(json!({})).await;

    let members = alice.get(["rooms", &room, "joined_members"]).await.ok();

    let profile = members["joined"][&alice.id].as_object().expect("an object");
    assert!(profile.contains_key("display_name") && profile.contains_key("avatar_url"), "{profile:?}");
}

/// Suite: TestRoomState/GET /directory/room/:room_alias yields room ID
#[tokio::test]
async fn the_alias_made_with_a_room_resolves() {
    let name = random_name("lobby");
    let (alice, room) = room(json!({"room_alias_name": name})).await;
    let alias = format!("#{name}:{}", alice.server_name());

    let resolved = alice.get(["directory", "room", &alias]).await.ok();

    assert_eq!(resolved["room_id"], room.as_str());
    assert!(resolved.get("servers").is_some());
}

/// Suite: TestRoomState/GET /joined_rooms lists newly-created room
#[tokio::test]
async fn a_new_room_is_among_the_joined_rooms_at_once() {
    let (alice, room) = room(json!({})).await;

    let joined = alice.get(["joined_rooms"]).await.ok();

    assert!(joined["joined_rooms"].as_array().expect("an array").iter().any(|joined| joined == room.as_str()));
}

/// Suite: TestRoomState/GET /rooms/:room_id/state/m.room.name gets name
#[tokio::test]
async fn the_name_is_read_without_a_trailing_slash() {
    let (alice, room) = room(json!({"name": "Kitchen"})).await;

    let content = alice.get(["rooms", &room, "state", "m.room.name"]).await.ok();

    assert_eq!(content["name"], "Kitchen");
}

/// Suite: TestRoomState/POST /rooms/:room_id/state/m.room.name sets name
#[tokio::test]
async fn the_name_is_set_without_a_trailing_slash() {
    let (alice, room) = room(json!({})).await;
    let path = ["rooms", &room, "state", "m.room.name"];

    alice.put(path, json!({"name": "Kitchen"})).await.ok();

    assert_eq!(alice.get(path).await.ok()["name"], "Kitchen");
}

/// Suite: TestRoomState/GET /rooms/:room_id/state/m.room.topic gets topic
#[tokio::test]
async fn the_topic_is_read_without_a_trailing_slash() {
    let (alice, room) = room(json!({"topic": "Tea and cake"})).await;

    let content = alice.get(["rooms", &room, "state", "m.room.topic"]).await.ok();

    assert_eq!(content["topic"], "Tea and cake");
}

/// Suite: TestRoomState/PUT /rooms/:room_id/state/m.room.topic sets topic
#[tokio::test]
async fn the_topic_is_set_without_a_trailing_slash() {
    let (alice, room) = room(json!({})).await;
    let path = ["rooms", &room, "state", "m.room.topic"];

    alice.put(path, json!({"topic": "Tea and cake"})).await.ok();

    assert_eq!(alice.get(path).await.ok()["topic"], "Tea and cake");
}

/// Suite: TestRoomState/GET /rooms/:room_id/state fetches entire room state
#[tokio::test]
async fn the_whole_state_is_an_array() {
    let (alice, room) = room(json!({"name": "Kitchen", "topic": "Tea and cake"})).await;

    let state = alice.get(["rooms", &room, "state"]).await.ok();

    let state = state.as_array().expect("an array");
    for event_type in ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.power_levels", "m.room.topic"] {
        assert!(state.iter().any(|event| event["type"] == event_type), "{event_type}");
    }
}

/// Suite: TestRoomState/PUT /createRoom with creation content
#[tokio::test]
async fn creation_content_is_in_the_create_event() {
    let (alice, room) = room(json!({"creation_content": {"m.federate": false}})).await;

    assert_eq!(alice.state(&room, "m.room.create").await["m.federate"], false);
}

/// Suite: TestRoomState/GET /rooms/:room_id/joined_members is forbidden after leaving room
#[tokio::test]
async fn who_left_may_not_list_the_members() {
    let (alice, room) = room(json!({})).await;
    alice.leave(&room).await;

    let answer = alice.get(["rooms", &room, "joined_members"]).version("r0").await;

    answer.refused(403, "M_FORBIDDEN");
}
