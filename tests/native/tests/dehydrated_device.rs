//! Dehydrated devices: made, seen by others like any device, replaced, deleted.

use http::Method;
use hubbub_native::{
    Client, Reply, TestServer,
    crypto::{SigningKey, device_keys},
};
use serde_json::{Value as Json, json};

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

fn body(client: &Client, device_id: &str) -> Json {
    json!({
        "device_id": device_id,
        "initial_device_display_name": "Dehydrated",
        "device_data": {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "abc", "nonce": "n"},
        "device_keys": device_keys(&client.user_id, device_id, &SigningKey::new(Some(device_id))),
        "one_time_keys": {"signed_curve25519:1": {"key": device_id}},
        "fallback_keys": {"signed_curve25519:f": {"key": device_id}},
    })
}

fn put(client: &Client, body: &Json) -> Reply {
    client.ask(Method::PUT, PATH, Some(body))
}

fn get(client: &Client) -> Reply {
    client.ask(Method::GET, PATH, None)
}

fn device_ids(client: &Client) -> Vec<String> {
    let devices = client.get(["devices"]).ok()["devices"].clone();
    devices.as_array().unwrap().iter().map(|device| device["device_id"].as_str().unwrap().to_owned()).collect()
}

fn shown(client: &Client, of: &Client) -> Json {
    let answer = client.post(["keys", "query"], &json!({"device_keys": {&of.user_id: []}})).ok();
    answer["device_keys"][&of.user_id].clone()
}

fn claim(client: &Client, of: &Client, device_id: &str) -> Json {
    let body = json!({"one_time_keys": {&of.user_id: {device_id: "signed_curve25519"}}});
    client.post(["keys", "claim"], &body).ok()["one_time_keys"][&of.user_id][device_id].clone()
}

#[test]
fn msc3814_a_dehydrated_device_is_kept_and_others_see_it_like_any_device() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    get(&alice).refused(404, "M_NOT_FOUND");
    alice.ask(Method::DELETE, PATH, None).refused(404, "M_NOT_FOUND");

    assert_eq!(put(&alice, &body(&alice, "DRY")).ok(), json!({"device_id": "DRY"}));

    let kept = get(&alice).ok();
    assert_eq!(kept, json!({"device_id": "DRY", "device_data": body(&alice, "DRY")["device_data"]}));
    get(&bob).refused(404, "M_NOT_FOUND");
    assert!(device_ids(&alice).contains(&"DRY".to_owned()));
    assert_eq!(shown(&bob, &alice)["DRY"]["unsigned"]["device_display_name"], "Dehydrated");
    assert_eq!(claim(&bob, &alice, "DRY"), json!({"signed_curve25519:1": {"key": "DRY"}}));
    assert_eq!(claim(&bob, &alice, "DRY"), json!({"signed_curve25519:f": {"key": "DRY"}}));
    server.host().crash_all();
    assert_eq!(get(&alice).ok(), kept);
}

#[test]
fn msc3814_a_new_dehydrated_device_replaces_the_one_before_with_all_its_keys() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    put(&alice, &body(&alice, "FIRST")).ok();

    put(&alice, &body(&alice, "SECOND")).ok();

    assert_eq!(get(&alice).ok()["device_id"], "SECOND");
    assert!(!device_ids(&alice).contains(&"FIRST".to_owned()));
    assert!(shown(&bob, &alice)["FIRST"].is_null());
    assert_eq!(claim(&bob, &alice, "FIRST"), Json::Null);
    assert_eq!(claim(&bob, &alice, "SECOND"), json!({"signed_curve25519:1": {"key": "SECOND"}}));
    let mut again = body(&alice, "SECOND");
    again["one_time_keys"] = json!({"signed_curve25519:1": {"key": "anew"}});
    put(&alice, &again).ok();
    assert_eq!(claim(&bob, &alice, "SECOND"), json!({"signed_curve25519:1": {"key": "anew"}}));
}

#[test]
fn msc3814_a_deleted_dehydrated_device_is_gone_with_its_keys() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let endings: [&dyn Fn(); 2] =
        [&|| assert_eq!(alice.ask(Method::DELETE, PATH, None).ok(), json!({"device_id": "DRY"})), &|| {
            let auth = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});
            alice.post(["delete_devices"], &json!({"devices": ["DRY"], "auth": auth})).ok();
        }];
    for end in endings {
        put(&alice, &body(&alice, "DRY")).ok();
        end();
        get(&alice).refused(404, "M_NOT_FOUND");
        assert_eq!(shown(&bob, &alice), json!({}));
        assert!(!device_ids(&alice).contains(&"DRY".to_owned()));
    }
}

