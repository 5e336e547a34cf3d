//! Pushers, and what their gateways are told.

use std::{cell::RefCell, rc::Rc};

use hubbub_core::{context::HttpError, contract::Address};
use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

const HOUR: i64 = 60 * 60 * 1_000;

/// A push gateway: notes what it is told, and answers as it is set to.
#[derive(Clone, Default)]
struct Gateway(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    told: Vec<Json>,
    urls: Vec<String>,
    failing: bool,
    rejected: Vec<String>,
    /// Takes the request and never says so.
    silent: bool,
}

impl Gateway {
    fn of(server: &TestServer) -> Self {
        let gateway = Self::default();
        let inner = Rc::clone(&gateway.0);
        server.http().answer_by(move |request| {
            let mut inner = inner.borrow_mut();
            if inner.failing {
                return Ok(http::Response::builder().status(502).body(Vec::new()).unwrap());
            }
            inner.urls.push(request.uri().to_string());
            let body: Json = serde_json::from_slice(request.body()).unwrap();
            inner.told.push(body["notification"].clone());
            if inner.silent {
                return Err(HttpError::Unknown("no answer in time".to_owned()));
            }
            let answer = json!({"rejected": inner.rejected}).to_string().into_bytes();
            Ok(http::Response::new(answer))
        });
        gateway
    }

    fn take(&self) -> Vec<Json> {
        std::mem::take(&mut self.0.borrow_mut().told)
    }

    /// The bodies of the messages that were told since the last time.
    fn bodies(&self) -> Vec<String> {
        let told = self.take();
        told.iter().filter_map(|told| told["content"]["body"].as_str().map(str::to_owned)).collect()
    }

    fn set_failing(&self, failing: bool) {
        self.0.borrow_mut().failing = failing;
    }
}

fn pusher(key: &str) -> Json {
    json!({
        "kind": "http",
        "app_id": "im.app",
        "pushkey": key,
        "app_display_name": "App",
        "device_display_name": "Phone",
        "lang": "en",
        "profile_tag": "tag",
        "data": {"url": "https://push.example/_matrix/push/v1/notify", "brand": "a"},
    })
}

fn set(client: &Client, pusher: &Json) {
    client.post(["pushers", "set"], pusher).ok();
}

fn pushers(client: &Client) -> Vec<Json> {
    client.get(["pushers"]).ok()["pushers"].as_array().unwrap().clone()
}

/// Alice, who is pushed to, Bob, and their room.
fn two(server: &TestServer) -> (Client, Client, String) {
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.create_room(&json!({"preset": "public_chat", "name": "Den"}));
    bob.join(&room);
    set(&alice, &pusher("key"));
    (alice, bob, room)
}

#[test]
fn a_pusher_is_set_shown_replaced_and_deleted() {
    let server = TestServer::new();
    let alice = server.account("alice");
    assert_eq!(pushers(&alice), Vec::<Json>::new());

    set(&alice, &pusher("key"));
    assert_eq!(pushers(&alice), [pusher("key")]);

    let mut renamed = pusher("key");
    renamed["lang"] = "de".into();
    set(&alice, &renamed);
    set(&alice, &pusher("other"));
    assert_eq!(pushers(&alice), [renamed, pusher("other")]);

    set(&alice, &json!({"kind": null, "app_id": "im.app", "pushkey": "key"}));
    set(&alice, &json!({"kind": null, "app_id": "im.app", "pushkey": "never set"}));
    assert_eq!(pushers(&alice), [pusher("other")]);
}

