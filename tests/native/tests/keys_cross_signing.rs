//! Cross-signing: who may replace an identity, which signatures are taken, and who sees them.

use hubbub_native::{
    Client, Reply, TestServer,
    crypto::{Identity, SigningKey, device_keys},
};
use serde_json::{Value as Json, json};

fn upload(client: &Client, body: &Json) -> Reply {
    client.post(["keys", "device_signing", "upload"], body)
}

fn sign(client: &Client, of: &str, target: &str, object: &Json) -> Json {
    let body = json!({of: {target: object}});
    client.post(["keys", "signatures", "upload"], &body).ok()["failures"].clone()
}

fn query(client: &Client, of: &Client) -> Json {
    client.post(["keys", "query"], &json!({"device_keys": {&of.user_id: []}})).ok()
}

/// Publishes a device's keys and returns them with the key that signs for it.
fn publish(client: &Client) -> (SigningKey, Json) {
    let key = SigningKey::new(Some(&client.device_id));
    let keys = device_keys(&client.user_id, &client.device_id, &key);
    client.post(["keys", "upload"], &json!({ "device_keys": keys })).ok();
    (key, keys)
}

/// Publishes all three keys of a new identity.
fn identify(client: &Client) -> Identity {
    let identity = Identity::new(&client.user_id);
    upload(client, &identity.body()).ok();
    identity
}

fn password(name: &str, session: &Json) -> Json {
    json!({
        "type": "m.login.password", "session": session,
        "identifier": {"type": "m.id.user", "user": name}, "password": format!("{name}'s password"),
    })
}

#[track_caller]
fn challenged(reply: Reply) -> Json {
    assert_eq!(reply.status, 401, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["flows"], json!([{"stages": ["m.login.password"]}]));
    body["session"].clone()
}

fn with(mut body: Json, auth: Json) -> Json {
    body["auth"] = auth;
    body
}

#[test]
fn the_first_keys_need_no_password_and_neither_do_the_same_ones_again() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));

    let identity = identify(&alice);
    upload(&alice, &identity.body()).ok();

    let own = query(&alice, &alice);
    assert_eq!(own["master_keys"][&alice.user_id]["keys"], identity.master_key()["keys"]);
    assert_eq!(own["self_signing_keys"][&alice.user_id], identity.self_signing_key());
    assert_eq!(own["user_signing_keys"][&alice.user_id], identity.user_signing_key());
    let others = query(&bob, &alice);
    assert_eq!(others["master_keys"], own["master_keys"]);
    assert_eq!(others["self_signing_keys"], own["self_signing_keys"]);
    assert_eq!(others["user_signing_keys"], json!({}), "whom Alice verifies is her business");
}

#[test]
fn replacing_keys_or_adding_to_them_needs_the_password_for_these_very_keys() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.register("bob"));
    let first = Identity::new(&alice.user_id);
    upload(&alice, &json!({"master_key": first.master_key()})).ok();
    let other = Identity::new(&alice.user_id);
    challenged(upload(&alice, &other.body()));
    let adding = json!({"self_signing_key": first.self_signing_key()});

    let session = challenged(upload(&alice, &adding));
    let auth = password("alice", &session);
    upload(&alice, &with(other.body(), auth.clone())).refused(403, "M_FORBIDDEN");
    let wrong = json!({"type": "m.login.password", "session": session, "user": "alice", "password": "wrong"});
    assert_eq!(upload(&alice, &with(adding.clone(), wrong)).status, 401);
    upload(&alice, &with(adding.clone(), password("bob", &session))).refused(403, "M_FORBIDDEN");
    assert_eq!(query(&bob, &alice)["self_signing_keys"], json!({}));
    upload(&alice, &with(adding.clone(), auth)).ok();
    upload(&alice, &adding).ok();

    assert_eq!(query(&bob, &alice)["self_signing_keys"][&alice.user_id], first.self_signing_key());
    let session = challenged(upload(&alice, &other.body()));
    upload(&alice, &with(other.body(), password("alice", &session))).ok();
    assert_eq!(query(&bob, &alice)["master_keys"][&alice.user_id]["keys"], other.master_key()["keys"]);
}

#[test]
fn a_new_master_key_that_vouches_for_the_same_keys_leaves_them() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let first = identify(&alice);
    let second = Identity { master: SigningKey::new(None), ..first };
    let session = challenged(upload(&alice, &second.body()));

    upload(&alice, &with(second.body(), password("alice", &session))).ok();

    let shown = query(&bob, &alice);
    assert_eq!(shown["self_signing_keys"][&alice.user_id], second.self_signing_key());
    assert_eq!(query(&alice, &alice)["user_signing_keys"][&alice.user_id], second.user_signing_key());
}

