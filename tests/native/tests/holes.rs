//! Holes that other homeservers had: one test each, so that this one has none of them. The
//! neighbouring files hold those that belong to one endpoint.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Options, TestServer};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

#[test]
fn a_user_without_power_neither_makes_itself_admin_nor_forces_others_in() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let levels = json!({"users": {bob.user_id.as_str(): 100}});

    bob.set_state(&room, "m.room.power_levels", "", &levels).refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.member", &carl.user_id, &json!({"membership": "join"})).refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.member", &alice.user_id, &json!({"membership": "leave"})).refused(403, "M_FORBIDDEN");
    assert_eq!(carl.get(["joined_rooms"]).ok()["joined_rooms"], json!([]));
}

#[test]
fn a_banned_user_comes_back_by_no_way() {
    let (_, alice, bob, room) = two_in_a_room();
    alice.member(&room, "ban", &bob).ok();

    bob.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");
    bob.post(["rooms", &room, "join"], &json!({})).refused(403, "M_FORBIDDEN");
    bob.set_state(&room, "m.room.member", &bob.user_id, &json!({"membership": "join"})).refused(403, "M_FORBIDDEN");
    bob.post(["rooms", &room, "leave"], &json!({})).refused(403, "M_FORBIDDEN");
    alice.member(&room, "invite", &bob).refused(403, "M_FORBIDDEN");
    assert_eq!(alice.state(&room, "m.room.member", &bob.user_id).ok()["membership"], "ban");
}

