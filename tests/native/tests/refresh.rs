//! Refresh tokens: sessions that expire and are renewed, also when an answer is lost.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Reply, TestServer};
use hubbub_storage::database::Query as _;
use serde_json::{Value as Json, json};

const REFRESH: &str = "/_matrix/client/v3/refresh";
const HOUR_MS: i64 = 3_600_000;

/// A pair of tokens.
#[derive(Clone, Debug)]
struct Pair {
    access: String,
    refresh: String,
}

fn pair(answer: &Json) -> Pair {
    let text = |key: &str| answer[key].as_str().expect("the pair is complete").to_owned();
    assert_eq!(answer["expires_in_ms"], HOUR_MS);
    Pair { access: text("access_token"), refresh: text("refresh_token") }
}

fn log_in(server: &TestServer, device_id: &str) -> Pair {
    let body = json!({
        "type": "m.login.password", "user": "alice", "password": "alice's password",
        "device_id": device_id, "refresh_token": true,
    });
    pair(&server.post("/_matrix/client/v3/login", &body).ok())
}

fn refresh(server: &TestServer, token: &str) -> Reply {
    server.post(REFRESH, &json!({"refresh_token": token}))
}

fn whoami(server: &TestServer, token: &str) -> Reply {
    server.send(Method::GET, "/_matrix/client/v3/account/whoami", Some(token), None)
}

/// A server, alice's phone (a session without end), and a refreshable session on her laptop.
fn with_laptop() -> (TestServer, Client, Pair) {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = log_in(&server, "LAPTOP");
    (server, phone, laptop)
}

#[test]
fn only_who_asks_for_it_gets_a_refresh_token() {
    let server = TestServer::new();
    let body = json!({"username": "bob", "password": "pw", "auth": {"type": "m.login.dummy"}});

    let plain = server.post("/_matrix/client/v3/register", &body).ok();

    assert!(plain.get("refresh_token").is_none() && plain.get("expires_in_ms").is_none());
    server.advance(1_000 * HOUR_MS);
    whoami(&server, plain["access_token"].as_str().unwrap()).ok();
}

#[test]
fn a_registration_can_ask_for_one_too() {
    let server = TestServer::new();
    let auth = json!({"type": "m.login.dummy"});
    let body = json!({"username": "bob", "password": "pw", "refresh_token": true, "auth": auth});

    let first = pair(&server.post("/_matrix/client/v3/register", &body).ok());

    let second = pair(&refresh(&server, &first.refresh).ok());
    assert_eq!(whoami(&server, &second.access).ok()["user_id"], "@bob:hub.example");
}

