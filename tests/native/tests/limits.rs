//! How often a user may write, and the headers of every answer.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use futures_util::future::LocalBoxFuture;
use http::Method;
use hubbub_api::{RateLimit, RateLimiter};
use hubbub_native::{Client, Options, Reply, TestServer};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

fn limited() -> TestServer {
    TestServer::with(Options { rate_limits: true, ..Options::default() })
}

/// Sends requests until one is refused; how many were not.
fn until_refused(request: impl Fn(usize) -> Reply) -> (usize, Json) {
    for number in 0..300 {
        let reply = request(number);
        if reply.status == 429 {
            let retry_after = reply.header("retry-after").map(str::to_owned);
            assert_eq!(retry_after.as_deref(), Some("1"));
            return (number, reply.refused(429, "M_LIMIT_EXCEEDED"));
        }
        assert!(reply.status < 500, "{}", reply.text());
    }
    panic!("nothing was refused");
}

/// What writes and is not limited by user: why.
const NOT_LIMITED_BY_USER: [(&str, &str, &str); 7] = [
    ("POST", "login", "before login: limited by address"),
    ("POST", "register", "before login: limited by address"),
    ("POST", "refresh", "before login: limited by address"),
    ("POST", "logout", "ends the session, so it happens once"),
    ("POST", "logout/all", "ends the session, so it happens once"),
    ("PUT", "directory/list/appservice/{network_id}/{room_id}", "an appservice's only, and those are not limited"),
    ("POST", "appservice/{appservice_id}/ping", "an appservice's only, and those are not limited"),
];

/// What has a narrower limit of its own, too.
const LIMITED_OTHERWISE: [(&str, &str); 4] = [
    ("create", "so many media ids without a file"),
    ("rooms/{room_id}/report", "thirty reports an hour, by what D1 has"),
    ("rooms/{room_id}/report/{event_id}", "the same"),
    ("users/{user_id}/report", "the same"),
];

/// What comes before an operation's name in its path.
const PREFIXES: [&str; 5] = [
    "/_matrix/client/v3/",
    "/_matrix/client/v1/",
    "/_matrix/media/v3/",
    "/_matrix/media/v1/",
    "/_matrix/client/unstable/org.matrix.msc3814.v1/",
];

/// What is served and writes, but is younger than the version that the server names.
const YOUNGER: [(Method, &str); 3] = [
    (Method::POST, "/_matrix/client/v3/rooms/{room_id}/report"),
    (Method::POST, "/_matrix/client/v3/users/{user_id}/report"),
    (Method::DELETE, "/_matrix/client/v3/profile/{user_id}/{field}"),
];

/// The value of a variable part of a path.
fn value(client: &Client, room: &str, name: &str, number: usize) -> String {
    match name {
        "user_id" => client.user_id.clone(),
        "room_id" | "room_id_or_alias" => room.to_owned(),
        "room_alias" => "#x:hub.example".to_owned(),
        "event_id" => "$x".to_owned(),
        "txn_id" => number.to_string(),
        "receipt_type" => "m.read".to_owned(),
        "event_type" => "m.room.topic".to_owned(),
        "kind" => "room".to_owned(),
        "device_id" => client.device_id.clone(),
        "field" => "m.tz".to_owned(),
        _ => "x".to_owned(),
    }
}

