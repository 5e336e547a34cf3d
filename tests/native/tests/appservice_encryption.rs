//! What an appservice needs to encrypt without `/sync`: devices without a login, to-device messages, device
//! lists and key counts in its transactions. Each only if it registered for it.

use std::{cell::RefCell, rc::Rc};

use http::Method;
use hubbub_native::{Client, Reply, TestServer, client::path};
use serde_json::{Value as Json, json};

const TOKEN: &str = "as_token_of_the_bridge";

fn yaml(flags: &str) -> String {
    format!(
        "
id: bridge
url: https://bridge.example
as_token: {TOKEN}
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
{flags}"
    )
}

const ALL: &str = "receive_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
";

type Transactions = Rc<RefCell<Vec<Json>>>;

/// A server with the bridge, the bridge's ghost, and what the bridge is sent.
fn bridged(flags: &str) -> (TestServer, Client, Transactions) {
    let server = TestServer::new();
    let sent = Transactions::default();
    let log = Rc::clone(&sent);
    server.http().answer_by(move |request| {
        log.borrow_mut().push(serde_json::from_slice(request.body()).expect("a transaction"));
        Ok(http::Response::new(b"{}".to_vec()))
    });
    server.register_appservice(&yaml(flags)).ok();
    let body = json!({"type": "m.login.application_service", "username": "_bridge_ghost", "inhibit_login": true});
    server.send(Method::POST, "/_matrix/client/v3/register", Some(TOKEN), Some(&body)).ok();
    let ghost = server.appservice_user(TOKEN, "@_bridge_ghost:hub.example");
    (server, ghost, sent)
}

fn put_device(user: &Client, device_id: &str) -> Reply {
    user.put(["devices", device_id], &json!({"display_name": "The bridge"}))
}

fn send(client: &Client, transaction: &str, to: &Client, device: &str, content: &Json) {
    let body = json!({"messages": { &to.user_id: { device: content } }});
    client.put(["sendToDevice", "m.test", transaction], &body).ok();
}

fn all(sent: &Transactions, key: &str) -> Vec<Json> {
    let lists = sent.borrow();
    lists.iter().flat_map(|transaction| transaction[key].as_array().cloned().unwrap_or_default()).collect()
}

fn upload(user: &Client, device: &str) -> Reply {
    let device_keys = json!({
        "user_id": user.user_id, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"], "signatures": {},
        "keys": { format!("ed25519:{device}"): "A".repeat(43), format!("curve25519:{device}"): "B".repeat(43) },
    });
    let uri = format!("{}?device_id={device}", path(["keys", "upload"]));
    user.ask(Method::POST, &uri, Some(&json!({ "device_keys": device_keys })))
}

#[test]
fn an_appservice_makes_names_and_deletes_its_users_devices_without_a_login() {
    let (server, ghost, _) = bridged(ALL);
    assert_eq!(put_device(&ghost, "BRIDGE").status, 201);
    assert_eq!(put_device(&ghost, "BRIDGE").status, 200);
    let shown = ghost.get(["devices", "BRIDGE"]).ok();
    assert_eq!((&shown["device_id"], &shown["display_name"]), (&json!("BRIDGE"), &json!("The bridge")));
    ghost.put(["devices", &"x".repeat(3_000)], &json!({})).refused(400, "M_INVALID_PARAM");
    // Only of the users that it made, not of those that it shares.
    let alice = server.account("alice");
    let as_alice = server.appservice_user(TOKEN, &alice.user_id);
    put_device(&as_alice, "SPY").refused(403, "M_FORBIDDEN");
    assert_eq!(as_alice.delete(["devices", &alice.device_id]).status, 401, "the password is asked for");
    assert_eq!(alice.get(["devices"]).ok()["devices"].as_array().map(Vec::len), Some(1));

    ghost.delete(["devices", "BRIDGE"]).ok();
    ghost.get(["devices", "BRIDGE"]).refused(404, "M_NOT_FOUND");
    put_device(&ghost, "ONE");
    put_device(&ghost, "TWO");
    ghost.post(["delete_devices"], &json!({"devices": ["ONE", "TWO"]})).ok();
    assert_eq!(ghost.get(["devices"]).ok()["devices"], json!([]));
}

