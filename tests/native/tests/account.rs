//! The account itself: password, deactivation, and tokens for one purpose.

use http::Method;
use hubbub_core::{
    context::Registration,
    contract::{Address, Class},
};
use hubbub_native::{Client, Options, Reply, TestServer, server::REGISTRATION_TOKEN};
use serde_json::{Value as Json, json};

const LOGIN: &str = "/_matrix/client/v3/login";
const AS_TOKEN: &str = "as_token_of_the_bridge";

const YAML: &str = "
id: bridge
url: null
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
  aliases: []
  rooms: []
";

fn auth(name: &str) -> Json {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": format!("{name}'s password"),
    })
}

fn log_in(server: &TestServer, user: &str, password: &str) -> Reply {
    server.post(LOGIN, &json!({"type": "m.login.password", "user": user, "password": password}))
}

fn change(client: &Client, extra: Json) -> Reply {
    let mut body = json!({"new_password": "a new one", "auth": auth("alice")});
    if let (Some(body), Json::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    client.post(["account", "password"], &body)
}

fn deactivate(client: &Client, name: &str) {
    client.post(["account", "deactivate"], &json!({ "auth": auth(name) })).ok();
}

fn with_bridge() -> TestServer {
    let server = TestServer::new();
    server.register_appservice(YAML).ok();
    server
}

fn ghost(server: &TestServer) -> Client {
    let body = json!({"type": "m.login.application_service", "username": "_bridge_one"});
    server.send(Method::POST, "/_matrix/client/v3/register", Some(AS_TOKEN), Some(&body)).ok();
    server.appservice_user(AS_TOKEN, "@_bridge_one:hub.example")
}

#[test]
fn a_password_is_changed_with_the_old_one() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let challenge = alice.post(["account", "password"], &json!({"new_password": "a new one"}));
    assert_eq!(challenge.status, 401);
    assert_eq!(challenge.json()["flows"], json!([{"stages": ["m.login.password"]}]));
    log_in(&server, "alice", "alice's password").ok();

    change(&alice, json!({})).ok();

    log_in(&server, "alice", "alice's password").refused(403, "M_FORBIDDEN");
    log_in(&server, "alice", "a new one").ok();
    alice.get(["account", "whoami"]).ok();
}

#[test]
fn a_new_password_logs_out_every_other_device_unless_asked_not_to() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let (kept, lost) = (server.login("alice", Some("KEPT")), server.login("alice", Some("LOST")));

    change(&alice, json!({"logout_devices": false, "new_password": "alice's password"})).ok();
    kept.get(["account", "whoami"]).ok();
    let waits = lost.start_sync(&lost.sync(None).next_batch());
    change(&alice, json!({})).ok();

    server.finish(&waits).refused(401, "M_UNKNOWN_TOKEN");
    kept.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
    let devices = alice.get(["devices"]).ok();
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_password_stays_when_its_change_is_refused() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let mut wrong = auth("alice");
    wrong["password"] = "a guess".into();

    assert_eq!(change(&alice, json!({ "auth": wrong })).refused(401, "M_FORBIDDEN")["completed"], json!([]));
    change(&alice, json!({"new_password": ""})).refused(400, "M_WEAK_PASSWORD");
    change(&alice, json!({"new_password": "x".repeat(513)})).refused(400, "M_WEAK_PASSWORD");
    change(&alice, json!({"new_password": null})).refused(400, "M_MISSING_PARAM");
    change(&alice, json!({"logout_devices": "no"})).refused(400, "M_BAD_JSON");
    let body = json!({"new_password": "a new one", "auth": auth("alice")});
    server.post("/_matrix/client/v3/account/password", &body).refused(401, "M_MISSING_TOKEN");

    log_in(&server, "alice", "alice's password").ok();
}

#[test]
fn an_appservice_sets_passwords_of_its_own_users_and_of_no_human() {
    let server = with_bridge();
    let human = server.register("alice");
    let ghost = ghost(&server);
    let body = json!({"new_password": "a new one"});

    ghost.post(["account", "password"], &body).ok();
    log_in(&server, "_bridge_one", "a new one").ok();
    let puppet = server.appservice_user(AS_TOKEN, &human.user_id);
    assert_eq!(puppet.post(["account", "password"], &body).status, 401);
    assert_eq!(puppet.post(["account", "deactivate"], &json!({})).status, 401);
    log_in(&server, "alice", "alice's password").ok();
}

