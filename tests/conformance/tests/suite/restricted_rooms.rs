//! Restricted rooms and a joiner of the same server: version 8 with rule `restricted`, version 10 with
//! `knock_restricted`.

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

struct Rooms {
    allowed: String,
    room: String,
    alice: User,
    bob: User,
    join_rule: &'static str,
}

impl Rooms {
    async fn new(version: &str, join_rule: &'static str) -> Self {
        let server = Homeserver::from_env();
        let (alice, bob) = (server.register("alice").await, server.register("bob").await);
        let allowed = alice.create_room(json!({"preset": "public_chat"})).await;
        let allow = json!([{"type": "m.room_membership", "room_id": allowed, "via": [alice.server_name()]}]);
        let rule = json!({"join_rule": join_rule, "allow": allow});
        let initial_state = json!([{"type": "m.room.join_rules", "state_key": "", "content": rule}]);
        let body = json!({"preset": "public_chat", "room_version": version, "initial_state": initial_state});
        let room = alice.create_room(body).await;
        Self { allowed, room, alice, bob, join_rule }
    }

    async fn try_join(&self) -> Answer {
        self.bob.post(["join", &self.room]).await
    }

    async fn set_allow(&self, allow: Value) {
        let rule = json!({"join_rule": self.join_rule, "allow": allow});
        self.alice.set_state(&self.room, "m.room.join_rules", rule).await;
    }
}

async fn outsider(version: &str, join_rule: &'static str) {
    let rooms = Rooms::new(version, join_rule).await;
    rooms.try_join().await.refused(403, "M_FORBIDDEN");
}

async fn member_elsewhere(version: &str, join_rule: &'static str) {
    let rooms = Rooms::new(version, join_rule).await;
    rooms.bob.join(&rooms.allowed).await;
    rooms.try_join().await.ok();
    let content = json!({
        "membership": "join", "displayname": "Bobby", "join_authorised_via_users_server": "unused",
    });
    rooms.bob.put_state(&rooms.room, "m.room.member", &rooms.bob.id, content).await.ok();
    let is_new = |event: &Value| event["content"]["displayname"] == "Bobby";
    rooms.bob.sync().until("the new name", |sync| sync.timeline(&rooms.room).iter().any(is_new)).await;
}

async fn left_elsewhere(version: &str, join_rule: &'static str) {
    let rooms = Rooms::new(version, join_rule).await;
    rooms.bob.join(&rooms.allowed).await;
    rooms.try_join().await.ok();
    rooms.bob.leave(&rooms.room).await;
    rooms.bob.leave(&rooms.allowed).await;
    rooms.try_join().await.refused(403, "M_FORBIDDEN");
}

async fn invited(version: &str, join_rule: &'static str) {
    let rooms = Rooms::new(version, join_rule).await;
    rooms.alice.invite(&rooms.room, &rooms.bob).await.ok();
    rooms.try_join().await.ok();
    rooms.bob.leave(&rooms.room).await;
}

async fn mangled(version: &str, join_rule: &'static str) {
    let rooms = Rooms::new(version, join_rule).await;
    rooms.bob.join(&rooms.allowed).await;
    for allow in [json!(["invalid"]), json!("invalid")] {
        rooms.set_allow(allow).await;
        rooms.try_join().await.refused(403, "M_FORBIDDEN");
    }
}

/// Suite: TestRestrictedRoomsLocalJoin/Join should fail initially
#[tokio::test]
async fn an_outsider_does_not_join_where_the_rule_is_restricted() {
    outsider("8", "restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoin/Join should succeed when joined to allowed room
#[tokio::test]
async fn a_member_of_the_named_room_joins_and_changes_the_own_event_where_the_rule_is_restricted() {
    member_elsewhere("8", "restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoin/Join should fail when left allowed room
#[tokio::test]
async fn who_left_the_named_room_does_not_join_again_where_the_rule_is_restricted() {
    left_elsewhere("8", "restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoin/Join should succeed when invited
#[tokio::test]
async fn an_invite_is_enough_where_the_rule_is_restricted() {
    invited("8", "restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoin/Join should fail with mangled join rules
#[tokio::test]
async fn mangled_conditions_let_nobody_in_where_the_rule_is_restricted() {
    mangled("8", "restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoinInMSC3787Room/Join should fail initially
#[tokio::test]
async fn an_outsider_does_not_join_where_the_rule_is_knock_restricted() {
    outsider("10", "knock_restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoinInMSC3787Room/Join should succeed when joined to allowed room
#[tokio::test]
async fn a_member_of_the_named_room_joins_and_changes_the_own_event_where_the_rule_is_knock_restricted() {
    member_elsewhere("10", "knock_restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoinInMSC3787Room/Join should fail when left allowed room
#[tokio::test]
async fn who_left_the_named_room_does_not_join_again_where_the_rule_is_knock_restricted() {
    left_elsewhere("10", "knock_restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoinInMSC3787Room/Join should succeed when invited
#[tokio::test]
async fn an_invite_is_enough_where_the_rule_is_knock_restricted() {
    invited("10", "knock_restricted").await;
}

/// Suite: TestRestrictedRoomsLocalJoinInMSC3787Room/Join should fail with mangled join rules
#[tokio::test]
async fn mangled_conditions_let_nobody_in_where_the_rule_is_knock_restricted() {
    mangled("10", "knock_restricted").await;
}
