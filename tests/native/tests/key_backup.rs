//! Key backups: versions, sessions, and which of two keys is the better one.

use http::Method;
use hubbub_native::{
    Client, Reply, TestServer,
    client::{path, with_query},
};
use serde_json::{Value as Json, json};

const ROOM: &str = "!room:hub.example";

fn version_body() -> Json {
    json!({"algorithm": "m.megolm_backup.v1", "auth_data": {"public_key": "abc"}})
}

fn create(client: &Client) -> String {
    let created = client.post(["room_keys", "version"], &version_body()).ok();
    created["version"].as_str().expect("a string").to_owned()
}

fn key(is_verified: bool, first_message_index: u32, forwarded_count: u32) -> Json {
    json!({
        "is_verified": is_verified, "first_message_index": first_message_index,
        "forwarded_count": forwarded_count, "session_data": {"ciphertext": "xyz"},
    })
}

fn ask(client: &Client, method: Method, segments: &[&str], version: &str, body: Option<&Json>) -> Reply {
    let all = ["room_keys", "keys"].into_iter().chain(segments.iter().copied());
    client.ask(method, &with_query(path(all), &[("version", version)]), body)
}

fn put(client: &Client, segments: &[&str], version: &str, body: &Json) -> Reply {
    ask(client, Method::PUT, segments, version, Some(body))
}

fn get(client: &Client, segments: &[&str], version: &str) -> Reply {
    ask(client, Method::GET, segments, version, None)
}

#[test]
fn versions_are_numbered_and_the_newest_is_shown_until_it_is_deleted() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    alice.get(["room_keys", "version"]).refused(404, "M_NOT_FOUND");
    let (first, second) = (create(&alice), create(&alice));
    assert_ne!(first, second);

    let newest = alice.get(["room_keys", "version"]).ok();
    assert_eq!(
        newest,
        json!({
            "version": second, "algorithm": "m.megolm_backup.v1", "auth_data": {"public_key": "abc"},
            "count": 0, "etag": "0",
        })
    );
    assert_eq!(alice.get(["room_keys", "version", &first]).ok()["version"], first.as_str());
    bob.get(["room_keys", "version", &first]).refused(404, "M_NOT_FOUND");
    alice.delete(["room_keys", "version", &second]).ok();
    alice.get(["room_keys", "version", &second]).refused(404, "M_NOT_FOUND");
    alice.delete(["room_keys", "version", &second]).refused(404, "M_NOT_FOUND");
    assert_eq!(alice.get(["room_keys", "version"]).ok()["version"], first.as_str());
    assert_ne!(create(&alice), second, "a number is never used again");
    for version in ["x", "-1", "1.5", "99999999999999999999"] {
        alice.get(["room_keys", "version", version]).refused(404, "M_NOT_FOUND");
    }
}

#[test]
fn a_version_keeps_its_algorithm_and_number() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let version = create(&alice);
    let update = |body: Json| alice.put(["room_keys", "version", &version], &body);
    let mut body = version_body();
    body["auth_data"] = json!({"public_key": "other"});
    update(body.clone()).ok();
    assert_eq!(alice.get(["room_keys", "version"]).ok()["auth_data"], json!({"public_key": "other"}));
    body["version"] = json!("77");
    update(body.clone()).refused(400, "M_INVALID_PARAM");
    body["version"] = json!(version);
    body["algorithm"] = json!("another");
    update(body.clone()).refused(400, "M_INVALID_PARAM");
    alice.put(["room_keys", "version", "77"], &version_body()).refused(404, "M_NOT_FOUND");
    body["auth_data"] = json!("text");
    update(body).refused(400, "M_BAD_JSON");
    let large = json!({"algorithm": "a", "auth_data": {"x": "y".repeat(70_000)}});
    alice.post(["room_keys", "version"], &large).refused(413, "M_TOO_LARGE");
    for _ in 1..20 {
        create(&alice);
    }
    alice.post(["room_keys", "version"], &version_body()).refused(413, "M_TOO_LARGE");
}