#[test]
fn a_bogus_stage_or_only_a_session_never_replaces_an_identity() {
    let server = TestServer::new();
    let alice = server.register("alice");
    let identity = identify(&alice);
    let other = Identity::new(&alice.user_id).body();
    for stage in ["m.login.dummy", "m.login.token", "m.login.sso", "org.matrix.cross_signing_reset"] {
        let session = challenged(upload(&alice, &other));
        for auth in [json!({"type": stage, "session": session}), json!({"session": session}), json!({"type": stage})] {
            challenged(upload(&alice, &with(other.clone(), auth)));
        }
    }
    assert_eq!(query(&alice, &alice)["master_keys"][&alice.user_id]["keys"], identity.master_key()["keys"]);
}

#[test]
fn malformed_cross_signing_keys_are_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let identity = Identity::new(&alice.user_id);
    let master = |change: &dyn Fn(&mut Json)| {
        let mut key = identity.master_key();
        change(&mut key);
        upload(&alice, &json!({ "master_key": key }))
    };
    master(&|key| key["user_id"] = json!("@bob:hub.example")).refused(400, "M_INVALID_PARAM");
    master(&|key| key["usage"] = json!(["self_signing"])).refused(400, "M_INVALID_PARAM");
    master(&|key| key["keys"] = json!({})).refused(400, "M_INVALID_PARAM");
    master(&|key| key["keys"]["ed25519:x"] = json!("x")).refused(400, "M_INVALID_PARAM");
    master(&|key| key["keys"] = json!({"ed25519:x": identity.master.public()})).refused(400, "M_INVALID_PARAM");
    master(&|key| key["keys"] = json!({"ed25519:abc": "abc"})).refused(400, "M_INVALID_PARAM");
    master(&|key| *key = json!("key")).refused(400, "M_BAD_JSON");
    master(&|key| key["padding"] = json!("x".repeat(40_000))).refused(413, "M_TOO_LARGE");
    let alone = json!({"self_signing_key": identity.self_signing_key()});
    upload(&alice, &alone).refused(400, "M_MISSING_PARAM");
    let stranger = Identity::new(&alice.user_id);
    let mut body = identity.body();
    body["self_signing_key"] = stranger.self_signing_key();
    upload(&alice, &body).refused(400, "M_INVALID_SIGNATURE");
    let mut body = identity.body();
    body["user_signing_key"]["extra"] = json!("not signed");
    upload(&alice, &body).refused(400, "M_INVALID_SIGNATURE");
    assert_eq!(query(&alice, &alice)["master_keys"], json!({}));
}

#[test]
fn a_cross_signing_key_never_has_the_name_of_a_device() {
    let server = TestServer::new();
    server.register("alice");
    let identity = Identity::new("@alice:hub.example");
    let device = server.login("alice", Some(&identity.master.public()));
    publish(&device);

    upload(&device, &identity.body()).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_device_that_its_owner_signed_shows_that_to_everybody_until_its_keys_change() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let identity = identify(&alice);
    let (_, keys) = publish(&alice);
    let mut signed = keys.clone();
    identity.self_signing.sign(&alice.user_id, &mut signed);

    assert_eq!(sign(&alice, &alice.user_id, &alice.device_id, &signed), json!({}));

    let shown = |who: &Client| query(who, &alice)["device_keys"][&alice.user_id][&alice.device_id].clone();
    assert_eq!(shown(&bob), signed);
    alice.post(["keys", "upload"], &json!({ "device_keys": keys })).ok();
    assert_eq!(shown(&bob), signed, "the same keys again stay signed");
    let (_, other) = publish(&alice);
    assert_eq!(shown(&bob), other, "nobody vouched for these");
}

#[test]
fn a_new_identity_vouches_for_nothing_that_the_former_one_signed() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let identity = identify(&alice);
    let (key, keys) = publish(&alice);
    let mut signed = keys.clone();
    identity.self_signing.sign(&alice.user_id, &mut signed);
    sign(&alice, &alice.user_id, &alice.device_id, &signed);
    let other = Identity::new(&alice.user_id);
    let only_master = json!({"master_key": other.master_key()});
    let session = challenged(upload(&alice, &only_master));

    upload(&alice, &with(only_master, password("alice", &session))).ok();

    let shown = query(&bob, &alice);
    assert_eq!(shown["device_keys"][&alice.user_id][&alice.device_id], keys);
    assert_eq!(shown["self_signing_keys"], json!({}), "it was vouched for by the former master key");
    let mut master = other.master_key();
    key.sign(&alice.user_id, &mut master);
    assert_eq!(sign(&alice, &alice.user_id, &other.master.public(), &master), json!({}));
    assert_eq!(query(&bob, &alice)["master_keys"][&alice.user_id], master);
}

#[test]
fn a_signature_of_somebody_elses_master_key_is_shown_to_its_maker_only() {
    let server = TestServer::new();
    let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
    let (of_alice, of_bob) = (identify(&alice), identify(&bob));
    let mut signed = of_bob.master_key();
    of_alice.user_signing.sign(&alice.user_id, &mut signed);

    assert_eq!(sign(&alice, &bob.user_id, &of_bob.master.public(), &signed), json!({}));
    assert_eq!(sign(&alice, &bob.user_id, &of_bob.master.public(), &signed), json!({}));

    let shown = |who: &Client| query(who, &bob)["master_keys"][&bob.user_id]["signatures"][&alice.user_id].clone();
    assert_eq!(shown(&alice), signed["signatures"][&alice.user_id]);
    assert_eq!((shown(&bob), shown(&carol)), (Json::Null, Json::Null));
}

