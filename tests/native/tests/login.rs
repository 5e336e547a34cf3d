//! Logging in and out.

use std::{cell::Cell, rc::Rc};

use futures_util::future::LocalBoxFuture;
use http::Method;
use hubbub_api::{RateLimit, RateLimiter};
use hubbub_native::{Options, Reply, TestServer};
use serde_json::{Value as Json, json};

const LOGIN: &str = "/_matrix/client/v3/login";

fn log_in(server: &TestServer, user: &str, password: &str) -> Reply {
    let identifier = json!({"type": "m.id.user", "user": user});
    server.post(LOGIN, &json!({"type": "m.login.password", "identifier": identifier, "password": password}))
}

#[test]
fn passwords_tokens_and_appservices_can_log_in() {
    let flows = TestServer::new().get(LOGIN).ok();

    assert_eq!(
        flows["flows"],
        json!([
            {"type": "m.login.password"},
            {"type": "m.login.token", "get_login_token": true},
            {"type": "m.login.application_service"},
        ])
    );
}

#[test]
fn a_user_logs_in_by_user_id_localpart_or_capitals() {
    let server = TestServer::new();
    server.register("alice");
    for name in ["@alice:hub.example", "alice", "ALICE", "@ALICE:hub.example"] {
        let session = log_in(&server, name, "alice's password").ok();
        assert_eq!(session["user_id"], "@alice:hub.example");
        assert_eq!(session["well_known"]["m.homeserver"]["base_url"], "https://hub.example");
        let token = session["access_token"].as_str().unwrap();
        let whoami = server.send(Method::GET, "/_matrix/client/v3/account/whoami", Some(token), None).ok();
        assert_eq!(whoami["user_id"], "@alice:hub.example");
        assert_eq!(whoami["device_id"], session["device_id"]);
    }
}

#[test]
fn the_name_may_stand_where_it_stood_before_identifiers() {
    let server = TestServer::new();
    server.register("alice");

    let body = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});

    assert_eq!(server.post("/_matrix/client/r0/login", &body).ok()["user_id"], "@alice:hub.example");
}

#[test]
fn a_device_that_logs_in_again_keeps_its_id_and_loses_its_old_session() {
    let server = TestServer::new();
    server.register("alice");
    let first = server.login("alice", Some("PHONE"));
    let second = server.login("alice", Some("PHONE"));

    assert_eq!((first.device_id.as_str(), second.device_id.as_str()), ("PHONE", "PHONE"));
    first.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
    second.get(["account", "whoami"]).ok();
}

#[test]
fn wrong_passwords_and_unknown_names_get_the_same_answer() {
    let server = TestServer::new();
    server.register("alice");

    let wrong = log_in(&server, "alice", "wrong").refused(403, "M_FORBIDDEN");
    for name in ["bob", "@alice:elsewhere.example", "", "@", "\u{0}", &"x".repeat(1_000), "a b"] {
        assert_eq!(log_in(&server, name, "wrong").refused(403, "M_FORBIDDEN"), wrong, "{name:?}");
    }
    log_in(&server, "alice", &"x".repeat(600)).refused(403, "M_FORBIDDEN");
}

#[test]
fn an_unknown_name_writes_nothing_and_asks_one_of_four_decoys() {
    let server = TestServer::new();
    server.take_calls();
    let mut asked = std::collections::BTreeSet::new();
    for number in 0..12 {
        log_in(&server, &format!("nobody{number}"), "wrong").refused(403, "M_FORBIDDEN");
        let calls = server.take_calls();
        assert_eq!(calls.len(), 1);
        asked.insert(calls[0].name.clone());
    }
    assert!(asked.len() <= 4 && asked.iter().all(|name| name.starts_with("@~decoy")), "{asked:?}");
    assert_eq!(server.host().written(), []);
}

#[test]
fn an_account_without_a_password_takes_none() {
    let server = TestServer::new();
    server.account("alice");

    log_in(&server, "alice", "").refused(403, "M_FORBIDDEN");
    log_in(&server, "alice", "alice's password").refused(403, "M_FORBIDDEN");
}

