//! `/account/password` and `/account/deactivate`.

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "another long secret";

/// `auth` with a user's password, the user named as before there were identifiers.
fn auth(user: &User, password: &str) -> Value {
    json!({"type": "m.login.password", "user": user.id, "password": password})
}

async fn change_password(user: &User, extra: Value) {
    let mut body = json!({"auth": auth(user, &user.password), "new_password": NEW_PASSWORD});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    user.post(["account", "password"]).json(body).await.with_status(200);
}

async fn deactivate(user: &User, password: &str) -> Answer {
    user.post(["account", "deactivate"]).json(json!({"auth": auth(user, password)})).await
}

/// Suite: TestChangePassword/After changing password, can't log in with old password
#[tokio::test]
async fn the_old_password_is_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    change_password(&alice, json!({})).await;

    server.login(&alice.id, &alice.password, json!({})).await.refused(403, "M_FORBIDDEN");
}

/// Suite: TestChangePassword/After changing password, can log in with new password
#[tokio::test]
async fn the_new_password_logs_in() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    change_password(&alice, json!({})).await;

    let session = server.login(&alice.id, NEW_PASSWORD, json!({})).await.with_status(200);
    assert_eq!(session["user_id"], alice.id.as_str());
}

/// Suite: TestChangePassword/After changing password, existing session still works
#[tokio::test]
async fn the_session_that_changed_the_password_goes_on() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    change_password(&alice, json!({})).await;

    alice.get(["account", "whoami"]).await.with_status(200);
}

/// Suite: TestChangePassword/After changing password, a different session no longer works by default
#[tokio::test]
async fn other_sessions_end_with_the_old_password() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let other = alice.login_again(json!({})).await;

    change_password(&alice, json!({})).await;

    other.get(["account", "whoami"]).await.with_status(401);
}

/// Suite: TestChangePassword/After changing password, different sessions can optionally be kept
#[tokio::test]
async fn other_sessions_are_kept_on_request() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let other = alice.login_again(json!({})).await;

    change_password(&alice, json!({"logout_devices": false})).await;

    other.get(["account", "whoami"]).await.with_status(200);
}

/// Suite: TestDeactivateAccount/Password flow is available
#[tokio::test]
async fn a_deactivation_asks_for_the_password() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let body = alice.post(["account", "deactivate"]).json(json!({})).await.with_status(401);

    let flows = body["flows"].as_array().expect("an array");
    let stages = |flow: &Value| flow["stages"].as_array().cloned().expect("an array");
    assert!(flows.iter().all(|flow| stages(flow).iter().all(Value::is_string)), "{body}");
    assert!(flows.iter().any(|flow| stages(flow).contains(&json!("m.login.password"))), "{body}");
}

/// Suite: TestDeactivateAccount/Can't deactivate account with wrong password
#[tokio::test]
async fn a_wrong_password_deactivates_nothing() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    deactivate(&alice, "not her password").await.refused(401, "M_FORBIDDEN");

    alice.get(["account", "whoami"]).await.with_status(200);
}

/// Suite: TestDeactivateAccount/Can deactivate account
#[tokio::test]
async fn the_right_password_deactivates_the_account() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    deactivate(&alice, &alice.password).await.with_status(200);

    alice.get(["account", "whoami"]).await.with_status(401);
}

/// Suite: TestDeactivateAccount/After deactivating account, can't log in with password
#[tokio::test]
async fn nobody_logs_in_to_a_deactivated_account() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    deactivate(&alice, &alice.password).await.with_status(200);

    server.login(&alice.id, &alice.password, json!({})).await.with_status(403);
}
