//! `/sync`: the leave section.

use std::time::{Duration, Instant};

use hubbub_conformance::{Homeserver, SyncAnswer, User, events, random_name, shows_member};
use serde_json::{Value, json};

const CUSTOM: &str = "hubbub.test.state";

async fn two_users() -> (User, User) {
    let server = Homeserver::from_env();
    (server.register("alice").await, server.register("bob").await)
}

fn with_left_rooms() -> Value {
    json!({"room": {"include_leave": true}})
}

fn visible_to_members_only() -> Value {
    let content = json!({"history_visibility": "joined"});
    let state = json!([{"type": "m.room.history_visibility", "state_key": "", "content": content}]);
    json!({"preset": "public_chat", "initial_state": state})
}

fn is_empty_or_absent(section: &Value) -> bool {
    section.is_null() || section.as_object().is_some_and(serde_json::Map::is_empty)
}

struct LeftRoom {
    alice: User,
    room: String,
    filter: String,
    /// From before the leave.
    since: String,
}

impl LeftRoom {
    async fn new() -> Self {
        let alice = Homeserver::from_env().register("alice").await;
        let filter = alice.upload_filter(with_left_rooms()).await;
        let room = alice.create_room(json!({})).await;
        let since = alice.wait_for_member(&room, &alice, "join").await;
        alice.leave(&room).await;
        Self { alice, room, filter, since }
    }

    fn has_leave(&self, sync: &SyncAnswer) -> bool {
        self.alice.sees_member(sync, &self.room, &self.alice, "leave")
    }
}

/// Suite: TestSyncLeaveSection/Left rooms appear in the leave section of sync
#[tokio::test]
async fn a_left_room_is_in_an_initial_sync_that_asks_for_left_rooms() {
    let left = LeftRoom::new().await;

    left.alice.sync().filter(&left.filter).until("the leave", |sync| left.has_leave(sync)).await;
}

/// Suite: TestSyncLeaveSection/Left rooms appear in the leave section of full state sync
#[tokio::test]
async fn a_left_room_is_in_a_full_state_sync_that_asks_for_left_rooms() {
    let left = LeftRoom::new().await;

    let sync = left.alice.sync().since(&left.since).filter(&left.filter).full_state();
    sync.until("the leave", |sync| left.has_leave(sync)).await;
}

/// Suite: TestSyncLeaveSection/Newly left rooms appear in the leave section of incremental sync
#[tokio::test]
async fn a_newly_left_room_is_in_an_incremental_sync_without_being_asked_for() {
    let left = LeftRoom::new().await;

    left.alice.sync().since(&left.since).until("the leave", |sync| left.has_leave(sync)).await;
}

/// Suite: TestGappedSyncLeaveSection
#[tokio::test]
async fn a_leave_is_not_lost_in_a_gap() {
    let alice = Homeserver::from_env().register("alice").await;
    let filter = json!({"room": {"include_leave": true, "timeline": {"limit": 1}}});
    let filter = alice.upload_filter(filter).await;
    let left = alice.create_room(json!({})).await;
    let busy = alice.create_room(json!({})).await;
    let since = alice.wait_for_member(&busy, &alice, "join").await;

    alice.leave(&left).await;
    for number in 0..20 {
        alice.send_text(&busy, &format!("message {number}")).await;
    }

    let sync = alice.sync().since(&since).filter(&filter);
    sync.until("the leave", |sync| alice.sees_member(sync, &left, &alice, "leave")).await;
}

struct Archived {
    bob: User,
    room: String,
    message: String,
    /// From before the message, the custom state and the leave.
    since: String,
}

