//! Room version 12: creators whose power is above every level, and a room id that is the create event's hash.

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

const LARGEST_LEVEL: i64 = (1 << 53) - 1;

async fn users() -> (User, User) {
    let server = Homeserver::from_env();
    (server.register("alice").await, server.register("bob").await)
}

/// Makes a room of version 12; the caller judges the answer.
async fn create(user: &User, mut body: Value) -> Answer {
    body["room_version"] = json!("12");
    user.post(["createRoom"]).json(body).await
}

async fn room_of(user: &User, body: Value) -> String {
    let created = create(user, body).await.ok();
    created["room_id"].as_str().expect("a room id").to_owned()
}

async fn levels(user: &User, room: &str) -> Value {
    user.state(room, "m.room.power_levels").await
}

/// Sets somebody's power level; the caller judges the answer.
async fn set_level(user: &User, room: &str, whose: &User, level: i64) -> Answer {
    let mut content = levels(user, room).await;
    content["users"][&whose.id] = json!(level);
    user.put_state(room, "m.room.power_levels", "", content).await
}

async fn creator_kicks_member_of_level(level: i64) {
    let (alice, bob) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    set_level(&alice, &room, &bob, level).await.ok();
    alice.kick(&room, &bob).await.ok();
}

/// Suite: TestMSC4289PrivilegedRoomCreators/PL event is missing creator in users map
#[tokio::test]
async fn the_creator_is_not_among_the_levels() {
    let (alice, _) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    assert_eq!(levels(&alice, &room).await.get("users"), Some(&json!({})));
}

/// Suite: TestMSC4289PrivilegedRoomCreators/m.room.tombstone needs PL150 in the PL event
#[tokio::test]
async fn a_tombstone_needs_level_150() {
    let (alice, _) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    assert_eq!(levels(&alice, &room).await["events"]["m.room.tombstone"], 150);
}

/// Suite: TestMSC4289PrivilegedRoomCreators/creator cannot set self in PL event
#[tokio::test]
async fn the_creator_gets_no_level() {
    let (alice, _) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    set_level(&alice, &room, &alice, 100).await.with_status(400);
}