#[test]
fn pushers_that_make_no_sense_are_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let with = |key: &str, value: Json| {
        let mut pusher = pusher("key");
        pusher[key] = value;
        alice.post(["pushers", "set"], &pusher)
    };
    let without = |key: &str| {
        let mut pusher = pusher("key");
        pusher.as_object_mut().unwrap().remove(key);
        alice.post(["pushers", "set"], &pusher)
    };
    for key in ["kind", "app_id", "pushkey", "app_display_name", "device_display_name", "lang", "data"] {
        without(key).refused(400, "M_MISSING_PARAM");
        with(key, json!(7)).refused(400, "M_BAD_JSON");
    }
    with("kind", json!("email")).refused(400, "M_INVALID_PARAM");
    with("append", json!("yes")).refused(400, "M_BAD_JSON");
    with("app_id", json!("a".repeat(65))).refused(400, "M_INVALID_PARAM");
    with("pushkey", json!("a".repeat(513))).refused(400, "M_INVALID_PARAM");
    with("profile_tag", json!("a".repeat(256))).refused(400, "M_INVALID_PARAM");
    with("data", json!({})).refused(400, "M_MISSING_PARAM");
    let large = json!({"url": "https://push.example/_matrix/push/v1/notify", "x": "a".repeat(5_000)});
    with("data", large).refused(413, "M_TOO_LARGE");
    let strange = json!({"url": "https://push.example/_matrix/push/v1/notify", "format": "haiku"});
    with("data", strange).refused(400, "M_INVALID_PARAM");
    for url in [
        "http://push.example/_matrix/push/v1/notify",
        "https://push.example/elsewhere",
        "https://me:secret@push.example/_matrix/push/v1/notify",
        "push.example",
    ] {
        with("data", json!({ "url": url })).refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(pushers(&alice), Vec::<Json>::new());
    server.get("/_matrix/client/v3/pushers").refused(401, "M_MISSING_TOKEN");
}

#[test]
fn a_user_has_a_hundred_pushers_at_most() {
    let server = TestServer::new();
    let alice = server.account("alice");
    for number in 0..100 {
        set(&alice, &pusher(&format!("key {number}")));
    }
    alice.post(["pushers", "set"], &pusher("one more")).refused(429, "M_LIMIT_EXCEEDED");
    set(&alice, &pusher("key 7"));
    assert_eq!(pushers(&alice).len(), 100);
}

#[test]
fn a_message_is_told_with_all_that_a_gateway_wants() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    bob.put(["profile", &bob.user_id, "displayname"], &json!({"displayname": "Bob"})).ok();
    gateway.take();

    let event_id = bob.send_text(&room, "hello alice");

    let set_at = server.now() / 1_000;
    let told = json!({
        "event_id": event_id,
        "room_id": room,
        "type": "m.room.message",
        "sender": bob.user_id,
        "sender_display_name": "Bob",
        "room_name": "Den",
        "content": {"msgtype": "m.text", "body": "hello alice"},
        "prio": "high",
        "counts": {"unread": 1},
        "devices": [{
            "app_id": "im.app",
            "pushkey": "key",
            "pushkey_ts": set_at,
            "data": {"brand": "a"},
            "tweaks": {"sound": "default", "highlight": true},
        }],
    });
    assert_eq!(gateway.take(), [told]);
    assert_eq!(gateway.0.borrow().urls[0], "https://push.example/_matrix/push/v1/notify");
    // One's own messages, and what was told already, are not.
    alice.send_text(&room, "hello bob");
    server.advance(HOUR);
    assert_eq!(gateway.bodies(), Vec::<String>::new());
}

#[test]
fn a_gateway_that_wants_ids_gets_nothing_else() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let mut ids_only = pusher("key");
    ids_only["data"]["format"] = "event_id_only".into();
    set(&alice, &ids_only);

    let event_id = bob.send_text(&room, "secret");

    let told = gateway.take();
    let keys: Vec<&String> = told[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["counts", "devices", "event_id", "prio", "room_id"]);
    assert_eq!((&told[0]["event_id"], &told[0]["room_id"]), (&json!(event_id), &json!(room)));
    assert_eq!(told[0]["devices"][0]["data"], json!({"brand": "a", "format": "event_id_only"}));
    assert!(told[0]["devices"][0].get("tweaks").is_none());
}

#[test]
fn an_invite_is_told_but_not_one_of_somebody_ignored() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let mallory = server.account("mallory");
    mallory.join(&room);
    let ignored = json!({"ignored_users": {(mallory.user_id.as_str()): {}}});
    alice.put(["user", &alice.user_id, "account_data", "m.ignored_user_list"], &ignored).ok();
    gateway.take();

    mallory.create_room(&json!({"invite": [alice.user_id]}));
    mallory.send_text(&room, "alice!");
    assert_eq!(gateway.take(), Vec::<Json>::new());

    let invited = bob.create_room(&json!({"invite": [alice.user_id]}));
    let told = gateway.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "m.room.member");
    assert_eq!(told[0]["room_id"], invited.as_str());
    assert_eq!(told[0]["membership"], "invite");
    assert_eq!(told[0]["user_is_target"], true);
    assert_eq!(told[0]["counts"]["unread"], 1);
    assert_eq!(told[0]["devices"][0]["tweaks"]["sound"], "default");
}

