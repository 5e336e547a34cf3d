//! Joining, inviting, leaving, kicking, banning, forgetting.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn membership(reader: &Client, room: &str, of: &Client) -> Json {
    reader.state(room, "m.room.member", &of.user_id).ok()["membership"].clone()
}

#[test]
fn a_user_joins_by_room_id_by_path_and_by_alias() {
    let (server, alice, bob) = two();
    let carl = server.account("carl");
    let dora = server.account("dora");
    let room = alice.create_room(&json!({"preset": "public_chat", "room_alias_name": "lobby"}));

    assert_eq!(bob.post(["join", &room], &json!({})).ok(), json!({"room_id": room}));
    assert_eq!(carl.post(["rooms", &room, "join"], &json!({})).ok(), json!({"room_id": room}));
    assert_eq!(dora.post(["join", "#lobby:hub.example"], &json!({})).ok(), json!({"room_id": room}));

    for client in [&bob, &carl, &dora] {
        assert_eq!(membership(&alice, &room, client), "join");
        assert_eq!(client.get(["joined_rooms"]).ok()["joined_rooms"], json!([room]));
        assert_eq!(client.sync(None).membership(&room, &client.user_id).as_deref(), Some("join"));
    }
}

#[test]
fn unknown_keys_of_a_join_are_kept_and_the_servers_own_are_not() {
    let (_, alice, bob) = two();
    let room = alice.public_room();

    let body = json!({
        "foo": "bar", "reason": "because", "membership": "ban",
        "join_authorised_via_users_server": "@alice:hub.example", "third_party_signed": {},
    });
    bob.post(["join", &room], &body).ok();

    let member = alice.state(&room, "m.room.member", &bob.user_id).ok();
    assert_eq!(member, json!({"membership": "join", "foo": "bar", "reason": "because"}));
}

#[test]
fn joining_twice_changes_nothing() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    let member = |client: &Client| {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/@bob:hub.example?format=event");
        client.ask(http::Method::GET, &path, None).ok()["event_id"].clone()
    };
    bob.join(&room);
    let first = member(&bob);
    bob.join(&room);

    assert_eq!(member(&bob), first);
}

#[test]
fn what_does_not_exist_cannot_be_joined() {
    let (server, _, bob) = two();

    bob.post(["join", "#nothing:hub.example"], &json!({})).refused(404, "M_NOT_FOUND");
    bob.post(["join", "#nothing:elsewhere.example"], &json!({})).refused(404, "M_NOT_FOUND");
    bob.post(["join", "nonsense"], &json!({})).refused(400, "M_INVALID_PARAM");
    bob.post(["join", "#nonsense"], &json!({})).refused(400, "M_INVALID_PARAM");
    let written = server.host().written().len();
    bob.post(["join", "!nothing:hub.example"], &json!({})).refused(404, "M_NOT_FOUND");
    bob.get(["rooms", "!nothing:hub.example", "state"]).status.to_string();
    assert_eq!(server.host().written().len(), written, "a stranger's room id conjures nothing");
}

#[test]
fn an_invite_is_needed_for_a_private_room() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({}));
    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");

    alice.member(&room, "invite", &bob).ok();

    assert_eq!(membership(&alice, &room, &bob), "invite");
    assert_eq!(bob.sync(None).membership(&room, &bob.user_id).as_deref(), Some("invite"));
    bob.join(&room);
    assert_eq!(membership(&alice, &room, &bob), "join");
}