impl Archived {
    /// Bob leaves after one message and one custom state; later ones follow.
    async fn new() -> Self {
        let (alice, bob) = two_users().await;
        let room = alice.create_room(json!({"preset": "public_chat"})).await;
        bob.join(&room).await;
        let since = bob.wait_for_member(&room, &bob, "join").await;
        let message = alice.send_text_and_wait(&room, "before the leave").await;
        let state = alice.set_state(&room, CUSTOM, json!({"age": "old"})).await;
        alice.wait_for_event(&room, &state).await;
        bob.leave(&room).await;
        alice.wait_for_member(&room, &bob, "leave").await;
        alice.send_text_and_wait(&room, "after the leave").await;
        alice.set_state(&room, CUSTOM, json!({"age": "new"})).await;
        Self { bob, room, message, since }
    }

    async fn assert_timeline(&self, since: Option<&str>) {
        let types = json!(["m.room.message", CUSTOM]);
        let filter =
            json!({"room": {"include_leave": true, "timeline": {"types": types}, "state": {"types": [CUSTOM]}}});
        let filter = self.bob.upload_filter(filter).await;
        let call = self.bob.sync().filter(&filter);
        let call = match since {
            Some(since) => call.since(since),
            None => call,
        };

        let sync = call.until("the left room", |sync| sync.left(&self.room).is_object()).await;

        let room = sync.left(&self.room);
        let timeline = events(&room["timeline"]);
        assert_eq!(timeline.len(), 2, "{room}");
        assert_eq!(timeline[0]["event_id"], self.message.as_str());
        assert_eq!(events(&room["state"]), [] as [Value; 0], "{room}");
    }

    async fn assert_state_alone(&self, since: Option<&str>) {
        let call = self.bob.sync().filter(json!({"room": {"include_leave": true, "timeline": {"limit": 0}}}));
        let call = match since {
            Some(since) => call.since(since),
            None => call,
        };

        let sync = call.until("the left room", |sync| sync.left(&self.room).is_object()).await;

        let room = sync.left(&self.room);
        assert_eq!(room["timeline"]["events"], json!([]), "{room}");
        let state = room["state"]["events"].as_array().expect("state is an array");
        let of_bob = state.iter().filter(|event| event["state_key"] == self.bob.id.as_str());
        let memberships: Vec<_> = of_bob.map(|event| &event["content"]["membership"]).collect();
        assert_eq!(memberships, ["leave"], "{room}");
        for event in state.iter().filter(|event| event["type"] == CUSTOM) {
            assert_eq!(event["content"]["age"], "old");
        }
    }
}

/// Suite: TestArchivedRoomsHistory/timeline has events/initial sync
#[tokio::test]
async fn the_timeline_of_a_left_room_ends_with_the_leave_in_an_initial_sync() {
    Archived::new().await.assert_timeline(None).await;
}

/// Suite: TestArchivedRoomsHistory/timeline has events/incremental sync
#[tokio::test]
async fn the_timeline_of_a_left_room_ends_with_the_leave_in_an_incremental_sync() {
    let archived = Archived::new().await;

    archived.assert_timeline(Some(&archived.since)).await;
}

/// Suite: TestArchivedRoomsHistory/timeline is empty/initial sync
#[tokio::test]
async fn a_timeline_limit_of_nothing_leaves_the_state_of_a_left_room_in_an_initial_sync() {
    Archived::new().await.assert_state_alone(None).await;
}

/// The public suite skips this for every server, since its reference server leaves the room out. By the spec the leave
/// section has the rooms left since the token, whatever the limit of their timeline.
///
/// Suite: TestArchivedRoomsHistory/timeline is empty/incremental sync
#[tokio::test]
async fn a_timeline_limit_of_nothing_leaves_the_state_of_a_left_room_in_an_incremental_sync() {
    let archived = Archived::new().await;

    archived.assert_state_alone(Some(&archived.since)).await;
}

