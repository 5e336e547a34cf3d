//! `POST /logout`. What needs `/devices` to be seen is not here.

use hubbub_conformance::Homeserver;
use serde_json::json;

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
