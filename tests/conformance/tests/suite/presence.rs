//! Presence: set, read, and shown to those who share a room.

use hubbub_conformance::{Homeserver, SyncAnswer, User, events};
use serde_json::{Value, json};

async fn two_in_a_room(server: &Homeserver) -> (User, User, String) {
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    bob.join(&room).await;
    (alice, bob, room)
}

/// The presence that a sync shows of a user, after a look at the form of all of it.
fn shown<'a>(sync: &'a SyncAnswer, user: &User) -> Option<&'a Value> {
    let all = events(&sync["presence"]);
    for event in all {
        assert_eq!(event["type"], "m.presence", "{event}");
        assert!(event["sender"].is_string() && event["content"]["presence"].is_string(), "{event}");
    }
    all.iter().find(|event| event["sender"] == user.id.as_str()).map(|event| &event["content"])
}

async fn set(user: &User, body: Value) {
    user.put(["presence", &user.id, "status"], body).await.ok();
}

async fn sees(user: &User, since: &str, other: &User, presence: &str) -> SyncAnswer {
    let what = format!("{} being {presence}", other.id);
    let is_shown = |sync: &SyncAnswer| shown(sync, other).is_some_and(|content| content["presence"] == presence);
    user.sync().since(since).until(&what, is_shown).await
}

/// Suite: TestPresence/GET /presence/:user_id/status fetches initial status
#[tokio::test]
async fn a_user_who_never_set_a_presence_has_one() {
    let server = Homeserver::from_env();
    let (alice, _bob, _room) = two_in_a_room(&server).await;

    let status = alice.get(["presence", &alice.id, "status"]).await.ok();

    assert!(status["presence"].is_string(), "{status}");
}

/// Suite: TestPresence/PUT /presence/:user_id/status updates my presence
#[tokio::test]
async fn a_presence_is_read_as_it_was_set() {
    let server = Homeserver::from_env();
    let (alice, _bob, _room) = two_in_a_room(&server).await;

    alice
        .put(["presence", &alice.id, "status"], json!({"presence": "online", "status_msg": "Testing"}))
        .await
        .with_status(200);

    let status = alice.get(["presence", &alice.id, "status"]).await.ok();
    assert!(status["presence"].is_string(), "{status}");
    assert_eq!(status["status_msg"], "Testing");
}

/// Suite: TestPresence/Presence can be set from sync
#[tokio::test]
async fn a_sync_sets_a_presence() {
    let server = Homeserver::from_env();
    let (alice, bob, _room) = two_in_a_room(&server).await;
    let since = bob.sync_token().await;

    alice.get(["sync"]).query("set_presence", "unavailable").query("timeout", "0").await.ok();

    sees(&bob, &since, &alice, "unavailable").await;
}

/// Suite: TestPresence/Presence changes are reported to local room members
#[tokio::test]
async fn room_mates_see_a_presence_with_its_status_message() {
    let server = Homeserver::from_env();
    let (alice, bob, _room) = two_in_a_room(&server).await;
    let since = bob.sync_token().await;

    set(&alice, json!({"presence": "online", "status_msg": "Update for room members"})).await;

    let has_status = |sync: &SyncAnswer| {
        shown(sync, &alice).is_some_and(|content| {
            content["presence"] == "online" && content["status_msg"] == "Update for room members"
        })
    };
    bob.sync().since(&since).until("the status message", has_status).await;
}

/// Suite: TestPresence/Presence changes to UNAVAILABLE are reported to local room members
#[tokio::test]
async fn room_mates_see_who_becomes_unavailable() {
    let server = Homeserver::from_env();
    let (alice, bob, _room) = two_in_a_room(&server).await;
    let since = bob.sync_token().await;

    set(&alice, json!({"presence": "unavailable"})).await;

    sees(&bob, &since, &alice, "unavailable").await;
}

/// Suite: TestPresenceSyncDifferentRooms
#[tokio::test]
async fn presence_comes_through_every_room() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let mut others = Vec::new();
    for name in ["bob", "charlie"] {
        let other = server.register(name).await;
        let room = alice.create_room(json!({"preset": "private_chat"})).await;
        alice.invite(&room, &other).await.ok();
        other.join(&room).await;
        others.push(other);
    }
    let since = alice.sync_token().await;

    for other in &others {
        set(other, json!({"presence": "online"})).await;
    }

    let mut seen = vec![false; others.len()];
    alice
        .sync()
        .since(&since)
        .until_from_same_token("both being online", |sync| {
            for (seen, other) in seen.iter_mut().zip(&others) {
                *seen |= shown(sync, other).is_some_and(|content| content["presence"] == "online");
            }
            seen.iter().all(|seen| *seen)
        })
        .await;
}

/// Suite: TestMembersLocal/Parallel/Existing members see new members' presence (in initial sync)
#[tokio::test]
async fn a_first_sync_has_the_presence_of_a_new_member() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    set(&bob, json!({"presence": "online"})).await;

    bob.join(&room).await;

    let what = "the new member's presence";
    alice.sync().until(what, |sync| shown(sync, &bob).is_some()).await;
}

/// Suite: TestMembersLocal/Parallel/Existing members see new members' presence (in incremental sync)
#[tokio::test]
async fn a_join_brings_a_presence_that_was_set_before() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    set(&bob, json!({"presence": "online"})).await;
    let since = alice.sync_token().await;

    bob.join(&room).await;

    alice.sync().since(&since).until("the new member's presence", |sync| shown(sync, &bob).is_some()).await;
}

/// The first answer with any presence has exactly one event of the other, and none but that.
fn first_presence_is_of(sync: &SyncAnswer, other: &User) -> bool {
    let all = events(&sync["presence"]);
    if all.is_empty() {
        return false;
    }
    let of_other = all.iter().filter(|event| event["sender"] == other.id.as_str()).count();
    assert_eq!(of_other, 1, "{all:?}");
    shown(sync, other).is_some()
}

/// Suite: TestSync/parallel/Newly joined room includes presence in incremental sync
#[tokio::test]
async fn who_joins_gets_the_presence_of_who_is_there() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    alice.sync_token().await;
    let since = bob.sync_token().await;

    bob.join(&room).await;

    let what = "the presence of who was there";
    bob.sync().since(&since).until(what, |sync| first_presence_is_of(sync, &alice)).await;
}

/// Suite: TestSync/parallel/Get presence for newly joined members in incremental sync
#[tokio::test]
async fn who_is_there_gets_the_presence_of_who_joins() {
    let server = Homeserver::from_env();
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room = alice.create_room(json!({"preset": "public_chat"})).await;
    let since = alice.sync_token().await;
    bob.sync_token().await;
    set(&bob, json!({"presence": "online"})).await;

    bob.join(&room).await;

    let what = "the presence of who joined";
    alice.sync().since(&since).until(what, |sync| first_presence_is_of(sync, &bob)).await;
}
