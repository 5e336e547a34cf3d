//! Knocking by a user of the same server: rooms of version 7 with rule `knock`, and of version 10 with
//! `knock_restricted`. The second half of each name says which.

use hubbub_conformance::{Answer, Homeserver, User, events, shows_member};
use serde_json::{Value, json};

struct Door {
    room: String,
    alice: User,
    bob: User,
    join_rule: &'static str,
}

impl Door {
    /// A private room that takes no knocks yet.
    async fn shut(version: &str, join_rule: &'static str) -> Self {
        let server = Homeserver::from_env();
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        let room = alice.create_room(json!({"preset": "private_chat", "room_version": version})).await;
        Self { room, alice, bob, join_rule }
    }

    /// A room that takes knocks.
    async fn new(version: &str, join_rule: &'static str) -> Self {
        let door = Self::shut(version, join_rule).await;
        door.set_rule().await;
        door
    }

    /// A room on which Bob knocked.
    async fn knocked(version: &str, join_rule: &'static str) -> Self {
        let door = Self::new(version, join_rule).await;
        door.knock(json!({"reason": "Let me in"})).await.with_status(200);
        door
    }

    async fn set_rule(&self) -> String {
        self.alice.set_state(&self.room, "m.room.join_rules", json!({"join_rule": self.join_rule})).await
    }

    async fn knock(&self, body: Value) -> Answer {
        let call = self.bob.post(["knock", &self.room]).query("server_name", &self.bob.server_name());
        call.json(body).await
    }

    /// Waits until Bob's initial sync has the knock.
    async fn bob_sees_knock(&self) {
        let shows = |section: &Value| {
            let stripped = events(&section["knock_state"]);
            let is_own = |event: &Value| event["state_key"] == self.bob.id.as_str();
            stripped.iter().any(|event| is_own(event) && event["content"]["membership"] == "knock")
        };
        self.bob.sync().until("the knock", |sync| shows(&sync["rooms"]["knock"][&self.room])).await;
    }
}

async fn refuses_by_another_rule(version: &str, join_rule: &'static str) {
    let door = Door::shut(version, join_rule).await;
    door.knock(json!({"reason": "Let me in"})).await.refused(403, "M_FORBIDDEN");
}

async fn rule_changes(version: &str, join_rule: &'static str) {
    let door = Door::shut(version, join_rule).await;
    let event_id = door.set_rule().await;
    door.alice.wait_for_event(&door.room, &event_id).await;
}

async fn is_not_open(version: &str, join_rule: &'static str) {
    let door = Door::new(version, join_rule).await;
    door.bob.post(["join", &door.room]).await.refused(403, "M_FORBIDDEN");
}

async fn knocks(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.bob_sees_knock().await;
    door.alice.wait_for_member(&door.room, &door.bob, "knock").await;
}

async fn knocks_twice(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.knock(json!({"reason": "Really, let me in"})).await.with_status(200);
    door.bob_sees_knock().await;
    let sync = door.alice.sync().await;
    let timeline = sync.timeline(&door.room);
    let mut knocks = timeline.iter().filter(|event| event["content"]["membership"] == "knock");
    assert_eq!(knocks.next().expect("the first knock")["content"]["reason"], "Let me in");
}

async fn withdraws(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    let since = door.bob.sync_token().await;
    door.bob.leave(&door.room).await;
    let left = door.bob.sync().since(&since);
    let left = left.until("the leave", |sync| !sync.left(&door.room).is_null()).await;
    let memberships: Vec<&Value> =
        events(&left.left(&door.room)["timeline"]).iter().map(|event| &event["content"]["membership"]).collect();
    assert_eq!(memberships.first(), Some(&&json!("leave")));
    door.knock(json!({"reason": "Let me in"})).await.with_status(200);
}

async fn is_rejected(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.alice.kick(&door.room, &door.bob).await.ok();
    door.alice.wait_for_member(&door.room, &door.bob, "leave").await;
    door.knock(json!({"reason": "Let me in"})).await.with_status(200);
}

async fn knocks_without_reason(version: &str, join_rule: &'static str) {
    let door = Door::new(version, join_rule).await;
    door.knock(json!({})).await.with_status(200);
}

async fn is_accepted(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.alice.invite(&door.room, &door.bob).await.ok();
    door.alice.wait_for_member(&door.room, &door.bob, "invite").await;
}

async fn is_invited(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.alice.invite(&door.room, &door.bob).await.ok();
    door.knock(json!({"reason": "Let me in"})).await.refused(403, "M_FORBIDDEN");
}

async fn is_inside(version: &str, join_rule: &'static str) {
    let door = Door::knocked(version, join_rule).await;
    door.alice.invite(&door.room, &door.bob).await.ok();
    door.bob.join(&door.room).await;
    door.knock(json!({"reason": "Let me in"})).await.refused(403, "M_FORBIDDEN");
}

async fn is_banned(version: &str, join_rule: &'static str) {
    let door = Door::new(version, join_rule).await;
    door.alice.ban(&door.room, &door.bob).await.ok();
    door.alice.sync().until("the ban", |sync| shows_member(sync.joined(&door.room), &door.bob.id, "ban")).await;
    door.knock(json!({"reason": "Let me in"})).await.with_status(403);
}

