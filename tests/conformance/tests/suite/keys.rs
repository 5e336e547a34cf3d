//! `/keys/upload`, `/keys/query` and `/keys/claim`.

use std::time::Duration;

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

const ALGORITHM: &str = "signed_curve25519";

/// Device keys as a client has them; nobody verifies the signature.
fn device_keys(user: &User) -> Value {
    let device = &user.device_id;
    json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {
            format!("curve25519:{device}"): "3C5BFWi2Y8MaVvjM8M22DBmh24PmgR0nPvJOIArzgyI",
            format!("ed25519:{device}"): "lEuiRJBit0IG6nUf5pUzWTUEsRVVe/HJkoKuEww9ULI",
        },
        "signatures": {
            &user.id: {
                format!("ed25519:{device}"):
                    "dSO80A01XiigH3uBiDVx/EjzaoycHcjq9lfQX0uWsqxl2giMIiSPR8a4d291W1ihKJL/a+myXS367WT6NAIcBA",
            },
        },
    })
}

/// A one-time key of this name, with its id.
fn one_time_key(user: &User, name: &str) -> (String, Value) {
    let signature = "Cc0adPB8gVzKDAFPDDAkHC00KREERPfOuRsbKxKkQBZ1vB7bbWxMBTCbdpE+Vr+TNhqkEYRQCVXRKqFXcMXkDw";
    let key = json!({
        "key": "zKbLg+NrIjpnagy+pIY6uPL4ZwEG2v+8F9lmgsnlZzs",
        "signatures": {&user.id: {format!("ed25519:{}", user.device_id): signature}},
    });
    (format!("{ALGORITHM}:{name}"), key)
}

fn one_time_keys(user: &User, names: &[&str]) -> Value {
    Value::Object(names.iter().map(|name| one_time_key(user, name)).collect())
}

async fn upload(user: &User, body: Value) -> Answer {
    user.post(["keys", "upload"]).json(body).await
}

/// Uploads one-time keys and returns how many there are now.
async fn upload_keys(user: &User, names: &[&str]) -> Value {
    let answer = upload(user, json!({"one_time_keys": one_time_keys(user, names)})).await.with_status(200);
    answer["one_time_key_counts"][ALGORITHM].clone()
}

async fn upload_both(user: &User) {
    let body = json!({"device_keys": device_keys(user), "one_time_keys": one_time_keys(user, &["AAAAHQ"])});
    let answer = upload(user, body).await.with_status(200);
    assert_eq!(answer["one_time_key_counts"], json!({ALGORITHM: 1}));
}

async fn query(user: &User, of: &User, devices: Value) -> Value {
    let body = json!({"device_keys": {&of.id: devices}});
    user.post(["keys", "query"]).json(body).await.with_status(200)["device_keys"][&of.id].clone()
}

async fn claim(user: &User, of: &User) -> Value {
    let body = json!({"one_time_keys": {&of.id: {&of.device_id: ALGORITHM}}});
    user.post(["keys", "claim"]).json(body).await.with_status(200)["one_time_keys"].clone()
}

/// Suite: TestUploadKey/Parallel/Can upload device keys
#[tokio::test]
async fn device_keys_and_one_time_keys_are_uploaded_and_counted() {
    let alice = Homeserver::from_env().register("alice").await;

    upload_both(&alice).await;
}

/// Suite: TestUploadKey/Parallel/Rejects invalid device keys
#[tokio::test]
async fn device_keys_without_their_parts_are_refused() {
    let alice = Homeserver::from_env().register("alice").await;
    let keys = json!({"user_id": alice.id, "device_id": alice.device_id});

    upload(&alice, json!({ "device_keys": keys })).await.refused(400, "M_BAD_JSON");
}

/// Suite: TestUploadKey/Parallel/Should reject keys claiming to belong to a different user
#[tokio::test]
async fn device_keys_of_another_user_are_refused() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);

    upload(&alice, json!({"device_keys": device_keys(&bob)})).await.with_status(400);
}

