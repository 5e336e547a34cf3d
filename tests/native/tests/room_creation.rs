//! `POST /createRoom`: every field, the order of the first events, and the refusals.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn alice() -> Client {
    TestServer::new().account("alice")
}

fn refuse(alice: &Client, body: Json, errcode: &str) {
    alice.post(["createRoom"], &body).refused(400, errcode);
}

fn types(timeline: &[Json]) -> Vec<&str> {
    timeline.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn the_first_events_come_in_the_order_of_the_specification() {
    let alice = alice();
    let bob = alice.server.account("bob");

    let room = alice.create_room(&json!({
        "name": "Lobby",
        "topic": "Small talk",
        "room_alias_name": "lobby",
        "invite": [bob.user_id],
        "initial_state": [{"type": "org.example.colour", "content": {"colour": "red"}}],
    }));

    let sync = alice.sync_with(&[("filter", r#"{"room":{"timeline":{"limit":50}}}"#)]);
    let expected = [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.canonical_alias",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "org.example.colour",
        "m.room.name",
        "m.room.topic",
        "m.room.member",
    ];
    assert_eq!(types(&sync.timeline(&room)), expected);
}

#[test]
fn a_default_room_is_private_and_of_the_default_version() {
    let alice = alice();

    let room = alice.create_room(&json!({}));

    assert_eq!(alice.state(&room, "m.room.create", "").ok()["room_version"], "12");
    assert_eq!(alice.state(&room, "m.room.join_rules", "").ok(), json!({"join_rule": "invite"}));
    assert_eq!(alice.state(&room, "m.room.history_visibility", "").ok(), json!({"history_visibility": "shared"}));
    assert_eq!(alice.state(&room, "m.room.guest_access", "").ok(), json!({"guest_access": "can_join"}));
}

#[test]
fn visibility_chooses_the_preset_and_a_preset_the_rules() {
    let alice = alice();
    for (body, join_rule, guest_access) in [
        (json!({"visibility": "public"}), "public", "forbidden"),
        (json!({"visibility": "private"}), "invite", "can_join"),
        (json!({"visibility": "public", "preset": "private_chat"}), "invite", "can_join"),
        (json!({"preset": "trusted_private_chat"}), "invite", "can_join"),
        (json!({"preset": "public_chat"}), "public", "forbidden"),
    ] {
        let room = alice.create_room(&body);
        assert_eq!(alice.state(&room, "m.room.join_rules", "").ok()["join_rule"], join_rule, "{body}");
        assert_eq!(alice.state(&room, "m.room.guest_access", "").ok()["guest_access"], guest_access, "{body}");
    }
}

#[test]
fn initial_state_wins_over_the_preset() {
    let alice = alice();

    let room = alice.create_room(&json!({
        "preset": "public_chat",
        "initial_state": [{
            "type": "m.room.history_visibility",
            "state_key": "",
            "content": {"history_visibility": "world_readable"},
        }],
    }));

    let sync = alice.sync(None);
    let visibility = |event: &&Json| event["type"] == "m.room.history_visibility";
    assert_eq!(sync.timeline(&room).iter().filter(visibility).count(), 1);
    assert_eq!(alice.state(&room, "m.room.history_visibility", "").ok()["history_visibility"], "world_readable");
}

#[test]
fn a_topic_is_written_in_its_rich_form_too_unless_given_as_state() {
    let alice = alice();
    let given = json!([{"type": "m.room.topic", "state_key": "", "content": {"topic": "Given"}}]);

    let by_field = alice.create_room(&json!({"topic": "Field"}));
    let by_state = alice.create_room(&json!({"initial_state": given}));
    let by_both = alice.create_room(&json!({"topic": "Field", "initial_state": given}));

    let rich = json!({"topic": "Field", "m.topic": {"m.text": [{"body": "Field"}]}});
    assert_eq!(alice.state(&by_field, "m.room.topic", "").ok(), rich);
    assert_eq!(alice.state(&by_state, "m.room.topic", "").ok(), json!({"topic": "Given"}));
    assert_eq!(alice.state(&by_both, "m.room.topic", "").ok(), rich);
}

#[test]
fn an_encrypted_room_can_be_made() {
    let alice = alice();
    let content = json!({"algorithm": "m.megolm.v1.aes-sha2"});

    let room = alice.create_room(&json!({"initial_state": [{"type": "m.room.encryption", "content": content}]}));

    assert_eq!(alice.state(&room, "m.room.encryption", "").ok(), content);
}

#[test]
fn creation_content_is_kept_but_for_what_the_server_decides() {
    let alice = alice();

    let room = alice.create_room(&json!({
        "room_version": "10",
        "creation_content": {"room_version": "bogus", "creator": "@eve:hub.example", "m.federate": false, "org.example.key": 1},
    }));

    let create = alice.state(&room, "m.room.create", "").ok();
    assert_eq!(create["room_version"], "10");
    assert_eq!(create["creator"], "@alice:hub.example");
    assert_eq!(create["m.federate"], false);
    assert_eq!(create["org.example.key"], 1);
}

#[test]
fn rooms_are_made_in_versions_2_to_12() {
    let alice = alice();
    for version in 2..=12 {
        let room = alice.create_room(&json!({"room_version": version.to_string()}));
        let create = alice.state(&room, "m.room.create", "").ok();
        assert_eq!(create["room_version"], version.to_string());
        assert_eq!(create["creator"].is_string(), version <= 10, "{version}");
        assert_eq!(room.contains(':'), version < 12, "{room}");
        alice.send_text(&room, "hello");
    }
    for unsupported in ["1", "13", "bogus", ""] {
        refuse(&alice, json!({"room_version": unsupported}), "M_UNSUPPORTED_ROOM_VERSION");
    }
    refuse(&alice, json!({"room_version": 1}), "M_BAD_JSON");
}

#[test]
fn power_levels_are_spelled_out() {
    let alice = alice();

    let old = alice.create_room(&json!({"room_version": "11"}));
    let new = alice.create_room(&json!({"room_version": "12"}));

    let old = alice.state(&old, "m.room.power_levels", "").ok();
    let new = alice.state(&new, "m.room.power_levels", "").ok();
    for levels in [&old, &new] {
        for key in ["ban", "kick", "redact", "invite", "state_default", "events_default", "users_default"] {
            assert!(levels[key].is_i64(), "{key}");
        }
        assert_eq!(levels["notifications"], json!({"room": 50}));
    }
    assert_eq!(old["users"], json!({"@alice:hub.example": 100}));
    assert_eq!(old["events"]["m.room.tombstone"], 100);
    assert_eq!(new["users"], json!({}));
    assert_eq!(new["events"]["m.room.tombstone"], 150);
}

#[test]
fn an_override_replaces_keys_of_the_power_levels() {
    let alice = alice();
    let override_of =
        |version: &str, levels: Json| json!({"room_version": version, "power_level_content_override": levels});

    let old = alice.create_room(&override_of(
        "11",
        json!({"users": {"@alice:hub.example": 100, "@bob:hub.example": 50}, "invite": 100}),
    ));
    let new = alice.create_room(&override_of("12", json!({"users": {"@bob:hub.example": 50}})));

    let levels = alice.state(&old, "m.room.power_levels", "").ok();
    assert_eq!(levels["users"], json!({"@alice:hub.example": 100, "@bob:hub.example": 50}));
    assert_eq!((&levels["invite"], &levels["kick"]), (&json!(100), &json!(50)));
    let levels = alice.state(&new, "m.room.power_levels", "").ok();
    assert_eq!(levels["users"], json!({"@bob:hub.example": 50}));
}

#[test]
fn power_levels_of_version_12_list_no_creator() {
    let alice = alice();
    let with_self = json!({"users": {"@alice:hub.example": 100}});

    refuse(&alice, json!({"power_level_content_override": with_self}), "M_BAD_JSON");
    refuse(&alice, json!({"initial_state": [{"type": "m.room.power_levels", "content": with_self}]}), "M_BAD_JSON");
    refuse(
        &alice,
        json!({
            "creation_content": {"additional_creators": ["@bob:hub.example"]},
            "power_level_content_override": {"users": {"@bob:hub.example": 100}},
        }),
        "M_BAD_JSON",
    );
}

#[test]
fn power_levels_that_lock_the_creator_out_are_an_invalid_state() {
    let alice = alice();

    refuse(
        &alice,
        json!({"room_version": "11", "name": "Lobby", "power_level_content_override": {"users": {"@alice:hub.example": 0}}}),
        "M_INVALID_ROOM_STATE",
    );
    // Nothing is left of it: the same name can be had by a right request.
    alice
        .post(
            ["createRoom"],
            &json!({
                "room_version": "11", "room_alias_name": "lobby", "name": "Lobby",
                "power_level_content_override": {"users": {"@alice:hub.example": 0}},
            }),
        )
        .refused(400, "M_INVALID_ROOM_STATE");
    alice.create_room(&json!({"room_alias_name": "lobby"}));
}

#[test]
fn whom_a_trusted_chat_invites_has_the_creators_power() {
    let alice = alice();
    let bob = alice.server.account("bob");
    let body =
        |version: &str| json!({"preset": "trusted_private_chat", "invite": [bob.user_id], "room_version": version});

    let old = alice.create_room(&body("11"));
    let new = alice.create_room(&body("12"));

    let users = alice.state(&old, "m.room.power_levels", "").ok()["users"].clone();
    assert_eq!(users, json!({"@alice:hub.example": 100, "@bob:hub.example": 100}));
    assert_eq!(alice.state(&new, "m.room.power_levels", "").ok()["users"], json!({}));
    assert_eq!(alice.state(&new, "m.room.create", "").ok()["additional_creators"], json!(["@bob:hub.example"]));
}

#[test]
fn additional_creators_are_joined_by_those_a_trusted_chat_invites_each_once() {
    let alice = alice();
    let bob = alice.server.account("bob");

    let room = alice.create_room(&json!({
        "preset": "trusted_private_chat",
        "invite": [bob.user_id],
        "creation_content": {"additional_creators": ["@carl:elsewhere.example", bob.user_id, "@alice:hub.example"]},
    }));

    let creators = alice.state(&room, "m.room.create", "").ok()["additional_creators"].clone();
    assert_eq!(creators, json!(["@carl:elsewhere.example", "@bob:hub.example"]));
}

#[test]
fn additional_creators_are_user_ids() {
    let alice = alice();
    for bad in [json!("@bob:hub.example"), json!([7]), json!(["bob"]), json!(["@bob:hub$example"])] {
        let reply = alice.post(["createRoom"], &json!({"creation_content": {"additional_creators": bad}}));
        assert_eq!(reply.status, 400, "{bad}");
    }
}

#[test]
fn who_is_invited_sees_the_invite_and_whether_it_is_direct() {
    let alice = alice();
    let bob = alice.server.account("bob");

    let room = alice.create_room(&json!({"invite": [bob.user_id], "is_direct": true, "name": "Two of us"}));

    let invite = bob.sync(None).invite_state(&room);
    let own = invite.iter().find(|event| event["state_key"] == "@bob:hub.example").expect("the own member event");
    assert_eq!(own["content"]["membership"], "invite");
    assert_eq!(own["content"]["is_direct"], true);
    assert!(invite.iter().any(|event| event["content"]["name"] == "Two of us"));
}

#[test]
fn an_alias_is_made_with_the_room_and_belongs_to_it() {
    let alice = alice();

    let room = alice.create_room(&json!({"room_alias_name": "lobby"}));

    let found = alice.server.get("/_matrix/client/v3/directory/room/%23lobby%3Ahub.example").ok();
    assert_eq!(found, json!({"room_id": room, "servers": ["hub.example"]}));
    assert_eq!(alice.state(&room, "m.room.canonical_alias", "").ok(), json!({"alias": "#lobby:hub.example"}));
    refuse(&alice, json!({"room_alias_name": "lobby"}), "M_ROOM_IN_USE");
    refuse(&alice, json!({"room_alias_name": "lob:by"}), "M_INVALID_PARAM");
    refuse(&alice, json!({"room_alias_name": ""}), "M_INVALID_PARAM");
    refuse(&alice, json!({"room_alias_name": "x".repeat(300)}), "M_INVALID_PARAM");
}

#[test]
fn of_two_rooms_that_want_one_alias_at_once_one_gets_it() {
    for seed in 0..20 {
        let server = TestServer::with(hubbub_native::Options { seed, ..Default::default() });
        let alice = server.account("alice");
        let bob = server.account("bob");
        let start = |client: &Client| {
            let body = json!({"room_alias_name": "lobby"});
            server.start(client.request(http::Method::POST, "/_matrix/client/v3/createRoom", Some(&body)))
        };
        let (first, second) = (start(&alice), start(&bob));
        let replies = [server.finish(&first), server.finish(&second)];
        let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
        assert_eq!((made.len(), refused.len()), (1, 1));
        assert_eq!(refused[0].json()["errcode"], "M_ROOM_IN_USE");
        let found = server.get("/_matrix/client/v3/directory/room/%23lobby%3Ahub.example").ok();
        assert_eq!(found["room_id"], made[0].json()["room_id"]);
    }
}

#[test]
fn fields_of_another_kind_are_bad_and_unknown_ones_ignored() {
    let alice = alice();
    for body in [
        json!({"visibility": "secret"}),
        json!({"preset": "nonsense"}),
        json!({"name": 7}),
        json!({"topic": []}),
        json!({"invite": "@bob:hub.example"}),
        json!({"invite": [7]}),
        json!({"is_direct": "yes"}),
        json!({"initial_state": {}}),
        json!({"initial_state": [7]}),
        json!({"initial_state": [{"type": "t"}]}),
        json!({"initial_state": [{"type": "t", "content": []}]}),
        json!({"creation_content": []}),
        json!({"power_level_content_override": []}),
        json!({"room_alias_name": 7}),
    ] {
        refuse(&alice, body, "M_BAD_JSON");
    }
    refuse(&alice, json!({"initial_state": [{"content": {}}]}), "M_MISSING_PARAM");
    refuse(&alice, json!({"invite": ["nonsense"]}), "M_INVALID_PARAM");
    alice.create_room(&json!({"room_opts": {}, "version": "x", "room_alias": 7}));
}

#[test]
fn membership_and_creation_are_no_initial_state() {
    let alice = alice();
    for event_type in ["m.room.member", "m.room.create"] {
        let state = json!([{"type": event_type, "state_key": "", "content": {"membership": "join"}}]);
        refuse(&alice, json!({"initial_state": state}), "M_INVALID_ROOM_STATE");
    }
}

#[test]
fn strangers_cannot_be_invited() {
    let alice = alice();

    alice.post(["createRoom"], &json!({"invite": ["@nobody:hub.example"]})).refused(404, "M_NOT_FOUND");
    alice.post(["createRoom"], &json!({"invite": ["@bob:elsewhere.example"]})).refused(403, "M_FORBIDDEN");
    let by_mail =
        json!([{"id_server": "id.example", "medium": "email", "address": "a@b.example", "id_access_token": "x"}]);
    alice.post(["createRoom"], &json!({"invite_3pid": by_mail})).refused(403, "M_THREEPID_DENIED");
    assert_eq!(alice.get(["joined_rooms"]).ok()["joined_rooms"], json!([]));
}

#[test]
fn a_new_room_is_joined_at_once() {
    let alice = alice();

    let room = alice.create_room(&json!({}));

    assert_eq!(alice.get(["joined_rooms"]).ok()["joined_rooms"], json!([room]));
}