/// What an operation needs so that its user's object hears of it; the others are counted before
/// their body is read.
fn body_of(name: &str) -> Json {
    match name {
        "devices/{device_id}" => json!({"display_name": "x"}),
        "delete_devices" => json!({"devices": ["x"]}),
        "account/password" => json!({"new_password": "a long enough password"}),
        "search" => json!({"search_categories": {"room_events": {"search_term": "hello"}}}),
        "pushers/set" => json!({"kind": null, "app_id": "a", "pushkey": "k"}),
        "presence/{user_id}/status" => json!({"presence": "online"}),
        "profile/{user_id}/displayname" => json!({"displayname": "x"}),
        "profile/{user_id}/avatar_url" => json!({"avatar_url": "mxc://hub.example/x"}),
        "profile/{user_id}/{field}" => json!({"m.tz": "UTC"}),
        "pushrules/global/{kind}/{rule_id}" => json!({"actions": ["notify"]}),
        "pushrules/global/{kind}/{rule_id}/actions" => json!({"actions": []}),
        "pushrules/global/{kind}/{rule_id}/enabled" => json!({"enabled": true}),
        "sendToDevice/{event_type}/{txn_id}" => json!({"messages": {}}),
        "createRoom" => json!({"room_version": "none"}),
        "dehydrated_device" => json!({"device_id": "D", "device_data": {"algorithm": "x"}, "device_keys": {}}),
        _ => json!({}),
    }
}

/// The operations that write, by what follows their version in the path.
fn writes() -> Vec<(Method, &'static str, &'static str)> {
    let mut found = Vec::new();
    for (method, path) in hubbub_api::operations().into_iter().chain(YOUNGER) {
        let name = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix));
        if let Some(name) = name.filter(|_| method != Method::GET)
            && !found.iter().any(|(known, other, _)| (known, *other) == (&method, name))
        {
            found.push((method, name, path));
        }
    }
    found
}

#[test]
fn every_operation_that_writes_is_limited_and_says_how_long_to_wait() {
    let writes = writes();
    assert!(writes.len() > 70, "only {} operations write", writes.len());
    let server = limited();
    let mut wrong = Vec::new();
    for (index, (method, name, path)) in writes.into_iter().enumerate() {
        if NOT_LIMITED_BY_USER.iter().any(|(known, other, _)| *known == method.as_str() && *other == name) {
            continue;
        }
        let client = server.account(&format!("user{index}"));
        let room = client.public_room();
        // Whatever making the room counted is forgiven.
        server.advance(60_000);
        let write = |number: usize| {
            let parts = path.split('/').map(|part| match part.strip_prefix('{') {
                Some(name) => {
                    let value = value(&client, &room, name.trim_end_matches('}'), number);
                    utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string()
                }
                None => part.to_owned(),
            });
            client.ask(method.clone(), &parts.collect::<Vec<_>>().join("/"), Some(&body_of(name)))
        };
        let refused = (0..110).map(|number| (number, write(number))).find(|(_, reply)| reply.status == 429);
        let Some((allowed, refusal)) = refused else {
            let last = write(200);
            wrong.push(format!("{method} {name}: {} {}", last.status, last.text()));
            continue;
        };
        if LIMITED_OTHERWISE.iter().any(|(other, _)| *other == name) {
            assert!(allowed <= 100, "{method} {name}");
            continue;
        }
        assert_eq!(allowed, 100, "{method} {name}");
        assert_eq!(refusal.header("retry-after"), Some("1"), "{method} {name}");
        let wait = refusal.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"].as_i64().unwrap();
        assert!((1..=100).contains(&wait), "{method} {name}: {wait}");
        server.advance(wait);
        assert_ne!(write(1_000).status, 429, "{method} {name}");
    }
    assert!(wrong.is_empty(), "not limited:\n{}", wrong.join("\n"));
}

#[test]
fn reading_syncing_and_other_people_are_not_limited() {
    let server = limited();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    until_refused(|number| alice.send_with(&room, &format!("t{number}"), "hello"));
    for _ in 0..200 {
        alice.sync(None);
        alice.get(["joined_rooms"]).ok();
        alice.get(["profile", &alice.user_id]).ok();
        alice.get(["user", &alice.user_id, "rooms", &room, "tags"]).ok();
        alice.get(["pushrules", ""]).ok();
        alice.state(&room, "m.room.create", "").ok();
    }
    bob.join(&room);
    bob.send_text(&room, "hello");
}

