//! Replacing a room by one of another version: what moves, who may, and what becomes of settings.

use std::{cell::Cell, rc::Rc};

use http::Method;
use hubbub_native::{Client, Options, Reply, TestServer, client::path};
use ruma::RoomVersionId;
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn upgrade(client: &Client, room: &str, version: &str) -> Reply {
    client.post(["rooms", room, "upgrade"], &json!({"new_version": version}))
}

#[track_caller]
fn upgraded(client: &Client, room: &str, version: &str) -> String {
    let body = upgrade(client, room, version).ok();
    body["replacement_room"].as_str().expect("a room").to_owned()
}

fn content(client: &Client, room: &str, event_type: &str) -> Json {
    client.state(room, event_type, "").ok()
}

#[test]
fn the_new_room_is_like_the_old_one() {
    let (server, alice, bob) = two();
    let mallory = server.account("mallory");
    for (from, to) in [("9", "11"), ("11", "12"), ("12", "12"), ("12", "10"), ("2", "6")] {
        let old = alice.create_room(&json!({
            "preset": "public_chat", "room_version": from, "name": "Lobby", "topic": "All", "visibility": "public",
            "creation_content": {"m.federate": false, "other": 1},
            "initial_state": [
                {"type": "m.room.avatar", "content": {"url": "mxc://hub.example/a"}},
                {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
                {"type": "m.room.server_acl", "content": {"allow": ["*"]}},
                {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
                {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}},
                {"type": "org.example.custom", "content": {"stays": true}},
            ],
        }));
        bob.join(&old);
        let ban = json!({"user_id": mallory.user_id, "reason": "spam"});
        alice.post(["rooms", &old, "ban"], &ban).ok();
        let last = alice.send_text(&old, "the last word");

        let new = upgraded(&alice, &old, to);

        assert_ne!(new, old);
        let create = content(&alice, &new, "m.room.create");
        assert_eq!((&create["room_version"], &create["m.federate"]), (&json!(to), &json!(false)));
        assert!(create.get("other").is_none());
        let predecessor = match to {
            "12" => json!({"room_id": old}),
            _ => json!({"room_id": old, "event_id": last}),
        };
        assert_eq!(create["predecessor"], predecessor, "{from} {to}");
        for event_type in [
            "m.room.name",
            "m.room.topic",
            "m.room.avatar",
            "m.room.join_rules",
            "m.room.encryption",
            "m.room.server_acl",
            "m.room.history_visibility",
            "m.room.guest_access",
        ] {
            assert_eq!(content(&alice, &new, event_type), content(&alice, &old, event_type), "{event_type}");
        }
        alice.state(&new, "org.example.custom", "").refused(404, "M_NOT_FOUND");
        let banned = alice.state(&new, "m.room.member", &mallory.user_id).ok();
        assert_eq!(banned, json!({"membership": "ban", "reason": "spam"}));
        mallory.post(["join", &new], &json!({})).refused(403, "M_FORBIDDEN");
        let levels = content(&alice, &new, "m.room.power_levels");
        let alices = levels["users"].get(&alice.user_id).cloned();
        assert_eq!(alices, (to != "12").then(|| json!(100)), "{from} {to}");
        assert_eq!(levels["events"]["m.room.name"], 50);

        let tombstone = content(&alice, &old, "m.room.tombstone");
        assert_eq!(tombstone["replacement_room"], new.as_str());
        let old_levels = content(&alice, &old, "m.room.power_levels");
        assert_eq!((&old_levels["events_default"], &old_levels["invite"]), (&json!(50), &json!(50)));
        bob.send_with(&old, "t", "too late").refused(403, "M_FORBIDDEN");
        let visibility = |room: &str| {
            let uri = format!("/_matrix/client/v3/directory/list/room/{room}");
            server.get(&uri).ok()["visibility"].clone()
        };
        assert_eq!((visibility(&old), visibility(&new)), (json!("private"), json!("public")));
        bob.join(&new);
        bob.send_text(&new, "hello again");
        bob.send_with(&old, "t", "too late").refused(403, "M_FORBIDDEN");
    }
}

#[test]
fn a_room_whose_bans_do_not_fit_is_not_replaced_so_that_none_is_lost() {
    let (_, alice, _) = two();
    let old = alice.create_room(&json!({"preset": "public_chat"}));
    let ban = |number: u32| {
        let ban = json!({"user_id": format!("@troll{number}:hub.example"), "reason": "x".repeat(50_000)});
        alice.post(["rooms", &old, "ban"], &ban).ok();
    };
    (0..25).for_each(ban);
    let new = upgraded(&alice, &old, "12");
    let banned = alice.query(["rooms", &new, "members"], &[("membership", "ban")]).ok();
    assert_eq!(banned["chunk"].as_array().unwrap().len(), 25);

    (25..32).for_each(ban);
    upgrade(&alice, &old, "12").refused(413, "M_TOO_LARGE");
    assert_eq!(content(&alice, &old, "m.room.tombstone")["replacement_room"], new.as_str());
}

#[test]
fn aliases_move_with_the_room() {
    let (_, alice, bob) = two();
    let old = alice.create_room(&json!({"preset": "public_chat", "room_alias_name": "lobby"}));
    bob.join(&old);
    bob.put(["directory", "room", "#bobs:hub.example"], &json!({"room_id": old})).ok();
    let aliases = json!({"alias": "#lobby:hub.example", "alt_aliases": ["#bobs:hub.example"]});
    alice.set_state(&old, "m.room.canonical_alias", "", &aliases).ok();

    let new = upgraded(&alice, &old, "12");

    assert_eq!(content(&alice, &new, "m.room.canonical_alias"), aliases);
    assert_eq!(content(&alice, &old, "m.room.canonical_alias"), json!({}));
    for alias in ["#lobby:hub.example", "#bobs:hub.example"] {
        assert_eq!(alice.get(["directory", "room", alias]).ok()["room_id"], new.as_str());
    }
    assert_eq!(alice.get(["rooms", &old, "aliases"]).ok()["aliases"], json!([]));
    assert_eq!(alice.get(["rooms", &new, "aliases"]).ok()["aliases"].as_array().map(Vec::len), Some(2));
    // Whoever made an alias may still delete it.
    bob.delete(["directory", "room", "#bobs:hub.example"]).ok();
}

#[test]
fn a_space_keeps_its_type_and_its_children() {
    let (_, alice, _) = two();
    let space = alice.create_room(&json!({"preset": "private_chat", "creation_content": {"type": "m.space"}}));
    let (child, gone) = (alice.public_room(), alice.public_room());
    let link = json!({"via": ["hub.example"], "suggested": true});
    alice.set_state(&space, "m.space.child", &child, &link).ok();
    alice.set_state(&space, "m.space.child", &gone, &link).ok();
    alice.set_state(&space, "m.space.child", &gone, &json!({})).ok();
    let new = upgraded(&alice, &space, "12");
    assert_eq!(content(&alice, &new, "m.room.create")["type"], "m.space");
    assert_eq!(alice.state(&new, "m.space.child", &child).ok(), link);
    alice.state(&new, "m.space.child", &gone).refused(404, "M_NOT_FOUND");
}

#[test]
fn only_members_with_the_power_to_end_a_room_replace_it() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({"preset": "public_chat", "room_version": "11"}));
    upgrade(&bob, &room, "12").refused(403, "M_FORBIDDEN");
    bob.join(&room);
    upgrade(&bob, &room, "12").refused(403, "M_FORBIDDEN");
    upgrade(&alice, &room, "1").refused(400, "M_UNSUPPORTED_ROOM_VERSION");
    upgrade(&alice, &room, "nonsense").refused(400, "M_UNSUPPORTED_ROOM_VERSION");
    alice.post(["rooms", &room, "upgrade"], &json!({})).refused(400, "M_MISSING_PARAM");
    upgrade(&alice, "!nowhere:hub.example", "12").refused(404, "M_NOT_FOUND");
    alice.state(&room, "m.room.tombstone", "").refused(404, "M_NOT_FOUND");
    alice.leave(&room);
    upgrade(&alice, &room, "12").refused(403, "M_FORBIDDEN");
}

