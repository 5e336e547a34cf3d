//! Bans and kicks that are refused.

use hubbub_conformance::{Homeserver, User};
use serde_json::json;

async fn three_users() -> (User, User, User) {
    let server = Homeserver::from_env();
    (server.register("alice").await, server.register("bob").await, server.register("carol").await)
}

/// Suite: TestNotPresentUserCannotBanOthers
#[tokio::test]
async fn who_is_not_in_the_room_may_not_ban_despite_power() {
    let (alice, bob, carol) = three_users().await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    alice.set_state(&room, "m.room.power_levels", json!({"users": {carol.id.as_str(): 100}})).await;

    carol.ban(&room, &bob).await.with_status(403);
}

/// Suite: TestCannotKickNonPresentUser
#[tokio::test]
async fn who_never_was_in_the_room_cannot_be_kicked() {
    let (alice, bob, _) = three_users().await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;

    alice.kick(&room, &bob).await.with_status(403);
}

/// Suite: TestCannotKickLeftUser
#[tokio::test]
async fn who_has_left_the_room_cannot_be_kicked() {
    let (alice, bob, _) = three_users().await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;

    alice.kick(&room, &bob).await.with_status(403);
}
