//! Application services at the client-server API: whom they may act as, what is theirs alone, and
//! what they cost.

use std::{cell::RefCell, rc::Rc};

use http::Method;
use hubbub_core::{context::Registration, contract::Class};
use hubbub_native::{Client, Options, Reply, TestServer};
use serde_json::{Value as Json, json};

const TOKEN: &str = "as_token_of_the_bridge";

const YAML: &str = "
id: bridge
url: https://bridge.example
as_token: as_token_of_the_bridge
hs_token: hs_token_of_the_bridge
sender_localpart: bridgebot
rate_limited: false
namespaces:
  users:
    - exclusive: true
      regex: '@_bridge_.*:hub\\.example'
    - exclusive: false
      regex: '@alice:hub\\.example'
  aliases:
    - exclusive: true
      regex: '#_bridge_.*:hub\\.example'
  rooms: []
";

fn with_bridge() -> TestServer {
    with_bridge_and(Registration::Open)
}

fn with_bridge_and(registration: Registration) -> TestServer {
    let server = TestServer::with(Options { registration, ..Options::default() });
    server.register_appservice(YAML).ok();
    server
}

fn register_ghost(server: &TestServer, localpart: &str) -> Reply {
    let body = json!({"type": "m.login.application_service", "username": localpart});
    server.send(Method::POST, "/_matrix/client/v3/register", Some(TOKEN), Some(&body))
}

fn ghost(server: &TestServer, localpart: &str) -> Client {
    let made = register_ghost(server, localpart).ok();
    server.appservice_user(TOKEN, made["user_id"].as_str().unwrap())
}

fn bot(server: &TestServer) -> Client {
    server.appservice_user(TOKEN, "@bridgebot:hub.example")
}

#[test]
fn registrations_are_listed_and_removed_by_the_operator_alone() {
    let server = with_bridge();

    let listed = server.admin(Method::GET, "appservices", &json!({})).ok();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, ["bridge"]);
    assert!(!listed.to_string().contains("_token_of_the_bridge"), "no token is shown");

    server.get("/_hubbub/admin/v1/appservices").refused(401, "M_MISSING_TOKEN");
    let alice = server.account("alice");
    alice.ask(Method::GET, "/_hubbub/admin/v1/appservices", None).refused(401, "M_UNKNOWN_TOKEN");
    bot(&server).ask(Method::GET, "/_hubbub/admin/v1/appservices", None).refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(server.admin(Method::POST, "appservices", &json!({"id": []})).status, 400);

    server.admin(Method::DELETE, "appservices/bridge", &json!({})).ok();
    server.admin(Method::DELETE, "appservices/bridge", &json!({})).refused(404, "M_NOT_FOUND");
    bot(&server).get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn an_appservice_acts_as_its_bot_or_a_user_of_its_namespaces_and_nobody_else() {
    let server = with_bridge();
    let alice = server.account("alice");
    server.account("bob");
    let whoami =
        |query: &str| server.send(Method::GET, &format!("/_matrix/client/v3/account/whoami{query}"), Some(TOKEN), None);
    register_ghost(&server, "_bridge_one").ok();

    assert_eq!(whoami("").ok()["user_id"], "@bridgebot:hub.example");
    assert_eq!(whoami("?user_id=@_bridge_one:hub.example").ok()["user_id"], "@_bridge_one:hub.example");
    assert_eq!(whoami("?user_id=@alice:hub.example").ok()["user_id"], alice.user_id.as_str());
    whoami("?user_id=@bob:hub.example").refused(403, "M_FORBIDDEN");
    whoami("?user_id=@_bridge_one:elsewhere.example").refused(403, "M_FORBIDDEN");
    whoami("?user_id=@_bridge_two:hub.example").refused(403, "M_FORBIDDEN");
    whoami("?user_id=nonsense").refused(400, "M_INVALID_PARAM");
    assert!(whoami("").json()["device_id"].is_null());
}

#[test]
fn a_users_token_ignores_user_id_and_ts() {
    let server = with_bridge();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();

    let whoami = alice.query(["account", "whoami"], &[("user_id", &bob.user_id)]).ok();
    assert_eq!(whoami["user_id"], alice.user_id.as_str());
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t?ts=5");
    let sent = alice.ask(Method::PUT, &path, Some(&json!({"body": "x"}))).ok();
    let event = alice.get(["rooms", &room, "event", sent["event_id"].as_str().unwrap()]).ok();
    assert_eq!(event["origin_server_ts"], server.now());
}

