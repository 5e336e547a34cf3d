//! Devices: listing, naming, deleting; and the user-interactive authentication that guards deletion.

use std::{cell::Cell, rc::Rc};

use futures_util::future::LocalBoxFuture;
use http::Method;
use hubbub_api::{RateLimit, RateLimiter};
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Options, Reply, TestServer, client::path};
use serde_json::{Value as Json, json};

const MINUTE_MS: i64 = 60_000;

fn password_of(name: &str) -> Json {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": format!("{name}'s password"),
    })
}

fn with_session(mut auth: Json, challenge: &Json) -> Json {
    auth["session"] = challenge["session"].clone();
    auth
}

fn delete(client: &Client, device_id: &str, body: Option<&Json>) -> Reply {
    client.ask(Method::DELETE, &path(["devices", device_id]), body)
}

fn delete_with(client: &Client, device_id: &str, auth: &Json) -> Reply {
    delete(client, device_id, Some(&json!({ "auth": auth })))
}

/// The 401 that shows the flows.
#[track_caller]
fn challenged(reply: Reply) -> Json {
    assert_eq!(reply.status, 401, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["flows"], json!([{"stages": ["m.login.password"]}]));
    assert!(body["session"].is_string() && body["params"].is_object() && body["completed"] == json!([]), "{body}");
    body
}

fn ids(client: &Client) -> Vec<String> {
    let devices = client.get(["devices"]).ok()["devices"].clone();
    let ids = devices.as_array().expect("a list").iter();
    ids.map(|device| device["device_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_user_sees_every_device_with_its_name_and_where_it_was_seen() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let body = json!({
        "type": "m.login.password", "user": "alice", "password": "alice's password",
        "device_id": "LAPTOP", "initial_device_display_name": "The laptop",
    });
    server.post("/_matrix/client/v3/login", &body).ok();

    let laptop = phone.get(["devices", "LAPTOP"]).ok();

    assert_eq!(
        laptop,
        json!({
            "device_id": "LAPTOP", "display_name": "The laptop",
            "last_seen_ip": "192.0.2.1", "last_seen_ts": server.now(),
        })
    );
    let devices = phone.get(["devices"]).ok();
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(2));
    assert!(devices["devices"].as_array().is_some_and(|devices| devices.contains(&laptop)));
}

#[test]
fn that_a_device_was_seen_is_written_every_half_hour_and_not_every_request() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let address = Address::new(Class::User, alice.user_id.clone());
    let seen = || alice.get(["devices", &alice.device_id]).ok()["last_seen_ts"].as_i64().expect("a time");
    let (begin, commits) = (server.now(), server.host().commits(&address));
    for _ in 0..29 {
        server.advance(MINUTE_MS);
        alice.get(["account", "whoami"]).ok();
        alice.sync(None);
    }

    assert_eq!(server.host().commits(&address), commits);
    assert_eq!(seen(), begin);
    server.advance(MINUTE_MS);
    assert_eq!(seen(), begin + 30 * MINUTE_MS);
    assert_eq!(server.host().commits(&address), commits + 1);
}

#[test]
fn a_device_is_named_by_another_session_and_keeps_its_name_without_a_new_one() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", Some("LAPTOP"));

    phone.put(["devices", "LAPTOP"], &json!({"display_name": "Kitchen"})).ok();
    phone.put(["devices", "LAPTOP"], &json!({})).ok();

    assert_eq!(laptop.get(["devices", "LAPTOP"]).ok()["display_name"], "Kitchen");
    phone.put(["devices", "LAPTOP"], &json!({"display_name": "x".repeat(600)})).refused(400, "M_INVALID_PARAM");
    phone.put(["devices", "LAPTOP"], &json!({"display_name": 7})).refused(400, "M_BAD_JSON");
}