#[test]
fn an_appservice_acts_as_a_device_of_its_user() {
    let (server, ghost, _) = bridged(ALL);
    put_device(&ghost, "BRIDGE");
    let whoami = |user: &Client, device: &str| {
        user.ask(Method::GET, &format!("{}?org.matrix.msc3202.device_id={device}", path(["account", "whoami"])), None)
    };
    assert_eq!(whoami(&ghost, "BRIDGE").ok()["device_id"], "BRIDGE");
    upload(&ghost, "BRIDGE").ok();
    upload(&ghost, "NONE").refused(400, "M_EXCLUSIVE");
    let query = json!({"device_keys": { &ghost.user_id: [] }});
    let alice = server.account("alice");
    let shown = alice.post(["keys", "query"], &query).ok();
    assert!(shown["device_keys"][&ghost.user_id]["BRIDGE"]["keys"].is_object(), "{shown}");
    // Not as one of somebody whom it only shares.
    let as_alice = server.appservice_user(TOKEN, &alice.user_id);
    upload(&as_alice, &alice.device_id).refused(403, "M_FORBIDDEN");
    let uri = format!("{}?device_id={}", path(["sync"]), alice.device_id);
    as_alice.ask(Method::GET, &uri, None).refused(403, "M_FORBIDDEN");
}

#[test]
fn to_device_messages_come_in_transactions_once_and_in_order() {
    let (server, ghost, sent) = bridged(ALL);
    put_device(&ghost, "BRIDGE");
    let alice = server.account("alice");
    for n in 0..3 {
        send(&alice, &format!("t{n}"), &ghost, if n == 1 { "*" } else { "BRIDGE" }, &json!({"n": n}));
        server.host().crash_all();
    }
    server.advance(60_000);
    let expected: Vec<Json> = (0..3)
        .map(|n| {
            json!({
                "type": "m.test", "sender": alice.user_id, "content": {"n": n},
                "to_user_id": ghost.user_id, "to_device_id": "BRIDGE",
            })
        })
        .collect();
    assert_eq!(all(&sent, "de.sorunome.msc2409.to_device"), expected);
    // What was handed over waits for nobody else.
    let uri = format!("{}?device_id=BRIDGE", path(["sync"]));
    assert!(ghost.ask(Method::GET, &uri, None).ok()["to_device"].is_null());
}

#[test]
fn receive_ephemeral_alone_brings_to_device_messages_once_and_leaves_them_for_sync() {
    let (server, ghost, sent) = bridged("receive_ephemeral: true\nio.element.msc4190: true\n");
    put_device(&ghost, "BRIDGE");
    let alice = server.account("alice");
    for n in 0..3 {
        send(&alice, &format!("t{n}"), &ghost, "BRIDGE", &json!({"n": n}));
        server.host().crash_all();
        server.advance(60_000);
    }
    let told: Vec<Json> =
        all(&sent, "de.sorunome.msc2409.to_device").iter().map(|message| message["content"]["n"].clone()).collect();
    assert_eq!(told, [0, 1, 2]);
    let login = json!({
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_bridge_ghost"},
        "device_id": "BRIDGE",
    });
    let login = server.send(Method::POST, "/_matrix/client/v3/login", Some(TOKEN), Some(&login)).ok();
    let uri = path(["sync"]);
    let synced = server.send(Method::GET, &uri, login["access_token"].as_str(), None).ok();
    assert_eq!(synced["to_device"]["events"].as_array().map(Vec::len), Some(3), "{synced}");
    // Keys and device lists were not asked for.
    for key in ["org.matrix.msc3202.device_lists", "org.matrix.msc3202.device_one_time_keys_count"] {
        assert!(all(&sent, key).is_empty() && sent.borrow().iter().all(|transaction| transaction[key].is_null()));
    }
}

