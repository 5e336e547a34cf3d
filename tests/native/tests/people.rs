//! Profile fields, mutual rooms, and the small calls that clients make at login.

use http::Method;
use hubbub_core::context::Support;
use hubbub_native::{Client, Options, TestServer};
use serde_json::{Value as Json, json};

fn field(client: &Client, name: &str, value: &Json) -> hubbub_native::Reply {
    client.put(["profile", &client.user_id, name], &json!({ name: value }))
}

#[test]
fn a_profile_field_is_set_read_by_everybody_and_removed() {
    let server = TestServer::new();
    let alice = server.account("alice");
    alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice"})).ok();
    field(&alice, "m.tz", &json!("Europe/Berlin")).ok();
    field(&alice, "org.example.job", &json!({"title": "reader", "since": 1865})).ok();

    let whole = json!({
        "displayname": "Alice",
        "m.tz": "Europe/Berlin",
        "org.example.job": {"title": "reader", "since": 1865},
    });
    assert_eq!(server.get("/_matrix/client/v3/profile/@alice:hub.example").ok(), whole);
    let unstable = "/_matrix/client/unstable/uk.tcpip.msc4133/profile/@alice:hub.example";
    assert_eq!(server.get(unstable).ok(), whole);
    for path in ["/_matrix/client/v3/profile/@alice:hub.example", unstable] {
        assert_eq!(server.get(&format!("{path}/m.tz")).ok(), json!({"m.tz": "Europe/Berlin"}));
        assert_eq!(server.get(&format!("{path}/displayname")).ok(), json!({"displayname": "Alice"}));
        server.get(&format!("{path}/never.set")).refused(404, "M_NOT_FOUND");
    }

    alice.delete(["profile", &alice.user_id, "m.tz"]).ok();
    alice.delete(["profile", &alice.user_id, "never.set"]).ok();
    alice.delete(["profile", &alice.user_id, "displayname"]).ok();
    alice.ask(Method::DELETE, &format!("{unstable}/org.example.job"), None).ok();
    assert_eq!(server.get("/_matrix/client/v3/profile/@alice:hub.example").ok(), json!({}));
    server.get("/_matrix/client/v3/profile/@alice:hub.example/m.tz").refused(404, "M_NOT_FOUND");
}

#[test]
fn a_field_set_under_the_unstable_path_is_the_same() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let path = format!("/_matrix/client/unstable/uk.tcpip.msc4133/profile/{}", alice.user_id);
    alice.ask(Method::PUT, &format!("{path}/us.cloke.msc4175.tz"), Some(&json!({"us.cloke.msc4175.tz": "UTC"}))).ok();
    alice.ask(Method::PUT, &format!("{path}/displayname"), Some(&json!({"displayname": "Alice"}))).ok();
    let whole = alice.get(["profile", &alice.user_id]).ok();
    assert_eq!(whole, json!({"displayname": "Alice", "us.cloke.msc4175.tz": "UTC"}));
}

#[test]
fn profile_fields_that_make_no_sense_or_are_anothers_are_refused() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    bob.put(["profile", &alice.user_id, "m.tz"], &json!({"m.tz": "UTC"})).refused(403, "M_FORBIDDEN");
    bob.delete(["profile", &alice.user_id, "m.tz"]).refused(403, "M_FORBIDDEN");
    alice.put(["profile", &alice.user_id, "m.tz"], &json!({"tz": "UTC"})).refused(400, "M_MISSING_PARAM");
    field(&alice, "m.tz", &json!(7)).refused(400, "M_BAD_JSON");
    field(&alice, "Upper", &json!(1)).refused(400, "M_INVALID_PARAM");
    field(&alice, "1st", &json!(1)).refused(400, "M_INVALID_PARAM");
    field(&alice, &"a".repeat(256), &json!(1)).refused(400, "M_KEY_TOO_LARGE");
    server.get("/_matrix/client/v3/profile/@nobody:hub.example/m.tz").refused(404, "M_NOT_FOUND");
    let uri = "/_matrix/client/v3/profile/@alice:hub.example/m.tz";
    server.send(Method::PUT, uri, None, Some(&json!({"m.tz": "UTC"}))).refused(401, "M_MISSING_TOKEN");
    server.send(Method::DELETE, uri, None, None).refused(401, "M_MISSING_TOKEN");
    assert_eq!(alice.get(["profile", &alice.user_id]).ok(), json!({}));
}

#[test]
fn a_profile_has_64_kib_at_most() {
    let server = TestServer::new();
    let alice = server.account("alice");
    field(&alice, "a", &json!("a".repeat(60_000))).ok();
    field(&alice, "b", &json!("b".repeat(6_000))).refused(400, "M_PROFILE_TOO_LARGE");
    field(&alice, "a", &json!("a")).ok();
    field(&alice, "b", &json!("b".repeat(60_000))).ok();
}

#[test]
fn a_field_that_d1_did_not_take_is_shown_later() {
    for seed in 0..20 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let alice = server.account("alice");
        let uri = hubbub_native::client::path(["profile", &alice.user_id, "m.tz"]);
        let started = server.start(alice.request(Method::PUT, &uri, Some(&json!({"m.tz": "UTC"}))));
        server.crash(&hubbub_core::contract::Address::user(&alice.user_id.parse::<ruma::OwnedUserId>().unwrap()));
        server.finish(&started).ok();
        server.advance(60_000);
        assert_eq!(alice.get(["profile", &alice.user_id]).ok(), json!({"m.tz": "UTC"}), "seed {seed}");
    }
}