#[test]
fn creators_are_added_where_the_version_knows_them() {
    let (_, alice, bob) = two();
    let ask = |room: &str, version: &str, creators: Json| {
        let body = json!({"new_version": version, "additional_creators": creators});
        alice.post(["rooms", room, "upgrade"], &body)
    };
    let levels = json!({"users": {&alice.user_id: 100, &bob.user_id: 50}});
    let room = alice.create_room(&json!({"room_version": "11", "power_level_content_override": levels}));
    ask(&room, "11", json!([bob.user_id])).refused(400, "M_BAD_JSON");
    ask(&room, "12", json!(["nonsense"])).refused(400, "M_INVALID_PARAM");
    ask(&room, "12", json!("nonsense")).refused(400, "M_BAD_JSON");
    let new = ask(&room, "12", json!([bob.user_id, bob.user_id, alice.user_id])).ok();
    let new = new["replacement_room"].as_str().expect("a room");
    assert_eq!(content(&alice, new, "m.room.create")["additional_creators"], json!([bob.user_id]));
    assert_eq!(content(&alice, new, "m.room.power_levels")["users"], json!({}));
    // Below version 12 their power is a number again.
    let newer = upgraded(&alice, new, "11");
    let users = content(&alice, &newer, "m.room.power_levels")["users"].clone();
    assert_eq!(users, json!({&alice.user_id: 100, &bob.user_id: 100}));
}

