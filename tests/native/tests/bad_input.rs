//! Whatever a client sends, every endpoint answers with what was wrong: never with a fault of ours,
//! and never with a panic.

use http::{Method, Request};
use hubbub_native::{Client, TestServer};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value as Json, json};

/// Bodies that are JSON of some kind, or nearly.
fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "{}",
        "[]",
        "null",
        "true",
        "7",
        "\"text\"",
        "{",
        "{\"a\":",
        "\u{0}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1e999}",
        "{\"a\":1.5}",
        "{\"a\":9007199254740993}",
        "{\"a\":\"\\ud800\"}",
        "{\"\":{\"\":[]}}",
        "{\"a\":1,\"a\":2}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(b"{\"a\":\"\xff\"}".to_vec());
    bodies.push("[".repeat(200_000).into_bytes());
    bodies.push(format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(126), "}".repeat(126)).into_bytes());
    // Every key that some endpoint reads, with every kind of value.
    let keys = [
        "username",
        "password",
        "auth",
        "type",
        "identifier",
        "user",
        "device_id",
        "initial_device_display_name",
        "inhibit_login",
        "displayname",
        "avatar_url",
        "visibility",
        "room_alias_name",
        "name",
        "topic",
        "invite",
        "invite_3pid",
        "room_version",
        "creation_content",
        "initial_state",
        "preset",
        "is_direct",
        "power_level_content_override",
        "user_id",
        "reason",
        "membership",
        "room_id",
        "typing",
        "timeout",
        "thread_id",
        "m.fully_read",
        "m.read",
        "m.read.private",
        "actions",
        "conditions",
        "pattern",
        "enabled",
        "room",
        "presence",
        "event_fields",
        "transaction_id",
        "alias",
        "alt_aliases",
        "redacts",
        "users",
        "events",
        "join_rule",
        "history_visibility",
        "body",
        "msgtype",
        "m.relates_to",
        "m.mentions",
        "url",
        "third_party_signed",
    ];
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(9_007_199_254_740_992_u64),
        json!(""),
        json!("x"),
        json!("@a:b"),
        json!([]),
        json!([null]),
        json!(["x", 7]),
        json!({}),
        json!({"x": {"y": []}}),
        json!("x".repeat(3_000)),
    ];
    for value in values {
        let body: Json =
            keys.iter().map(|key| ((*key).to_owned(), value.clone())).collect::<serde_json::Map<_, _>>().into();
        bodies.push(body.to_string().into_bytes());
        for key in keys {
            bodies.push(json!({key: value}).to_string().into_bytes());
        }
    }
    bodies
}

const SEGMENTS: [&str; 16] = [
    "",
    "x",
    "%00",
    "%2F",
    "%F0%9F%8E%89",
    "%21r%3Ahub.example",
    "%23a%3Ahub.example",
    "@alice:hub.example",
    "@nobody:hub.example",
    "@a:elsewhere.example",
    "$event",
    "m.room.message",
    "m.room.member",
    "m.read",
    "override",
    ".m.rule.master",
];

const QUERIES: [&str; 14] = [
    "",
    "?",
    "?limit=0",
    "?limit=-1",
    "?limit=99999999999999999999",
    "?dir=b&from=t1_2_3&to=t0_0_0",
    "?dir=f&from=s1_1",
    "?dir=b&filter=%7B%22types%22%3A%5B%22*%22%5D%2C%22limit%22%3A0%7D",
    "?since=s9007199254740991_9007199254740991",
    "?since=s0_0&timeout=0&full_state=true",
    "?at=t1_1_1",
    "?filter=%7B%7D&user_id=@bob:hub.example&ts=1",
    "?%ff=%ff&&==&a",
    "?timeout=18446744073709551616",
];

fn long_segment() -> String {
    "x".repeat(5_000)
}

/// A request for one of the operations, filled with a mix of what is real and what is not.
fn request(random: &mut StdRng, alice: &Client, real: &[String], bodies: &[Vec<u8>]) -> Request<Vec<u8>> {
    let operations = hubbub_api::operations();
    let (method, template) = operations.choose(random).expect("there are operations");
    let long = long_segment();
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path.push('/');
        if !part.starts_with('{') {
            path.push_str(part);
        } else if random.random_bool(0.5) {
            path.push_str(real.choose(random).expect("there are ids"));
        } else if random.random_bool(0.02) {
            path.push_str(&long);
        } else {
            path.push_str(SEGMENTS.choose(random).expect("there are segments"));
        }
    }
    if random.random_bool(0.4) {
        path.push_str(QUERIES.choose(random).expect("there are queries"));
    }
    let mut request = alice.request(method.clone(), &path, None);
    if *method != Method::GET || random.random_bool(0.1) {
        *request.body_mut() = bodies.choose(random).expect("there are bodies").clone();
    }
    request
}

#[test]
fn no_request_is_answered_by_a_fault_of_ours() {
    let mut random = StdRng::seed_from_u64(2_026);
    let bodies = bodies();
    for round in 0..6 {
        let server = TestServer::new();
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        let version = ["12", "11", "10", "6", "3", "2"][round];
        let room =
            alice.create_room(&json!({"preset": "public_chat", "room_alias_name": "lobby", "room_version": version}));
        bob.join(&room);
        let event = alice.send_text(&room, "hello");
        let escape = |id: &str| id.replace('!', "%21").replace('#', "%23").replace('$', "%24").replace('/', "%2F");
        let mut real = vec![
            escape(&room),
            escape(&room),
            escape(&event),
            "@alice:hub.example".to_owned(),
            "%23lobby:hub.example".to_owned(),
        ];
        real.extend(["m.room.power_levels", "m.room.member", "m.read"].map(str::to_owned));
        for _ in 0..1_000 {
            let asked = request(&mut random, &alice, &real, &bodies);
            // Logging out would end the fun.
            if asked.uri().path().contains("/logout") {
                continue;
            }
            let body = String::from_utf8_lossy(asked.body()).chars().take(300).collect::<String>();
            let reply = server.request(asked);
            assert!(reply.status < 500, "{} {body}\n{}", reply.asked, reply.text());
            if reply.status >= 400 {
                let answer = reply.json();
                let is_uia = answer["flows"].is_array();
                assert!(
                    is_uia || (answer["errcode"].is_string() && answer["error"].is_string()),
                    "{}: {answer}",
                    reply.asked
                );
            }
        }
        bob.sync(None);
        alice.get(["account", "whoami"]).ok();
    }
}