#[test]
fn unknown_devices_and_other_peoples_are_not_found_and_stay() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    for device_id in ["NOWHERE", &bob.device_id] {
        alice.get(["devices", device_id]).refused(404, "M_NOT_FOUND");
        alice.put(["devices", device_id], &json!({"display_name": "mine"})).refused(404, "M_NOT_FOUND");
        delete_with(&alice, device_id, &password_of("alice")).refused(404, "M_NOT_FOUND");
    }
    let list = json!({"devices": [bob.device_id], "auth": password_of("alice")});
    alice.post(["delete_devices"], &list).ok();

    assert_eq!(ids(&bob), [bob.device_id.as_str()]);
    assert_eq!(bob.get(["devices", &bob.device_id]).ok()["display_name"], Json::Null);
}

#[test]
fn without_a_token_or_with_a_dead_one_there_is_nothing() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", None);
    laptop.post(["logout"], &json!({})).ok();

    for (method, path) in [
        (Method::GET, "/_matrix/client/v3/devices"),
        (Method::GET, "/_matrix/client/v3/devices/X"),
        (Method::PUT, "/_matrix/client/v3/devices/X"),
        (Method::DELETE, "/_matrix/client/v3/devices/X"),
    ] {
        server.send(method.clone(), path, None, Some(&json!({}))).refused(401, "M_MISSING_TOKEN");
        laptop.ask(method, path, Some(&json!({}))).refused(401, "M_UNKNOWN_TOKEN");
    }
    let body = json!({"devices": [phone.device_id], "auth": password_of("alice")});
    laptop.post(["delete_devices"], &body).refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(ids(&phone), [phone.device_id.as_str()]);
}

#[test]
fn a_device_is_deleted_once_its_user_gave_the_password_and_its_session_ends_at_once() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", Some("LAPTOP"));

    let challenge = challenged(delete(&phone, "LAPTOP", None));
    assert!(challenge["errcode"].is_null() && challenge["error"].is_null());
    laptop.get(["devices", "LAPTOP"]).ok();
    delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &challenge)).ok();

    phone.get(["devices", "LAPTOP"]).refused(404, "M_NOT_FOUND");
    laptop.get(["sync"]).refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(ids(&phone), [phone.device_id.as_str()]);
}

#[test]
fn the_password_in_the_first_request_is_enough() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let mut auth = password_of("alice");
    auth["identifier"] = Json::Null;
    auth["user"] = "@ALICE:hub.example".into();

    delete_with(&phone, "LAPTOP", &auth).ok();

    assert_eq!(ids(&phone), [phone.device_id.as_str()]);
}

#[test]
fn a_sync_that_waits_ends_when_its_device_is_deleted() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", Some("LAPTOP"));
    let since = laptop.sync(None).next_batch();
    let (dies, lives) = (laptop.start_sync(&since), phone.start_sync(&phone.sync(None).next_batch()));
    server.settle();
    let begin = server.now();

    delete_with(&phone, "LAPTOP", &password_of("alice")).ok();

    server.finish(&dies).refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(server.now(), begin, "it did not wait for its time-out");
    assert!(!lives.is_finished());
    server.finish(&lives).ok();
}

#[test]
fn several_devices_are_deleted_at_once() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let (one, two) = (server.login("alice", Some("ONE")), server.login("alice", Some("TWO")));
    let mut body = json!({"devices": ["ONE", "TWO", "NOWHERE"]});

    let challenge = challenged(phone.post(["delete_devices"], &body));
    body["auth"] = with_session(password_of("alice"), &challenge);
    body["devices"] = json!(["NOWHERE", "TWO", "ONE"]);
    phone.post(["delete_devices"], &body).ok();

    assert_eq!(ids(&phone), [phone.device_id.as_str()]);
    for device in [one, two] {
        device.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
    }
    phone.post(["delete_devices"], &json!({})).refused(400, "M_MISSING_PARAM");
    phone.post(["delete_devices"], &json!({"devices": "ONE"})).refused(400, "M_BAD_JSON");
}

