//! Names and avatars.

use hubbub_native::TestServer;
use serde_json::json;

#[test]
fn everybody_reads_a_profile_and_only_its_user_sets_it() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let bob = server.account("bob");

    alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice Liddell"})).ok();
    alice.put(["profile", &alice.user_id, "avatar_url"], &json!({"avatar_url": "mxc://elsewhere.example/a"})).ok();
    bob.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Mallory"})).refused(403, "M_FORBIDDEN");

    let whole = server.get("/_matrix/client/v3/profile/@alice:hub.example").ok();
    assert_eq!(whole, json!({"displayname": "Alice Liddell", "avatar_url": "mxc://elsewhere.example/a"}));
    let name = server.get("/_matrix/client/v3/profile/@alice:hub.example/displayname").ok();
    assert_eq!(name, json!({"displayname": "Alice Liddell"}));
    let avatar = server.get("/_matrix/client/r0/profile/@alice:hub.example/avatar_url").ok();
    assert_eq!(avatar, json!({"avatar_url": "mxc://elsewhere.example/a"}));
}

#[test]
fn a_profile_that_was_never_set_is_empty_and_a_stranger_has_none() {
    let server = TestServer::new();
    server.account("alice");
    for field in ["", "/displayname", "/avatar_url"] {
        assert_eq!(server.get(&format!("/_matrix/client/v3/profile/@alice:hub.example{field}")).ok(), json!({}));
        for stranger in ["@nobody:hub.example", "@alice:elsewhere.example"] {
            server.get(&format!("/_matrix/client/v3/profile/{stranger}{field}")).refused(404, "M_NOT_FOUND");
        }
    }
    server.get("/_matrix/client/v3/profile/alice").refused(400, "M_INVALID_PARAM");
}

#[test]
fn reading_profiles_wakes_no_object() {
    let server = TestServer::new();
    server.account("alice");
    server.take_calls();

    server.get("/_matrix/client/v3/profile/@alice:hub.example").ok();
    server.get("/_matrix/client/v3/profile/@nobody:hub.example").refused(404, "M_NOT_FOUND");

    assert_eq!(server.take_calls(), []);
}

#[test]
fn null_or_nothing_removes_a_name() {
    let server = TestServer::new();
    let alice = server.account("alice");
    for nothing in [json!(null), json!("")] {
        alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice"})).ok();
        alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": nothing})).ok();
        assert_eq!(alice.get(["profile", &alice.user_id]).ok(), json!({}));
    }
}

#[test]
fn a_name_without_its_key_of_another_kind_or_too_long_is_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let set = |body| alice.put(["profile", &alice.user_id, "displayname"], &body);

    set(json!({})).refused(400, "M_MISSING_PARAM");
    set(json!({"displayname": 7})).refused(400, "M_BAD_JSON");
    set(json!({"displayname": "ä".repeat(257)})).refused(400, "M_INVALID_PARAM");
    set(json!({"displayname": "ä".repeat(256)})).ok();
}

#[test]
fn a_new_name_and_an_avatar_of_any_form_reach_the_rooms() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let bob = server.account("bob");
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();

    alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice"})).ok();
    alice.put(["profile", &alice.user_id, "avatar_url"], &json!({"avatar_url": "LemurLover"})).ok();

    let member = bob.state(&room, "m.room.member", &alice.user_id).ok();
    assert_eq!(member, json!({"membership": "join", "displayname": "Alice", "avatar_url": "LemurLover"}));
    let sync = bob.sync(Some(&since));
    assert!(sync.timeline(&room).iter().any(|event| event["content"]["avatar_url"] == "LemurLover"));
}

#[test]
fn a_new_room_and_a_join_carry_the_name() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let bob = server.account("bob");
    for client in [&alice, &bob] {
        client.put(["profile", &client.user_id, "displayname"], &json!({"displayname": client.user_id})).ok();
    }
    let room = alice.create_room(&json!({"invite": [bob.user_id]}));

    assert_eq!(alice.state(&room, "m.room.member", &alice.user_id).ok()["displayname"], alice.user_id.as_str());
    assert_eq!(alice.state(&room, "m.room.member", &bob.user_id).ok()["displayname"], bob.user_id.as_str());
    bob.join(&room);
    assert_eq!(alice.state(&room, "m.room.member", &bob.user_id).ok()["displayname"], bob.user_id.as_str());
    let members = bob.get(["rooms", &room, "joined_members"]).ok();
    assert_eq!(members["joined"][&alice.user_id], json!({"display_name": "@alice:hub.example", "avatar_url": null}));
}