/// Suite: TestOlderLeftRoomsNotInLeaveSection
#[tokio::test]
async fn a_room_left_earlier_does_not_come_back_when_something_happens_there() {
    let (alice, bob) = two_users().await;
    let filter = alice.upload_filter(with_left_rooms()).await;
    let left = bob.create_room(json!({"preset": "public_chat"})).await;
    let busy = bob.create_room(json!({"preset": "public_chat"})).await;
    for room in [&left, &busy] {
        alice.join(room).await;
        bob.wait_for_member(room, &alice, "join").await;
    }
    let since = alice.wait_for_member(&left, &alice, "join").await;
    alice.leave(&left).await;
    let leave = alice.sync().since(&since).filter(&filter);
    let leave = leave.until("the leave", |sync| alice.sees_member(sync, &left, &alice, "leave")).await;

    let join = json!({"membership": "join", "flavour": "mint"});
    bob.put_state(&left, "m.room.member", &bob.id, join).await.ok();
    for number in 0..20 {
        bob.send_text(&busy, &format!("message {number}")).await;
    }

    let news = alice.sync().since(&leave.next_batch()).filter(&filter).await;
    assert!(is_empty_or_absent(&news["rooms"]["leave"]), "{}", *news);
}

/// Suite: TestLeaveEventVisibility
#[tokio::test]
async fn ones_own_leave_is_seen_though_history_is_for_members_only() {
    let (alice, bob) = two_users().await;
    let room = bob.create_room(visible_to_members_only()).await;
    alice.join(&room).await;
    let since = alice.wait_for_member(&room, &alice, "join").await;

    alice.leave(&room).await;

    let sync = alice.sync().since(&since).filter(with_left_rooms()).timeout(0);
    let sync = sync.until("the left room", |sync| sync.left(&room).is_object()).await;
    let left = sync.left(&room);
    let timeline = events(&left["timeline"]);
    assert_eq!(timeline.len(), 1, "{left}");
    assert_eq!(timeline[0]["type"], "m.room.member");
    assert_eq!(timeline[0]["sender"], alice.id.as_str());
    assert_eq!(timeline[0]["content"]["membership"], "leave");
    assert_eq!(events(&left["state"]), [] as [Value; 0], "{left}");
}

/// Suite: TestLeaveEventInviteRejection
#[tokio::test]
async fn ones_own_refusal_of_an_invite_is_seen_though_history_is_for_members_only() {
    let (alice, bob) = two_users().await;
    let room = bob.create_room(visible_to_members_only()).await;
    bob.invite(&room, &alice).await.ok();
    let since = alice.wait_for_member(&room, &alice, "invite").await;

    alice.leave(&room).await;

    alice.wait_for_member_since(&since, &room, &alice, "leave").await;
}

/// Suite: TestCumulativeJoinLeaveJoinSync
#[tokio::test]
async fn a_room_left_and_joined_again_is_not_among_the_left_rooms() {
    let (alice, bob) = two_users().await;
    let room = bob.create_room(json!({"preset": "public_chat"})).await;
    let since = alice.sync_token().await;
    alice.join(&room).await;
    alice.leave(&room).await;
    alice.join(&room).await;

    let sync = alice.sync().since(&since);
    let sync = sync.until("the join", |sync| shows_member(sync.joined(&room), &alice.id, "join")).await;

    assert!(sync.left(&room).is_null(), "{}", *sync);
}

/// Tokens are not tied to a user: Bob syncs from one that Alice was given.
///
/// Suite: TestTentativeEventualJoiningAfterRejecting
#[tokio::test]
async fn a_refused_invite_is_a_left_room_until_the_room_is_joined_after_all() {
    let (alice, bob) = two_users().await;
    let topic = random_name("topic");
    let room = alice.create_room(json!({"preset": "public_chat", "topic": topic})).await;
    let since = alice.wait_for_member(&room, &alice, "join").await;
    alice.invite(&room, &bob).await.ok();
    let soon = async |is_left: bool| {
        let start = Instant::now();
        loop {
            let sync = bob.sync().since(&since).full_state().timeout(0).await;
            if sync.left(&room).is_object() == is_left {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(1), "left: {is_left} was expected: {}", *sync);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };

    bob.leave(&room).await;
    soon(true).await;

    bob.join(&room).await;
    soon(false).await;
}
