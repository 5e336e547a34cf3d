//! `POST /register`.

use hubbub_conformance::{Answer, Homeserver, random_name};
use serde_json::{Value, json};

async fn register(server: &Homeserver, username: &str, extra: Value) -> Answer {
    let mut body = json!({"auth": server.registration_auth(), "username": username, "password": "a long secret"});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    server.post(["register"]).json(body).await
}

async fn registers(username: &str) {
    let server = Homeserver::from_env();

    let account = register(&server, username, json!({})).await.ok();

    let user_id = account["user_id"].as_str().expect("a user id");
    assert!(user_id.starts_with(&format!("@{username}:")), "{user_id}");
    assert!(account["access_token"].is_string());
}

/// Suite: TestRegistration/POST {} returns a set of flows
#[tokio::test]
async fn an_empty_request_is_answered_with_the_flows() {
    let server = Homeserver::from_env();

    let answer = server.post(["register"]).json(json!({})).await;

    assert_eq!(answer.content_type(), Some("application/json"));
    let body = answer.with_status(401);
    for flow in body["flows"].as_array().expect("flows is an array") {
        assert!(flow["stages"].is_array(), "{flow}");
    }
}

/// Suite: TestRegistration/POST /register can create a user
#[tokio::test]
async fn an_account_is_made_in_one_request() {
    registers(&random_name("user")).await;
}

/// Suite: TestRegistration/POST /register downcases capitals in usernames
#[tokio::test]
async fn capitals_in_a_username_are_folded() {
    let server = Homeserver::from_env();
    let username = random_name("user-UPPER");

    let account = register(&server, &username, json!({})).await.ok();

    let user_id = account["user_id"].as_str().expect("a user id");
    assert!(user_id.starts_with(&format!("@{}:", username.to_lowercase())), "{user_id}");
    assert!(account["access_token"].is_string());
}

/// Suite: TestRegistration/POST /register returns the same device_id as that in the request
#[tokio::test]
async fn the_device_id_of_a_registration_is_the_one_asked_for() {
    let server = Homeserver::from_env();

    let account = register(&server, &random_name("user"), json!({"device_id": "kitchen tablet"})).await.ok();

    assert_eq!(account["device_id"], "kitchen tablet");
}

/// Suite: TestRegistration/POST /register rejects usernames with special characters
#[tokio::test]
async fn characters_that_no_user_id_may_hold_are_refused() {
    let server = Homeserver::from_env();
    let refused = ["!", "\"", ":", "?", "\\\\", "@", "[", "]", "{", "|", "}", "£", "é", "\\n", "'"];

    for characters in refused {
        let username = format!("{}{characters}", random_name("user"));
        register(&server, &username, json!({})).await.refused(400, "M_INVALID_USERNAME");
    }
}

/// Suite: TestRegistration/POST /register rejects if user already exists
#[tokio::test]
async fn a_taken_username_is_refused() {
    let server = Homeserver::from_env();
    let username = random_name("user");
    register(&server, &username, json!({})).await.ok();

    let again = register(&server, &username, json!({"password": "another secret"})).await;

    again.refused(400, "M_USER_IN_USE");
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /q
#[tokio::test]
async fn a_username_may_hold_a_letter() {
    registers(&format!("{}q", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /3
#[tokio::test]
async fn a_username_may_hold_a_digit() {
    registers(&format!("{}3", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /.
#[tokio::test]
async fn a_username_may_hold_a_dot() {
    registers(&format!("{}.", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /_
#[tokio::test]
async fn a_username_may_hold_an_underscore() {
    registers(&format!("{}_", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /=
#[tokio::test]
async fn a_username_may_hold_an_equals_sign() {
    registers(&format!("{}=", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with /-
#[tokio::test]
async fn a_username_may_hold_a_hyphen() {
    registers(&format!("{}-", random_name("user"))).await;
}

/// Suite: TestRegistration/POST /register allows registration of usernames with //
#[tokio::test]
async fn a_username_may_hold_a_slash() {
    registers(&format!("{}/", random_name("user"))).await;
}

/// Suite: TestRegistration/Registration accepts non-ascii passwords
#[tokio::test]
async fn a_password_may_be_in_any_script_and_the_session_completes_the_request() {
    let server = Homeserver::from_env();
    let mut body = json!({
        "username": random_name("user"),
        "password": "пароль-密码-🔑",
        "device_id": "phone",
        "initial_device_display_name": "A phone",
    });
    let flows = server.post(["register"]).json(body.clone()).await.with_status(401);

    body["auth"] = server.registration_auth();
    body["auth"]["session"] = flows["session"].clone();
    let account = server.post(["register"]).json(body).await.ok();

    assert!(flows["session"].is_string());
    assert!(account["access_token"].is_string());
}

/// Suite: TestRegistration/GET /register/available returns available for unregistered user name
#[tokio::test]
async fn a_free_username_is_available() {
    let server = Homeserver::from_env();

    let answer = server.get(["register", "available"]).query("username", &random_name("user")).await;

    assert_eq!(answer.with_status(200)["available"], true);
}

/// Suite: TestRegistration/GET /register/available returns M_USER_IN_USE for registered user name
#[tokio::test]
async fn a_taken_username_is_not_available() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let answer = server.get(["register", "available"]).query("username", alice.localpart()).await;

    assert!(answer.refused(400, "M_USER_IN_USE")["error"].is_string());
}

/// Suite: TestRegistration/GET /register/available returns M_INVALID_USERNAME for invalid user name
#[tokio::test]
async fn a_username_that_cannot_be_is_not_available() {
    let server = Homeserver::from_env();

    let answer = server.get(["register", "available"]).query("username", "user,name").await;

    assert!(answer.refused(400, "M_INVALID_USERNAME")["error"].is_string());
}