/// Suite: TestMSC4289PrivilegedRoomCreators/creator can kick admin
#[tokio::test]
async fn the_creator_kicks_an_administrator() {
    creator_kicks_member_of_level(100).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators/creator can kick admin above PL100
#[tokio::test]
async fn the_creator_kicks_who_has_more_than_an_administrator() {
    creator_kicks_member_of_level(949_342).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators/creator can kick admin at JSON max value
#[tokio::test]
async fn the_creator_kicks_who_has_the_largest_level() {
    creator_kicks_member_of_level(LARGEST_LEVEL).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators/power level cannot be set beyond max canonical JSON int
#[tokio::test]
async fn a_level_beyond_canonical_json_is_refused() {
    let (alice, bob) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    set_level(&alice, &room, &bob, LARGEST_LEVEL + 1).await.with_status(400);
}

/// Suite: TestMSC4289PrivilegedRoomCreators/admin with >PL100 cannot kick creator
#[tokio::test]
async fn who_has_the_largest_level_does_not_kick_the_creator() {
    let (alice, bob) = users().await;
    let room = room_of(&alice, json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    set_level(&alice, &room, &bob, LARGEST_LEVEL).await.ok();
    bob.kick(&room, &alice).await.refused(403, "M_FORBIDDEN");
}

/// Suite: TestMSC4289PrivilegedRoomCreators/power_level_content_override can be set
#[tokio::test]
async fn levels_can_be_given_when_the_room_is_made() {
    let (alice, bob) = users().await;
    let users = json!({bob.id.as_str(): 100});
    let room = room_of(&alice, json!({"power_level_content_override": {"users": users}})).await;
    assert_eq!(levels(&alice, &room).await["users"], users);
}

/// Suite: TestMSC4289PrivilegedRoomCreators/power_level_content_override cannot set the room creator
#[tokio::test]
async fn levels_given_when_the_room_is_made_do_not_name_its_creator() {
    let (alice, _) = users().await;
    let levels = json!({"users": {alice.id.as_str(): 100}});
    create(&alice, json!({"power_level_content_override": levels})).await.with_status(400);
}

/// Suite: TestMSC4289PrivilegedRoomCreators_Additional
#[tokio::test]
async fn an_additional_creator_has_the_creators_power() {
    let (alice, bob) = users().await;
    let content = json!({"additional_creators": [bob.id]});
    let room = room_of(&alice, json!({"preset": "public_chat", "creation_content": content})).await;
    bob.join(&room).await;

    alice.kick(&room, &bob).await.refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.name", json!({"name": "Named by Bob"})).await;
    set_level(&alice, &room, &bob, 100).await.with_status(400);
}

/// Suite: TestMSC4289PrivilegedRoomCreators_InvitedAreCreators
#[tokio::test]
async fn those_invited_to_a_chat_of_equals_are_creators() {
    let (alice, bob) = users().await;
    let room = room_of(&alice, json!({"preset": "trusted_private_chat", "invite": [bob.id]})).await;

    assert_eq!(alice.state(&room, "m.room.create").await["additional_creators"], json!([bob.id]));
    assert!(levels(&alice, &room).await["users"].get(&bob.id).is_none());
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalCreatorsAndInvited
#[tokio::test]
async fn those_named_and_those_invited_to_a_chat_of_equals_are_creators_once_each() {
    let (alice, bob) = users().await;
    let carol = alice.server.register("carol").await;
    let body = json!({
        "preset": "trusted_private_chat",
        "invite": [bob.id, carol.id],
        "creation_content": {"additional_creators": [bob.id]},
    });
    let room = room_of(&alice, body).await;

    let create = alice.state(&room, "m.room.create").await;
    let mut creators: Vec<&str> =
        create["additional_creators"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    creators.sort_unstable();
    let mut expected = [bob.id.as_str(), carol.id.as_str()];
    expected.sort_unstable();
    assert_eq!(creators, expected);
}

async fn creators_are_refused(creators: Value) {
    let (alice, _) = users().await;
    create(&alice, json!({"creation_content": {"additional_creators": creators}})).await.with_status(400);
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalValidation/additional_creators isn't an array
#[tokio::test]
async fn additional_creators_that_are_no_list_are_refused() {
    creators_are_refused(json!("not-a-list")).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalValidation/additional_creators elements aren't strings
#[tokio::test]
async fn an_additional_creator_that_is_no_text_is_refused() {
    creators_are_refused(json!([42])).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalValidation/additional_creators elements aren't user ID strings
#[tokio::test]
async fn an_additional_creator_that_is_no_user_id_is_refused() {
    creators_are_refused(json!(["somebody"])).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalValidation/additional_creators elements aren't valid user ID strings (domain)
#[tokio::test]
async fn an_additional_creator_of_an_impossible_server_is_refused() {
    creators_are_refused(json!(["@somebody:$else$where.example"])).await;
}

/// Suite: TestMSC4289PrivilegedRoomCreators_AdditionalValidation/additional_creators are valid
#[tokio::test]
async fn additional_creators_of_unknown_servers_are_taken() {
    let (alice, _) = users().await;
    let creators = json!(["@one:elsewhere.example", "@two:nowhere.example:8448"]);
    let room = room_of(&alice, json!({"creation_content": {"additional_creators": creators}})).await;
    assert_eq!(alice.state(&room, "m.room.create").await["additional_creators"], creators);
}

/// The create event and the messages of a room of version 12.
async fn create_event(alice: &User, room: &str) -> Value {
    let state = alice.get(["rooms", room, "state"]).await.ok();
    let mut state = state.as_array().expect("a list").iter();
    state.find(|event| event["type"] == "m.room.create").expect("a create event").clone()
}

/// Suite: TestMSC4291RoomIDAsHashOfCreateEvent
#[tokio::test]
async fn the_room_is_named_by_its_create_event() {
    let (alice, _) = users().await;
    let room = room_of(&alice, json!({})).await;
    let id = create_event(&alice, &room).await["event_id"].as_str().expect("an id").replacen('$', "!", 1);
    assert_eq!(id, room);
}

/// Suite: TestMSC4291RoomIDAsHashOfCreateEvent_CannotSendCreateEvent
#[tokio::test]
async fn a_room_is_created_once() {
    let (alice, _) = users().await;
    for version in ["11", "12"] {
        let room = alice.create_room(json!({"room_version": version})).await;
        let content = json!({"room_version": version, "again": true});
        alice.put_state(&room, "m.room.create", "", content).await.with_status(400);
    }
}

/// Suite: TestMSC4291RoomIDAsHashOfCreateEvent_RoomIDIsOnCreateEvent
#[tokio::test]
async fn clients_read_the_room_id_on_the_create_event() {
    let (alice, _) = users().await;
    let room = room_of(&alice, json!({})).await;
    let create = create_event(&alice, &room).await;
    let id = create["event_id"].as_str().expect("an id").to_owned();
    let create_in = |list: &Value| {
        let mut list = list.as_array().expect("a list").iter();
        list.find(|event| event["event_id"] == id.as_str()).expect("the create event").clone()
    };
    let context = async |event: &str| alice.get(["rooms", &room, "context", event]).query("limit", "50").await.ok();

    let page = alice.get(["rooms", &room, "messages"]).query("dir", "b").query("limit", "50").await.ok();
    let around = context(&id).await;
    let last = page["chunk"][0]["event_id"].as_str().expect("an event id").to_owned();
    let after = context(&last).await;
    let whole = alice.get(["rooms", &room, "state", "m.room.create", ""]).query("format", "event").await.ok();

    let shown = [
        ("state", create.clone()),
        ("messages", create_in(&page["chunk"])),
        ("event", alice.event(&room, &id).await.ok()),
        ("context", around["event"].clone()),
        ("events before", create_in(&after["events_before"])),
        ("state of a context", create_in(&after["state"])),
        ("the state event", whole),
    ];
    for (place, event) in shown {
        assert_eq!(event["room_id"], room.as_str(), "{place}: {event}");
    }
}
