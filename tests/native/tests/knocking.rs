//! Knocking: who may, what both sides see of it, and how it ends.

use hubbub_native::{Client, Reply, TestServer};
use serde_json::{Value as Json, json};

fn two() -> (TestServer, Client, Client) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    (server, alice, bob)
}

fn room_with(creator: &Client, version: &str, join_rule: &str) -> String {
    creator.create_room(&json!({
        "preset": "private_chat", "room_version": version, "name": "Behind the door",
        "initial_state": [{"type": "m.room.join_rules", "content": {"join_rule": join_rule}}],
    }))
}

fn knock(client: &Client, room: &str, reason: &str) -> Reply {
    client.post(["knock", room], &json!({"reason": reason}))
}

fn membership(reader: &Client, room: &str, of: &Client) -> Json {
    reader.state(room, "m.room.member", &of.user_id).ok()["membership"].clone()
}

fn types(events: &[Json]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[test]
fn who_knocks_sees_the_door_and_members_see_who_knocks() {
    let (_, alice, bob) = two();
    bob.put(["profile", &bob.user_id, "displayname"], &json!({"displayname": "Bob"})).ok();
    let room = room_with(&alice, "12", "knock");
    let since = (alice.sync(None).next_batch(), bob.sync(None).next_batch());

    assert_eq!(knock(&bob, &room, "please").ok(), json!({"room_id": room}));

    let seen = bob.sync(Some(&since.1));
    let state = seen.knock_state(&room);
    let mut found = types(&state);
    found.sort_unstable();
    let expected = ["m.room.create", "m.room.history_visibility", "m.room.join_rules", "m.room.member", "m.room.name"];
    assert_eq!(found, expected);
    assert_eq!(seen.membership(&room, &bob.user_id).as_deref(), Some("knock"));
    for event in &state {
        let mut keys: Vec<_> = event.as_object().expect("an event").keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["content", "sender", "state_key", "type"], "stripped of everything else");
    }
    assert!(seen.joined(&room).is_null());
    assert_eq!(bob.sync(None).membership(&room, &bob.user_id).as_deref(), Some("knock"));
    assert!(!bob.sync(Some(&seen.next_batch())).mentions(&room));
    let timeline = alice.sync(Some(&since.0)).timeline(&room);
    let content = json!({"membership": "knock", "reason": "please", "displayname": "Bob"});
    assert_eq!(timeline.last().expect("an event")["content"], content);
}

#[test]
fn a_knock_opens_nothing() {
    let (_, alice, bob) = two();
    let room = room_with(&alice, "12", "knock");
    let event = alice.send_text(&room, "secret");
    knock(&bob, &room, "please").ok();
    bob.get(["rooms", &room, "messages"]).refused(403, "M_FORBIDDEN");
    bob.get(["rooms", &room, "state"]).refused(403, "M_FORBIDDEN");
    bob.get(["rooms", &room, "members"]).refused(403, "M_FORBIDDEN");
    bob.get(["rooms", &room, "event", &event]).refused(404, "M_NOT_FOUND");
    bob.get(["rooms", &room, "context", &event]).refused(404, "M_NOT_FOUND");
    bob.send_with(&room, "t", "hello").refused(403, "M_FORBIDDEN");
    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");
    assert_eq!(bob.get(["joined_rooms"]).ok()["joined_rooms"], json!([]));
    let since = bob.sync(None).next_batch();
    alice.send_text(&room, "still secret");
    assert!(!bob.sync(Some(&since)).mentions(&room), "what is said inside stays inside");
}

