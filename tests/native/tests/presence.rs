//! Presence: who is shown what, when it changes by itself, and what it costs.

use http::Method;
use hubbub_core::contract::Address;
use hubbub_native::{Client, SyncBody, TestServer};
use serde_json::{Value as Json, json};

const MINUTE: i64 = 60 * 1_000;

fn set(client: &Client, presence: &str, status: Option<&str>) {
    let body = json!({"presence": presence, "status_msg": status});
    client.put(["presence", &client.user_id, "status"], &body).ok();
}

fn status(client: &Client, of: &Client) -> Json {
    client.get(["presence", &of.user_id, "status"]).ok()
}

/// The contents of a user's presence events in a sync.
fn shown(sync: &SyncBody, of: &Client) -> Vec<Json> {
    let events = sync.0["presence"]["events"].as_array().cloned().unwrap_or_default();
    assert!(events.iter().all(|event| event["type"] == "m.presence" && event["content"]["presence"].is_string()));
    events.into_iter().filter(|event| event["sender"] == of.user_id).map(|event| event["content"].clone()).collect()
}

/// What a user is shown to be.
fn shown_presence(sync: &SyncBody, of: &Client) -> Option<String> {
    shown(sync, of).last().map(|content| content["presence"].as_str().unwrap().to_owned())
}

/// A poll without waiting that says nothing of presence.
fn quiet_sync(client: &Client, since: &str) -> SyncBody {
    client.sync_with(&[("since", since), ("set_presence", "offline")])
}

fn address(client: &Client) -> Address {
    Address::user(&client.user_id.parse::<ruma::OwnedUserId>().unwrap())
}

fn two(server: &TestServer) -> (Client, Client) {
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (alice, bob)
}

#[test]
fn presence_is_set_read_and_shown_to_room_mates() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    assert_eq!(status(&bob, &alice)["presence"], "offline");
    let since = bob.sync_with(&[("set_presence", "offline")]).next_batch();

    set(&alice, "online", Some("here"));

    let read = status(&bob, &alice);
    assert_eq!((&read["presence"], &read["status_msg"]), (&json!("online"), &json!("here")));
    assert_eq!(status(&alice, &alice)["status_msg"], "here");
    let sync = quiet_sync(&bob, &since);
    let content = &shown(&sync, &alice)[0];
    assert_eq!((&content["presence"], &content["status_msg"]), (&json!("online"), &json!("here")));
    assert_eq!((&content["currently_active"], &content["last_active_ago"]), (&json!(true), &json!(0)));

    set(&alice, "unavailable", None);
    let next = quiet_sync(&bob, &sync.next_batch());
    assert_eq!(shown_presence(&next, &alice).as_deref(), Some("unavailable"));
    assert!(shown(&next, &alice)[0].get("status_msg").is_none());
    // Only the latest value of each.
    set(&alice, "online", None);
    let all = quiet_sync(&bob, &since);
    assert_eq!(shown(&all, &alice).len(), 1);
    assert_eq!(shown_presence(&all, &alice).as_deref(), Some("online"));
}

#[test]
fn a_poll_marks_its_user_online_unless_it_says_otherwise() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    let since = bob.sync_with(&[("set_presence", "offline")]).next_batch();
    assert_eq!(status(&alice, &bob)["presence"], "offline");

    alice.sync(None);
    assert_eq!(shown_presence(&quiet_sync(&bob, &since), &alice).as_deref(), Some("online"));

    alice.sync_with(&[("set_presence", "unavailable")]);
    let sync = quiet_sync(&bob, &since);
    assert_eq!(shown_presence(&sync, &alice).as_deref(), Some("unavailable"));
    // It stays so, and nothing more is said.
    alice.sync_with(&[("set_presence", "unavailable")]);
    assert!(shown(&quiet_sync(&bob, &sync.next_batch()), &alice).is_empty());
    alice.query(["sync"], &[("set_presence", "busy")]).refused(400, "M_INVALID_PARAM");
}

#[test]
fn the_device_that_shows_most_wins_while_it_is_there() {
    let server = TestServer::new();
    let desk = server.register("alice");
    let phone = server.login("alice", None);
    let bob = server.account("bob");
    let room = desk.public_room();
    bob.join(&room);
    desk.sync(None);
    phone.sync_with(&[("set_presence", "unavailable")]);
    assert_eq!(status(&bob, &desk)["presence"], "online");
    // The desk is gone for long.
    server.advance(16 * MINUTE);
    phone.sync_with(&[("set_presence", "unavailable")]);
    assert_eq!(status(&bob, &desk)["presence"], "unavailable");
}

