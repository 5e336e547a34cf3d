//! Display names and avatars, and how a change of them reaches rooms.

use hubbub_conformance::{Homeserver, User, events};
use serde_json::{Value, json};

const AVATAR: &str = "mxc://elsewhere.example/aBirdOfPassage";

/// Suite: TestProfileAvatarURL/PUT /profile/:user_id/avatar_url sets my avatar
#[tokio::test]
async fn a_user_sets_an_avatar() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    alice.put(["profile", &alice.id, "avatar_url"], json!({"avatar_url": AVATAR})).await.with_status(200);
}

/// Suite: TestProfileAvatarURL/GET /profile/:user_id/avatar_url publicly accessible
#[tokio::test]
async fn anybody_reads_an_avatar_without_a_token() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    alice.put(["profile", &alice.id, "avatar_url"], json!({"avatar_url": AVATAR})).await.ok();

    let profile = server.get(["profile", &alice.id, "avatar_url"]).await.with_status(200);

    assert_eq!(profile["avatar_url"], AVATAR);
}

/// Suite: TestProfileDisplayName/PUT /profile/:user_id/displayname sets my name
#[tokio::test]
async fn a_user_sets_a_display_name() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    alice.put(["profile", &alice.id, "displayname"], json!({"displayname": "Alice A."})).await.ok();
}

/// Suite: TestProfileDisplayName/GET /profile/:user_id/displayname publicly accessible
#[tokio::test]
async fn anybody_reads_a_display_name_without_a_token() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    alice.put(["profile", &alice.id, "displayname"], json!({"displayname": "Alice A."})).await.ok();

    let profile = server.get(["profile", &alice.id, "displayname"]).await.ok();

    assert_eq!(profile["displayname"], "Alice A.");
}

async fn wait_for_own_member_event(user: &User, since: &str, room: &str, field: &str, value: &str) {
    let has_value = |event: &Value| {
        event["type"] == "m.room.member" && event["state_key"] == user.id.as_str() && event["content"][field] == value
    };
    let what = format!("a join event with {field} {value}");
    user.sync()
        .since(since)
        .until(&what, |sync| {
            let room = sync.joined(room);
            events(&room["state"]).iter().chain(events(&room["timeline"])).any(has_value)
        })
        .await;
}

/// Suite: TestAvatarUrlUpdate
#[tokio::test]
async fn a_new_avatar_reaches_rooms_even_if_it_is_no_mxc_uri() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let since = alice.sync_token().await;

    alice.put(["profile", &alice.id, "avatar_url"], json!({"avatar_url": "NoMxcAtAll"})).await.ok();

    wait_for_own_member_event(&alice, &since, &room, "avatar_url", "NoMxcAtAll").await;
}

/// Suite: TestDisplayNameUpdate
#[tokio::test]
async fn a_new_display_name_reaches_rooms() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let since = alice.sync_token().await;

    alice.put(["profile", &alice.id, "displayname"], json!({"displayname": "Alice B."})).await.ok();

    wait_for_own_member_event(&alice, &since, &room, "displayname", "Alice B.").await;
}