#[test]
fn signatures_that_are_not_valid_are_named_and_the_others_are_kept() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let (of_alice, of_bob) = (identify(&alice), identify(&bob));
    let (_, keys) = publish(&alice);
    let stranger = SigningKey::new(None);
    let errcode = |of: &str, target: &str, object: &Json| {
        let failures = sign(&alice, of, target, object);
        failures[of][target]["errcode"].as_str().unwrap_or_else(|| panic!("{failures}")).to_owned()
    };
    let (device, master) = (&alice.device_id, of_bob.master.public());
    assert_eq!(errcode(&alice.user_id, device, &keys), "M_INVALID_SIGNATURE");
    let mut forged = keys.clone();
    forged["signatures"][&alice.user_id][of_alice.self_signing.id()] = json!("AAAA");
    assert_eq!(errcode(&alice.user_id, device, &forged), "M_INVALID_SIGNATURE");
    let mut forged = keys.clone();
    stranger.sign(&alice.user_id, &mut forged);
    assert_eq!(errcode(&alice.user_id, device, &forged), "M_INVALID_SIGNATURE");
    let mut changed = keys.clone();
    changed["keys"][format!("ed25519:{device}")] = json!(stranger.public());
    of_alice.self_signing.sign(&alice.user_id, &mut changed);
    assert_eq!(errcode(&alice.user_id, device, &changed), "M_INVALID_PARAM");
    assert_eq!(errcode(&alice.user_id, "NOWHERE", &keys), "M_NOT_FOUND");
    assert_eq!(errcode(&alice.user_id, device, &json!(7)), "M_BAD_JSON");
    assert_eq!(errcode(&bob.user_id, &master, &of_bob.master_key()), "M_INVALID_SIGNATURE");
    assert_eq!(errcode(&bob.user_id, "NOWHERE", &of_bob.master_key()), "M_NOT_FOUND");
    assert_eq!(errcode("@carol:else.where", "X", &of_bob.master_key()), "M_NOT_FOUND");
    let mut own = of_alice.master_key();
    stranger.sign(&alice.user_id, &mut own);
    assert_eq!(errcode(&alice.user_id, &of_alice.master.public(), &own), "M_INVALID_SIGNATURE");
    // With the key of another usage, too.
    let mut wrong = of_bob.master_key();
    of_alice.self_signing.sign(&alice.user_id, &mut wrong);
    assert_eq!(errcode(&bob.user_id, &master, &wrong), "M_INVALID_SIGNATURE");

    let (mut right, mut signed) = (of_bob.master_key(), keys.clone());
    of_alice.user_signing.sign(&alice.user_id, &mut right);
    of_alice.self_signing.sign(&alice.user_id, &mut signed);
    let body = json!({&alice.user_id: {device: signed, "NOWHERE": keys}, &bob.user_id: {&master: right}});
    let failures = alice.post(["keys", "signatures", "upload"], &body).ok()["failures"].clone();

    assert_eq!(failures[&alice.user_id].as_object().map(serde_json::Map::len), Some(1), "{failures}");
    assert!(failures[&bob.user_id].is_null());
    assert_eq!(query(&alice, &bob)["master_keys"][&bob.user_id], right);
    assert_eq!(query(&bob, &alice)["device_keys"][&alice.user_id][device], signed);
}

#[test]
fn without_cross_signing_keys_nothing_can_be_signed() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let (_, keys) = publish(&alice);
    let of_bob = identify(&bob);
    for (of, target, object) in
        [(&alice.user_id, &alice.device_id, &keys), (&bob.user_id, &of_bob.master.public(), &of_bob.master_key())]
    {
        let failures = sign(&alice, of, target, object);
        assert_eq!(failures[of][target]["errcode"], "M_NOT_FOUND", "{failures}");
    }
}

#[test]
fn signatures_that_others_embed_in_keys_are_not_shown() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let key = SigningKey::new(Some(&alice.device_id));
    let mut keys = device_keys(&alice.user_id, &alice.device_id, &key);
    keys["signatures"][&bob.user_id] = json!({"ed25519:BOB": "forged"});
    alice.post(["keys", "upload"], &json!({ "device_keys": keys })).ok();
    let mut body = Identity::new(&alice.user_id).body();
    body["master_key"]["signatures"] = json!({&bob.user_id: {"ed25519:BOB": "forged"}});
    upload(&alice, &body).ok();

    let shown = query(&bob, &alice);

    assert!(shown["device_keys"][&alice.user_id][&alice.device_id]["signatures"][&bob.user_id].is_null());
    assert!(shown["master_keys"][&alice.user_id]["signatures"][&bob.user_id].is_null());
}
