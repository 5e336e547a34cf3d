//! Device keys, one-time keys and fallback keys: publishing, asking, claiming.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, Options, TestServer,
    client::path,
    crypto::{SigningKey, device_keys},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value as Json, json};

fn keys_of(client: &Client) -> Address {
    Address::new(Class::UserKeys, client.user_id.clone())
}

fn own_device_keys(client: &Client) -> Json {
    device_keys(&client.user_id, &client.device_id, &SigningKey::new(Some(&client.device_id)))
}

fn one_time_key(number: usize) -> (String, Json) {
    (format!("signed_curve25519:{number:04}"), json!({"key": format!("key {number}"), "signatures": {}}))
}

fn one_time_keys(numbers: impl IntoIterator<Item = usize>) -> Json {
    Json::Object(numbers.into_iter().map(one_time_key).collect())
}

fn upload(client: &Client, body: &Json) -> Json {
    client.post(["keys", "upload"], body).ok()["one_time_key_counts"].clone()
}

fn upload_keys(client: &Client, numbers: impl IntoIterator<Item = usize>) -> Json {
    upload(client, &json!({"one_time_keys": one_time_keys(numbers)}))
}

fn query(client: &Client, of: &Client) -> Json {
    client.post(["keys", "query"], &json!({"device_keys": {&of.user_id: []}})).ok()
}

fn devices(client: &Client, of: &Client) -> Json {
    query(client, of)["device_keys"][&of.user_id].clone()
}

fn claim_body(of: &Client) -> Json {
    json!({"one_time_keys": {&of.user_id: {&of.device_id: "signed_curve25519"}}})
}

/// The id of the key that a claim gives.
fn claim(client: &Client, of: &Client) -> Option<String> {
    let answer = client.post(["keys", "claim"], &claim_body(of)).ok();
    assert_eq!(answer["failures"], json!({}));
    claimed(&answer, of)
}

fn claimed(answer: &Json, of: &Client) -> Option<String> {
    let keys = answer["one_time_keys"].get(&of.user_id)?[&of.device_id].as_object().expect("keys");
    assert_eq!(keys.len(), 1);
    keys.keys().next().cloned()
}

#[test]
fn device_keys_are_shown_as_they_were_uploaded_with_the_devices_name() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let keys = own_device_keys(&alice);
    assert_eq!(upload(&alice, &json!({ "device_keys": keys })), json!({"signed_curve25519": 0}));

    assert_eq!(devices(&bob, &alice), json!({&alice.device_id: keys}));

    alice.put(["devices", &alice.device_id], &json!({"display_name": "Kitchen"})).ok();
    let named = devices(&bob, &alice);
    assert_eq!(named[&alice.device_id]["unsigned"], json!({"device_display_name": "Kitchen"}));
    assert_eq!(named[&alice.device_id]["keys"], keys["keys"]);
    let of_device = |device: &str| {
        let body = json!({"device_keys": {&alice.user_id: [device]}});
        bob.post(["keys", "query"], &body).ok()["device_keys"][&alice.user_id].clone()
    };
    assert_eq!(of_device(&alice.device_id), named);
    assert_eq!(of_device("OTHER"), json!({}));
}

#[test]
fn who_has_no_keys_has_an_empty_object_and_other_servers_are_failures() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let body = json!({"device_keys": {&bob.user_id: [], "@nobody:hub.example": [], "@carol:else.where": []}});

    let answer = alice.post(["keys", "query"], &body).ok();

    assert_eq!(answer["device_keys"], json!({&bob.user_id: {}, "@nobody:hub.example": {}}));
    assert!(answer["failures"]["else.where"].is_object());
    for part in ["master_keys", "self_signing_keys", "user_signing_keys"] {
        assert_eq!(answer[part], json!({}));
    }
    let claims = json!({"one_time_keys": {
        &bob.user_id: {"X": "signed_curve25519"}, "@carol:else.where": {"Y": "signed_curve25519"},
    }});
    let answer = alice.post(["keys", "claim"], &claims).ok();
    assert_eq!(answer["one_time_keys"], json!({}));
    assert!(answer["failures"]["else.where"].is_object());
    let written = server.host().written();
    assert!(written.iter().all(|address| address.class != Class::UserKeys), "asking conjures nothing: {written:?}");
}