#[test]
fn sessions_are_put_read_and_deleted_alone_by_room_and_all() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let version = create(&alice);
    let sized = |count: u32, etag: u32| json!({"count": count, "etag": etag.to_string()});
    assert_eq!(put(&alice, &[ROOM, "s1"], &version, &key(false, 1, 0)).ok(), sized(1, 1));
    let room = json!({"sessions": {"s1": key(false, 9, 0), "s2": key(true, 2, 0), "s/3": key(true, 3, 1)}});
    assert_eq!(put(&alice, &[ROOM], &version, &room).ok(), sized(3, 2));
    let rooms =
        json!({"rooms": {"!other:hub.example": {"sessions": {"t1": key(false, 4, 0)}}, ROOM: {"sessions": {}}}});
    assert_eq!(put(&alice, &[], &version, &rooms).ok(), sized(4, 3));
    assert_eq!(put(&alice, &[], &version, &rooms).ok(), sized(4, 3), "repeating changes nothing");

    assert_eq!(get(&alice, &[ROOM, "s1"], &version).ok(), key(false, 1, 0));
    assert_eq!(get(&alice, &[ROOM, "s/3"], &version).ok(), key(true, 3, 1));
    let of_room = json!({"sessions": {"s1": key(false, 1, 0), "s2": key(true, 2, 0), "s/3": key(true, 3, 1)}});
    assert_eq!(get(&alice, &[ROOM], &version).ok(), of_room);
    let other = json!({"sessions": {"t1": key(false, 4, 0)}});
    assert_eq!(get(&alice, &[], &version).ok(), json!({"rooms": {ROOM: of_room, "!other:hub.example": other}}));
    get(&alice, &[ROOM, "nothing"], &version).refused(404, "M_NOT_FOUND");
    assert_eq!(get(&alice, &["!nothing:hub.example"], &version).ok(), json!({"sessions": {}}));
    get(&bob, &[], &version).refused(404, "M_NOT_FOUND");

    let delete = |segments: &[&str]| ask(&alice, Method::DELETE, segments, &version, None).ok();
    assert_eq!(delete(&[ROOM, "s1"]), sized(3, 4));
    assert_eq!(delete(&[ROOM, "s1"]), sized(3, 4));
    get(&alice, &[ROOM, "s1"], &version).refused(404, "M_NOT_FOUND");
    assert_eq!(delete(&[ROOM]), sized(1, 5));
    assert_eq!(delete(&[]), sized(0, 6));
    assert_eq!(get(&alice, &[], &version).ok(), json!({"rooms": {}}));
    assert_eq!(alice.get(["room_keys", "version"]).ok()["etag"], "6");
}

#[test]
fn only_a_better_key_replaces_the_one_that_is_kept() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let version = create(&alice);
    let kept_after = |body: &Json| {
        put(&alice, &[ROOM, "s"], &version, body).ok();
        get(&alice, &[ROOM, "s"], &version).ok()
    };
    let first = key(false, 10, 5);
    assert_eq!(kept_after(&first), first);
    for worse in [key(false, 11, 5), key(false, 10, 6), key(false, 11, 4), first.clone()] {
        assert_eq!(kept_after(&worse), first);
    }
    for better in [key(false, 10, 4), key(false, 9, 9), key(true, 10, 5), key(true, 10, 1), key(true, 3, 7)] {
        assert_eq!(kept_after(&better), better);
    }
    assert_eq!(kept_after(&key(false, 0, 0)), key(true, 3, 7), "one that nobody verified never wins");
}