#[test]
fn a_deactivated_account_is_out_of_every_session_and_room_for_ever() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let laptop = server.login("alice", None);
    alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice"})).ok();
    let rooms: Vec<String> = (0..8).map(|_| bob.public_room()).collect();
    for room in &rooms {
        alice.join(room);
    }
    let invited = bob.create_room(&json!({"invite": [alice.user_id]}));
    let since = bob.sync(None).next_batch();
    // After what Bob's poll says of him.
    let waits = laptop.start_sync(&laptop.sync(None).next_batch());

    let body = json!({ "auth": auth("alice") });
    let answer = alice.post(["account", "deactivate"], &body).ok();

    assert_eq!(answer["id_server_unbind_result"], "success");
    server.finish(&waits).refused(401, "M_UNKNOWN_TOKEN");
    for session in [&alice, &laptop] {
        session.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
    }
    let synced = bob.sync(Some(&since));
    for room in rooms.iter().chain([&invited]) {
        assert_eq!(synced.membership(room, &alice.user_id).as_deref(), Some("leave"));
        let member = bob.state(room, "m.room.member", &alice.user_id).ok();
        assert_eq!(member, json!({"membership": "leave"}));
    }
    bob.get(["profile", &alice.user_id]).refused(404, "M_NOT_FOUND");
    log_in(&server, "alice", "alice's password").refused(403, "M_FORBIDDEN");
    let register = json!({"username": "alice", "password": "pw", "auth": {"type": "m.login.dummy"}});
    server.post("/_matrix/client/v3/register", &register).refused(400, "M_USER_IN_USE");
    server.get("/_matrix/client/v3/register/available?username=alice").refused(400, "M_USER_IN_USE");
}

#[test]
fn an_account_is_not_deactivated_without_its_password() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    let mut wrong = auth("alice");
    wrong["password"] = "a guess".into();

    let challenge = alice.post(["account", "deactivate"], &json!({}));
    assert_eq!(challenge.status, 401);
    assert_eq!(challenge.json()["flows"], json!([{"stages": ["m.login.password"]}]));
    alice.post(["account", "deactivate"], &json!({"auth": wrong})).refused(401, "M_FORBIDDEN");
    alice.post(["account", "deactivate"], &json!({"auth": auth("bob")})).refused(403, "M_FORBIDDEN");
    alice.post(["account", "deactivate"], &json!({"auth": auth("alice"), "erase": 1})).refused(400, "M_BAD_JSON");
    server.post("/_matrix/client/v3/account/deactivate", &json!({})).refused(401, "M_MISSING_TOKEN");

    for client in [&alice, &bob] {
        client.get(["account", "whoami"]).ok();
    }
}

#[test]
fn a_deactivation_goes_on_after_crashes_and_while_d1_and_rooms_are_out_of_reach() {
    for seed in 0..20_u64 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob) = (server.register("alice"), server.account("bob"));
        let rooms: Vec<String> = (0..4).map(|_| bob.public_room()).collect();
        for room in &rooms {
            alice.join(room);
        }
        let address = Address::new(Class::User, alice.user_id.clone());
        server.directory().refuse.set(seed % 2 == 0);
        server.set_settling(false);
        let body = json!({ "auth": auth("alice") });
        let path = hubbub_native::client::path(["account", "deactivate"]);
        let started = server.start(alice.request(Method::POST, &path, Some(&body)));
        server.crash_after(address.clone(), (seed * 3) % 40);
        let reply = server.finish(&started);
        server.crash(&address);
        server.set_settling(true);
        server.directory().refuse.set(false);
        if reply.status != 200 {
            // It died before the commit, or after it: then the token is dead already.
            let again = alice.post(["account", "deactivate"], &body);
            assert!(again.status == 200 || again.status == 401, "{}", again.text());
        }
        server.advance(120_000);

        alice.get(["account", "whoami"]).refused(401, "M_UNKNOWN_TOKEN");
        for room in &rooms {
            assert_eq!(bob.state(room, "m.room.member", &alice.user_id).ok()["membership"], "leave", "seed {seed}");
        }
        server.get("/_matrix/client/v3/register/available?username=alice").refused(400, "M_USER_IN_USE");
    }
}

#[test]
fn a_room_that_is_being_made_is_left_too() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    server.set_settling(false);
    let path = hubbub_native::client::path(["createRoom"]);
    let body = json!({"preset": "public_chat", "room_alias_name": "lobby", "invite": [bob.user_id]});
    let made = server.start(alice.request(Method::POST, &path, Some(&body)));
    let path = hubbub_native::client::path(["account", "deactivate"]);
    let ended = server.start(alice.request(Method::POST, &path, Some(&json!({ "auth": auth("alice") }))));
    let made = server.finish(&made);
    server.finish(&ended).ok();
    server.set_settling(true);
    server.advance(60_000);
    if made.status != 200 {
        return;
    }
    let room = made.json()["room_id"].as_str().unwrap().to_owned();
    bob.join(&room);

    assert_eq!(bob.state(&room, "m.room.member", &alice.user_id).ok()["membership"], "leave");
}