#[test]
fn malformed_device_keys_and_those_of_others_are_refused() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let with = |change: &dyn Fn(&mut Json)| {
        let mut keys = own_device_keys(&alice);
        change(&mut keys);
        alice.post(["keys", "upload"], &json!({ "device_keys": keys }))
    };
    for part in ["algorithms", "keys", "signatures", "user_id", "device_id"] {
        with(&|keys| drop(keys.as_object_mut().unwrap().remove(part))).refused(400, "M_BAD_JSON");
    }
    with(&|keys| keys["user_id"] = json!(bob.user_id)).refused(400, "M_INVALID_PARAM");
    with(&|keys| keys["device_id"] = json!("OTHER")).refused(400, "M_INVALID_PARAM");
    with(&|keys| keys["padding"] = json!("x".repeat(40_000))).refused(413, "M_TOO_LARGE");
    let one = |id: &str, key: Json| alice.post(["keys", "upload"], &json!({"one_time_keys": {id: key}}));
    one("signed_curve25519", json!({})).refused(400, "M_INVALID_PARAM");
    one("a:b", json!(7)).refused(400, "M_BAD_JSON");
    one(&format!("a:{}", "b".repeat(300)), json!("k")).refused(413, "M_TOO_LARGE");
    one("a:b", json!("k".repeat(5_000))).refused(413, "M_TOO_LARGE");
    let many = json!({"one_time_keys": one_time_keys(0..1_001)});
    alice.post(["keys", "upload"], &many).refused(413, "M_TOO_LARGE");
    let two = json!({"fallback_keys": {"a:1": "k", "a:2": "k"}});
    alice.post(["keys", "upload"], &two).refused(400, "M_INVALID_PARAM");
    let wrong = json!({"device_keys": {&alice.user_id: {&alice.device_id: true}}});
    alice.post(["keys", "query"], &wrong).refused(400, "M_BAD_JSON");
    assert_eq!(devices(&bob, &alice), json!({}));
    assert!(!server.host().written().contains(&keys_of(&alice)), "what is refused writes nothing");
}

#[test]
fn at_most_five_hundred_users_and_two_thousand_devices_are_asked_at_once() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let users: Json = (0..501).map(|number| (format!("@user{number}:hub.example"), json!([]))).collect();
    alice.post(["keys", "query"], &json!({ "device_keys": users })).refused(413, "M_TOO_LARGE");
    let of: Json = (0..2_001).map(|number| (format!("D{number}"), json!("signed_curve25519"))).collect();
    let claims = json!({"one_time_keys": {"@bob:hub.example": of}});
    alice.post(["keys", "claim"], &claims).refused(413, "M_TOO_LARGE");
}

#[test]
fn keys_are_claimed_in_the_order_of_their_upload_and_each_once() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    assert_eq!(upload_keys(&alice, [7]), json!({"signed_curve25519": 1}));
    assert_eq!(upload_keys(&alice, [3]), json!({"signed_curve25519": 2}));
    assert_eq!(upload_keys(&alice, [5]), json!({"signed_curve25519": 3}));

    let answer = bob.post(["keys", "claim"], &claim_body(&alice)).ok();
    let (id, key) = one_time_key(7);
    assert_eq!(answer["one_time_keys"], json!({&alice.user_id: {&alice.device_id: {id: key}}}));
    assert_eq!(claim(&bob, &alice).unwrap(), one_time_key(3).0);
    assert_eq!(claim(&bob, &alice).unwrap(), one_time_key(5).0);
    assert_eq!(bob.post(["keys", "claim"], &claim_body(&alice)).ok()["one_time_keys"], json!({}));
    let other = json!({"one_time_keys": {&alice.user_id: {&alice.device_id: "other"}}});
    upload_keys(&alice, [8]);
    assert_eq!(bob.post(["keys", "claim"], &other).ok()["one_time_keys"], json!({}));
    assert_eq!(upload(&alice, &json!({})), json!({"signed_curve25519": 1}));
}

#[test]
fn uploading_again_changes_nothing_and_never_brings_a_claimed_key_back() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let keys = own_device_keys(&alice);
    let body = json!({"device_keys": keys, "one_time_keys": one_time_keys(0..4)});
    for _ in 0..3 {
        assert_eq!(upload(&alice, &body), json!({"signed_curve25519": 4}));
    }
    let dump = || server.host().database(&keys_of(&alice)).unwrap().dump().unwrap();
    let before = dump();
    upload(&alice, &body);
    assert_eq!(dump(), before);
    assert_eq!(upload_keys(&alice, 2..6), json!({"signed_curve25519": 6}));

    let taken = claim(&bob, &alice).unwrap();

    assert_eq!(taken, one_time_key(0).0);
    assert_eq!(upload_keys(&alice, 0..6), json!({"signed_curve25519": 5}));
    let all: Vec<_> = (0..5).filter_map(|_| claim(&bob, &alice)).collect();
    assert_eq!(all, (1..6).map(|number| one_time_key(number).0).collect::<Vec<_>>());
    assert_eq!(upload_keys(&alice, 0..6), json!({"signed_curve25519": 0}));
    assert_eq!(claim(&bob, &alice), None);
}

