//! `POST /logout` and `/logout/all`.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

/// Suite: TestLogout/Request to logout with invalid an access token is rejected
#[tokio::test]
async fn a_logout_with_a_made_up_token_is_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    alice.post(["logout", "all"]).await.with_status(200);
    alice.login_again(json!({})).await;

    alice.post(["logout"]).token("nobody-was-given-this").await.refused(401, "M_UNKNOWN_TOKEN");
}

/// Suite: TestLogout/Request to logout without an access token is rejected
#[tokio::test]
async fn a_logout_without_a_token_is_refused() {
    let server = Homeserver::from_env();

    server.post(["logout"]).await.refused(401, "M_MISSING_TOKEN");
}

async fn device_ids(user: &User) -> Vec<Value> {
    let devices = user.get(["devices"]).await.ok()["devices"].clone();
    devices.as_array().expect("an array").iter().map(|device| device["device_id"].clone()).collect()
}

/// Suite: TestLogout/Can logout current device
#[tokio::test]
async fn a_logout_takes_its_own_device_away() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let other = alice.login_again(json!({})).await;
    assert_eq!(device_ids(&alice).await.len(), 2);

    other.post(["logout"]).await.ok();

    other.get(["sync"]).await.with_status(401);
    assert_eq!(device_ids(&alice).await, [json!(alice.device_id)]);
}

/// Suite: TestLogout/Can logout all devices
#[tokio::test]
async fn a_logout_from_everywhere_ends_the_callers_session_too() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let other = alice.login_again(json!({})).await;
    assert_eq!(device_ids(&alice).await.len(), 2);

    alice.post(["logout", "all"]).await.with_status(200);

    alice.get(["sync"]).await.with_status(401);
    other.get(["sync"]).await.with_status(401);
}