#[test]
fn a_moderator_who_may_end_a_room_keeps_the_old_ones_levels_in_the_new_one() {
    let server = TestServer::with(Options { default_room_version: RoomVersionId::V11, ..Options::default() });
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let levels = json!({"users": {&alice.user_id: 100, &bob.user_id: 50}, "events": {"m.room.tombstone": 50, "m.room.power_levels": 100}});
    let room = alice.create_room(&json!({
        "preset": "public_chat", "name": "Lobby", "room_alias_name": "lobby", "power_level_content_override": levels,
    }));
    bob.join(&room);
    let new = upgraded(&bob, &room, "11");
    alice.join(&new);
    assert_eq!(content(&alice, &new, "m.room.power_levels")["users"], levels["users"]);
    assert_eq!(content(&alice, &new, "m.room.name")["name"], "Lobby");
    bob.set_state(&new, "m.room.power_levels", "", &json!({"users": {&bob.user_id: 100}})).refused(403, "M_FORBIDDEN");
    // What he may not change in the old room stays.
    assert_eq!(content(&alice, &room, "m.room.power_levels")["events_default"], 0);
    assert_eq!(content(&alice, &room, "m.room.tombstone")["replacement_room"], new.as_str());
}

fn mute(client: &Client, room: &str) {
    client.put(["pushrules", "global", "room", room], &json!({"actions": ["dont_notify"]})).ok();
}

fn room_rules(client: &Client, since: Option<&str>) -> Vec<(String, Json)> {
    let rules = client.sync(since).account_data("m.push_rules");
    let mut rules: Vec<_> = rules["global"]["room"]
        .as_array()
        .cloned()
        .unwrap_or_default()
        .iter()
        .map(|rule| (rule["rule_id"].as_str().expect("an id").to_owned(), rule["actions"][0].clone()))
        .collect();
    rules.sort_by_key(|(id, _)| id.clone());
    rules
}

fn both(old: &str, new: &str) -> Vec<(String, Json)> {
    let mut ids = [old.to_owned(), new.to_owned()];
    ids.sort();
    ids.into_iter().map(|id| (id, json!("dont_notify"))).collect()
}

#[test]
fn every_members_push_rules_tags_and_direct_chats_go_along() {
    let (server, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);
    for client in [&alice, &bob] {
        mute(client, &room);
        let tags = json!({"tags": {"m.favourite": {"order": 0.5}}});
        client.put(["user", &client.user_id, "rooms", &room, "account_data", "m.tag"], &tags).ok();
        let direct = json!({"@x:hub.example": [room], "@y:hub.example": ["!other:hub.example"]});
        client.put(["user", &client.user_id, "account_data", "m.direct"], &direct).ok();
    }
    let override_rule = json!({
        "actions": [], "conditions": [{"kind": "event_match", "key": "room_id", "pattern": room}],
    });
    bob.put(["pushrules", "global", "override", &room], &override_rule).ok();
    bob.put(["pushrules", "global", "override", &room, "enabled"], &json!({"enabled": false})).ok();
    let since = [alice.sync(None).next_batch(), bob.sync(None).next_batch()];
    let poll = bob.start_sync(&since[1]);

    let new = upgraded(&alice, &room, "11");

    server.finish(&poll).ok();
    for (client, since) in [&alice, &bob].into_iter().zip(&since) {
        assert_eq!(room_rules(client, Some(since)), both(&room, &new));
        let direct = json!({"@x:hub.example": [room, new], "@y:hub.example": ["!other:hub.example"]});
        assert_eq!(client.sync(Some(since)).account_data("m.direct"), direct);
    }
    bob.join(&new);
    for client in [&alice, &bob] {
        let tags = client.sync(None).joined(&new)["account_data"]["events"].clone();
        assert_eq!(tags[0]["content"], json!({"tags": {"m.favourite": {"order": 0.5}}}));
    }
    let copied = bob.get(["pushrules", "global", "override", &new]).ok();
    assert_eq!(copied["conditions"][0]["pattern"], new.as_str());
    assert_eq!(copied["enabled"], false);
}

