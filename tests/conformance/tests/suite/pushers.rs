//! Pushers and what ends them.

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

async fn set_pusher(user: &User) {
    let pusher = json!({
        "kind": "http",
        "app_display_name": "complement",
        "app_id": "complement",
        "data": {"url": "https://dummy.example/_matrix/push/v1/notify"},
        "device_display_name": "complement",
        "lang": "en",
        "profile_tag": "tag",
        "pushkey": random_name("key"),
    });
    user.post(["pushers", "set"]).json(pusher).await.ok();
}

async fn change_password(user: &User) {
    let auth = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user.id},
        "user": user.id,
        "password": user.password,
    });
    let body = json!({"auth": auth, "new_password": "a new superpassword"});
    user.post(["account", "password"]).json(body).await.ok();
}

async fn pushers(user: &User) -> Vec<Value> {
    let answer = user.get(["pushers"]).await.with_status(200);
    answer["pushers"].as_array().expect("an array").clone()
}

/// Suite: TestChangePasswordPushers/Pushers created with a different access token are deleted on password change
#[tokio::test]
async fn a_new_password_ends_the_pushers_of_other_sessions() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let other = alice.login_again(json!({})).await;
    set_pusher(&other).await;

    change_password(&alice).await;

    assert_eq!(pushers(&alice).await, Vec::<Value>::new());
}

/// Suite: TestChangePasswordPushers/Pushers created with the same access token are not deleted on password change
#[tokio::test]
async fn a_new_password_leaves_the_pushers_of_the_session_that_sets_it() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    set_pusher(&alice).await;

    change_password(&alice).await;

    assert_eq!(pushers(&alice).await.len(), 1);
}