#[test]
fn msc3814_a_malformed_one_and_one_with_the_id_of_a_real_device_are_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    put(&alice, &body(&alice, &alice.device_id)).refused(400, "M_INVALID_PARAM");
    put(&alice, &json!({"device_id": "DRY"})).refused(400, "M_BAD_JSON");
    let mut of_another = body(&alice, "DRY");
    of_another["device_keys"]["device_id"] = json!("OTHER");
    put(&alice, &of_another).refused(400, "M_INVALID_PARAM");
    let mut large = body(&alice, "DRY");
    large["device_data"] = json!({"x": "y".repeat(300_000)});
    put(&alice, &large).refused(413, "M_TOO_LARGE");
    put(&alice, &body(&alice, "")).refused(400, "M_INVALID_PARAM");
    put(&alice, &body(&alice, &"D".repeat(600))).refused(400, "M_INVALID_PARAM");

    get(&alice).refused(404, "M_NOT_FOUND");
    assert_eq!(device_ids(&alice), std::slice::from_ref(&alice.device_id), "what is refused makes no device");
}

const EVENTS: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/DRY/events";

/// Sends the dehydrated device so many messages, the `n` of which counts from 0.
fn send(sender: &Client, to: &Client, count: u32) {
    for n in 0..count {
        let body = json!({"messages": {&to.user_id: {"DRY": {"n": n}}}});
        sender.put(["sendToDevice", "m.test", &format!("t{n}")], &body).ok();
    }
}

fn numbers(page: &Json) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["n"].as_u64().unwrap()).collect()
}

#[test]
fn msc3814_a_message_of_the_dehydrated_device_is_shown_as_a_sync_would_and_to_its_user_only() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    alice.ask(Method::GET, EVENTS, None).refused(403, "M_FORBIDDEN");
    put(&alice, &body(&alice, "DRY")).ok();
    assert_eq!(alice.ask(Method::GET, EVENTS, None).ok(), json!({"events": []}));

    send(&bob, &alice, 1);

    let expected = json!([{"type": "m.test", "sender": bob.user_id, "content": {"n": 0}}]);
    assert_eq!(alice.ask(Method::GET, EVENTS, None).ok(), json!({"events": expected}));
    assert_eq!(alice.ask(Method::POST, EVENTS, Some(&json!({}))).ok()["events"], expected);
    bob.ask(Method::GET, EVENTS, None).refused(403, "M_FORBIDDEN");
    bob.ask(Method::POST, EVENTS, Some(&json!({}))).refused(403, "M_FORBIDDEN");
    let other = EVENTS.replace("DRY", &alice.device_id);
    alice.ask(Method::GET, &other, None).refused(403, "M_FORBIDDEN");
    alice.ask(Method::GET, &format!("{EVENTS}?from=nonsense"), None).refused(400, "M_INVALID_PARAM");
    alice.ask(Method::GET, &format!("{EVENTS}?limit=many"), None).refused(400, "M_INVALID_PARAM");
    alice.ask(Method::POST, EVENTS, Some(&json!({"next_batch": 1}))).refused(400, "M_BAD_JSON");
    server.send(Method::POST, EVENTS, None, Some(&json!({}))).refused(401, "M_MISSING_TOKEN");
}

#[test]
fn msc3814_a_dehydrated_devices_messages_come_in_pages_and_a_posted_token_deletes_what_it_passed() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    put(&alice, &body(&alice, "DRY")).ok();
    send(&bob, &alice, 230);
    let all: Vec<u64> = (0..230).collect();

    let (mut seen, mut uri, mut pages) = (Vec::new(), EVENTS.to_owned(), 0);
    loop {
        let page = alice.ask(Method::GET, &uri, None).ok();
        seen.extend(numbers(&page));
        pages += 1;
        let Some(next) = page["next_batch"].as_str() else { break };
        uri = format!("{EVENTS}?from={next}");
    }
    assert_eq!((&seen, pages), (&all, 3));
    let few = alice.ask(Method::GET, &format!("{EVENTS}?limit=7"), None).ok();
    assert_eq!(numbers(&few), all[..7], "reading deletes nothing");

    let post = |next: Option<&Json>| {
        let body = next.map_or(json!({}), |next| json!({"next_batch": next}));
        alice.ask(Method::POST, EVENTS, Some(&body)).ok()
    };
    let first = post(None);
    assert_eq!(numbers(&first), all[..100]);
    assert_eq!(numbers(&post(None)), all[..100], "the first answer may have been lost");
    let second = post(Some(&first["next_batch"]));
    assert_eq!(numbers(&second), all[100..200]);
    server.host().crash_all();
    assert_eq!(numbers(&post(None)), all[100..200], "the first hundred were passed");
    let third = post(Some(&second["next_batch"]));
    assert_eq!(numbers(&third), all[200..]);
    let end = post(Some(&third["next_batch"]));
    assert_eq!(numbers(&end), [0; 0]);
    assert_eq!(numbers(&post(None)), [0; 0]);
    send(&server.account("carol"), &alice, 1);
    assert_eq!(numbers(&post(Some(&end["next_batch"]))), [0], "what comes later is read on from there");
}