#[test]
fn push_rules_decide_what_is_told() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let carol = server.account("carol");
    carol.join(&room);
    bob.send_text(&room, "plain");
    let told = gateway.take();
    // A room of three: no sound, so nothing that wakes a phone.
    assert_eq!((&told[0]["prio"], &told[0]["devices"][0]["tweaks"]), (&json!("low"), &json!({})));

    alice.put(["pushrules", "global", "room", &room], &json!({"actions": ["dont_notify"]})).ok();
    bob.send_text(&room, "muted");
    assert_eq!(gateway.take(), Vec::<Json>::new());

    alice.put(["pushrules", "global", "override", "loud"], &json!({
        "actions": ["notify", {"set_tweak": "sound", "value": "bell"}, {"set_tweak": "highlight", "value": false}],
        "conditions": [{"kind": "event_match", "key": "content.body", "pattern": "loud"}],
    })).ok();
    bob.send_text(&room, "loud");
    let told = gateway.take();
    assert_eq!(told[0]["devices"][0]["tweaks"], json!({"sound": "bell", "highlight": false}));
    assert_eq!((&told[0]["prio"], &told[0]["counts"]["unread"]), (&json!("high"), &json!(2)));
}

#[test]
fn reading_elsewhere_tells_the_new_badge_once() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    bob.send_text(&room, "one");
    let last = bob.send_text(&room, "two");
    assert_eq!(gateway.bodies(), ["one", "two"]);

    alice.post(["rooms", &room, "receipt", "m.read", &last], &json!({})).ok();

    let told = gateway.take();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["counts"], &told[0]["prio"]), (&json!({"unread": 0}), &json!("low")));
    assert!(told[0].get("event_id").is_none() && told[0].get("content").is_none());
    server.advance(HOUR);
    assert_eq!(gateway.take(), Vec::<Json>::new());
}

#[test]
fn what_was_read_before_it_could_be_told_is_not_told() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    gateway.set_failing(true);
    let read = bob.send_text(&room, "read");
    bob.send_text(&room, "unread");
    alice.post(["rooms", &room, "receipt", "m.read", &read], &json!({})).ok();
    gateway.set_failing(false);
    server.advance(HOUR);
    assert_eq!(gateway.bodies(), ["unread"]);
}

#[test]
fn a_failing_gateway_is_tried_again_ever_later_and_gets_all_in_order() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let other = alice.public_room();
    bob.join(&other);
    gateway.set_failing(true);
    for number in 0..10 {
        bob.send_text(if number % 2 == 0 { &room } else { &other }, &number.to_string());
    }
    server.advance(10 * HOUR);
    assert_eq!(gateway.take(), Vec::<Json>::new());

    gateway.set_failing(false);
    server.advance(HOUR);
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(gateway.bodies(), expected);
}

#[test]
fn after_a_day_only_what_is_newer_is_told_and_the_badge_has_them_all() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (_alice, bob, room) = two(&server);
    gateway.set_failing(true);
    bob.send_text(&room, "old");
    server.advance(25 * HOUR);
    gateway.set_failing(false);
    server.advance(HOUR);
    let told = gateway.take();
    assert_eq!(told.len(), 1);
    assert!(told[0].get("event_id").is_none());
    assert_eq!(told[0]["counts"]["unread"], 1);

    gateway.set_failing(true);
    bob.send_text(&room, "old too");
    server.advance(24 * HOUR);
    bob.send_text(&room, "new");
    server.advance(2 * HOUR);
    gateway.set_failing(false);
    server.advance(HOUR);
    let told = gateway.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["content"]["body"], "new");
    assert_eq!(told[0]["counts"]["unread"], 3);
}

#[test]
fn a_gateway_at_a_private_address_is_never_asked() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let private = [
        "127.0.0.1",
        "127.0.0.1:8787",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "169.254.169.254",
        "2130706433",
        "0x7f.1",
        "192.168.1.1",
        "localhost",
        "metadata.google.internal",
    ];
    for (number, host) in private.into_iter().enumerate() {
        let mut inside = pusher(&format!("inside {number}"));
        inside["data"]["url"] = format!("https://{host}/_matrix/push/v1/notify").into();
        set(&alice, &inside);
    }

    bob.send_text(&room, "secret");
    server.advance(25 * HOUR);

    let urls = std::mem::take(&mut gateway.0.borrow_mut().urls);
    assert_eq!(urls, ["https://push.example/_matrix/push/v1/notify"]);
    assert_eq!(gateway.bodies(), ["secret"]);
}

