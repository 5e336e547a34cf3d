//! Reading and setting room state.

use http::Method;
use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

#[test]
fn state_is_set_and_read_with_and_without_the_slash_of_an_empty_key() {
    let (_, alice, _) = two();
    let room = alice.public_room();
    let base = format!("/_matrix/client/v3/rooms/{room}/state/m.room.name");
    for (put, get, name) in [("", "/", "One"), ("/", "", "Two")] {
        let sent = alice.ask(Method::PUT, &format!("{base}{put}"), Some(&json!({"name": name}))).ok();
        assert!(sent["event_id"].as_str().is_some_and(|id| id.starts_with('$')));
        assert_eq!(alice.ask(Method::GET, &format!("{base}{get}"), None).ok(), json!({"name": name}));
    }
}

#[test]
fn the_whole_event_is_read_on_request() {
    let (_, alice, _) = two();
    let room = alice.public_room();
    let read =
        |format: &str| alice.query(["rooms", &room, "state", "m.room.member", &alice.user_id], &[("format", format)]);

    let event = read("event").ok();

    assert_eq!((&event["sender"], &event["room_id"]), (&json!(alice.user_id), &json!(room)));
    assert_eq!((&event["type"], &event["content"]["membership"]), (&json!("m.room.member"), &json!("join")));
    assert_eq!(read("content").ok(), json!({"membership": "join"}));
    read("xml").refused(400, "M_INVALID_PARAM");
}

#[test]
fn the_whole_state_is_a_list_of_events() {
    let (_, alice, _) = two();
    let room = alice.create_room(&json!({"name": "Lobby", "topic": "Talk"}));

    let state = alice.get(["rooms", &room, "state"]).ok();

    let events = state.as_array().expect("a list");
    for event_type in ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.power_levels", "m.room.topic"] {
        assert!(events.iter().any(|event| event["type"] == event_type && event["room_id"] == room.as_str()));
    }
}

#[test]
fn state_that_is_not_there_is_not_found_and_strangers_get_nothing() {
    let (_, alice, bob) = two();
    let room = alice.public_room();

    alice.state(&room, "org.example.nothing", "").refused(404, "M_NOT_FOUND");
    bob.state(&room, "m.room.create", "").refused(403, "M_FORBIDDEN");
    bob.get(["rooms", &room, "state"]).refused(403, "M_FORBIDDEN");
    bob.get(["rooms", &room, "members"]).refused(403, "M_FORBIDDEN");
    assert!(bob.get(["rooms", "!nothing:hub.example", "state"]).status >= 403);
}

#[test]
fn setting_the_same_state_twice_makes_one_event() {
    let (_, alice, _) = two();
    let room = alice.public_room();
    let set = || alice.set_state(&room, "org.example.t", "key", &json!({"a": 1, "b": [2]})).ok()["event_id"].clone();

    let first = set();
    assert_eq!(set(), first);
    alice.set_state(&room, "org.example.t", "key", &json!({"a": 2})).ok();
    assert_ne!(set(), first);
}

#[test]
fn state_needs_power_and_own_keys_belong_to_their_user() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);
    let empty = json!({});

    bob.set_state(&room, "m.room.name", "", &json!({"name": "Mine"})).refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.power_levels", "", &json!({"users": {bob.user_id.as_str(): 100}}))
        .refused(403, "M_FORBIDDEN");
    alice.set_state(&room, "org.example.t", "@bob:hub.example", &empty).refused(403, "M_FORBIDDEN");
    alice.set_state(&room, "m.room.member", &bob.user_id, &json!({"membership": "join"})).refused(403, "M_FORBIDDEN");
    assert_eq!(alice.state(&room, "m.room.create", "").ok()["room_version"], "12");
}

#[test]
fn a_room_is_not_created_twice() {
    let (_, alice, _) = two();
    for version in ["11", "12"] {
        let room = alice.create_room(&json!({"room_version": version}));
        assert_eq!(alice.set_state(&room, "m.room.create", "", &json!({"a": 1})).status, 400, "{version}");
    }
}

#[test]
fn a_creator_of_version_12_cannot_be_listed_in_power_levels() {
    let (_, alice, _) = two();
    let room = alice.public_room();
    let levels = |content: Json| alice.set_state(&room, "m.room.power_levels", "", &content);

    assert_eq!(levels(json!({"users": {alice.user_id.as_str(): 100}})).status, 400);
    assert_eq!(levels(json!({"users": {"@bob:hub.example": 9_007_199_254_740_992_u64}})).status, 400);
    assert_eq!(levels(json!({"users": {"@bob:hub.example": 1.5}})).status, 400);
    levels(json!({"users": {"@bob:hub.example": 9_007_199_254_740_991_i64}})).ok();
}

#[test]
fn power_levels_may_lose_everything_and_are_then_out_of_reach() {
    let (_, alice, _) = two();
    let room = alice.create_room(&json!({"room_version": "11"}));
    let set = |content: Json| alice.set_state(&room, "m.room.power_levels", "", &content);

    set(json!({"users": {alice.user_id.as_str(): 100}})).ok();
    set(json!({})).ok();
    set(json!({"users": {}})).refused(403, "M_FORBIDDEN");
    assert!(alice.state(&room, "m.room.power_levels", "").ok()["users"].is_null());
}

#[test]
fn one_who_left_reads_the_state_of_then() {
    let (server, alice, bob) = two();
    let carl = server.account("carl");
    let room = alice.create_room(&json!({
        "preset": "public_chat", "name": "Old",
        "initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}],
    }));
    bob.join(&room);
    bob.leave(&room);
    alice.set_state(&room, "m.room.name", "", &json!({"name": "New"})).ok();
    carl.join(&room);

    assert_eq!(bob.state(&room, "m.room.name", "").ok()["name"], "Old");
    assert_eq!(alice.state(&room, "m.room.name", "").ok()["name"], "New");
    let members = bob.get(["rooms", &room, "members"]).ok();
    let mut seen: Vec<_> = members["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["state_key"].as_str().unwrap(), event["content"]["membership"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("@alice:hub.example", "join"), ("@bob:hub.example", "leave")]);
}

#[test]
fn a_content_that_is_no_object_is_refused() {
    let (_, alice, _) = two();
    let room = alice.public_room();

    alice.set_state(&room, "org.example.t", "", &json!("text")).refused(400, "M_BAD_JSON");
    alice.set_state(&room, "org.example.t", "", &json!([])).refused(400, "M_BAD_JSON");
}