#[test]
fn an_invite_is_refused_where_it_makes_no_sense() {
    let (server, alice, bob) = two();
    let carl = server.account("carl");
    let room = alice.public_room();
    bob.join(&room);

    alice.member(&room, "invite", &bob).refused(403, "M_FORBIDDEN");
    alice.member(&room, "invite", &alice).refused(403, "M_FORBIDDEN");
    carl.member(&room, "invite", &carl).refused(403, "M_FORBIDDEN");
    let invite = |body: Json| alice.post(["rooms", &room, "invite"], &body);
    invite(json!({})).refused(400, "M_MISSING_PARAM");
    invite(json!({"user_id": "nonsense"})).refused(400, "M_INVALID_PARAM");
    invite(json!({"user_id": "@nobody:hub.example"})).refused(404, "M_NOT_FOUND");
    invite(json!({"user_id": "@bob:elsewhere.example"})).refused(403, "M_FORBIDDEN");
    invite(json!({"id_server": "x", "medium": "email", "address": "a@b", "id_access_token": "x"}))
        .refused(403, "M_THREEPID_DENIED");
    let state = json!({"membership": "invite"});
    alice.set_state(&room, "m.room.member", "@nobody:hub.example", &state).refused(404, "M_NOT_FOUND");
}

#[test]
fn an_invite_can_be_rejected_even_when_the_room_is_empty() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({"invite": [bob.user_id]}));
    let since = bob.sync(None).next_batch();
    alice.leave(&room);

    bob.leave(&room);

    let sync = bob.sync(Some(&since));
    assert_eq!(sync.membership(&room, &bob.user_id).as_deref(), Some("leave"));
    assert!(sync.0["rooms"]["leave"][&room].is_object());
    assert!(!bob.sync(Some(&sync.next_batch())).mentions(&room));
    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_member_leaves_and_is_gone() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);

    bob.post(["rooms", &room, "leave"], &json!({"reason": "Good night"})).ok();

    let member = alice.state(&room, "m.room.member", &bob.user_id).ok();
    assert_eq!(member, json!({"membership": "leave", "reason": "Good night"}));
    assert_eq!(bob.get(["joined_rooms"]).ok()["joined_rooms"], json!([]));
    bob.get(["rooms", &room, "joined_members"]).refused(403, "M_FORBIDDEN");
    bob.send_with(&room, "t", "hello").refused(403, "M_FORBIDDEN");
}

#[test]
fn one_who_never_was_in_a_room_cannot_leave_it() {
    let (_, alice, bob) = two();
    let room = alice.public_room();

    assert_eq!(bob.post(["rooms", &room, "leave"], &json!({})).status, 403);
}

#[test]
fn a_ban_keeps_out_until_it_is_lifted() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);

    alice.post(["rooms", &room, "ban"], &json!({"user_id": bob.user_id, "reason": "spam"})).ok();

    let member = alice.state(&room, "m.room.member", &bob.user_id).ok();
    assert_eq!((&member["membership"], &member["reason"]), (&json!("ban"), &json!("spam")));
    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");
    alice.member(&room, "invite", &bob).refused(403, "M_FORBIDDEN");
    alice.member(&room, "unban", &bob).ok();
    assert_eq!(membership(&alice, &room, &bob), "leave");
    bob.join(&room);
}

#[test]
fn only_who_is_banned_can_be_unbanned() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);

    assert_eq!(alice.member(&room, "unban", &bob).status, 403);
    assert_eq!(membership(&alice, &room, &bob), "join");
}

#[test]
fn a_kick_removes_who_is_there_and_nobody_else() {
    let (server, alice, bob) = two();
    let carl = server.account("carl");
    let room = alice.public_room();
    bob.join(&room);

    bob.member(&room, "kick", &alice).refused(403, "M_FORBIDDEN");
    alice.member(&room, "kick", &carl).refused(403, "M_FORBIDDEN");
    alice.member(&room, "kick", &bob).ok();
    assert_eq!(membership(&alice, &room, &bob), "leave");
    alice.member(&room, "kick", &bob).refused(403, "M_FORBIDDEN");
    alice.post(["rooms", &room, "kick"], &json!({})).refused(400, "M_BAD_JSON");
}