fn said(client: &Client, room: &str) -> Vec<Json> {
    let page = client.query(["rooms", room, "messages"], &[("dir", "b"), ("limit", "100")]).ok();
    let chunk = page["chunk"].as_array().unwrap().iter();
    chunk.rev().filter(|event| event["type"] == "m.room.message").map(|event| event["content"].clone()).collect()
}

#[test]
fn who_joins_after_an_erasure_gets_redacted_copies_and_who_was_there_keeps_reading() {
    let server = TestServer::new();
    let (alice, bob, carl) = (server.register("alice"), server.account("bob"), server.account("carl"));
    alice.put(["profile", &alice.user_id, "displayname"], &json!({"displayname": "Alice W."})).ok();
    let room = bob.public_room();
    alice.join(&room);
    let secret = alice.send_text(&room, "my secret");
    bob.send_text(&room, "noted");
    // Not there when it was said, but before it was erased.
    let late = server.account("late");
    late.join(&room);

    let body = json!({"auth": auth("alice"), "erase": true});
    alice.post(["account", "deactivate"], &body).ok();
    server.host().crash_all();
    carl.join(&room);

    let whole = json!({"msgtype": "m.text", "body": "my secret"});
    for client in [&bob, &late] {
        assert_eq!(said(client, &room)[0], whole);
        assert_eq!(client.get(["rooms", &room, "event", &secret]).ok()["content"], whole);
    }
    assert_eq!(said(&carl, &room)[0], json!({}));
    assert_eq!(said(&carl, &room)[1]["body"], "noted");
    let event = carl.get(["rooms", &room, "event", &secret]).ok();
    assert_eq!((&event["content"], &event["sender"]), (&json!({}), &json!(alice.user_id)));
    for answer in [
        carl.sync(None).0,
        carl.query(["rooms", &room, "messages"], &[("dir", "b"), ("limit", "100")]).ok(),
        carl.get(["rooms", &room, "context", &secret]).ok(),
        carl.get(["rooms", &room, "state"]).ok(),
        carl.get(["rooms", &room, "members"]).ok(),
    ] {
        let text = answer.to_string();
        assert!(!text.contains("my secret") && !text.contains("Alice W."), "{text}");
    }
}

#[test]
fn an_erasure_outlives_the_loss_and_rebuilding_of_the_room() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let room = bob.public_room();
    alice.join(&room);
    alice.send_text(&room, "my secret");
    alice.post(["account", "deactivate"], &json!({"auth": auth("alice"), "erase": true})).ok();
    server.advance(60_000);
    let address = Address::new(Class::Room, room.clone());
    server.crash(&address);
    let lost = hubbub_storage::native::NativeDatabase::in_memory().unwrap();
    server.host().keep(address, lost);
    server.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();
    let carl = server.account("carl");
    carl.join(&room);

    assert_eq!(said(&carl, &room), [json!({})]);
    assert_eq!(said(&bob, &room)[0]["body"], "my secret");
}

#[test]
fn a_deactivation_without_erasure_leaves_what_was_said() {
    let server = TestServer::new();
    let (alice, bob, carl) = (server.register("alice"), server.account("bob"), server.account("carl"));
    let room = bob.public_room();
    alice.join(&room);
    alice.send_text(&room, "still here");

    deactivate(&alice, "alice");
    carl.join(&room);

    assert_eq!(said(&carl, &room)[0]["body"], "still here");
}

#[test]
fn erasing_takes_what_the_user_kept_here() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let room = bob.public_room();
    alice.join(&room);
    alice.put(["user", &alice.user_id, "account_data", "org.diary"], &json!({"text": "dear diary"})).ok();
    alice.post(["user", &alice.user_id, "filter"], &json!({"event_fields": ["diary"]})).ok();
    let address = Address::new(Class::User, alice.user_id.clone());

    alice.post(["account", "deactivate"], &json!({"auth": auth("alice"), "erase": true})).ok();

    let dump = server.host().database(&address).unwrap().dump().unwrap();
    assert!(!dump.contains("diary"), "{dump}");
    assert_eq!(bob.state(&room, "m.room.member", &alice.user_id).ok()["membership"], "leave");
}

