//! How often a user may write, and the headers of every answer.

use http::Method;
use hubbub_native::{Client, Options, Reply, TestServer};
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

#[test]
fn every_endpoint_that_writes_is_limited_and_says_how_long_to_wait() {
    let room_of = |client: &Client| client.get(["joined_rooms"]).ok()["joined_rooms"][0].as_str().unwrap().to_owned();
    let me = |client: &Client| client.user_id.clone();
    type Write<'a> = Box<dyn Fn(&Client, usize) -> Reply + 'a>;
    let writes: Vec<(&str, Write<'_>)> = vec![
        ("send", Box::new(|client, number| client.send_with(&room_of(client), &number.to_string(), "hello"))),
        ("state", Box::new(|client, _| client.set_state(&room_of(client), "m.room.topic", "", &json!({"topic": "t"})))),
        (
            "typing",
            Box::new(|client, _| {
                client.put(["rooms", &room_of(client), "typing", &me(client)], &json!({"typing": false}))
            }),
        ),
        (
            "receipt",
            Box::new(|client, _| client.post(["rooms", &room_of(client), "receipt", "m.read", "$x"], &json!({}))),
        ),
        ("markers", Box::new(|client, _| client.post(["rooms", &room_of(client), "read_markers"], &json!({})))),
        ("join", Box::new(|client, _| client.post(["join", &room_of(client)], &json!({})))),
        ("createRoom", Box::new(|client, _| client.post(["createRoom"], &json!({"room_version": "none"})))),
        (
            "alias",
            Box::new(|client, _| {
                client.put(["directory", "room", "#x:hub.example"], &json!({"room_id": room_of(client)}))
            }),
        ),
        ("filter", Box::new(|client, _| client.post(["user", &me(client), "filter"], &json!({})))),
        ("account data", Box::new(|client, _| client.put(["user", &me(client), "account_data", "x"], &json!({})))),
        (
            "tags",
            Box::new(|client, _| {
                client.put(["user", &me(client), "rooms", &room_of(client), "tags", "u.x"], &json!({}))
            }),
        ),
        (
            "push rules",
            Box::new(|client, _| {
                client.put(["pushrules", "global", "room", &room_of(client)], &json!({"actions": ["notify"]}))
            }),
        ),
        (
            "pushers",
            Box::new(|client, _| {
                client.post(["pushers", "set"], &json!({"kind": null, "app_id": "a", "pushkey": "k"}))
            }),
        ),
        (
            "presence",
            Box::new(|client, _| client.put(["presence", &me(client), "status"], &json!({"presence": "online"}))),
        ),
        (
            "name",
            Box::new(|client, _| client.put(["profile", &me(client), "displayname"], &json!({"displayname": "x"}))),
        ),
        ("field", Box::new(|client, _| client.put(["profile", &me(client), "m.tz"], &json!({"m.tz": "UTC"})))),
        ("field's end", Box::new(|client, _| client.delete(["profile", &me(client), "m.tz"]))),
    ];
    let server = limited();
    for (index, (what, write)) in writes.iter().enumerate() {
        let client = server.account(&format!("user{index}"));
        client.public_room();
        // Whatever making the room counted is forgiven.
        server.advance(60_000);
        let (allowed, refusal) = until_refused(|number| write(&client, number));
        assert_eq!(allowed, 100, "{what}");
        let wait = refusal["retry_after_ms"].as_i64().unwrap();
        assert!((1..=100).contains(&wait), "{what}: {wait}");
        server.advance(wait);
        assert_ne!(write(&client, 1_000).status, 429, "{what}");
    }
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
