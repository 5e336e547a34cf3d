//! `/sync`: joined rooms.

use hubbub_conformance::{Homeserver, SyncAnswer, User};
use serde_json::{Value, json};

async fn user_with_filter() -> (User, String) {
    let alice = Homeserver::from_env().register("alice").await;
    let filter = alice.upload_filter(json!({"room": {"timeline": {"limit": 10}}})).await;
    (alice, filter)
}

/// Checks the shape of a joined room, as far as its parts are there.
fn assert_well_formed(room: &Value) {
    if let Some(timeline) = room.get("timeline") {
        assert!(timeline["events"].is_array() && timeline["limited"].is_boolean(), "{room}");
    }
    for section in ["state", "ephemeral"] {
        assert!(room.get(section).is_none_or(|section| section["events"].is_array()), "{room}");
    }
}

/// Suite: TestSync/parallel/Can sync a joined room
#[tokio::test]
async fn a_joined_room_is_in_an_initial_sync_and_then_only_when_it_changes() {
    let (alice, filter) = user_with_filter().await;
    let room = alice.create_room(json!({})).await;
    let sync = alice.sync().filter(&filter).until("the room", |sync| sync.joined(&room).is_object()).await;
    assert_well_formed(sync.joined(&room));

    let news = alice.sync().since(&sync.next_batch()).filter(&filter).await;

    assert!(news.joined(&room).is_null(), "{}", *news);
}

/// Suite: TestSync/parallel/Full state sync includes joined rooms
#[tokio::test]
async fn a_full_state_sync_has_joined_rooms() {
    let (alice, filter) = user_with_filter().await;
    let room = alice.create_room(json!({})).await;
    let sync = alice.sync().filter(&filter).until("the room", |sync| sync.joined(&room).is_object()).await;

    let full = alice.sync().since(&sync.next_batch()).filter(&filter).full_state().await;

    assert!(full.joined(&room).is_object(), "{}", *full);
    assert_well_formed(full.joined(&room));
}

/// Suite: TestSync/parallel/Newly joined room is included in an incremental sync
#[tokio::test]
async fn a_new_room_is_in_the_next_sync_and_not_in_the_one_after() {
    let (alice, filter) = user_with_filter().await;
    let since = alice.sync().filter(&filter).await.next_batch();
    let room = alice.create_room(json!({})).await;

    let news = alice.sync().since(&since).filter(&filter);
    let news = news.until("the new room", |sync| sync.joined(&room).is_object()).await;

    assert_well_formed(news.joined(&room));
    let after = alice.sync().since(&news.next_batch()).filter(&filter).await;
    assert!(after.joined(&room).is_null(), "{}", *after);
}

/// A room joined since the last sync is `limited` even when all its messages fit: what the client has is not all
/// there is. Six events would be the last four and the room's own two, without a gap.
///
/// Suite: TestSync/parallel/Newly joined room has correct timeline in incremental sync
#[tokio::test]
async fn the_timeline_of_a_newly_joined_room_is_limited() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let timeline = json!({"limit": 10, "types": ["m.room.message"]});
    let filter = bob.upload_filter(json!({"room": {"timeline": timeline, "state": {"types": []}}})).await;
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    for number in 0..4 {
        alice.send_text_and_wait(&room, &format!("before the token: {number}")).await;
    }
    let since = bob.sync().filter(&filter).await.next_batch();
    for number in 0..4 {
        alice.send_text_and_wait(&room, &format!("after the token: {number}")).await;
    }
    bob.join(&room).await;

    let news = bob.sync().since(&since).filter(&filter);
    let news = news.until("the room", |sync| sync.joined(&room).is_object()).await;

    let timeline = news.timeline(&room);
    assert!(timeline.iter().all(|event| event["type"] == "m.room.message"), "{timeline:?}");
    assert_eq!(news.joined(&room)["timeline"]["limited"], timeline.len() != 6, "{}", news.joined(&room));
}

fn has_counts(sync: &SyncAnswer, room: &str, joined: u64, invited: u64) -> bool {
    let summary = &sync.joined(room)["summary"];
    summary["m.joined_member_count"] == joined
        && (summary["m.invited_member_count"] == invited
            || (invited == 0 && summary.get("m.invited_member_count").is_none()))
}

/// Suite: TestRoomSummary
#[tokio::test]
async fn the_summary_counts_joined_and_invited_members() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let since = alice.sync_token().await;
    let bobs_since = bob.sync_token().await;
    let room = alice.create_room(json!({"preset": "public_chat", "invite": [bob.id]})).await;
    let sync = alice.sync().since(&since);
    let sync = sync.until("one joined, one invited", |sync| has_counts(sync, &room, 1, 1)).await;

    bob.join(&room).await;

    let news = alice.sync().since(&sync.next_batch());
    news.until("two joined for Alice", |sync| has_counts(sync, &room, 2, 0)).await;
    bob.sync().since(&bobs_since).until("two joined for Bob", |sync| has_counts(sync, &room, 2, 0)).await;
}
