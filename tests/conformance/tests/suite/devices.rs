//! `/devices`.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

/// `auth` with a user's password.
fn auth(user: &User, password: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user.id},
        "password": password,
    })
}

/// Suite: TestDeviceManagement/GET /device/{deviceId}
#[tokio::test]
async fn a_device_is_shown_with_its_name() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let device = json!({"device_id": "kitchen", "initial_device_display_name": "Kitchen tablet"});
    alice.login_again(device).await;

    let shown = alice.get(["devices", "kitchen"]).await.ok();

    assert_eq!((&shown["device_id"], &shown["display_name"]), (&json!("kitchen"), &json!("Kitchen tablet")));
}

/// Suite: TestDeviceManagement/GET /device/{deviceId} gives a 404 for unknown devices
#[tokio::test]
async fn an_unknown_device_is_not_found() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    alice.get(["devices", "unknown"]).await.with_status(404);
}

/// Suite: TestDeviceManagement/GET /devices
#[tokio::test]
async fn all_devices_are_listed() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    for device_id in ["one", "two"] {
        alice.login_again(json!({"device_id": device_id})).await;
    }

    let devices = alice.get(["devices"]).await.with_status(200)["devices"].clone();

    let ids: Vec<&str> = devices.as_array().expect("an array").iter().filter_map(|d| d["device_id"].as_str()).collect();
    assert!(ids.contains(&"one") && ids.contains(&"two"), "{ids:?}");
}

/// Suite: TestDeviceManagement/PUT /device/{deviceId} updates device fields
#[tokio::test]
async fn a_device_gets_another_name() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    alice.login_again(json!({"device_id": "kitchen", "initial_device_display_name": "Old"})).await;

    alice.put(["devices", "kitchen"], json!({"display_name": "New"})).await.ok();

    let shown = alice.get(["devices", "kitchen"]).await.ok();
    assert_eq!((&shown["device_id"], &shown["display_name"]), (&json!("kitchen"), &json!("New")));
}

/// Suite: TestDeviceManagement/PUT /device/{deviceId} gives a 404 for unknown devices
#[tokio::test]
async fn an_unknown_device_gets_no_name() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    alice.put(["devices", "unknown"], json!({"display_name": "New"})).await.with_status(404);
}

/// Suite: TestDeviceManagement/DELETE /device/{deviceId}
#[tokio::test]
async fn a_device_is_deleted_with_the_password() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let kitchen = alice.login_again(json!({"device_id": "kitchen"})).await;

    let flows = alice.delete(["devices", "kitchen"]).await.with_status(401);
    let wrong = json!({"auth": auth(&alice, "not her password")});
    let refused = alice.delete(["devices", "kitchen"]).json(wrong).await.refused(401, "M_FORBIDDEN");
    for body in [&flows, &refused] {
        assert!(["session", "flows", "params"].iter().all(|key| body.get(key).is_some()), "{body}");
    }
    assert!(refused["error"].is_string());
    let right = json!({"auth": auth(&alice, &alice.password)});
    alice.delete(["devices", "kitchen"]).json(right).await.with_status(200);

    alice.get(["devices", "kitchen"]).await.with_status(404);
    kitchen.get(["sync"]).await.with_status(401);
}

/// Suite: TestDeviceManagement/DELETE /device/{deviceId} requires UI auth user to match device owner
#[tokio::test]
async fn another_users_password_deletes_nothing() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    alice.login_again(json!({"device_id": "kitchen"})).await;

    let of_bob = json!({"auth": auth(&bob, &bob.password)});
    alice.delete(["devices", "kitchen"]).json(of_bob).await.with_status(403);
    alice.get(["devices", "kitchen"]).await.with_status(200);

    let own = json!({"auth": auth(&alice, &alice.password)});
    alice.delete(["devices", "kitchen"]).json(own).await.with_status(200);
    alice.get(["devices", "kitchen"]).await.with_status(404);
}