#[test]
fn a_hundred_and_thirty_messages_lose_none_to_a_sync_that_keeps_the_newest() {
    let (_, alice, bob, room) = two_in_a_room();
    let since = bob.sync(None).next_batch();
    for number in 0..130 {
        alice.send_text(&room, &number.to_string());
    }

    let sync = bob.sync(Some(&since));
    let limited = bob.sync_with(&[("since", &since), ("filter", r#"{"room":{"timeline":{"limit":3}}}"#)]);

    assert_eq!(sync.joined(&room)["timeline"]["limited"], true);
    assert_eq!(sync.bodies(&room).last().map(String::as_str), Some("129"));
    assert_eq!(limited.bodies(&room), ["127", "128", "129"]);
}

#[test]
fn a_newly_joined_room_comes_with_its_state_and_a_left_one_is_told() {
    let (server, alice, _, room) = two_in_a_room();
    let carl = server.account("carl");
    let since = carl.sync(None).next_batch();

    carl.join(&room);

    let sync = carl.sync(Some(&since));
    let shown: Vec<Json> = [sync.state(&room), sync.timeline(&room)].concat();
    for event_type in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility"] {
        assert!(shown.iter().any(|event| event["type"] == event_type), "{event_type}");
    }
    assert_eq!(sync.joined(&room)["summary"]["m.joined_member_count"], 3);
    alice.member(&room, "kick", &carl).ok();
    let kicked = carl.sync(Some(&sync.next_batch()));
    assert!(kicked.0["rooms"]["leave"][&room].is_object());
}

#[test]
fn an_invite_shows_the_invited_no_more_than_stripped_state() {
    let (server, alice, _, _) = two_in_a_room();
    let carl = server.account("carl");
    let secret = json!({"secret": "launch code"});
    let room = alice.create_room(&json!({
        "invite": [carl.user_id],
        "initial_state": [{"type": "org.example.secret", "content": secret}],
    }));

    let sync = carl.sync(None);

    assert!(!sync.0.to_string().contains("launch code"));
    assert!(sync.invite_state(&room).iter().all(|event| event["type"] != "org.example.secret"));
    carl.state(&room, "org.example.secret", "").refused(403, "M_FORBIDDEN");
    carl.query(["rooms", &room, "messages"], &[("dir", "b")]).refused(403, "M_FORBIDDEN");
}

#[test]
fn unread_messages_and_mentions_are_counted_and_read() {
    let (_, alice, bob, room) = two_in_a_room();
    let since = bob.sync(None).next_batch();
    alice.send_text(&room, "hello");
    let last = alice.send_text(&room, "hello bob");

    let counts = |since: &str| bob.sync(Some(since)).joined(&room)["unread_notifications"].clone();
    assert_eq!(counts(&since), json!({"notification_count": 2, "highlight_count": 1}));
    bob.post(["rooms", &room, "receipt", "m.read", &last], &json!({})).ok();
    assert_eq!(counts(&since), json!({"notification_count": 0, "highlight_count": 0}));
}

#[test]
fn a_room_of_version_12_is_named_by_its_create_event_which_shows_its_room_id() {
    let (_, alice, _, room) = two_in_a_room();

    let create = alice.query(["rooms", &room, "state", "m.room.create", ""], &[("format", "event")]).ok();

    assert_eq!(create["event_id"].as_str().unwrap().replace('$', "!"), room);
    assert_eq!(create["room_id"], room.as_str());
    let context = alice.get(["rooms", &room, "context", create["event_id"].as_str().unwrap()]).ok();
    assert_eq!(context["event"]["room_id"], room.as_str());
}

#[test]
fn every_event_is_signed_and_its_id_is_its_hash() {
    let (server, alice, _, room) = two_in_a_room();
    let event = alice.send_text(&room, "hello");

    let page: hubbub_core::contract::room::ExportPage = server
        .call(
            Address::new(Class::Room, room.clone()),
            hubbub_core::contract::room::RoomCommand::Export { after: 0, limit: 100 },
        )
        .expect("the room is exported");

    let exported = page.events.iter().find(|found| found.event_id == event).expect("the event is exported");
    let pdu: Json = serde_json::from_str(&exported.pdu).unwrap();
    assert!(
        pdu["signatures"]["hub.example"]
            .as_object()
            .is_some_and(|keys| keys.keys().all(|key| key.starts_with("ed25519:")))
    );
    assert!(pdu["hashes"]["sha256"].is_string() && pdu["auth_events"].is_array() && pdu["prev_events"].is_array());
    let mut ids: Vec<_> = page.events.iter().map(|found| found.event_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), page.events.len());
}

#[test]
fn nobody_reads_anothers_inbox_by_a_sync_token() {
    let (_, alice, bob, _) = two_in_a_room();
    let private = alice.create_room(&json!({}));
    alice.send_text(&private, "for me");
    let alices = alice.sync(None).next_batch();

    let sync = bob.sync(Some(&alices));

    assert!(!sync.mentions(&private) && !sync.0.to_string().contains("for me"));
}

#[test]
fn a_malformed_sync_is_refused() {
    let (_, alice, _, _) = two_in_a_room();
    for (key, value) in
        [("since", "nonsense"), ("since", ""), ("timeout", "soon"), ("full_state", "perhaps"), ("filter", "{")]
    {
        let reply = alice.query(["sync"], &[(key, value)]);
        assert_eq!(reply.status, 400, "{key}={value}: {}", reply.text());
    }
    assert_eq!(alice.query(["sync"], &[("filter", "unknown")]).status / 100, 4);
}

#[test]
fn the_owner_page_is_the_only_html_and_everything_else_is_json() {
    let (server, alice, _, _) = two_in_a_room();
    for path in [
        "/_matrix/client/v3/profile/%3Cscript%3E",
        "/_matrix/client/v3/rooms/%3Cscript%3E/state",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/_matrix/client/v3/directory/room/%3Cscript%3E",
    ] {
        let reply = alice.ask(Method::GET, path, None);
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        assert!(reply.status >= 400);
    }
    assert_eq!(server.get("/_hubbub/owner/%3Cscript%3E").text().matches("<script").count(), 0);
}

#[test]
fn passwords_and_tokens_are_stored_as_hashes_only() {
    let server = TestServer::with(Options::default());
    let alice = server.register("alice");
    let database = server.host().database(&Address::new(Class::User, alice.user_id.clone())).expect("the object");
    let tables =
        hubbub_storage::database::Query::query(&*database, "SELECT name FROM sqlite_master WHERE type = 'table'", &[])
            .unwrap();
    assert!(!tables.is_empty());
    let secret = alice.token.rsplit('_').nth(1).expect("the token has parts").to_owned();
    for row in hubbub_storage::database::Query::query(&*database, "SELECT * FROM sessions", &[]).unwrap() {
        let text = format!("{row:?}");
        assert!(!text.contains(&secret) && !text.contains(&alice.token), "{text}");
    }
    let accounts = hubbub_storage::database::Query::query(&*database, "SELECT * FROM account", &[]).unwrap();
    let text = format!("{accounts:?}");
    assert!(!text.contains("alice's password") && text.contains("$argon2id$"));
}