#[test]
fn capabilities_tell_of_profile_fields() {
    let server = TestServer::new();
    let alice = server.account("alice");
    assert_eq!(alice.get(["capabilities"]).ok()["capabilities"]["m.profile_fields"], json!({"enabled": true}));
}

#[test]
fn mutual_rooms_are_those_that_both_are_joined_to() {
    let server = TestServer::new();
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let shared = alice.public_room();
    bob.join(&shared);
    let left = alice.public_room();
    bob.join(&left);
    bob.leave(&left);
    alice.create_room(&json!({"invite": [bob.user_id]}));
    let hidden = bob.public_room();
    carol.join(&hidden);
    server.advance(60_000);

    for path in ["/_matrix/client/v1/mutual_rooms", "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms"] {
        let ask = |client: &Client, user_id: &str| {
            client.ask(Method::GET, &format!("{path}?user_id={}", user_id.replace('@', "%40")), None)
        };
        assert_eq!(ask(&alice, &bob.user_id).ok(), json!({"joined": [shared], "count": 1}));
        assert_eq!(ask(&bob, &alice.user_id).ok(), json!({"joined": [shared], "count": 1}));
        assert_eq!(ask(&alice, &carol.user_id).ok(), json!({"joined": [], "count": 0}));
        assert_eq!(ask(&alice, "@nobody:elsewhere.example").ok(), json!({"joined": [], "count": 0}));
        ask(&alice, &alice.user_id).refused(400, "M_INVALID_PARAM");
        ask(&alice, "bob").refused(400, "M_INVALID_PARAM");
        alice.ask(Method::GET, path, None).refused(400, "M_MISSING_PARAM");
        alice.ask(Method::GET, &format!("{path}?user_id={}&from=x", bob.user_id), None).refused(400, "M_INVALID_PARAM");
        server.get(&format!("{path}?user_id={}", bob.user_id)).refused(401, "M_MISSING_TOKEN");
    }
}

#[test]
fn there_is_no_turn_server() {
    let server = TestServer::new();
    let alice = server.account("alice");
    assert_eq!(alice.get(["voip", "turnServer"]).ok(), json!({}));
    server.get("/_matrix/client/v3/voip/turnServer").refused(401, "M_MISSING_TOKEN");
}

#[test]
fn support_is_whom_the_operator_names() {
    let uri = "/.well-known/matrix/support";
    TestServer::new().get(uri).refused(404, "M_NOT_FOUND");
    let with = |support: Support| TestServer::with(Options { support, ..Options::default() }).get(uri).ok();
    let support = Support {
        email: Some("help@hub.example".to_owned()),
        matrix_id: Some("@owner:hub.example".parse().unwrap()),
        page: Some("https://hub.example/help".to_owned()),
    };
    let contact = json!({
        "role": "m.role.admin", "email_address": "help@hub.example", "matrix_id": "@owner:hub.example",
    });
    assert_eq!(with(support.clone()), json!({"contacts": [contact], "support_page": "https://hub.example/help"}));
    let page_only = Support { page: support.page, ..Support::default() };
    assert_eq!(with(page_only), json!({"support_page": "https://hub.example/help"}));
}

#[test]
fn state_after_is_the_state_at_the_end_of_the_timeline() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    alice.set_state(&room, "m.room.topic", "", &json!({"topic": "first"})).ok();
    alice.set_state(&room, "m.room.topic", "", &json!({"topic": "second"})).ok();

    for (parameter, section) in
        [("use_state_after", "state_after"), ("org.matrix.msc4222.use_state_after", "org.matrix.msc4222.state_after")]
    {
        let first = bob.sync_with(&[(parameter, "true")]);
        let part = first.joined(&room);
        assert!(part.get("state").is_none());
        let topics = |part: &Json| -> Vec<Json> {
            let events = part[section]["events"].as_array().unwrap();
            let topics = events.iter().filter(|event| event["type"] == "m.room.topic");
            topics.map(|event| event["content"]["topic"].clone()).collect()
        };
        assert_eq!(topics(part), ["second"]);
        assert!(part[section]["events"].as_array().unwrap().iter().any(|event| event["type"] == "m.room.create"));
        let next = bob.sync_with(&[("since", &since), (parameter, "true")]);
        assert_eq!(topics(next.joined(&room)), ["second"]);
        assert_eq!(next.joined(&room)[section]["events"].as_array().unwrap().len(), 1);
        assert_eq!(next.timeline(&room).len(), 2);
        bob.query(["sync"], &[(parameter, "maybe")]).refused(400, "M_INVALID_PARAM");
    }
    // Without it the timeline alone tells of the topics.
    let plain = bob.sync_with(&[("since", &since), ("use_state_after", "false")]);
    assert!(plain.joined(&room).get("state_after").is_none());
    assert!(plain.state(&room).is_empty());
}

#[test]
fn a_lazy_client_gets_the_senders_again_whether_or_not_it_wants_redundant_members() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    for redundant in [false, true] {
        let filter = json!({"room": {"state": {"lazy_load_members": true, "include_redundant_members": redundant}}});
        let filter = filter.to_string();
        let mut since = alice.sync_with(&[("filter", &filter)]).next_batch();
        for _ in 0..2 {
            bob.send_text(&room, "hello");
            let sync = alice.sync_with(&[("filter", &filter), ("since", &since)]);
            assert_eq!(sync.membership(&room, &bob.user_id).as_deref(), Some("join"));
            since = sync.next_batch();
        }
    }
}