#[test]
fn a_login_without_what_it_needs_is_refused() {
    let server = TestServer::new();
    let post = |body: Json| server.post(LOGIN, &body);

    post(json!({})).refused(400, "M_MISSING_PARAM");
    post(json!({"type": "m.login.password"})).refused(400, "M_MISSING_PARAM");
    post(json!({"type": "m.login.password", "user": "alice"})).refused(400, "M_MISSING_PARAM");
    post(json!({"type": "m.login.password", "identifier": {"type": "m.id.user"}})).refused(400, "M_MISSING_PARAM");
    post(json!({"type": "m.login.password", "identifier": {"type": "m.id.phone"}, "password": "x"}))
        .refused(400, "M_UNKNOWN");
    post(json!({"type": "m.login.password", "identifier": "alice", "password": "x"})).refused(400, "M_BAD_JSON");
}

#[test]
fn no_token_is_given_for_a_kind_of_login_that_proves_nothing() {
    let server = TestServer::new();
    server.register("alice");
    for kind in ["m.login.dummy", "m.login.sso", "m.login.recaptcha"] {
        let body = json!({"type": kind, "identifier": {"type": "m.id.user", "user": "alice"}, "token": "x"});
        server.post(LOGIN, &body).refused(400, "M_UNKNOWN");
    }
}

#[test]
fn too_many_wrong_passwords_lock_the_account_for_a_while_and_known_and_unknown_alike() {
    let server = TestServer::with(Options { rate_limits: true, ..Options::default() });
    server.register("alice");
    for name in ["alice", "nobody"] {
        let limited = (0..20).map(|_| log_in(&server, name, "wrong")).find(|reply| reply.status == 429);
        let limited = limited.expect("the account is locked at last");
        assert!(limited.header("retry-after").is_some());
        let body = limited.refused(429, "M_LIMIT_EXCEEDED");
        assert!(body["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0));
    }
    log_in(&server, "alice", "alice's password").refused(429, "M_LIMIT_EXCEEDED");
    server.advance(600_000);
    log_in(&server, "alice", "alice's password").ok();
}

/// Allows so many attempts in all.
struct Budget(Cell<u32>);

impl RateLimiter for Budget {
    fn allow<'a>(&'a self, _: RateLimit, address: &'a str) -> LocalBoxFuture<'a, bool> {
        assert_eq!(address, "192.0.2.1");
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        Box::pin(std::future::ready(left > 0))
    }
}

#[test]
fn an_address_that_tries_too_often_wakes_no_object() {
    let limiter: Rc<dyn RateLimiter> = Rc::new(Budget(Cell::new(2)));
    let server = TestServer::with(Options { rate_limits: true, limiter: Some(limiter), ..Options::default() });
    log_in(&server, "nobody", "wrong").refused(403, "M_FORBIDDEN");
    log_in(&server, "somebody", "wrong").refused(403, "M_FORBIDDEN");
    server.take_calls();

    let limited = log_in(&server, "anybody", "wrong");

    assert_eq!(limited.header("retry-after"), Some("60"));
    limited.refused(429, "M_LIMIT_EXCEEDED");
    server.post("/_matrix/client/v3/register", &json!({})).refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!(server.take_calls(), []);
}

#[test]
fn a_logout_ends_its_own_session_only() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", None);

    phone.ask(Method::POST, "/_matrix/client/v3/logout", None).ok();

    phone.get(["sync"]).refused(401, "M_UNKNOWN_TOKEN");
    phone.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
    phone.post(["logout"], &json!({})).refused(401, "M_UNKNOWN_TOKEN");
    laptop.get(["sync"]).ok();
}

#[test]
fn a_logout_from_everywhere_ends_all_sessions() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", None);

    phone.ask(Method::POST, "/_matrix/client/v3/logout/all", None).ok();

    for device in [&phone, &laptop] {
        device.get(["sync"]).refused(401, "M_UNKNOWN_TOKEN");
        device.put(["user", "@alice:hub.example", "account_data", "t"], &json!({})).refused(401, "M_UNKNOWN_TOKEN");
        device.get(["joined_rooms"]).refused(401, "M_UNKNOWN_TOKEN");
        device.post(["createRoom"], &json!({})).refused(401, "M_UNKNOWN_TOKEN");
    }
    server.login("alice", None);
}

#[test]
fn a_logout_needs_a_token() {
    let server = TestServer::new();

    server.post("/_matrix/client/v3/logout", &json!({})).refused(401, "M_MISSING_TOKEN");
    server.send(Method::POST, "/_matrix/client/v3/logout", Some("made up"), None).refused(401, "M_UNKNOWN_TOKEN");
}