#[test]
fn a_wrong_password_shows_the_flows_again_and_deletes_nothing() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let mut wrong = password_of("alice");
    wrong["password"] = "a guess".into();

    let first = challenged(delete_with(&phone, "LAPTOP", &wrong));
    assert_eq!(first["errcode"], "M_FORBIDDEN");
    assert!(first["error"].is_string());
    let second = challenged(delete_with(&phone, "LAPTOP", &with_session(wrong, &first)));
    assert_eq!(second["session"], first["session"]);
    phone.get(["devices", "LAPTOP"]).ok();
    // The session is still good for the right one.
    delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &first)).ok();
    phone.get(["devices", "LAPTOP"]).refused(404, "M_NOT_FOUND");
}

#[test]
fn no_stage_but_the_password_counts() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let challenge = challenged(delete(&phone, "LAPTOP", None));
    for stage in ["m.login.dummy", "m.login.token", "m.login.sso", "m.login.registration_token", "m.oauth", ""] {
        let auth = with_session(json!({"type": stage, "token": "x"}), &challenge);
        assert_eq!(challenged(delete_with(&phone, "LAPTOP", &auth))["errcode"], "M_FORBIDDEN", "{stage}");
    }
    // Asking how far it has come is no stage.
    challenged(delete_with(&phone, "LAPTOP", &with_session(json!({}), &challenge)));
    delete_with(&phone, "LAPTOP", &json!("yes")).refused(400, "M_BAD_JSON");
    phone.get(["devices", "LAPTOP"]).ok();
}

#[test]
fn an_authentication_is_for_the_request_that_it_was_begun_for() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    server.login("alice", Some("TABLET"));
    let laptop = challenged(delete(&phone, "LAPTOP", None));
    let auth = with_session(password_of("alice"), &laptop);

    delete_with(&phone, "TABLET", &auth).refused(403, "M_FORBIDDEN");
    let list = json!({"devices": ["LAPTOP"], "auth": auth});
    phone.post(["delete_devices"], &list).refused(403, "M_FORBIDDEN");
    phone.post(["account", "deactivate"], &json!({ "auth": auth })).refused(403, "M_FORBIDDEN");
    let list = challenged(phone.post(["delete_devices"], &json!({"devices": ["LAPTOP"]})));
    let more = json!({"devices": ["LAPTOP", "TABLET"], "auth": with_session(password_of("alice"), &list)});
    phone.post(["delete_devices"], &more).refused(403, "M_FORBIDDEN");

    assert_eq!(ids(&phone).len(), 3);
}

#[test]
fn an_authentication_of_another_user_is_not_known() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    server.login("alice", Some("SAME"));
    server.login("bob", Some("SAME"));
    let of_bob = challenged(delete(&bob, "SAME", None));

    let again = challenged(delete_with(&alice, "SAME", &with_session(password_of("alice"), &of_bob)));

    assert_ne!(again["session"], of_bob["session"]);
    alice.get(["devices", "SAME"]).ok();
    delete_with(&alice, "SAME", &with_session(password_of("alice"), &again)).ok();
    bob.get(["devices", "SAME"]).ok();
}

#[test]
fn another_users_password_is_refused_even_if_it_is_right() {
    let server = TestServer::new();
    let alice = server.register("alice");
    server.register("bob");
    server.login("alice", Some("LAPTOP"));
    for name in ["bob", "@bob:hub.example", "@alice:elsewhere.example"] {
        let mut auth = password_of("bob");
        auth["identifier"]["user"] = name.into();
        delete_with(&alice, "LAPTOP", &auth).refused(403, "M_FORBIDDEN");
    }
    let mut nobody = password_of("alice");
    nobody["identifier"] = json!({"type": "m.id.thirdparty", "medium": "email", "address": "a@b.c"});
    delete_with(&alice, "LAPTOP", &nobody).refused(400, "M_UNKNOWN");
    nobody["identifier"] = Json::Null;
    delete_with(&alice, "LAPTOP", &nobody).refused(400, "M_MISSING_PARAM");
    let mut silent = password_of("alice");
    silent["password"] = Json::Null;
    delete_with(&alice, "LAPTOP", &silent).refused(400, "M_MISSING_PARAM");
    alice.get(["devices", "LAPTOP"]).ok();
}