#[test]
fn an_appservice_deactivates_its_own_users_and_then_acts_as_them_no_more() {
    let server = with_bridge();
    let bob = server.account("bob");
    let ghost = ghost(&server);
    let room = bob.public_room();
    ghost.join(&room);

    ghost.post(["account", "deactivate"], &json!({})).ok();

    assert_eq!(bob.state(&room, "m.room.member", &ghost.user_id).ok()["membership"], "leave");
    ghost.get(["devices"]).refused(403, "M_USER_DEACTIVATED");
    ghost.post(["join", &room], &json!({})).refused(403, "M_USER_DEACTIVATED");
    ghost
        .put(["profile", &ghost.user_id, "displayname"], &json!({"displayname": "One"}))
        .refused(403, "M_USER_DEACTIVATED");
    let body = json!({"type": "m.login.application_service", "user": "_bridge_one"});
    server.send(Method::POST, LOGIN, Some(AS_TOKEN), Some(&body)).refused(403, "M_USER_DEACTIVATED");
    let body = json!({"type": "m.login.application_service", "username": "_bridge_one"});
    server.send(Method::POST, "/_matrix/client/v3/register", Some(AS_TOKEN), Some(&body)).refused(400, "M_USER_IN_USE");
}

#[test]
fn an_owner_who_deactivated_the_account_no_longer_owns_the_server() {
    let server = TestServer::new();
    let link = |server: &TestServer| {
        let made = server.admin(Method::POST, "owner-link", &json!({})).ok();
        let url = made["url"].as_str().unwrap().to_owned();
        url.strip_prefix("https://hub.example").unwrap().to_owned()
    };
    let submit = |form: &str| {
        let request = http::Request::post(link(&server))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.as_bytes().to_vec())
            .unwrap();
        server.request(request)
    };
    assert_eq!(submit("username=alice&password=alice's password").status, 200);
    let alice = server.login("alice", None);

    deactivate(&alice, "alice");

    let again = submit("username=alice&password=alice's password");
    assert!(again.text().contains("Somebody else has this user name"), "{}", again.text());
    log_in(&server, "alice", "alice's password").refused(403, "M_FORBIDDEN");
    assert_eq!(submit("username=anna&password=alice's password").status, 200);
    log_in(&server, "anna", "alice's password").ok();
}

#[test]
fn no_third_party_identifier_is_bound() {
    let server = TestServer::new();

    assert_eq!(server.account("alice").get(["account", "3pid"]).ok(), json!({"threepids": []}));
    server.get("/_matrix/client/v3/account/3pid").refused(401, "M_MISSING_TOKEN");
}

#[test]
fn whois_shows_ones_own_devices_and_nobody_elses() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));

    let shown = alice.get(["admin", "whois", &alice.user_id]).ok();

    assert_eq!(shown["user_id"], alice.user_id.as_str());
    alice.get(["devices"]).ok();
    assert!(shown["devices"][alice.device_id.as_str()]["sessions"][0]["connections"][0].is_object(), "{shown}");
    bob.get(["admin", "whois", &alice.user_id]).refused(403, "M_FORBIDDEN");
    server.get("/_matrix/client/v3/admin/whois/@alice:hub.example").refused(401, "M_MISSING_TOKEN");
}

fn userinfo(server: &TestServer, token: &str) -> Reply {
    server.get(&format!("/_matrix/federation/v1/openid/userinfo?access_token={token}"))
}

fn openid_token(client: &Client) -> Json {
    client.post(["user", &client.user_id, "openid", "request_token"], &json!({})).ok()
}

#[test]
fn an_openid_token_proves_who_the_user_is_for_an_hour_and_nothing_else() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));

    let answer = openid_token(&alice);

    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(
        (&answer["token_type"], &answer["matrix_server_name"], &answer["expires_in"]),
        (&json!("Bearer"), &json!("hub.example"), &json!(3600))
    );
    assert_eq!(userinfo(&server, token).ok(), json!({"sub": alice.user_id}));
    let whoami = "/_matrix/client/v3/account/whoami";
    server.send(Method::GET, whoami, Some(token), None).refused(401, "M_UNKNOWN_TOKEN");
    userinfo(&server, &alice.token).refused(401, "M_UNKNOWN_TOKEN");
    userinfo(&server, "x").refused(401, "M_UNKNOWN_TOKEN");
    server.get("/_matrix/federation/v1/openid/userinfo").refused(401, "M_MISSING_TOKEN");
    bob.post(["user", &alice.user_id, "openid", "request_token"], &json!({})).refused(403, "M_FORBIDDEN");
    server.advance(3_600_000);
    userinfo(&server, token).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn an_openid_token_ends_with_its_device() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let token = openid_token(&alice)["access_token"].as_str().unwrap().to_owned();

    alice.post(["logout"], &json!({})).ok();

    userinfo(&server, &token).refused(401, "M_UNKNOWN_TOKEN");
}