#[test]
fn a_join_shows_both_to_each_other() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    set(&alice, "online", Some("alice"));
    set(&bob, "online", Some("bob"));
    let since = alice.sync_with(&[("set_presence", "offline")]).next_batch();

    bob.join(&room);

    assert_eq!(shown(&quiet_sync(&alice, &since), &bob)[0]["status_msg"], "bob");
    assert_eq!(shown(&alice.sync_with(&[("set_presence", "offline")]), &bob)[0]["status_msg"], "bob");
    assert_eq!(shown(&bob.sync_with(&[("set_presence", "offline")]), &alice)[0]["status_msg"], "alice");
    // A third one sees both, and is seen.
    let carol = server.account("carol");
    set(&carol, "unavailable", None);
    carol.join(&room);
    let sync = carol.sync_with(&[("set_presence", "offline")]);
    assert_eq!((shown(&sync, &alice).len(), shown(&sync, &bob).len()), (1, 1));
    assert_eq!(shown_presence(&quiet_sync(&bob, &since), &carol).as_deref(), Some("unavailable"));
}

#[test]
fn whoever_shares_no_room_sees_nothing() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    let mallory = server.account("mallory");
    let room = mallory.public_room();
    set(&alice, "online", Some("secret"));

    mallory.get(["presence", &alice.user_id, "status"]).refused(403, "M_FORBIDDEN");
    mallory.get(["presence", "@nobody:hub.example", "status"]).refused(403, "M_FORBIDDEN");
    mallory.get(["presence", "@alice:elsewhere.example", "status"]).refused(403, "M_FORBIDDEN");
    assert!(mallory.sync(None).0["presence"].is_null());
    server.get("/_matrix/client/v3/presence/@alice:hub.example/status").refused(401, "M_MISSING_TOKEN");

    // Whoever leaves sees nothing new, and nothing of before.
    alice.join(&room);
    assert_eq!(shown(&mallory.sync(None), &alice).len(), 1);
    alice.leave(&room);
    set(&alice, "unavailable", None);
    assert!(mallory.sync(None).0["presence"].is_null());
    mallory.get(["presence", &alice.user_id, "status"]).refused(403, "M_FORBIDDEN");
    assert_eq!(status(&bob, &alice)["presence"], "unavailable");
}

#[test]
fn presence_that_makes_no_sense_or_is_anothers_is_refused() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    let put = |client: &Client, body: Json| client.put(["presence", &alice.user_id, "status"], &body);
    put(&bob, json!({"presence": "online"})).refused(403, "M_FORBIDDEN");
    put(&alice, json!({"presence": "busy"})).refused(400, "M_INVALID_PARAM");
    put(&alice, json!({"presence": 7})).refused(400, "M_BAD_JSON");
    put(&alice, json!({"status_msg": "no presence"})).refused(400, "M_BAD_JSON");
    put(&alice, json!({"presence": "online", "status_msg": "a".repeat(1_025)})).refused(400, "M_INVALID_PARAM");
    assert_eq!(status(&alice, &alice)["presence"], "offline");
}

#[test]
fn ones_own_presence_never_ends_ones_own_wait() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    let since = alice.sync(None).next_batch();
    let waiting = alice.start_sync(&since);
    server.settle();
    set(&alice, "unavailable", Some("away"));
    server.settle();
    assert!(!waiting.is_finished());
    set(&bob, "online", None);
    server.settle();
    assert!(waiting.is_finished());
    let answer = SyncBody(server.finish(&waiting).ok());
    assert_eq!(shown_presence(&answer, &bob).as_deref(), Some("online"));
    assert!(shown(&answer, &alice).is_empty());
}

