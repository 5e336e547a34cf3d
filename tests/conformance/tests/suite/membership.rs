//! Joining, inviting, leaving and banning, and the membership shown on events.

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

async fn two_users() -> (User, User) {
    let server = Homeserver::from_env();
    (server.register("alice").await, server.register("bob").await)
}

async fn public_room(creator: &User) -> (String, String) {
    let name = random_name("lobby");
    let room = creator.create_room(json!({"preset": "public_chat", "room_alias_name": name})).await;
    (room, format!("#{name}:{}", creator.server_name()))
}

/// Suite: TestRoomMembers/POST /rooms/:room_id/join can join a room
#[tokio::test]
async fn a_user_joins_a_room_by_its_path() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;

    let joined = bob.post(["rooms", &room, "join"]).await.ok();

    assert_eq!(joined["room_id"], room.as_str());
    bob.wait_for_member(&room, &bob, "join").await;
}

/// Suite: TestRoomMembers/POST /join/:room_alias can join a room
#[tokio::test]
async fn a_user_joins_a_room_by_its_alias() {
    let (alice, bob) = two_users().await;
    let (room, alias) = public_room(&alice).await;

    let joined = bob.post(["join", &alias]).await.ok();

    assert_eq!(joined["room_id"], room.as_str());
    bob.wait_for_member(&room, &bob, "join").await;
}

/// Suite: TestRoomMembers/POST /join/:room_id can join a room
#[tokio::test]
async fn a_user_joins_a_room_by_its_id() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;

    let joined = bob.post(["join", &room]).await.ok();

    assert_eq!(joined["room_id"], room.as_str());
    bob.wait_for_member(&room, &bob, "join").await;
}

/// Suite: TestRoomMembers/Test that we can be reinvited to a room we created
#[tokio::test]
async fn a_creator_who_left_is_invited_back_by_a_member_with_power() {
    let (alice, bob) = two_users().await;
    let room = alice.create_room(json!({"preset": "private_chat"})).await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    let levels = json!({"invite": 100, "users": {bob.id.as_str(): 100}});
    alice.set_state(&room, "m.room.power_levels", levels).await;
    alice.leave(&room).await;
    bob.wait_for_member(&room, &alice, "leave").await;

    bob.invite(&room, &alice).await.ok();

    let since = alice.wait_for_member(&room, &alice, "invite").await;
    alice.join(&room).await;
    alice.wait_for_member_since(&since, &room, &alice, "join").await;
}

/// Suite: TestRoomMembers/POST /join/:room_id can join a room with custom content
#[tokio::test]
async fn unknown_keys_of_a_join_by_id_are_copied_to_the_event() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;

    bob.post(["join", &room]).json(json!({"flavour": "mint"})).await.ok();

    let member = alice.member_state(&room, &bob.id).await;
    assert_eq!(member["membership"], "join");
    assert_eq!(member["flavour"], "mint");
}

/// Suite: TestRoomMembers/POST /join/:room_alias can join a room with custom content
#[tokio::test]
async fn unknown_keys_of_a_join_by_alias_are_copied_to_the_event() {
    let (alice, bob) = two_users().await;
    let (room, alias) = public_room(&alice).await;

    bob.post(["join", &alias]).json(json!({"flavour": "mint"})).await.ok();

    let member = alice.member_state(&room, &bob.id).await;
    assert_eq!(member["membership"], "join");
    assert_eq!(member["flavour"], "mint");
}

/// Suite: TestRoomMembers/POST /rooms/:room_id/ban can ban a user
#[tokio::test]
async fn the_creator_bans_a_user() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;
    bob.join(&room).await;

    let body = json!({"user_id": bob.id, "reason": "testing"});
    alice.post(["rooms", &room, "ban"]).json(body).await.with_status(200);

    alice.wait_for_member(&room, &bob, "ban").await;
    assert_eq!(alice.member_state(&room, &bob.id).await["membership"], "ban");
}

/// Suite: TestRoomMembers/POST /rooms/:room_id/invite can send an invite
#[tokio::test]
async fn the_creator_invites_a_user() {
    let (alice, bob) = two_users().await;
    let room = alice.create_room(json!({"preset": "private_chat"})).await;

    alice.invite(&room, &bob).await.ok();

    alice.wait_for_member(&room, &bob, "invite").await;
    assert_eq!(alice.member_state(&room, &bob.id).await["membership"], "invite");
}

/// Suite: TestRoomMembers/POST /rooms/:room_id/leave can leave a room
#[tokio::test]
async fn a_member_leaves() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;

    bob.leave(&room).await;

    alice.wait_for_member(&room, &bob, "leave").await;
    assert_eq!(alice.member_state(&room, &bob.id).await["membership"], "leave");
}

/// Suite: TestMembershipOnEvents
#[tokio::test]
async fn each_event_tells_the_reader_the_own_membership_at_that_time() {
    let (alice, bob) = two_users().await;
    let (room, _) = public_room(&alice).await;
    let before = alice.send_text_and_wait(&room, "before the join").await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    let after = alice.send_text_and_wait(&room, "after the join").await;

    let sync = bob.sync().until("the second message", |sync| sync.has_event(&room, &after)).await;

    assert!(sync.has_event(&room, &before));
    let timeline = sync.timeline(&room);
    let is_own_join = |event: &Value| event["type"] == "m.room.member" && event["state_key"] == bob.id.as_str();
    let own_join = timeline.iter().position(is_own_join).expect("the own join is in the timeline");
    for (at, event) in timeline.iter().enumerate() {
        let expected = if at < own_join { "leave" } else { "join" };
        assert_eq!(event["unsigned"]["membership"], expected, "{event}");
    }
}