/// Suite: TestKnocking/Knocking on a room with a join rule other than 'knock' should fail
#[tokio::test]
async fn a_room_that_takes_no_knocks_refuses_one_by_knock() {
    refuses_by_another_rule("7", "knock").await;
}

/// Suite: TestKnocking/Change the join rule of a room from 'invite' to 'knock'
#[tokio::test]
async fn a_room_begins_to_take_knocks_by_knock() {
    rule_changes("7", "knock").await;
}

/// Suite: TestKnocking/Attempting to join a room with join rule 'knock' without an invite should fail
#[tokio::test]
async fn a_room_that_takes_knocks_is_not_joined_without_an_invite_by_knock() {
    is_not_open("7", "knock").await;
}

/// Suite: TestKnocking/Knocking on a room with join rule 'knock' should succeed
#[tokio::test]
async fn a_knock_shows_in_ones_own_sync_by_knock() {
    knocks("7", "knock").await;
}

/// Suite: TestKnocking/A user that has already knocked is allowed to knock again on the same room
/// Suite: TestKnocking/Users in the room see a user's membership update when they knock
#[tokio::test]
async fn a_second_knock_is_fine_by_knock() {
    knocks_twice("7", "knock").await;
}

/// Suite: TestKnocking/A user that has knocked on a local room can rescind their knock and then knock again
#[tokio::test]
async fn a_knock_is_withdrawn_and_repeated_by_knock() {
    withdraws("7", "knock").await;
}

/// Suite: TestKnocking/A user in the room can reject a knock
#[tokio::test]
async fn a_kick_rejects_a_knock_and_another_is_fine_by_knock() {
    is_rejected("7", "knock").await;
}

/// Suite: TestKnocking/A user can knock on a room without a reason
#[tokio::test]
async fn a_knock_needs_no_reason_by_knock() {
    knocks_without_reason("7", "knock").await;
}

/// Suite: TestKnocking/A user in the room can accept a knock
#[tokio::test]
async fn an_invite_answers_a_knock_by_knock() {
    is_accepted("7", "knock").await;
}

/// Suite: TestKnocking/A user cannot knock on a room they are already invited to
#[tokio::test]
async fn who_is_invited_does_not_knock_by_knock() {
    is_invited("7", "knock").await;
}

/// Suite: TestKnocking/A user cannot knock on a room they are already in
#[tokio::test]
async fn who_is_inside_does_not_knock_by_knock() {
    is_inside("7", "knock").await;
}

/// Suite: TestKnocking/A user that is banned from a room cannot knock on it
#[tokio::test]
async fn who_is_banned_does_not_knock_by_knock() {
    is_banned("7", "knock").await;
}

/// Suite: TestKnockingInMSC3787Room/Knocking on a room with a join rule other than 'knock' should fail
#[tokio::test]
async fn a_room_that_takes_no_knocks_refuses_one_by_knock_restricted() {
    refuses_by_another_rule("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/Change the join rule of a room from 'invite' to 'knock'
#[tokio::test]
async fn a_room_begins_to_take_knocks_by_knock_restricted() {
    rule_changes("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/Attempting to join a room with join rule 'knock' without an invite should fail
#[tokio::test]
async fn a_room_that_takes_knocks_is_not_joined_without_an_invite_by_knock_restricted() {
    is_not_open("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/Knocking on a room with join rule 'knock' should succeed
#[tokio::test]
async fn a_knock_shows_in_ones_own_sync_by_knock_restricted() {
    knocks("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user that has already knocked is allowed to knock again on the same room
/// Suite: TestKnockingInMSC3787Room/Users in the room see a user's membership update when they knock
#[tokio::test]
async fn a_second_knock_is_fine_by_knock_restricted() {
    knocks_twice("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user that has knocked on a local room can rescind their knock and then knock again
#[tokio::test]
async fn a_knock_is_withdrawn_and_repeated_by_knock_restricted() {
    withdraws("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user in the room can reject a knock
#[tokio::test]
async fn a_kick_rejects_a_knock_and_another_is_fine_by_knock_restricted() {
    is_rejected("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user can knock on a room without a reason
#[tokio::test]
async fn a_knock_needs_no_reason_by_knock_restricted() {
    knocks_without_reason("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user in the room can accept a knock
#[tokio::test]
async fn an_invite_answers_a_knock_by_knock_restricted() {
    is_accepted("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user cannot knock on a room they are already invited to
#[tokio::test]
async fn who_is_invited_does_not_knock_by_knock_restricted() {
    is_invited("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user cannot knock on a room they are already in
#[tokio::test]
async fn who_is_inside_does_not_knock_by_knock_restricted() {
    is_inside("10", "knock_restricted").await;
}

/// Suite: TestKnockingInMSC3787Room/A user that is banned from a room cannot knock on it
#[tokio::test]
async fn who_is_banned_does_not_knock_by_knock_restricted() {
    is_banned("10", "knock_restricted").await;
}