#[test]
fn who_does_nothing_is_unavailable_and_who_is_gone_is_offline() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    let room = alice.get(["joined_rooms"]).ok()["joined_rooms"][0].as_str().unwrap().to_owned();
    let mut since = bob.sync_with(&[("set_presence", "offline")]).next_batch();
    let mut news = || {
        let sync = quiet_sync(&bob, &since);
        since = sync.next_batch();
        shown_presence(&sync, &alice)
    };
    let poll = |minutes: i64| {
        for _ in 0..minutes * 2 {
            alice.sync(None);
            server.advance(MINUTE / 2);
        }
    };
    poll(14);
    assert_eq!(news().as_deref(), Some("online"));
    poll(3);
    assert_eq!(news().as_deref(), Some("unavailable"));
    alice.send_text(&room, "back");
    assert_eq!(news().as_deref(), Some("online"));
    poll(10);
    assert_eq!(news(), None);
    server.advance(30 * MINUTE);
    assert_eq!(news().as_deref(), Some("offline"));
    assert_eq!(status(&bob, &alice)["presence"], "offline");
    poll(1);
    assert_eq!(news().as_deref(), Some("online"));
}

#[test]
fn a_filter_and_a_first_sync_leave_out_what_nobody_wants() {
    let server = TestServer::new();
    let (alice, bob) = two(&server);
    set(&alice, "online", None);
    let filtered = |filter: Json| {
        let filter = filter.to_string();
        bob.sync_with(&[("filter", &filter), ("set_presence", "offline")])
    };
    assert_eq!(shown(&filtered(json!({})), &alice).len(), 1);
    assert!(filtered(json!({"presence": {"not_types": ["m.*"]}})).0["presence"].is_null());
    assert!(filtered(json!({"presence": {"types": []}})).0["presence"].is_null());
    assert!(filtered(json!({"presence": {"not_senders": [alice.user_id]}})).0["presence"].is_null());
    assert_eq!(shown(&filtered(json!({"presence": {"senders": [alice.user_id]}})), &alice).len(), 1);
    set(&alice, "offline", None);
    assert!(filtered(json!({})).0["presence"].is_null());
}

#[test]
fn portals_carry_no_presence() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.create_room(&json!({
        "preset": "public_chat",
        "initial_state": [{"type": "m.bridge", "state_key": "x", "content": {}}],
    }));
    bob.join(&room);
    set(&alice, "online", None);
    assert!(bob.sync(None).0["presence"].is_null());
    // They share a room, though: whoever asks is told.
    assert_eq!(status(&bob, &alice)["presence"], "online");
}

#[test]
fn whoever_is_alone_pays_nothing_for_polling_and_room_mates_little() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let commits = |client: &Client| server.host().commits(&address(client));
    let before = commits(&alice);
    for _ in 0..240 {
        alice.sync(None);
        server.advance(MINUTE / 2);
    }
    // Only that the device was seen, twice an hour.
    assert!(commits(&alice) - before <= 4, "{} commits", commits(&alice) - before);

    let bob = server.account("bob");
    bob.join(&room);
    server.advance(MINUTE);
    let before = (commits(&alice), commits(&bob));
    // Two hours of two people who poll; one of them writes now and then elsewhere.
    for _ in 0..240 {
        alice.sync(None);
        bob.sync(None);
        server.advance(MINUTE / 2);
    }
    let (alices, bobs) = (commits(&alice) - before.0, commits(&bob) - before.1);
    assert!(alices + bobs <= 2 * (12 + 2 + 3 + 4), "{alices} and {bobs} commits");
}

#[test]
fn a_crash_on_the_way_leaves_presence_that_the_next_change_puts_right() {
    for seed in 0..20 {
        let server = TestServer::with(hubbub_native::Options { seed, ..Default::default() });
        let (alice, bob) = two(&server);
        server.set_settling(false);
        set(&alice, "online", None);
        server.crash(&address(&alice));
        server.crash(&address(&bob));
        server.set_settling(true);
        server.settle();
        assert_eq!(status(&bob, &alice)["presence"], "online", "seed {seed}");
        set(&alice, "unavailable", None);
        let sync = bob.sync_with(&[("set_presence", "offline")]);
        assert_eq!(shown_presence(&sync, &alice).as_deref(), Some("unavailable"), "seed {seed}");
    }
}

#[test]
fn a_session_that_is_gone_shows_nothing() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let other = server.login("alice", None);
    let bob = server.account("bob");
    let room = alice.public_room();
    bob.join(&room);
    other.post(["logout"], &json!({})).ok();
    other.ask(Method::GET, "/_matrix/client/v3/sync?set_presence=online", None).refused(401, "M_UNKNOWN_TOKEN");
    let uri = hubbub_native::client::path(["presence", &other.user_id, "status"]);
    other.ask(Method::PUT, &uri, Some(&json!({"presence": "online"}))).refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(status(&bob, &alice)["presence"], "offline");
}
