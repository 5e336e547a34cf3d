//! `GET` and `POST /login`.

use hubbub_conformance::Homeserver;
use serde_json::json;

/// Suite: TestLogin/GET /login yields a set of flows
#[tokio::test]
async fn login_types_are_listed_as_plain_json() {
    let server = Homeserver::from_env();

    let answer = server.get(["login"]).json(json!({})).await;

    assert_eq!(answer.content_type(), Some("application/json"));
    let flows = answer.ok()["flows"].clone();
    for flow in flows.as_array().expect("flows is an array") {
        assert!(flow["type"].is_string() || flow["stages"].is_array(), "{flow}");
    }
}

/// Suite: TestLogin/POST /login can login as user
#[tokio::test]
async fn a_user_logs_in_with_the_full_user_id() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let session = server.login(&alice.id, &alice.password, json!({})).await.ok();

    assert!(session["access_token"].is_string());
}

/// Suite: TestLogin/POST /login returns the same device_id as that in the request
#[tokio::test]
async fn the_device_id_of_a_login_is_the_one_asked_for() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let session = server.login(&alice.id, &alice.password, json!({"device_id": "kitchen tablet"})).await.ok();

    assert!(session["access_token"].is_string());
    assert_eq!(session["device_id"], "kitchen tablet");
}

/// Suite: TestLogin/POST /login can log in as a user with just the local part of the id
#[tokio::test]
async fn a_user_logs_in_with_the_bare_localpart() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let session = server.login(alice.localpart(), &alice.password, json!({})).await.ok();

    assert!(session["access_token"].is_string());
}

/// Suite: TestLogin/POST /login as non-existing user is rejected
#[tokio::test]
async fn a_user_who_does_not_exist_is_refused() {
    let server = Homeserver::from_env();

    let nobody = hubbub_conformance::random_name("nobody");

    server.login(&nobody, "any password", json!({})).await.with_status(403);
}

/// Suite: TestLogin/POST /login wrong password is rejected
#[tokio::test]
async fn a_wrong_password_is_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    server.login(&alice.id, "not her password", json!({})).await.refused(403, "M_FORBIDDEN");
}

/// The spec does not ask for this, but people type their name so.
///
/// Suite: TestLogin/Login with uppercase username works and GET /whoami afterwards also
#[tokio::test]
async fn an_upper_case_user_id_logs_in_as_the_lower_case_account() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let shouted = format!("@{}:{}", alice.localpart().to_uppercase(), alice.server_name());

    let session = server.login(&shouted, &alice.password, json!({})).await.ok();

    let token = session["access_token"].as_str().expect("an access token");
    let whoami = server.get(["account", "whoami"]).token(token).await.ok();
    assert_eq!(whoami["user_id"], alice.id.as_str());
}