#[test]
fn only_the_newest_version_takes_sessions_and_the_refusal_names_it() {
    let server = TestServer::new();
    let alice = server.account("alice");
    put(&alice, &[ROOM, "s"], "1", &key(false, 0, 0)).refused(404, "M_NOT_FOUND");
    let first = create(&alice);
    put(&alice, &[ROOM, "s"], &first, &key(false, 1, 0)).ok();
    let second = create(&alice);

    let refused = put(&alice, &[ROOM, "s"], &first, &key(false, 0, 0)).refused(403, "M_WRONG_ROOM_KEYS_VERSION");

    assert_eq!(refused["current_version"], second.as_str());
    assert_eq!(get(&alice, &[ROOM, "s"], &first).ok(), key(false, 1, 0), "it can still be read");
    put(&alice, &[ROOM, "s"], "77", &key(false, 0, 0)).refused(404, "M_NOT_FOUND");
    alice.put(["room_keys", "keys", ROOM, "s"], &key(false, 0, 0)).refused(400, "M_MISSING_PARAM");
    alice.get(["room_keys", "keys"]).refused(400, "M_MISSING_PARAM");
    put(&alice, &["not a room", "s"], &second, &key(false, 0, 0)).refused(400, "M_INVALID_PARAM");
    put(&alice, &[ROOM, "s"], &second, &json!({"session_data": {}})).refused(400, "M_BAD_JSON");
    let mut large = key(false, 0, 0);
    large["session_data"] = json!("x".repeat(70_000));
    put(&alice, &[ROOM, "s"], &second, &large).refused(413, "M_TOO_LARGE");
    put(&alice, &[ROOM, &"s".repeat(300)], &second, &key(false, 0, 0)).refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_large_backup_is_read_whole() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let version = create(&alice);
    let rooms: Json = (0..7)
        .map(|room| {
            let sessions: Json = (0..200).map(|session| (format!("s{session}"), key(false, room, session))).collect();
            (format!("!room{room}:hub.example"), json!({ "sessions": sessions }))
        })
        .collect();
    let stored = put(&alice, &[], &version, &json!({ "rooms": rooms })).ok();

    assert_eq!(stored["count"], 1_400);
    assert_eq!(get(&alice, &[], &version).ok(), json!({ "rooms": rooms }));
    assert_eq!(get(&alice, &["!room3:hub.example"], &version).ok(), rooms["!room3:hub.example"]);
}

#[test]
fn a_backup_that_is_full_takes_no_more_until_something_is_deleted() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let version = create(&alice);
    let mut large = key(false, 0, 0);
    large["session_data"] = json!("x".repeat(65_000));
    let sessions = |from: usize| -> Json {
        let sessions: Json = (from..from + 15).map(|number| (format!("s{number}"), large.clone())).collect();
        json!({ "sessions": sessions })
    };
    let mut stored = 0;
    let refused = loop {
        let reply = put(&alice, &[ROOM], &version, &sessions(stored));
        if reply.status != 200 {
            break reply;
        }
        stored += 15;
    };
    refused.refused(413, "M_TOO_LARGE");
    assert!((480..=520).contains(&stored), "{stored}");
    assert_eq!(alice.get(["room_keys", "version"]).ok()["count"], stored);
    ask(&alice, Method::DELETE, &[ROOM, "s0"], &version, None).ok();
    ask(&alice, Method::DELETE, &[ROOM], &version, None).ok();
    assert_eq!(put(&alice, &[ROOM], &version, &sessions(0)).ok()["count"], 15);
}

#[test]
fn a_backup_survives_a_restart_and_goes_with_the_account() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let version = create(&alice);
    put(&alice, &[ROOM, "s"], &version, &key(true, 0, 0)).ok();
    server.host().crash_all();
    assert_eq!(get(&alice, &[ROOM, "s"], &version).ok(), key(true, 0, 0));
    alice.post(["logout"], &json!({})).ok();
    let phone = server.login("alice", None);
    assert_eq!(get(&phone, &[ROOM, "s"], &version).ok(), key(true, 0, 0), "a new device restores it");

    let auth = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});
    phone.post(["account", "deactivate"], &json!({ "auth": auth })).ok();

    let address = hubbub_core::contract::Address::new(hubbub_core::contract::Class::UserKeys, phone.user_id.clone());
    let dump = server.host().database(&address).unwrap().dump().unwrap();
    assert!(!dump.contains("ciphertext"));
}