#[test]
fn device_lists_and_key_counts_come_in_transactions() {
    let (server, ghost, sent) = bridged(ALL);
    put_device(&ghost, "BRIDGE");
    let alice = server.account("alice");
    let room = alice.public_room();
    ghost.join(&room);
    let mallory = server.account("mallory");
    let device_keys = |client: &Client| {
        let device = &client.device_id;
        json!({"device_keys": {
            "user_id": client.user_id, "device_id": device, "algorithms": [], "signatures": {},
            "keys": { format!("ed25519:{device}"): "A".repeat(43) },
        }})
    };
    for client in [&alice, &mallory] {
        client.post(["keys", "upload"], &device_keys(client)).ok();
    }
    let changed: Vec<Json> = sent
        .borrow()
        .iter()
        .flat_map(|transaction| {
            transaction["org.matrix.msc3202.device_lists"]["changed"].as_array().cloned().unwrap_or_default()
        })
        .collect();
    assert_eq!(changed, [json!(alice.user_id)], "mallory shares no room");

    let keys = json!({"one_time_keys": {"signed_curve25519:AAAA": {"key": "C".repeat(43), "signatures": {}}}});
    let uri = format!("{}?device_id=BRIDGE", path(["keys", "upload"]));
    ghost.ask(Method::POST, &uri, Some(&keys)).ok();
    let sent = sent.borrow();
    let counts = sent.iter().rev().find_map(|transaction| {
        transaction["org.matrix.msc3202.device_one_time_keys_count"][&ghost.user_id]["BRIDGE"].as_object().cloned()
    });
    assert_eq!(counts.map(Json::Object), Some(json!({"signed_curve25519": 1})));
    assert!(sent.iter().any(|transaction| {
        transaction["org.matrix.msc3202.device_unused_fallback_key_types"][&ghost.user_id]["BRIDGE"] == json!([])
    }));
}

#[test]
fn who_comes_into_and_who_leaves_the_last_shared_room_is_in_the_device_lists() {
    let (server, ghost, sent) = bridged(ALL);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| server.account(name));
    let (first, second) = (bob.public_room(), bob.public_room());
    for room in [&first, &second] {
        ghost.join(room);
        carol.join(room);
    }
    let told = |kind: &str| -> Vec<Json> {
        let lists = std::mem::take(&mut *sent.borrow_mut());
        let lists = lists.iter().map(|transaction| transaction["org.matrix.msc3202.device_lists"][kind].clone());
        lists.flat_map(|users| users.as_array().cloned().unwrap_or_default()).collect()
    };
    let settle = || server.advance(60_000);
    settle();
    assert_eq!(told("changed"), [json!(carol.user_id)], "once, though in two rooms");
    carol.put(["profile", &carol.user_id, "displayname"], &json!({"displayname": "Carol"})).ok();
    carol.leave(&first);
    alice.join(&first);
    alice.leave(&first);
    settle();
    assert_eq!(told("left"), Vec::<Json>::new(), "carol is met elsewhere, and alice is its own");
    carol.leave(&second);
    server.host().crash_all();
    settle();
    assert_eq!(told("left"), [json!(carol.user_id)]);
    carol.join(&second);
    settle();
    assert_eq!(told("changed"), [json!(carol.user_id)]);
    bob.member(&second, "ban", &carol).ok();
    settle();
    assert_eq!(told("left"), [json!(carol.user_id)]);
}

