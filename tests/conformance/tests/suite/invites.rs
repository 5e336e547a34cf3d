//! Invites, accepted, refused and forbidden.

use hubbub_conformance::{Homeserver, User, events};
use serde_json::{Value, json};

async fn private_room() -> (User, User, String) {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "private_chat", "name": "A quiet room"})).await;
    (alice, bob, room)
}

/// Suite: TestRoomsInvite/Parallel/Can invite users to invite-only rooms
#[tokio::test]
async fn an_invited_user_joins_an_invite_only_room() {
    let (alice, bob, room) = private_room().await;

    alice.invite(&room, &bob).await.ok();

    bob.wait_for_member(&room, &bob, "invite").await;
    bob.join(&room).await;
    bob.wait_for_member(&room, &bob, "join").await;
    alice.wait_for_member(&room, &bob, "join").await;
}

/// Suite: TestRoomsInvite/Parallel/Uninvited users cannot join the room
#[tokio::test]
async fn who_was_not_invited_may_not_join() {
    let (_, bob, room) = private_room().await;

    bob.post(["join", &room]).json(json!({})).await.with_status(403);
}

/// Suite: TestRoomsInvite/Parallel/Invited user can reject invite
#[tokio::test]
async fn an_invite_is_refused_by_leaving() {
    let (alice, bob, room) = private_room().await;
    alice.invite(&room, &bob).await.ok();
    bob.wait_for_member(&room, &bob, "invite").await;

    bob.leave(&room).await;

    alice.wait_for_member(&room, &bob, "leave").await;
}

/// Suite: TestRoomsInvite/Parallel/Invited user can reject invite for empty room
#[tokio::test]
async fn an_invite_to_a_room_that_is_empty_by_now_is_refused_by_leaving() {
    let (alice, bob, room) = private_room().await;
    alice.invite(&room, &bob).await.ok();
    let since = bob.wait_for_member(&room, &bob, "invite").await;
    alice.leave(&room).await;

    bob.leave(&room).await;

    let since = bob.wait_for_member_since(&since, &room, &bob, "leave").await;
    assert!(bob.sync().since(&since).await.invited(&room).is_null());
}

/// Suite: TestRoomsInvite/Parallel/Users cannot invite themselves to a room
#[tokio::test]
async fn a_member_may_not_invite_themselves() {
    let (alice, _, room) = private_room().await;

    alice.invite(&room, &alice).await.with_status(403);
}

/// Suite: TestRoomsInvite/Parallel/Users cannot invite a user that is already in the room
#[tokio::test]
async fn a_member_may_not_invite_another_member() {
    let (alice, bob, room) = private_room().await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;

    alice.invite(&room, &bob).await.with_status(403);
}

/// Suite: TestRoomsInvite/Parallel/Invited user can see room metadata
#[tokio::test]
async fn an_invite_tells_the_name_and_the_join_rule() {
    let (alice, bob, room) = private_room().await;
    alice.invite(&room, &bob).await.ok();
    bob.wait_for_member(&room, &bob, "invite").await;

    let sync = bob.sync().until("the invite", |sync| sync.invited(&room).is_object()).await;

    let stripped = events(&sync.invited(&room)["invite_state"]);
    for (event_type, key) in [("m.room.join_rules", "join_rule"), ("m.room.name", "name")] {
        let value = alice.state(&room, event_type).await[key].clone();
        for event in stripped.iter().filter(|event| event["type"] == event_type) {
            assert_eq!(event["content"][key], value);
        }
    }
}

/// Suite: TestRoomsInvite/Parallel/Test that we can be reinvited to a room we created
#[tokio::test]
async fn a_creator_who_left_sees_the_invite_back_and_joins() {
    let (alice, bob, room) = private_room().await;
    alice.invite(&room, &bob).await.ok();
    bob.wait_for_member(&room, &bob, "invite").await;
    bob.join(&room).await;
    let is_bobs_invite = |event: &Value| {
        event["type"] == "m.room.member"
            && event["state_key"] == bob.id.as_str()
            && event["content"]["membership"] == "invite"
    };
    alice.sync().until("Bob's invite", |sync| sync.timeline(&room).iter().any(is_bobs_invite)).await;
    alice.wait_for_member(&room, &bob, "join").await;
    let levels = json!({"users": {bob.id.as_str(): 100}});
    alice.put(["rooms", &room, "state", "m.room.power_levels"], levels).await.ok();
    alice.leave(&room).await;
    bob.wait_for_member(&room, &alice, "leave").await;

    bob.invite(&room, &alice).await.ok();

    let since = alice.wait_for_member(&room, &alice, "invite").await;
    alice.join(&room).await;
    alice.wait_for_member_since(&since, &room, &alice, "join").await;
}
