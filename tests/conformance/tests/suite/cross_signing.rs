//! `/keys/device_signing/upload`: what needs user-interactive authentication.

use hubbub_conformance::{Answer, Homeserver, SigningKey, User};
use serde_json::{Value, json};

fn key(user: &User, usage: &str, key: &SigningKey) -> Value {
    let public = key.public();
    json!({"user_id": user.id, "usage": [usage], "keys": {format!("ed25519:{public}"): public}})
}

async fn upload(user: &User, body: &Value) -> Answer {
    user.post(["keys", "device_signing", "upload"]).json(body.clone()).await
}

/// The suite has it beyond the stable part: TestMSC3967
#[tokio::test]
async fn msc3967_only_the_first_upload_of_cross_signing_keys_needs_no_authentication() {
    let alice = Homeserver::from_env().register("alice").await;
    let (master, self_signing) = (SigningKey::random(), SigningKey::random());
    let first = json!({"master_key": key(&alice, "master", &master)});
    upload(&alice, &first).await.ok();
    upload(&alice, &first).await.ok();

    let other = json!({"master_key": key(&alice, "master", &SigningKey::random())});
    assert!(upload(&alice, &other).await.with_status(401)["flows"].is_array());

    let mut signed = key(&alice, "self_signing", &self_signing);
    signed["signatures"] = json!({&alice.id: {format!("ed25519:{}", master.public()): master.sign(&signed)}});
    let mut adding = json!({"self_signing_key": signed});
    let challenge = upload(&alice, &adding).await.with_status(401);
    assert!(challenge["flows"].is_array() && challenge["session"].is_string(), "{challenge}");
    adding["auth"] = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": alice.id},
        "password": alice.password,
        "session": challenge["session"],
    });
    upload(&alice, &adding).await.ok();
    upload(&alice, &adding).await.ok();
}
