//! `GET /rooms/{id}/members`, and how joins come down sync.

use hubbub_conformance::{Homeserver, User};
use serde_json::{Value, json};

async fn public_room() -> (User, User, String) {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    (alice, bob, room)
}

/// Checks that the members are the `m.room.member` events of exactly these users.
fn assert_members(answer: &Value, room: &str, users: &[&User]) {
    let chunk = answer["chunk"].as_array().expect("chunk is an array");
    for event in chunk {
        assert_eq!(event["type"], "m.room.member");
        assert_eq!(event["room_id"], room);
    }
    let mut found: Vec<_> = chunk.iter().filter_map(|event| event["state_key"].as_str()).collect();
    let mut expected: Vec<_> = users.iter().map(|user| user.id.as_str()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Suite: TestGetRoomMembers
#[tokio::test]
async fn the_members_of_a_room_are_whole_events() {
    let (alice, bob, room) = public_room().await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;

    let members = alice.get(["rooms", &room, "members"]).await.with_status(200);

    assert_members(&members, &room, &[&alice, &bob]);
}

/// The whole room fits in the timeline of the first sync: its `prev_batch` still stands for a time at which the
/// creator was there, not for one before `m.room.create`.
///
/// Suite: TestGetRoomMembersAtPoint
#[tokio::test]
async fn the_members_at_an_earlier_point_leave_out_who_joined_later() {
    let (alice, bob, room) = public_room().await;
    let sync = alice.sync().until("the room", |sync| sync.joined(&room).is_object()).await;
    let point = sync.joined(&room)["timeline"]["prev_batch"].as_str().expect("a prev_batch").to_owned();
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;

    let members = alice.get(["rooms", &room, "members"]).query("at", &point).await.with_status(200);

    assert_members(&members, &room, &[&alice]);
}

async fn filtered_members(name: &str, value: &str) -> (User, User, String, Value) {
    let (alice, bob, room) = public_room().await;
    bob.join(&room).await;
    alice.wait_for_member(&room, &bob, "join").await;
    bob.leave(&room).await;
    alice.wait_for_member(&room, &bob, "leave").await;
    let members = alice.get(["rooms", &room, "members"]).query(name, value).await.with_status(200);
    (alice, bob, room, members)
}

/// Suite: TestGetFilteredRoomMembers/not_membership
#[tokio::test]
async fn members_who_left_can_be_filtered_out() {
    let (alice, _, room, members) = filtered_members("not_membership", "leave").await;

    assert_members(&members, &room, &[&alice]);
}

/// Suite: TestGetFilteredRoomMembers/membership/leave
#[tokio::test]
async fn members_who_left_can_be_asked_for() {
    let (_, bob, room, members) = filtered_members("membership", "leave").await;

    assert_members(&members, &room, &[&bob]);
}

/// Suite: TestGetFilteredRoomMembers/membership/join
#[tokio::test]
async fn joined_members_can_be_asked_for() {
    let (alice, _, room, members) = filtered_members("membership", "join").await;

    assert_members(&members, &room, &[&alice]);
}

/// Suite: TestMembersLocal/Parallel/New room members see their own join event
#[tokio::test]
async fn a_new_member_sees_the_own_join() {
    let (_, bob, room) = public_room().await;

    bob.join(&room).await;

    bob.wait_for_member(&room, &bob, "join").await;
}

/// Suite: TestMembersLocal/Parallel/Existing members see new members' join events
#[tokio::test]
async fn a_member_sees_the_join_of_another() {
    let (alice, bob, room) = public_room().await;
    let since = alice.sync_token().await;

    bob.join(&room).await;

    alice.wait_for_member_since(&since, &room, &bob, "join").await;
}