#[test]
fn an_appservice_registers_its_users_even_where_registration_is_closed() {
    let server = with_bridge_and(Registration::Closed);

    let made = register_ghost(&server, "_bridge_one").ok();
    assert_eq!(made["user_id"], "@_bridge_one:hub.example");
    assert!(made["access_token"].is_string() && made["device_id"].is_string());
    register_ghost(&server, "_bridge_one").refused(400, "M_USER_IN_USE");
    register_ghost(&server, "mallory").refused(400, "M_EXCLUSIVE");
    register_ghost(&server, "_bridge_ONE!").refused(400, "M_INVALID_USERNAME");
    let ask =
        |token: Option<&str>, body: Json| server.send(Method::POST, "/_matrix/client/v3/register", token, Some(&body));
    ask(None, json!({"type": "m.login.application_service", "username": "_bridge_two"}))
        .refused(401, "M_MISSING_TOKEN");
    ask(Some("x"), json!({"type": "m.login.application_service", "username": "_bridge_two"}))
        .refused(401, "M_UNKNOWN_TOKEN");
    ask(Some(TOKEN), json!({"type": "m.login.application_service"})).refused(400, "M_MISSING_PARAM");
    let quiet = json!({"type": "m.login.application_service", "username": "_bridge_three", "inhibit_login": true});
    assert!(ask(Some(TOKEN), quiet).ok()["access_token"].is_null());
}

#[test]
fn exclusive_names_are_nobody_elses() {
    let server = with_bridge();
    let alice = server.account("alice");
    let room = alice.public_room();
    let register = |name: &str| {
        let body = json!({"username": name, "password": "pw", "auth": {"type": "m.login.dummy"}});
        server.post("/_matrix/client/v3/register", &body)
    };

    register("_bridge_one").refused(400, "M_EXCLUSIVE");
    register("bridgebot").refused(400, "M_EXCLUSIVE");
    alice.put(["directory", "room", "#_bridge_x:hub.example"], &json!({"room_id": room})).refused(400, "M_EXCLUSIVE");
    alice.post(["createRoom"], &json!({"room_alias_name": "_bridge_x"})).refused(400, "M_EXCLUSIVE");
    bot(&server).create_room(&json!({"room_alias_name": "_bridge_x"}));
}

#[test]
fn a_session_is_opened_for_a_ghost_with_the_appservices_token() {
    let server = with_bridge();
    register_ghost(&server, "_bridge_one").ok();
    let login = |user: &str, token: Option<&str>| {
        let identifier = json!({"type": "m.id.user", "user": user});
        let body = json!({"type": "m.login.application_service", "identifier": identifier, "device_id": "D"});
        server.send(Method::POST, "/_matrix/client/v3/login", token, Some(&body))
    };

    let session = login("_bridge_one", Some(TOKEN)).ok();
    assert_eq!((&session["user_id"], &session["device_id"]), (&json!("@_bridge_one:hub.example"), &json!("D")));
    let token = session["access_token"].as_str().unwrap();
    server.send(Method::GET, "/_matrix/client/v3/sync", Some(token), None).ok();
    login("_bridge_two", Some(TOKEN)).refused(403, "M_FORBIDDEN");
    login("mallory", Some(TOKEN)).refused(403, "M_FORBIDDEN");
    login("_bridge_one", None).refused(401, "M_MISSING_TOKEN");
    login("_bridge_one", Some("x")).refused(401, "M_UNKNOWN_TOKEN");
    let body = json!({"type": "m.login.password", "user": "_bridge_one", "password": ""});
    server.post("/_matrix/client/v3/login", &body).refused(403, "M_FORBIDDEN");
}

#[test]
fn the_bot_exists_by_its_registration_and_a_ghost_must_be_registered() {
    let server = with_bridge();
    let room = bot(&server).public_room();

    let stranger = server.appservice_user(TOKEN, "@_bridge_one:hub.example");
    stranger.post(["join", &room], &json!({})).refused(403, "M_FORBIDDEN");
    stranger.post(["createRoom"], &json!({})).refused(403, "M_FORBIDDEN");
    ghost(&server, "_bridge_one").join(&room);
    assert_eq!(bot(&server).get(["joined_rooms"]).ok()["joined_rooms"], json!([room]));
}