#[test]
fn an_authentication_has_its_time_and_works_once() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let first = challenged(delete(&phone, "LAPTOP", None));
    server.advance(15 * MINUTE_MS);

    let second = challenged(delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &first)));

    assert_ne!(second["session"], first["session"]);
    delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &second)).ok();
    server.login("alice", Some("LAPTOP"));
    let used = challenged(delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &second)));
    assert_ne!(used["session"], second["session"]);
    phone.get(["devices", "LAPTOP"]).ok();
}

#[test]
fn it_survives_a_restart_and_the_oldest_of_too_many_gives_way() {
    let server = TestServer::new();
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let oldest = challenged(delete(&phone, "LAPTOP", None));
    server.advance(1_000);
    let kept = challenged(delete(&phone, "LAPTOP", None));
    for _ in 0..19 {
        server.advance(1_000);
        challenged(delete(&phone, "LAPTOP", None));
    }
    server.host().crash_all();

    let forgotten = challenged(delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &oldest)));
    assert_ne!(forgotten["session"], oldest["session"]);
    // It made room for its successor.
    let kept = delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &kept));
    challenged(kept);
    delete_with(&phone, "LAPTOP", &with_session(password_of("alice"), &forgotten)).ok();
}

#[test]
fn wrong_passwords_count_together_with_those_of_logins() {
    let server = TestServer::with(Options { rate_limits: true, ..Options::default() });
    let phone = server.register("alice");
    server.login("alice", Some("LAPTOP"));
    let mut wrong = password_of("alice");
    wrong["password"] = "a guess".into();

    let limited = (0..20).map(|_| delete_with(&phone, "LAPTOP", &wrong)).find(|reply| reply.status == 429);
    limited.expect("the account is locked at last").refused(429, "M_LIMIT_EXCEEDED");

    delete_with(&phone, "LAPTOP", &password_of("alice")).refused(429, "M_LIMIT_EXCEEDED");
    let login = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});
    server.post("/_matrix/client/v3/login", &login).refused(429, "M_LIMIT_EXCEEDED");
    phone.get(["devices", "LAPTOP"]).ok();
    server.advance(600_000);
    delete_with(&phone, "LAPTOP", &password_of("alice")).ok();
}

/// Allows so many attempts in all.
struct Budget(Cell<u32>);

impl RateLimiter for Budget {
    fn allow<'a>(&'a self, _: RateLimit, _: &'a str) -> LocalBoxFuture<'a, bool> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        Box::pin(std::future::ready(left > 0))
    }
}

#[test]
fn an_address_that_tries_too_often_wakes_no_object() {
    let budget = Rc::new(Budget(Cell::new(1)));
    let limiter: Rc<dyn RateLimiter> = budget.clone();
    let server = TestServer::with(Options { rate_limits: true, limiter: Some(limiter), ..Options::default() });
    let phone = server.register("alice");
    assert_eq!(budget.0.get(), 0);
    server.take_calls();

    // Asking for the flows costs nothing.
    challenged(delete(&phone, &phone.device_id, None));
    assert_eq!(server.take_calls().len(), 1);
    delete_with(&phone, &phone.device_id, &password_of("alice")).refused(429, "M_LIMIT_EXCEEDED");
    server.post("/_matrix/client/v3/refresh", &json!({"refresh_token": "x"})).refused(429, "M_LIMIT_EXCEEDED");
    let token = json!({"type": "m.login.token", "token": "x"});
    server.post("/_matrix/client/v3/login", &token).refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!(server.take_calls(), []);
}

#[test]
fn an_account_without_a_password_can_authenticate_nothing() {
    let server = TestServer::new();
    let alice = server.account("alice");
    for password in ["", "alice's password"] {
        let mut auth = password_of("alice");
        auth["password"] = password.into();
        challenged(delete_with(&alice, &alice.device_id, &auth));
    }
    alice.get(["account", "whoami"]).ok();
}