#[test]
fn the_presence_of_who_is_met_comes_once_in_transactions_and_of_nobody_else() {
    let (server, ghost, sent) = bridged("receive_ephemeral: true");
    let [bob, carol, dave] = ["bob", "carol", "dave"].map(|name| server.account(name));
    let (first, second, elsewhere) = (bob.public_room(), bob.public_room(), dave.public_room());
    for room in [&first, &second] {
        ghost.join(room);
        carol.join(room);
    }
    carol.join(&elsewhere);
    server.advance(60_000);
    sent.borrow_mut().clear();
    let say = |user: &Client, status: &str| {
        let body = json!({"presence": "online", "status_msg": status});
        user.put(["presence", &user.user_id, "status"], &body).ok();
        server.advance(60_000);
    };
    let told = || -> Vec<(Json, Json)> {
        let events = all(&sent, "ephemeral").into_iter().filter(|event| event["type"] == "m.presence");
        let shown = events.map(|event| (event["sender"].clone(), event["content"]["status_msg"].clone())).collect();
        sent.borrow_mut().clear();
        shown
    };
    say(&bob, "here");
    say(&dave, "far away");
    assert_eq!(told(), [(json!(bob.user_id), json!("here"))]);
    for room in [&first, &second] {
        ghost.leave(room);
    }
    say(&bob, "among ourselves");
    assert_eq!(told(), []);
}

#[test]
fn each_flag_of_a_registration_brings_only_its_own() {
    let login = json!({
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_bridge_ghost"},
        "device_id": "BRIDGE",
    });
    let shown = |flags: &str| -> (u16, u16, [bool; 3]) {
        let (server, ghost, sent) = bridged(flags);
        let made = put_device(&ghost, "BRIDGE").status;
        server.send(Method::POST, "/_matrix/client/v3/login", Some(TOKEN), Some(&login)).ok();
        let uploaded = upload(&ghost, "BRIDGE").status;
        let alice = server.account("alice");
        let room = alice.public_room();
        ghost.join(&room);
        send(&alice, "t1", &ghost, "BRIDGE", &json!({}));
        alice.put(["rooms", &room, "typing", &alice.user_id], &json!({"typing": true, "timeout": 30_000})).ok();
        upload(&alice, &alice.device_id).ok();
        server.advance(60_000);
        let keys = ["ephemeral", "de.sorunome.msc2409.to_device", "org.matrix.msc3202.device_lists"];
        let has = |key: &str| sent.borrow().iter().any(|transaction| !transaction[key].is_null());
        (made, uploaded, keys.map(has))
    };
    assert_eq!(shown("receive_ephemeral: true"), (404, 400, [true, true, false]));
    assert_eq!(shown("de.sorunome.msc2409.push_ephemeral: true"), (404, 400, [true, true, false]));
    assert_eq!(shown("org.matrix.msc3202: true"), (404, 200, [false, false, true]));
    assert_eq!(shown("io.element.msc4190: true"), (201, 400, [false, false, false]));
}

#[test]
fn whoever_did_not_register_for_it_gets_and_may_nothing_of_it() {
    let (server, ghost, sent) = bridged("");
    put_device(&ghost, "BRIDGE").refused(404, "M_NOT_FOUND");
    let login = json!({
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_bridge_ghost"},
        "device_id": "SESSION",
    });
    server.send(Method::POST, "/_matrix/client/v3/login", Some(TOKEN), Some(&login)).ok();
    assert_eq!(ghost.delete(["devices", "SESSION"]).status, 401);
    // The device is ignored, so there is none to upload keys for.
    assert_eq!(upload(&ghost, "SESSION").status, 400);
    let alice = server.account("alice");
    let room = alice.public_room();
    ghost.join(&room);
    send(&alice, "t1", &ghost, "SESSION", &json!({}));
    let body = json!({"device_keys": {
        "user_id": alice.user_id, "device_id": alice.device_id, "algorithms": [], "signatures": {},
        "keys": { format!("ed25519:{}", alice.device_id): "A".repeat(43) },
    }});
    alice.post(["keys", "upload"], &body).ok();
    server.advance(60_000);
    let sent = sent.borrow();
    assert!(!sent.is_empty());
    for key in ["de.sorunome.msc2409.to_device", "org.matrix.msc3202.device_lists"] {
        assert!(sent.iter().all(|transaction| transaction[key].is_null()), "{key}");
    }
}