#[test]
fn an_appservice_dates_its_messages_and_state() {
    let server = with_bridge();
    let one = ghost(&server, "_bridge_one");
    let room = one.public_room();
    let put = |path: &str, body: Json| {
        one.ask(Method::PUT, &format!("/_matrix/client/v3/rooms/{room}/{path}?ts=1234567890123"), Some(&body)).ok()
    };
    for sent in [
        put("send/m.room.message/t", json!({"msgtype": "m.text", "body": "old"})),
        put("state/m.room.name", json!({"name": "Old"})),
    ] {
        let event = one.get(["rooms", &room, "event", sent["event_id"].as_str().unwrap()]).ok();
        assert_eq!(event["origin_server_ts"], 1_234_567_890_123_i64);
    }
    let message = one.send_text(&room, "regretted");
    let path = format!("/_matrix/client/v3/rooms/{room}/redact/{message}/r1?ts=1234567890123");
    let sent = one.ask(Method::PUT, &path, Some(&json!({}))).ok();
    let redaction = one.get(["rooms", &room, "event", sent["event_id"].as_str().unwrap()]).ok();
    assert_eq!(redaction["origin_server_ts"], server.now());
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t2?ts=yesterday");
    one.ask(Method::PUT, &path, Some(&json!({}))).refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_send_of_an_appservice_is_one_call() {
    let server = with_bridge();
    let one = ghost(&server, "_bridge_one");
    let room = one.public_room();
    server.take_calls();

    one.send_text(&room, "hello");

    let calls = server.take_calls();
    assert_eq!(calls.iter().map(|call| call.class).collect::<Vec<_>>(), [Class::Room]);
}

#[test]
fn transaction_ids_belong_to_a_ghost_of_the_appservice() {
    let server = with_bridge();
    let (one, two) = (ghost(&server, "_bridge_one"), ghost(&server, "_bridge_two"));
    let room = one.public_room();
    two.join(&room);

    let first = one.send_with(&room, "t", "hello").ok();
    assert_eq!(one.send_with(&room, "t", "hello").ok(), first);
    assert_ne!(two.send_with(&room, "t", "hello").ok(), first);
}

#[test]
fn an_appservices_token_cannot_be_logged_out() {
    let server = with_bridge();

    bot(&server).post(["logout"], &json!({})).refused(403, "M_FORBIDDEN");
    bot(&server).get(["account", "whoami"]).ok();
}

#[test]
fn messages_reach_the_appservice_and_a_ping_does() {
    let server = with_bridge();
    let received: Rc<RefCell<Vec<(String, Json)>>> = Rc::default();
    let sink = Rc::clone(&received);
    server.http().answer_by(move |request| {
        assert_eq!(request.headers()["authorization"], "Bearer hs_token_of_the_bridge");
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        sink.borrow_mut().push((request.uri().path().to_owned(), body));
        Ok(http::Response::new(b"{}".to_vec()))
    });
    let one = ghost(&server, "_bridge_one");
    let bob = server.account("bob");
    let room = one.public_room();
    bob.join(&room);

    let event = bob.send_text(&room, "hello bridge");
    server.advance(10_000);

    let received_events: Vec<Json> = received
        .borrow()
        .iter()
        .filter(|(path, _)| path.contains("/_matrix/app/v1/transactions/"))
        .flat_map(|(_, body)| body["events"].as_array().cloned().unwrap_or_default())
        .collect();
    let copies: Vec<_> = received_events.iter().filter(|found| found["event_id"] == event.as_str()).collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0]["room_id"], room.as_str());

    let ping = |id: &str, token: &str| {
        let body = json!({"transaction_id": "ping1"});
        server.send(Method::POST, &format!("/_matrix/client/v1/appservice/{id}/ping"), Some(token), Some(&body))
    };
    assert!(ping("bridge", TOKEN).ok()["duration_ms"].is_u64());
    assert!(
        received
            .borrow()
            .iter()
            .any(|(path, body)| path == "/_matrix/app/v1/ping" && body["transaction_id"] == "ping1")
    );
    ping("other", TOKEN).refused(403, "M_FORBIDDEN");
    ping("bridge", &bob.token).refused(403, "M_FORBIDDEN");
    ping("bridge", "x").refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_ghost_that_is_renamed_is_renamed_in_its_rooms() {
    let server = with_bridge();
    let one = ghost(&server, "_bridge_one");
    let rename = |name: &str| one.put(["profile", &one.user_id, "displayname"], &json!({"displayname": name})).ok();
    rename("First");
    let room = one.public_room();
    assert_eq!(one.state(&room, "m.room.member", &one.user_id).ok()["displayname"], "First");

    rename("Second");

    assert_eq!(one.state(&room, "m.room.member", &one.user_id).ok()["displayname"], "Second");
}