/// Suite: TestUploadKey/Parallel/Can query device keys using POST
#[tokio::test]
async fn all_devices_of_a_user_are_queried() {
    let alice = Homeserver::from_env().register("alice").await;
    upload_both(&alice).await;

    assert!(query(&alice, &alice, json!([])).await[&alice.device_id].is_object());
}

/// Suite: TestUploadKey/Parallel/Can query specific device keys using POST
#[tokio::test]
async fn a_named_device_is_queried_and_its_keys_are_as_they_were_uploaded() {
    let alice = Homeserver::from_env().register("alice").await;
    upload_both(&alice).await;

    let found = query(&alice, &alice, json!([alice.device_id])).await[&alice.device_id].clone();

    let uploaded = device_keys(&alice);
    for part in ["algorithms", "device_id", "keys", "signatures"] {
        assert_eq!(found[part], uploaded[part], "{part}");
    }
}

/// Suite: TestUploadKey/Parallel/query for user with no keys returns empty key dict
#[tokio::test]
async fn a_user_without_keys_has_an_empty_object() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);

    assert_eq!(query(&alice, &bob, json!([])).await, json!({}));
}

/// Suite: TestUploadKey/Parallel/Can claim one time key using POST
#[tokio::test]
async fn a_one_time_key_is_claimed_once_and_then_the_user_is_absent() {
    let alice = Homeserver::from_env().register("alice").await;
    upload_both(&alice).await;

    let (id, key) = one_time_key(&alice, "AAAAHQ");
    assert_eq!(claim(&alice, &alice).await[&alice.id][&alice.device_id], json!({ id: key }));
    let rest = claim(&alice, &alice).await;
    assert!(rest.get(&alice.id).is_none(), "{rest}");
}

/// Suite: TestKeyClaimOrdering
#[tokio::test]
async fn keys_are_claimed_in_the_order_of_their_upload() {
    let alice = Homeserver::from_env().register("alice").await;
    upload(&alice, json!({"device_keys": device_keys(&alice)})).await.ok();
    upload_keys(&alice, &["1"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    upload_keys(&alice, &["0"]).await;

    for name in ["1", "0"] {
        let (id, key) = one_time_key(&alice, name);
        assert_eq!(claim(&alice, &alice).await[&alice.id][&alice.device_id], json!({ id: key }));
    }
}

/// Suite: TestUploadKeyIdempotency
#[tokio::test]
async fn the_same_keys_again_change_nothing() {
    let alice = Homeserver::from_env().register("alice").await;
    let names = ["A", "B", "C", "D"];
    let body = json!({"device_keys": device_keys(&alice), "one_time_keys": one_time_keys(&alice, &names)});
    assert_eq!(upload(&alice, body).await.with_status(200)["one_time_key_counts"][ALGORITHM], 4);

    for _ in 0..2 {
        assert_eq!(upload_keys(&alice, &names).await, 4);
    }
}

/// Suite: TestUploadKeyIdempotencyOverlap
#[tokio::test]
async fn only_what_is_new_of_an_upload_is_added() {
    let alice = Homeserver::from_env().register("alice").await;
    let counts = upload(&alice, json!({"device_keys": device_keys(&alice)})).await.with_status(200);
    let counts = counts["one_time_key_counts"].as_object().expect("an object").clone();
    assert!(counts.values().all(|count| *count == 0), "{counts:?}");

    assert_eq!(upload_keys(&alice, &["A", "B", "C"]).await, 3);
    assert_eq!(upload_keys(&alice, &["B", "C", "D"]).await, 4);
}

/// Suite: TestKeysQueryWithDeviceIDAsObjectFails
#[tokio::test]
async fn a_query_with_an_object_of_devices_is_refused() {
    let alice = Homeserver::from_env().register("alice").await;
    let body = json!({"device_keys": {&alice.id: {&alice.device_id: true}}});

    alice.post(["keys", "query"]).json(body).await.refused(400, "M_BAD_JSON");
}