#[test]
fn a_rejected_key_ends_its_pusher() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    set(&alice, &pusher("good"));
    gateway.0.borrow_mut().rejected = vec!["key".to_owned(), "of somebody else".to_owned()];
    bob.send_text(&room, "hello");
    assert_eq!(pushers(&alice), [pusher("good")]);
    gateway.take();
    bob.send_text(&room, "again");
    assert_eq!(gateway.bodies(), ["again"]);
}

#[test]
fn a_pusher_ends_with_its_session_and_does_not_come_back_with_the_device() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let alice = server.register("alice");
    let phone = server.login("alice", Some("PHONE"));
    let bob = server.account("bob");
    let room = alice.public_room();
    bob.join(&room);
    set(&phone, &pusher("phone"));
    set(&alice, &pusher("laptop"));

    phone.post(["logout"], &json!({})).ok();

    assert_eq!(pushers(&alice), [pusher("laptop")]);
    server.advance(1_000);
    let phone = server.login("alice", Some("PHONE"));
    assert_eq!(pushers(&phone), [pusher("laptop")]);
    bob.send_text(&room, "hello");
    let told = gateway.take();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["devices"][0]["pushkey"], "laptop");
}

#[test]
fn a_phone_that_changes_hands_is_told_of_its_new_owner_only() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (alice, bob, room) = two(&server);
    let carol = server.account("carol");
    set(&carol, &pusher("key"));
    assert_eq!(pushers(&alice), Vec::<Json>::new());
    bob.send_text(&room, "for alice");
    assert_eq!(gateway.bodies(), Vec::<String>::new());

    // Two accounts of one application on one phone.
    let mut second = pusher("key");
    second["append"] = true.into();
    set(&alice, &second);
    assert_eq!(pushers(&carol).len(), 1);
    bob.send_text(&room, "for alice");
    assert_eq!(gateway.bodies(), ["for alice"]);
}

#[test]
fn nothing_is_lost_when_the_object_dies_before_or_after_the_gateway_was_told() {
    for seed in 0..20 {
        let options = hubbub_native::Options { seed, ..Default::default() };
        let server = TestServer::with(options);
        let gateway = Gateway::of(&server);
        let (alice, bob, room) = two(&server);
        gateway.take();
        let address = Address::user(&alice.user_id.parse::<ruma::OwnedUserId>().unwrap());
        server.set_settling(false);
        for number in 0..10 {
            bob.send_text(&room, &number.to_string());
            server.crash(&address);
        }
        server.set_settling(true);
        server.advance(HOUR);
        let mut bodies = gateway.bodies();
        bodies.dedup();
        let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(bodies, expected, "seed {seed}");
    }
}

#[test]
fn a_lost_answer_tells_the_same_event_again() {
    let server = TestServer::new();
    let gateway = Gateway::of(&server);
    let (_alice, bob, room) = two(&server);
    gateway.0.borrow_mut().silent = true;
    bob.send_text(&room, "hello");
    assert_eq!(gateway.bodies(), ["hello"]);
    gateway.0.borrow_mut().silent = false;
    server.advance(2_000);
    assert_eq!(gateway.bodies(), ["hello"]);
    server.advance(HOUR);
    assert_eq!(gateway.take(), Vec::<Json>::new());
}

#[test]
fn a_user_without_a_pusher_pays_nothing_and_one_with_it_one_row_a_message() {
    let server = TestServer::new();
    let _gateway = Gateway::of(&server);
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let address = Address::user(&alice.user_id.parse::<ruma::OwnedUserId>().unwrap());
    let commits = || {
        let database = server.host().database(&address).unwrap();
        let before = database.counts().commits;
        for number in 0..10 {
            bob.send_text(&room, &number.to_string());
        }
        database.counts().commits - before
    };
    let without = commits();
    set(&alice, &pusher("key"));
    let with = commits();
    assert_eq!(with - without, 10, "{without} commits without, {with} with");
}