#[test]
fn only_a_room_whose_rule_and_version_know_knocking_takes_it() {
    let (_, alice, bob) = two();
    for (version, rule) in
        [("12", "invite"), ("12", "public"), ("12", "restricted"), ("6", "knock"), ("9", "knock_restricted")]
    {
        let room = room_with(&alice, version, rule);
        knock(&bob, &room, "please").refused(403, "M_FORBIDDEN");
        assert!(!bob.sync(None).mentions(&room), "{version} {rule}");
    }
    for (version, rule) in [("7", "knock"), ("10", "knock"), ("10", "knock_restricted"), ("12", "knock_restricted")] {
        knock(&bob, &room_with(&alice, version, rule), "please").ok();
    }
    knock(&bob, "!nowhere:hub.example", "please").refused(404, "M_NOT_FOUND");
    knock(&bob, "#nowhere:hub.example", "please").refused(404, "M_NOT_FOUND");
    knock(&bob, "nonsense", "please").refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_room_is_knocked_on_by_its_alias_again_and_without_a_reason() {
    let (_, alice, bob) = two();
    let room = room_with(&alice, "12", "knock");
    alice.put(["directory", "room", "#door:hub.example"], &json!({"room_id": room})).ok();
    assert_eq!(knock(&bob, "#door:hub.example", "first").ok(), json!({"room_id": room}));
    let path = "/_matrix/client/v3/knock/%23door:hub.example?server_name=a.example&via=hub.example";
    bob.ask(http::Method::POST, path, None).ok();
    let timeline = alice.sync(None).timeline(&room);
    let reasons: Vec<_> = timeline
        .iter()
        .filter(|event| event["content"]["membership"] == "knock")
        .map(|event| event["content"]["reason"].clone())
        .collect();
    assert_eq!(reasons, [json!("first"), Json::Null]);
    assert_eq!(bob.sync(None).membership(&room, &bob.user_id).as_deref(), Some("knock"));
}

#[test]
fn a_knock_is_withdrawn_and_repeated() {
    let (_, alice, bob) = two();
    let room = room_with(&alice, "12", "knock");
    knock(&bob, &room, "please").ok();
    let since = bob.sync(None).next_batch();
    bob.leave(&room);
    let left = bob.sync(Some(&since));
    let timeline = &left.0["rooms"]["leave"][&room]["timeline"]["events"];
    assert_eq!(timeline[0]["content"]["membership"], "leave");
    assert_eq!(membership(&alice, &room, &bob), "leave");
    knock(&bob, &room, "again").ok();
    assert_eq!(membership(&alice, &room, &bob), "knock");
    bob.post(["rooms", &room, "forget"], &json!({})).refused(400, "M_UNKNOWN");
}

#[test]
fn a_knock_is_answered_by_an_invite_a_kick_or_a_ban() {
    let (server, alice, bob) = two();
    let carol = server.account("carol");
    let room = room_with(&alice, "12", "knock");
    knock(&bob, &room, "please").ok();
    alice.member(&room, "kick", &bob).ok();
    assert_eq!(bob.sync(None).membership(&room, &bob.user_id).as_deref(), Some("leave"));
    knock(&bob, &room, "please").ok();
    alice.member(&room, "invite", &bob).ok();
    let invited = bob.sync(None);
    assert_eq!(invited.membership(&room, &bob.user_id).as_deref(), Some("invite"));
    assert!(invited.knock_state(&room).is_empty());
    knock(&bob, &room, "again").refused(403, "M_FORBIDDEN");
    bob.join(&room);
    knock(&bob, &room, "again").refused(403, "M_FORBIDDEN");
    // Members without the power to invite cannot answer.
    alice.set_state(&room, "m.room.power_levels", "", &json!({"invite": 50})).ok();
    knock(&carol, &room, "please").ok();
    bob.member(&room, "invite", &carol).refused(403, "M_FORBIDDEN");
    bob.member(&room, "kick", &carol).refused(403, "M_FORBIDDEN");
    alice.member(&room, "ban", &carol).ok();
    assert_eq!(carol.sync(None).membership(&room, &carol.user_id).as_deref(), Some("ban"));
    knock(&carol, &room, "please").refused(403, "M_FORBIDDEN");
}

#[test]
fn nobody_knocks_for_somebody_else() {
    let (_, alice, bob) = two();
    let room = room_with(&alice, "12", "knock");
    alice.set_state(&room, "m.room.member", &bob.user_id, &json!({"membership": "knock"})).refused(403, "M_FORBIDDEN");
    // One's own knock may come as state, too.
    bob.set_state(&room, "m.room.member", &bob.user_id, &json!({"membership": "knock"})).ok();
    assert_eq!(membership(&alice, &room, &bob), "knock");
}