#[test]
fn joining_a_room_that_was_replaced_by_hand_carries_settings_over_once() {
    let (_, alice, bob) = two();
    let old = alice.public_room();
    bob.join(&old);
    mute(&alice, &old);
    mute(&bob, &old);
    let since = [alice.sync(None).next_batch(), bob.sync(None).next_batch()];
    let create = json!({"preset": "public_chat", "creation_content": {"predecessor": {"room_id": old}}});
    let new = alice.create_room(&create);
    alice.set_state(&old, "m.room.tombstone", "", &json!({"body": "", "replacement_room": new})).ok();
    bob.join(&new);
    assert_eq!(room_rules(&alice, Some(&since[0])), both(&old, &new));
    assert_eq!(room_rules(&bob, Some(&since[1])), both(&old, &new));
    // What the user says of the new room holds, also after leaving it.
    bob.put(["pushrules", "global", "room", &new], &json!({"actions": ["notify"]})).ok();
    bob.leave(&new);
    bob.join(&new);
    let rules = room_rules(&bob, None);
    assert!(rules.contains(&(new.clone(), json!("notify"))), "{rules:?}");
}

#[test]
fn a_room_without_settings_carries_nothing_over() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    let new = upgraded(&alice, &room, "12");
    bob.join(&new);
    let sync = bob.sync(Some(&since));
    assert!(sync.account_data("m.push_rules").is_null());
    assert!(sync.account_data("m.direct").is_null());
}

#[test]
fn an_upgrade_that_a_crash_cut_short_goes_on() {
    // Each run stops somewhere else: after so many steps all objects are lost.
    let mut interrupted = 0;
    for steps in 0..80 {
        let (server, alice, bob) = two();
        let old = alice.create_room(&json!({
            "preset": "public_chat", "visibility": "public", "room_alias_name": "lobby", "name": "Lobby",
        }));
        bob.join(&old);
        mute(&bob, &old);
        server.set_settling(false);
        let uri = path(["rooms", &old, "upgrade"]);
        let started = server.start(alice.request(Method::POST, &uri, Some(&json!({"new_version": "11"}))));
        let (crash, crashed) = (server.clone(), Rc::new(Cell::new(false)));
        let done = Rc::clone(&crashed);
        server.scheduler().spawn(None, async move {
            for _ in 0..steps {
                hubbub_native::scheduler::yield_now().await;
            }
            crash.host().crash_all();
            done.set(true);
        });
        let reply = server.finish(&started);
        interrupted += u32::from(crashed.get());
        server.settle();
        server.advance(600_000);
        server.set_settling(true);
        let tombstone = alice.state(&old, "m.room.tombstone", "");
        if tombstone.status == 404 {
            assert_ne!(reply.status, 200, "what was acknowledged is done ({steps})");
            continue;
        }
        let new = tombstone.ok()["replacement_room"].as_str().expect("a room").to_owned();
        assert_eq!(alice.get(["directory", "room", "#lobby:hub.example"]).ok()["room_id"], new.as_str(), "{steps}");
        assert_eq!(bob.get(["publicRooms"]).ok()["chunk"][0]["room_id"], new.as_str(), "{steps}");
        assert_eq!(content(&alice, &new, "m.room.name")["name"], "Lobby");
        assert_eq!(content(&alice, &old, "m.room.power_levels")["events_default"], 50, "{steps}");
        assert_eq!(room_rules(&bob, None), both(&old, &new), "{steps}");
        let joined = alice.get(["joined_rooms"]).ok();
        assert_eq!(
            joined["joined_rooms"].as_array().map(Vec::len),
            Some(2),
            "one new room, however often it was tried"
        );
    }
    assert!(interrupted > 20, "most crashes fall into the upgrade: {interrupted}");
}

#[test]
fn asking_twice_at_once_makes_one_room() {
    let (server, alice, _) = two();
    let old = alice.public_room();
    let uri = path(["rooms", &old, "upgrade"]);
    let body = json!({"new_version": "11"});
    let first = server.start(alice.request(Method::POST, &uri, Some(&body)));
    let second = server.start(alice.request(Method::POST, &uri, Some(&body)));
    let (first, second) = (server.finish(&first).ok(), server.finish(&second).ok());
    assert_eq!(first, second);
}