#[test]
fn an_expired_access_token_is_a_soft_logout_and_a_refresh_goes_on_as_the_same_device() {
    let (server, phone, first) = with_laptop();
    server.advance(HOUR_MS - 1);
    whoami(&server, &first.access).ok();
    server.advance(1);

    assert_eq!(whoami(&server, &first.access).refused(401, "M_UNKNOWN_TOKEN")["soft_logout"], true);
    let second = pair(&refresh(&server, &first.refresh).ok());

    assert_eq!(whoami(&server, &second.access).ok()["device_id"], "LAPTOP");
    assert_eq!(phone.get(["devices"]).ok()["devices"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_old_pair_ends_with_the_first_use_of_the_new_access_token() {
    let (server, _, first) = with_laptop();
    let second = pair(&refresh(&server, &first.refresh).ok());
    whoami(&server, &first.access).ok();

    whoami(&server, &second.access).ok();

    let refused = whoami(&server, &first.access).refused(401, "M_UNKNOWN_TOKEN");
    assert!(refused.get("soft_logout").is_none());
    refresh(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");
    whoami(&server, &second.access).ok();
    refresh(&server, &second.refresh).ok();
}

#[test]
fn the_old_pair_ends_with_the_first_use_of_the_new_refresh_token() {
    let (server, _, first) = with_laptop();
    let second = pair(&refresh(&server, &first.refresh).ok());

    let third = pair(&refresh(&server, &second.refresh).ok());

    refresh(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");
    whoami(&server, &first.access).refused(401, "M_UNKNOWN_TOKEN");
    whoami(&server, &second.access).ok();
    whoami(&server, &third.access).ok();
    whoami(&server, &second.access).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn after_a_lost_answer_the_old_refresh_token_works_again_and_the_lost_pair_never() {
    let (server, _, first) = with_laptop();
    let lost = pair(&refresh(&server, &first.refresh).ok());

    let second = pair(&refresh(&server, &first.refresh).ok());

    whoami(&server, &lost.access).refused(401, "M_UNKNOWN_TOKEN");
    refresh(&server, &lost.refresh).refused(401, "M_UNKNOWN_TOKEN");
    whoami(&server, &second.access).ok();
    refresh(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn at_most_two_pairs_of_a_device_live_at_once() {
    let (server, phone, first) = with_laptop();
    for _ in 0..10 {
        refresh(&server, &first.refresh).ok();
    }
    let database = server.host().database(&Address::new(Class::User, phone.user_id.clone())).unwrap();

    let rows = database.query("SELECT secret_hash FROM sessions WHERE device_id = 'LAPTOP'", &[]).unwrap();

    assert_eq!(rows.len(), 2);
}

#[test]
fn a_sync_counts_as_a_use_and_transaction_ids_outlive_a_refresh() {
    let (server, phone, first) = with_laptop();
    let room = phone.public_room();
    let path = hubbub_native::client::path(["rooms", &room, "send", "m.room.message", "t1"]);
    let content = json!({"msgtype": "m.text", "body": "once"});
    let sent = server.send(Method::PUT, &path, Some(&first.access), Some(&content)).ok();

    let second = pair(&refresh(&server, &first.refresh).ok());

    server.send(Method::GET, "/_matrix/client/v3/sync", Some(&second.access), None).ok();
    refresh(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");
    let again = server.send(Method::PUT, &path, Some(&second.access), Some(&content)).ok();
    assert_eq!(sent["event_id"], again["event_id"]);
    let event = hubbub_native::client::path(["rooms", &room, "event", sent["event_id"].as_str().unwrap()]);
    let event = server.send(Method::GET, &event, Some(&second.access), None).ok();
    assert_eq!(event["unsigned"]["transaction_id"], "t1");
}

#[test]
fn a_logout_a_new_login_and_a_deletion_end_the_refresh_token() {
    let (server, phone, first) = with_laptop();
    server.send(Method::POST, "/_matrix/client/v3/logout", Some(&first.access), None).ok();
    refresh(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");

    let second = log_in(&server, "LAPTOP");
    let third = log_in(&server, "LAPTOP");
    refresh(&server, &second.refresh).refused(401, "M_UNKNOWN_TOKEN");

    let auth = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});
    phone.post(["delete_devices"], &json!({"devices": ["LAPTOP"], "auth": auth})).ok();
    refresh(&server, &third.refresh).refused(401, "M_UNKNOWN_TOKEN");

    let fourth = log_in(&server, "LAPTOP");
    phone.post(["logout", "all"], &json!({})).ok();
    refresh(&server, &fourth.refresh).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn neither_token_stands_for_the_other_and_forgeries_wake_nobody() {
    let (server, _, first) = with_laptop();
    server.take_calls();
    let forged = format!("{}A", &first.refresh[..first.refresh.len() - 1]);
    let disguised = first.access.replacen("hub_", "hubr_", 1);

    for token in ["", "x", "hubr_", &first.access, &forged, &disguised] {
        refresh(&server, token).refused(401, "M_UNKNOWN_TOKEN");
    }
    whoami(&server, &first.refresh).refused(401, "M_UNKNOWN_TOKEN");
    whoami(&server, &first.refresh.replacen("hubr_", "hub_", 1)).refused(401, "M_UNKNOWN_TOKEN");

    assert_eq!(server.take_calls(), []);
    server.post(REFRESH, &json!({})).refused(400, "M_MISSING_PARAM");
    server.post(REFRESH, &json!({"refresh_token": 7})).refused(400, "M_BAD_JSON");
    refresh(&server, &first.refresh).ok();
}

#[test]
fn only_hashes_of_tokens_are_stored() {
    let (server, phone, first) = with_laptop();
    let second = pair(&refresh(&server, &first.refresh).ok());
    let address = Address::new(Class::User, phone.user_id.clone());

    let dump = server.host().database(&address).unwrap().dump().unwrap();

    for token in [&first.access, &first.refresh, &second.access, &second.refresh, &phone.token] {
        let secret = &token[token.len() - 68..token.len() - 44];
        assert!(!dump.contains(secret), "{token}");
    }
}

#[test]
fn of_two_refreshes_at_once_one_pair_lives_on() {
    for seed in 0..8 {
        let server = TestServer::with(hubbub_native::Options { seed, ..hubbub_native::Options::default() });
        server.register("alice");
        let first = log_in(&server, "LAPTOP");
        let start = || {
            let body = json!({"refresh_token": first.refresh});
            server.start(hubbub_native::client::request(Method::POST, REFRESH, None, Some(&body)))
        };
        let (left, right) = (start(), start());
        let pairs = [pair(&server.finish(&left).ok()), pair(&server.finish(&right).ok())];
        let lives = pairs.iter().filter(|pair| whoami(&server, &pair.access).status == 200).count();
        assert_eq!(lives, 1);
    }
}