fn get_token(client: &Client, body: &Json) -> Reply {
    client.ask(Method::POST, "/_matrix/client/v1/login/get_token", Some(body))
}

fn login_with(server: &TestServer, token: &str) -> Reply {
    server.post(LOGIN, &json!({"type": "m.login.token", "token": token}))
}

#[test]
fn a_login_token_opens_one_session_on_another_device() {
    let server = TestServer::new();
    let alice = server.register("alice");
    assert_eq!(get_token(&alice, &json!({})).status, 401);

    let answer = get_token(&alice, &json!({"auth": auth("alice")})).ok();

    assert_eq!(answer["expires_in_ms"], 120_000);
    let token = answer["login_token"].as_str().unwrap();
    let session = login_with(&server, token).ok();
    assert_eq!(session["user_id"], alice.user_id.as_str());
    assert_ne!(session["device_id"], alice.device_id.as_str());
    login_with(&server, token).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_login_token_is_used_once_however_often_it_is_tried_at_once() {
    for seed in 0..8 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let alice = server.register("alice");
        let answer = get_token(&alice, &json!({"auth": auth("alice")})).ok();
        let body = json!({"type": "m.login.token", "token": answer["login_token"]});
        let start = || server.start(hubbub_native::client::request(Method::POST, LOGIN, None, Some(&body)));
        let tries = [start(), start(), start()];
        let opened = tries.iter().filter(|started| server.finish(started).status == 200).count();
        assert_eq!(opened, 1);
    }
}

#[test]
fn a_login_token_has_its_time_and_ends_with_its_device_and_forged_ones_wake_nobody() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let fresh = |client: &Client| {
        let answer = get_token(client, &json!({"auth": auth("alice")})).ok();
        answer["login_token"].as_str().unwrap().to_owned()
    };
    let late = fresh(&alice);
    server.advance(120_000);
    login_with(&server, &late).refused(403, "M_FORBIDDEN");
    let laptop = server.login("alice", None);
    let orphan = fresh(&laptop);
    laptop.post(["logout"], &json!({})).ok();
    login_with(&server, &orphan).refused(403, "M_FORBIDDEN");

    server.take_calls();
    for token in ["", "x", &alice.token, &alice.token.replacen("hub_", "hubl_", 1)] {
        login_with(&server, token).refused(403, "M_FORBIDDEN");
    }
    server.post(LOGIN, &json!({"type": "m.login.token"})).refused(400, "M_MISSING_PARAM");
    assert_eq!(server.take_calls(), []);
}

#[test]
fn a_name_is_available_until_it_is_taken_and_only_where_it_could_be_registered() {
    let server = TestServer::new();
    server.account("alice");
    let ask = |name: &str| server.get(&format!("/_matrix/client/v3/register/available?username={name}"));

    assert_eq!(ask("bob").ok(), json!({"available": true}));
    ask("alice").refused(400, "M_USER_IN_USE");
    ask("ALICE").refused(400, "M_USER_IN_USE");
    ask("a,b").refused(400, "M_INVALID_USERNAME");
    server.get("/_matrix/client/v3/register/available").refused(400, "M_MISSING_PARAM");

    let bridged = with_bridge();
    bridged.get("/_matrix/client/v3/register/available?username=_bridge_x").refused(400, "M_EXCLUSIVE");
    let closed = TestServer::with(Options { registration: Registration::Closed, ..Options::default() });
    closed.account("alice");
    for name in ["alice", "bob", "a,b"] {
        closed.get(&format!("/_matrix/client/v3/register/available?username={name}")).refused(403, "M_FORBIDDEN");
    }
}

#[test]
fn a_registration_token_is_valid_only_where_one_is_asked_for() {
    let ask = |server: &TestServer, token: &str| {
        server.get(&format!("/_matrix/client/v1/register/m.login.registration_token/validity?token={token}"))
    };
    let with = |registration| TestServer::with(Options { registration, ..Options::default() });
    let server = with(Registration::Token);

    assert_eq!(ask(&server, REGISTRATION_TOKEN).ok(), json!({"valid": true}));
    for token in ["", "sword", "swordfish2", "SWORDFISH"] {
        assert_eq!(ask(&server, token).ok(), json!({"valid": false}), "{token}");
    }
    server.get("/_matrix/client/v1/register/m.login.registration_token/validity").refused(400, "M_MISSING_PARAM");
    assert_eq!(ask(&with(Registration::Open), REGISTRATION_TOKEN).ok(), json!({"valid": false}));
    ask(&with(Registration::Closed), REGISTRATION_TOKEN).refused(403, "M_FORBIDDEN");
}
