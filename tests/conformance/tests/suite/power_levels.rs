//! `m.room.power_levels`. These tests ask for room version 11: from version 12 on a creator has infinite power and
//! must not be listed in `users`, so that what they check cannot be said there.

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

async fn room_of_version_11(body: Value) -> (User, String) {
    let alice = Homeserver::from_env().register("alice").await;
    let mut body = body;
    body["room_version"] = json!("11");
    let room = alice.create_room(body).await;
    (alice, room)
}

/// Suite: TestDemotingUsersViaUsersDefault
#[tokio::test]
async fn the_default_level_may_be_lowered_from_ones_own_level() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let levels = json!({"users_default": 100, "users": {alice.id.as_str(): 100}, "events": {}, "notifications": {}});
    let body = json!({"preset": "public_chat", "room_version": "11", "power_level_content_override": levels});
    let room = alice.create_room(body).await;

    let mut levels = levels;
    levels["users_default"] = json!(40);
    alice.put_state(&room, "m.room.power_levels", "", levels).await.ok();
}

/// Suite: TestPowerLevels/GET /rooms/:room_id/state/m.room.power_levels can fetch levels
#[tokio::test]
async fn a_new_room_spells_out_its_levels() {
    let (alice, room) = room_of_version_11(json!({})).await;

    let levels = alice.state(&room, "m.room.power_levels").await;

    for name in ["ban", "kick", "redact", "state_default", "events_default", "users_default"] {
        assert!(levels[name].is_number(), "{name} in {levels}");
    }
    for name in ["events", "users"] {
        let levels = levels[name].as_object().expect("an object");
        assert!(levels.values().all(Value::is_number), "{name}: {levels:?}");
    }
    assert!(levels["users"][&alice.id].as_i64() > levels["users_default"].as_i64(), "{levels}");
}

/// Suite: TestPowerLevels/PUT /rooms/:room_id/state/m.room.power_levels can set levels
#[tokio::test]
async fn levels_are_kept_as_they_were_sent() {
    let (alice, room) = room_of_version_11(json!({})).await;
    let stranger = format!("@{}:elsewhere.example", random_name("stranger"));
    let levels = json!({"invite": 100, "users": {alice.id.as_str(): 100, stranger: 20}});

    let event_id = alice.set_state(&room, "m.room.power_levels", levels.clone()).await;

    let event = alice.event(&room, &event_id).await.ok();
    assert_eq!(event["content"], levels);
}

/// Suite: TestPowerLevels/PUT power_levels should not explode if the old power levels were empty
#[tokio::test]
async fn who_dropped_all_levels_may_not_set_new_ones() {
    let (alice, room) = room_of_version_11(json!({})).await;
    alice.put_state(&room, "m.room.power_levels", "", json!({"users": {alice.id.as_str(): 100}})).await.ok();
    alice.put_state(&room, "m.room.power_levels", "", json!({})).await.ok();

    let path = ["rooms", &room, "state", "m.room.power_levels"];
    alice.put(path, json!({"users": {}})).await.with_status(403);

    let levels = alice.get(path).await.ok();
    assert!(levels.get("users").is_none(), "{levels}");
}