#[test]
fn another_key_under_the_id_of_one_that_waits_is_refused_and_nothing_of_that_upload_stays() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    upload_keys(&alice, [1]);
    let mut keys = one_time_keys([0, 1, 2]);
    keys[one_time_key(1).0]["key"] = json!("another");

    let refused = alice.post(["keys", "upload"], &json!({ "one_time_keys": keys })).refused(400, "M_INVALID_PARAM");

    let sentence = refused["error"].as_str().unwrap();
    assert!(sentence.starts_with("One time key") && sentence.contains("already exists"), "{sentence}");
    assert_eq!(upload(&alice, &json!({})), json!({"signed_curve25519": 1}));
    let answer = bob.post(["keys", "claim"], &claim_body(&alice)).ok();
    assert_eq!(answer["one_time_keys"][&alice.user_id][&alice.device_id], one_time_keys([1]));
}

#[test]
fn the_fallback_key_is_given_when_no_one_time_key_is_left_and_again_and_again() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let fallback = |number: usize| json!({"fallback_keys": one_time_keys([number])});
    upload_keys(&alice, [1]);
    assert_eq!(upload(&alice, &fallback(100)), json!({"signed_curve25519": 1}));

    let ids: Vec<_> = (0..3).map(|_| claim(&bob, &alice).unwrap()).collect();

    assert_eq!(ids, [1, 100, 100].map(|number| one_time_key(number).0));
    upload(&alice, &fallback(101));
    assert_eq!(claim(&bob, &alice).unwrap(), one_time_key(101).0);
}

#[test]
fn a_hundred_claims_at_once_share_fifty_keys_without_giving_any_twice() {
    for with_fallback in [false, true] {
        for seed in 0..5 {
            let server = TestServer::with(Options { seed, ..Options::default() });
            let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
            upload_keys(&alice, 0..50);
            if with_fallback {
                upload(&alice, &json!({"fallback_keys": one_time_keys([100])}));
            }
            let started: Vec<_> = (0..100)
                .map(|number| {
                    let who = if number % 2 == 0 { &bob } else { &carol };
                    server.start(who.request(Method::POST, &path(["keys", "claim"]), Some(&claim_body(&alice))))
                })
                .collect();
            let mut given = BTreeMap::<Option<String>, usize>::new();
            for claim in &started {
                *given.entry(claimed(&server.finish(claim).ok(), &alice)).or_default() += 1;
            }

            let rest = with_fallback.then(|| one_time_key(100).0);
            assert_eq!(given.remove(&rest), Some(50), "seed {seed}");
            assert_eq!(given.len(), 50, "seed {seed}");
            assert!(given.values().all(|times| *times == 1), "seed {seed}: {given:?}");
        }
    }
}

#[test]
fn whatever_is_uploaded_claimed_and_deleted_in_which_order_no_key_is_given_twice() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob) = (server.register("alice"), server.account("bob"));
        let mut device = server.login("alice", Some("D"));
        // What was given since the device was made: a new device under the same id may use the ids again.
        let (mut given, mut uploaded) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..60 {
            match random.random_range(0..10) {
                0..=3 => {
                    let from = random.random_range(0..30);
                    let numbers = from..from + random.random_range(1..6);
                    uploaded.extend(numbers.clone());
                    let counts = upload_keys(&device, numbers);
                    let expected = uploaded.difference(&given).count();
                    assert_eq!(counts, json!({ "signed_curve25519": expected }), "seed {seed}");
                }
                4..=8 => match claim(&bob, &device) {
                    Some(id) => {
                        let number = id.rsplit(':').next().unwrap().parse::<usize>().unwrap();
                        assert!(uploaded.contains(&number), "seed {seed}: never uploaded");
                        assert!(given.insert(number), "seed {seed}: {id} was given twice");
                    }
                    None => assert_eq!(given, uploaded, "seed {seed}"),
                },
                _ if random.random_bool(0.5) => server.crash(&keys_of(&device)),
                _ => {
                    device.post(["logout"], &json!({})).ok();
                    assert_eq!(claim(&bob, &device), None, "seed {seed}");
                    device = server.login("alice", Some("D"));
                    given.clear();
                    uploaded.clear();
                }
            }
        }
        drop(alice);
    }
}