#[test]
fn a_session_that_is_gone_does_not_use_up_the_limit() {
    let server = limited();
    let alice = server.register("alice");
    let gone = server.login("alice", None);
    gone.post(["logout"], &json!({})).ok();
    for _ in 0..200 {
        gone.put(["user", &gone.user_id, "account_data", "x"], &json!({})).refused(401, "M_UNKNOWN_TOKEN");
        gone.put(["rooms", "!x:hub.example", "typing", &gone.user_id], &json!({"typing": false}))
            .refused(401, "M_UNKNOWN_TOKEN");
    }
    alice.put(["user", &alice.user_id, "account_data", "x"], &json!({})).ok();
}

#[test]
fn every_answer_has_the_headers_for_browsers_errors_included() {
    let server = limited();
    let alice = server.account("alice");
    let answers = [
        alice.get(["account", "whoami"]),
        alice.get(["no", "such", "path"]),
        alice.put(["account", "whoami"], &json!({})),
        alice.put(["presence", &alice.user_id, "status"], &json!({"presence": "busy"})),
        server.get("/_matrix/client/v3/sync"),
        server.get("/_matrix/client/v3/profile/%FF"),
        server.send(Method::OPTIONS, "/_matrix/client/v3/sync", None, None),
        server.send(Method::OPTIONS, "/no/such/path", None, None),
        until_limited(&alice),
    ];
    for answer in answers {
        let asked = format!("{} {}", answer.status, answer.asked);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{asked}");
        let methods = answer.header("access-control-allow-methods").unwrap_or_default();
        assert!(["GET", "POST", "PUT", "DELETE", "OPTIONS"].iter().all(|method| methods.contains(method)), "{asked}");
        let headers = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{asked}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{asked}");
    }
}

fn until_limited(client: &Client) -> Reply {
    let write = || client.put(["user", &client.user_id, "account_data", "x"], &json!({}));
    (0..200).map(|_| write()).find(|reply| reply.status == 429).expect("the limit is reached")
}

/// Allows so many attempts of each kind.
struct Few(RefCell<HashMap<RateLimit, usize>>);

impl RateLimiter for Few {
    fn allow<'a>(&'a self, limit: RateLimit, _: &'a str) -> LocalBoxFuture<'a, bool> {
        let mut attempts = self.0.borrow_mut();
        let attempts = attempts.entry(limit).or_default();
        *attempts += 1;
        Box::pin(std::future::ready(*attempts <= 30))
    }
}

#[test]
fn what_strangers_look_up_is_limited_by_address_and_wakes_no_object() {
    for what in [
        "publicRooms",
        "profile/@alice:hub.example",
        "profile/@alice:hub.example/displayname",
        "profile/@alice:hub.example/avatar_url",
        "profile/@alice:hub.example/m.tz",
        "directory/room/%23public:hub.example",
        "directory/list/room/ROOM",
        "room_summary/ROOM",
    ] {
        let limiter = Rc::new(Few(RefCell::default()));
        let server = TestServer::with(Options { rate_limits: true, limiter: Some(limiter as _), ..Options::default() });
        let alice = server.account("alice");
        let room = alice.create_room(&json!({"preset": "public_chat", "room_alias_name": "public"}));
        let version = if what.starts_with("room_summary") { "v1" } else { "v3" };
        let uri = format!("/_matrix/client/{version}/{}", what.replace("ROOM", &room));
        let tokens = [None, Some("forged")].into_iter().filter(|token| version == "v3" || token.is_none());
        let mut tokens = tokens.cycle();
        for _ in 0..30 {
            let reply = server.send(Method::GET, &uri, tokens.next().flatten(), None);
            assert!([200, 404].contains(&reply.status), "{what}: {} {}", reply.status, reply.text());
        }
        server.take_calls();
        for _ in 0..2 {
            let refused = server.send(Method::GET, &uri, tokens.next().flatten(), None);
            assert_eq!(refused.refused(429, "M_LIMIT_EXCEEDED")["retry_after_ms"], 60_000, "{what}");
        }
        assert!(server.take_calls().is_empty(), "{what}");
        for _ in 0..5 {
            assert!([200, 404].contains(&alice.ask(Method::GET, &uri, None).status), "{what}");
        }
    }
}
