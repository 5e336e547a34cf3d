//! `POST /register`: who may, which names, and how accounts are made.

use hubbub_core::context::Registration;
use hubbub_native::{Options, Reply, TestServer, server::REGISTRATION_TOKEN};
use serde_json::{Value as Json, json};

const REGISTER: &str = "/_matrix/client/v3/register";

fn server_with(registration: Registration) -> TestServer {
    TestServer::with(Options { registration, ..Options::default() })
}

fn register(server: &TestServer, body: Json) -> Reply {
    server.post(REGISTER, &body)
}

fn with_dummy(name: &str) -> Json {
    json!({"username": name, "password": "a password", "auth": {"type": "m.login.dummy"}})
}

#[test]
fn a_request_without_a_stage_gets_the_flows() {
    let server = TestServer::new();

    let reply = register(&server, json!({}));

    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(body["flows"], json!([{"stages": ["m.login.dummy"]}]));
    assert!(body["session"].is_string() && body["params"].is_object() && body["errcode"].is_null());
}

#[test]
fn one_request_with_the_stage_makes_an_account_and_a_session() {
    let server = TestServer::new();

    let session = register(&server, with_dummy("alice")).ok();

    assert_eq!(session["user_id"], "@alice:hub.example");
    assert!(session["access_token"].as_str().is_some_and(|token| !token.is_empty()));
    assert!(session["device_id"].as_str().is_some_and(|device| !device.is_empty()));
}

#[test]
fn a_session_may_be_completed_in_a_second_request() {
    let server = TestServer::new();
    let mut body = json!({"username": "alice", "password": "übermäßig", "device_id": "PHONE"});
    let first = register(&server, body.clone());
    assert_eq!(first.status, 401);

    body["auth"] = json!({"type": "m.login.dummy", "session": first.json()["session"]});

    assert_eq!(register(&server, body).ok()["device_id"], "PHONE");
}

#[test]
fn a_stage_that_is_none_of_the_flow_is_told_apart_from_a_missing_one() {
    let server = TestServer::new();
    let mut body = with_dummy("alice");
    body["auth"] = json!({"type": "m.login.email.identity", "session": "s"});

    let refused = register(&server, body).refused(401, "M_FORBIDDEN");

    assert_eq!(refused["session"], "s");
    assert!(refused["flows"].is_array());
}

#[test]
fn closed_registration_is_forbidden() {
    let server = server_with(Registration::Closed);

    register(&server, json!({})).refused(403, "M_FORBIDDEN");
    register(&server, with_dummy("alice")).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_registration_token_opens_registration() {
    let server = server_with(Registration::Token);
    let with = |token: &str| {
        let auth = json!({"type": "m.login.registration_token", "token": token});
        register(&server, json!({"username": "alice", "password": "pw", "auth": auth}))
    };

    register(&server, with_dummy("alice")).refused(401, "M_FORBIDDEN");
    with("wrong").refused(401, "M_FORBIDDEN");
    with("").refused(401, "M_FORBIDDEN");
    assert_eq!(with(REGISTRATION_TOKEN).ok()["user_id"], "@alice:hub.example");
}

#[test]
fn guests_are_refused() {
    let server = TestServer::new();

    server.post(&format!("{REGISTER}?kind=guest"), &json!({})).refused(403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[test]
fn an_account_can_be_made_without_a_session() {
    let server = TestServer::new();
    let mut body = with_dummy("alice");
    body["inhibit_login"] = true.into();

    assert_eq!(register(&server, body).ok(), json!({"user_id": "@alice:hub.example"}));
}

#[test]
fn capitals_are_folded() {
    let server = TestServer::new();

    assert_eq!(register(&server, with_dummy("User-UPPER")).ok()["user_id"], "@user-upper:hub.example");
}

#[test]
fn names_outside_the_grammar_are_refused() {
    let server = TestServer::new();
    for bad in ["!", "\"", ":", "?", "@", "[", "]", "{", "|", "}", "'", "£", "é", "\\\\", "\\n", "a b", "a,b", "", "\n"]
    {
        register(&server, with_dummy(bad)).refused(400, "M_INVALID_USERNAME");
    }
    for (index, good) in ["q", "3", ".", "_", "=", "-", "/", "+"].iter().enumerate() {
        let mut body = with_dummy(&format!("user{index}{good}"));
        body["inhibit_login"] = true.into();
        register(&server, body).ok();
    }
}

#[test]
fn a_user_id_has_at_most_255_bytes() {
    let server = TestServer::new();
    let room = 255 - "@:hub.example".len();

    register(&server, with_dummy(&"a".repeat(room + 1))).refused(400, "M_INVALID_USERNAME");
    register(&server, with_dummy(&"a".repeat(room))).ok();
}

#[test]
fn a_taken_name_is_refused_before_and_after_the_stage() {
    let server = TestServer::new();
    server.account("alice");

    register(&server, with_dummy("alice")).refused(400, "M_USER_IN_USE");
    register(&server, json!({"username": "ALICE"})).refused(400, "M_USER_IN_USE");
}

#[test]
fn of_two_registrations_of_one_name_at_once_one_succeeds() {
    for seed in 0..4 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let start = || {
            let request =
                hubbub_native::client::request(http::Method::POST, REGISTER, None, Some(&with_dummy("alice")));
            server.start(request)
        };
        let (first, second) = (start(), start());
        let mut statuses = [server.finish(&first).status, server.finish(&second).status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }
}

#[test]
fn a_name_is_made_up_when_none_is_given() {
    let server = TestServer::new();

    let made = register(&server, json!({"password": "pw", "auth": {"type": "m.login.dummy"}})).ok();

    assert!(made["user_id"].as_str().is_some_and(|user_id| user_id.len() > "@:hub.example".len() + 10));
}

#[test]
fn a_password_is_needed_and_has_a_limit() {
    let server = TestServer::new();
    let with = |password: Json| {
        register(&server, json!({"username": "alice", "password": password, "auth": {"type": "m.login.dummy"}}))
    };

    with(Json::Null).refused(400, "M_MISSING_PARAM");
    with("".into()).refused(400, "M_WEAK_PASSWORD");
    with("x".repeat(513).into()).refused(400, "M_WEAK_PASSWORD");
    with(7.into()).refused(400, "M_BAD_JSON");
}

#[test]
fn a_body_that_is_not_utf_8_is_refused_before_the_flows_are_shown() {
    let server = TestServer::new();
    let request = http::Request::post(REGISTER).body(b"{\"username\": \"\x81\"}".to_vec()).unwrap();

    server.request(request).refused(400, "M_NOT_JSON");
}