/// How a device ends.
type Ending<'a> = (&'a str, &'a dyn Fn(&Client));

#[test]
fn the_keys_of_a_deleted_device_cannot_be_seen_or_claimed() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let auth = json!({
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "alice's password",
    });
    let endings: [Ending<'_>; 5] = [
        ("logout", &|device| drop(device.post(["logout"], &json!({})).ok())),
        ("DELETE", &|device| {
            let uri = path(["devices", &device.device_id]);
            alice.ask(Method::DELETE, &uri, Some(&json!({ "auth": auth }))).ok();
        }),
        ("delete_devices", &|device| {
            alice.post(["delete_devices"], &json!({"devices": [device.device_id], "auth": auth})).ok();
        }),
        ("password", &|_| {
            let body = json!({"new_password": "alice's password", "auth": auth});
            alice.post(["account", "password"], &body).ok();
        }),
        ("logout/all", &|device| drop(device.post(["logout", "all"], &json!({})).ok())),
    ];
    for (how, end) in endings {
        let device = server.login("alice", None);
        let fallback = json!({"fallback_keys": one_time_keys([9])});
        upload(&device, &json!({"device_keys": own_device_keys(&device), "one_time_keys": one_time_keys(0..3)}));
        upload(&device, &fallback);
        assert!(devices(&bob, &device)[&device.device_id].is_object());

        end(&device);

        assert_eq!(devices(&bob, &device), json!({}), "{how}");
        assert_eq!(claim(&bob, &device), None, "{how}");
        device.post(["keys", "upload"], &fallback).refused(401, "M_UNKNOWN_TOKEN");
    }
}

#[test]
fn who_is_deactivated_has_no_keys_and_takes_none() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    upload(&alice, &json!({"device_keys": own_device_keys(&alice), "one_time_keys": one_time_keys(0..3)}));
    let auth = json!({"type": "m.login.password", "user": "alice", "password": "alice's password"});
    alice.post(["account", "deactivate"], &json!({ "auth": auth })).ok();

    assert_eq!(devices(&bob, &alice), json!({}));
    assert_eq!(claim(&bob, &alice), None);
    alice.post(["keys", "upload"], &json!({})).refused(401, "M_UNKNOWN_TOKEN");
    server.advance(60_000);
    assert_eq!(mirrored(&server), Vec::<String>::new());
}

#[test]
fn a_device_that_is_made_anew_under_the_same_id_keeps_the_keys_that_it_uploads() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let old = server.login("alice", Some("D"));
    upload(&old, &json!({"device_keys": own_device_keys(&old), "one_time_keys": one_time_keys([1])}));
    server.set_settling(false);
    let logout = server.start(old.request(Method::POST, &path(["logout"]), Some(&json!({}))));
    server.finish(&logout).ok();

    let new = server.login("alice", Some("D"));
    let keys = own_device_keys(&new);
    upload(&new, &json!({"device_keys": keys, "one_time_keys": one_time_keys([2])}));
    server.settle();
    server.advance(60_000);

    assert_eq!(devices(&bob, &new)["D"]["keys"], keys["keys"]);
    assert_eq!(claim(&bob, &new).unwrap(), one_time_key(2).0);
    drop(alice);
}

#[test]
fn a_claim_and_a_query_cost_one_call_of_each_user_asked_for() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    upload(&alice, &json!({"device_keys": own_device_keys(&alice), "one_time_keys": one_time_keys(0..3)}));
    let classes = || server.take_calls().into_iter().map(|address| address.class).collect::<Vec<_>>();
    classes();

    claim(&bob, &alice);
    assert_eq!(classes(), [Class::User, Class::UserKeys]);
    bob.post(["keys", "query"], &json!({"device_keys": {&alice.user_id: [], &bob.user_id: []}})).ok();
    assert_eq!(classes(), [Class::User, Class::UserKeys, Class::UserKeys]);
    upload_keys(&alice, 3..6);
    assert_eq!(classes(), [Class::User], "the user's object passes it on");
}

/// The device ids of which D1 has keys.
fn mirrored(server: &TestServer) -> Vec<String> {
    let directory = std::rc::Rc::clone(&server.context().directory);
    server.run(async move {
        let sql = "SELECT device_id FROM device_keys ORDER BY device_id";
        let rows = hubbub_storage::directory::run(&*directory, sql, vec![]).await.expect("D1 answers");
        rows.iter().map(|row| row.text(0).expect("text")).collect()
    })
}
