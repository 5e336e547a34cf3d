//! Room aliases and the canonical alias.

use hubbub_native::{Client, Reply, TestServer};
use serde_json::json;

fn put(client: &Client, alias: &str, room: &str) -> Reply {
    client.put(["directory", "room", alias], &json!({"room_id": room}))
}

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

#[test]
fn an_alias_is_made_found_listed_and_deleted() {
    let (_, alice, bob, room) = two_in_a_room();
    assert_eq!(alice.get(["rooms", &room, "aliases"]).ok(), json!({"aliases": []}));

    put(&alice, "#lobby:hub.example", &room).ok();

    assert_eq!(bob.get(["directory", "room", "#lobby:hub.example"]).ok()["room_id"], room.as_str());
    assert_eq!(bob.get(["rooms", &room, "aliases"]).ok(), json!({"aliases": ["#lobby:hub.example"]}));
    alice.delete(["directory", "room", "#lobby:hub.example"]).ok();
    alice.get(["directory", "room", "#lobby:hub.example"]).refused(404, "M_NOT_FOUND");
    alice.delete(["directory", "room", "#lobby:hub.example"]).refused(404, "M_NOT_FOUND");
}

#[test]
fn an_alias_may_have_any_letters() {
    let (_, alice, _, room) = two_in_a_room();
    let alias = "#老虎Â£я🤨👉ඞ:hub.example";

    put(&alice, alias, &room).ok();

    assert_eq!(alice.get(["directory", "room", alias]).ok()["room_id"], room.as_str());
}

#[test]
fn an_alias_that_exists_is_a_conflict_for_its_maker_too() {
    let (_, alice, bob, room) = two_in_a_room();
    put(&alice, "#lobby:hub.example", &room).ok();
    let other = bob.public_room();

    put(&bob, "#lobby:hub.example", &other).refused(409, "M_UNKNOWN");
    put(&alice, "#lobby:hub.example", &room).refused(409, "M_UNKNOWN");
}

#[test]
fn only_members_make_aliases_and_only_of_this_server() {
    let (server, alice, _, room) = two_in_a_room();
    let carl = server.account("carl");

    put(&carl, "#lobby:hub.example", &room).refused(403, "M_FORBIDDEN");
    put(&alice, "#lobby:elsewhere.example", &room).refused(400, "M_INVALID_PARAM");
    put(&alice, "lobby", &room).refused(400, "M_INVALID_PARAM");
    put(&alice, &format!("#{}:hub.example", "x".repeat(255)), &room).refused(400, "M_INVALID_PARAM");
    assert!(put(&alice, "#lobby:hub.example", "!nothing:hub.example").status >= 400);
    alice.put(["directory", "room", "#lobby:hub.example"], &json!({})).refused(400, "M_BAD_JSON");
    carl.get(["rooms", &room, "aliases"]).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_maker_without_power_deletes_the_own_alias_even_when_it_is_canonical() {
    let (_, alice, bob, room) = two_in_a_room();
    put(&bob, "#bobs:hub.example", &room).ok();
    alice.set_state(&room, "m.room.canonical_alias", "", &json!({"alias": "#bobs:hub.example"})).ok();

    bob.delete(["directory", "room", "#bobs:hub.example"]).ok();

    assert_eq!(alice.state(&room, "m.room.canonical_alias", "").ok()["alias"], "#bobs:hub.example");
}

#[test]
fn others_aliases_are_deleted_by_power_only() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    carl.join(&room);
    put(&bob, "#bobs:hub.example", &room).ok();

    carl.delete(["directory", "room", "#bobs:hub.example"]).refused(403, "M_FORBIDDEN");
    let levels = json!({"users": {carl.user_id.as_str(): 100}});
    alice.set_state(&room, "m.room.power_levels", "", &levels).ok();
    carl.delete(["directory", "room", "#bobs:hub.example"]).ok();
}

#[test]
fn a_stranger_deletes_nothing() {
    let (server, alice, _, room) = two_in_a_room();
    put(&alice, "#lobby:hub.example", &room).ok();

    server.account("eve").delete(["directory", "room", "#lobby:hub.example"]).refused(403, "M_FORBIDDEN");

    alice.get(["directory", "room", "#lobby:hub.example"]).ok();
}

#[test]
fn deleting_the_canonical_alias_empties_the_event() {
    let (_, alice, _, room) = two_in_a_room();
    put(&alice, "#one:hub.example", &room).ok();
    put(&alice, "#two:hub.example", &room).ok();
    let both = json!({"alias": "#one:hub.example", "alt_aliases": ["#one:hub.example", "#two:hub.example"]});
    alice.set_state(&room, "m.room.canonical_alias", "", &both).ok();

    alice.delete(["directory", "room", "#one:hub.example"]).ok();
    let left = alice.state(&room, "m.room.canonical_alias", "").ok();
    alice.delete(["directory", "room", "#two:hub.example"]).ok();

    assert_eq!(left, json!({"alt_aliases": ["#two:hub.example"]}));
    assert_eq!(alice.state(&room, "m.room.canonical_alias", "").ok(), json!({}));
}

#[test]
fn the_canonical_alias_names_only_what_points_here() {
    let (_, alice, _, room) = two_in_a_room();
    let elsewhere = alice.public_room();
    put(&alice, "#here:hub.example", &room).ok();
    put(&alice, "#there:hub.example", &elsewhere).ok();
    let set = |content| alice.set_state(&room, "m.room.canonical_alias", "", &content);

    set(json!({"alias": "#here:hub.example"})).ok();
    set(json!({"alias": "#here:hub.example", "alt_aliases": ["#here:hub.example"]})).ok();
    for bad in ["#nothing:hub.example", "#there:hub.example", "#here:elsewhere.example"] {
        set(json!({"alias": bad})).refused(400, "M_BAD_ALIAS");
        set(json!({"alias": "#here:hub.example", "alt_aliases": [bad]})).refused(400, "M_BAD_ALIAS");
    }
    for malformed in [json!("%here:hub.example"), json!("here"), json!(7)] {
        set(json!({"alias": malformed})).refused(400, "M_INVALID_PARAM");
        set(json!({"alias": "#here:hub.example", "alt_aliases": [malformed]})).refused(400, "M_INVALID_PARAM");
    }
    set(json!({"alt_aliases": "#here:hub.example"})).refused(400, "M_INVALID_PARAM");
    set(json!({"alias": null})).ok();
    set(json!({})).ok();
}

#[test]
fn an_alias_that_was_deleted_since_may_stay_named_but_not_be_named_anew() {
    let (_, alice, bob, room) = two_in_a_room();
    put(&bob, "#bobs:hub.example", &room).ok();
    put(&alice, "#alices:hub.example", &room).ok();
    let set = |content| alice.set_state(&room, "m.room.canonical_alias", "", &content);
    set(json!({"alias": "#bobs:hub.example"})).ok();
    bob.delete(["directory", "room", "#bobs:hub.example"]).ok();

    set(json!({"alias": "#bobs:hub.example", "alt_aliases": ["#alices:hub.example"]})).ok();
    set(json!({"alias": "#alices:hub.example"})).ok();
    set(json!({"alias": "#bobs:hub.example"})).refused(400, "M_BAD_ALIAS");
}