#[test]
fn one_who_is_not_in_the_room_bans_nobody() {
    let (server, alice, bob) = two();
    let carl = server.account("carl");
    let room = alice.create_room(&json!({"preset": "public_chat", "room_version": "11"}));
    bob.join(&room);
    alice.set_state(&room, "m.room.power_levels", "", &json!({"users": {carl.user_id.as_str(): 100}})).ok();

    carl.member(&room, "ban", &bob).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_creator_of_version_12_is_above_every_level() {
    let (_, alice, bob) = two();
    for level in [100_i64, 949_342, 9_007_199_254_740_991] {
        let room = alice.public_room();
        bob.join(&room);
        let levels = json!({"users": {bob.user_id.as_str(): level}});
        alice.set_state(&room, "m.room.power_levels", "", &levels).ok();
        bob.member(&room, "kick", &alice).refused(403, "M_FORBIDDEN");
        alice.member(&room, "kick", &bob).ok();
    }
}

#[test]
fn a_room_is_forgotten_only_after_leaving_it() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    bob.post(["rooms", &room, "forget"], &json!({})).refused(400, "M_UNKNOWN");

    bob.leave(&room);
    bob.post(["rooms", &room, "forget"], &json!({})).ok();

    bob.get(["rooms", &room, "messages"]).refused(403, "M_FORBIDDEN");
    let filter = r#"{"room":{"include_leave":true}}"#;
    assert!(!bob.sync_with(&[("filter", filter)]).mentions(&room));
    let other_device = bob.sync_with(&[("filter", filter), ("since", &since)]);
    assert!(other_device.0["rooms"]["leave"][&room].is_object());
}

#[test]
fn who_was_invited_again_sees_the_room_again_after_forgetting_it() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({"invite": [bob.user_id]}));
    bob.join(&room);
    alice.send_text(&room, "before");
    bob.leave(&room);
    bob.post(["rooms", &room, "forget"], &json!({})).ok();
    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");

    alice.member(&room, "invite", &bob).ok();
    bob.join(&room);

    let page = bob.query(["rooms", &room, "messages"], &[("dir", "b"), ("limit", "100")]).ok();
    let bodies: Vec<_> =
        page["chunk"].as_array().unwrap().iter().map(|event| event["content"]["body"].clone()).collect();
    assert!(bodies.contains(&json!("before")));
}

#[test]
fn one_who_rejected_an_invite_and_a_creator_who_left_may_forget() {
    let (_, alice, bob) = two();
    let room = alice.create_room(&json!({"invite": [bob.user_id]}));
    bob.leave(&room);
    bob.post(["rooms", &room, "forget"], &json!({})).ok();
    alice.leave(&room);
    alice.post(["rooms", &room, "forget"], &json!({})).ok();
}

#[test]
fn members_are_listed_now_at_a_token_and_by_membership() {
    let (_, alice, bob) = two();
    let room = alice.public_room();
    let sync = alice.sync(None);
    let at = sync.joined(&room)["timeline"]["prev_batch"].as_str().unwrap().to_owned();
    let since = sync.next_batch();
    bob.join(&room);
    let of = |client: &Client, query: &[(&str, &str)]| -> Vec<String> {
        let members = client.query(["rooms", &room, "members"], query).ok();
        let chunk = members["chunk"].as_array().unwrap();
        assert!(chunk.iter().all(|event| event["room_id"] == room.as_str() && event["type"] == "m.room.member"));
        let mut users: Vec<_> = chunk.iter().map(|event| event["state_key"].as_str().unwrap().to_owned()).collect();
        users.sort();
        users
    };

    assert_eq!(of(&alice, &[]), ["@alice:hub.example", "@bob:hub.example"]);
    assert_eq!(of(&alice, &[("at", &at)]), ["@alice:hub.example"]);
    assert_eq!(of(&alice, &[("at", &since)]), ["@alice:hub.example"]);
    bob.leave(&room);
    assert_eq!(of(&alice, &[("not_membership", "leave")]), ["@alice:hub.example"]);
    assert_eq!(of(&alice, &[("membership", "leave")]), ["@bob:hub.example"]);
    assert_eq!(of(&alice, &[("membership", "join")]), ["@alice:hub.example"]);
    alice.query(["rooms", &room, "members"], &[("at", "nonsense")]).refused(400, "M_INVALID_PARAM");
}
