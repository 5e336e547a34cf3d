//! A `/sync` that waits: it keeps nothing awake, wakes once with what happened, and ends in time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hubbub_conformance::{SyncAnswer, User};
use hubbub_integration::Server;
use serde_json::json;

/// Syncs until there is nothing new, and returns the token.
async fn caught_up(user: &User) -> String {
    let mut since = user.sync_token().await;
    loop {
        let answer = user.sync().since(&since).timeout(0).await;
        if is_empty(&answer) && answer.next_batch() == since {
            return since;
        }
        since = answer.next_batch();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn is_empty(answer: &SyncAnswer) -> bool {
    let has = |key: &str| answer.get(key).is_some_and(|value| value.to_string().contains("\"events\":[{"));
    !has("rooms") && !has("account_data") && !has("to_device") && !has("presence")
}

/// Starts a poll that waits for up to a minute; it answers when and with what it woke.
fn poll(user: &User, since: &str, filter: u32) -> tokio::task::JoinHandle<(Instant, SyncAnswer)> {
    let filter = json!({"room": {"timeline": {"limit": 1 + filter % 50}}, "presence": {"limit": 1 + filter / 50}});
    let call = user.sync().since(since).filter(filter).timeout(50_000);
    tokio::spawn(async move {
        let answer = call.await;
        (Instant::now(), answer)
    })
}

#[tokio::test]
async fn a_waiting_poll_survives_the_eviction_of_its_object_and_wakes_with_the_event() {
    let server = Server::alone().await;
    let (waiting, talking) = (server.user("waiting").await, server.user("talking").await);
    let room = talking.create_room(json!({"preset": "public_chat"})).await;
    waiting.join(&room).await;
    let since = caught_up(&waiting).await;

    let poll = poll(&waiting, &since, 0);
    tokio::time::sleep(Duration::from_millis(15_500)).await;
    assert!(!poll.is_finished(), "the poll ended while nothing happened");
    // The only other user object of this server is constructed before it is counted, and stays for the send.
    talking.get(["account", "whoami"]).await.ok();
    let constructed = server.constructed("UserSyncObject").await;
    let event = talking.send_text(&room, "wake up").await;

    let (_, answer) = poll.await.expect("the poll");
    assert!(answer.has_event(&room, &event), "the poll woke without the event: {}", *answer);
    let again = server.constructed("UserSyncObject").await - constructed;
    assert_eq!(again, 1, "the waiting user's object is constructed anew, unless it was kept awake");
}

#[tokio::test]
async fn two_hundred_polls_at_one_object_wake_at_once() {
    let server = Server::shared();
    let (waiting, talking) = (server.user("waiting").await, server.user("talking").await);
    let room = talking.create_room(json!({"preset": "public_chat"})).await;
    waiting.join(&room).await;
    let since = caught_up(&waiting).await;
    let polls: Vec<_> = (0..200).map(|number| poll(&waiting, &since, number)).collect();
    // Until all of them are parked.
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    assert!(polls.iter().all(|poll| !poll.is_finished()), "a poll ended while nothing happened");

    let event = talking.send_text(&room, "wake up, all of you").await;
    let sent = Instant::now();

    let mut latest = Duration::ZERO;
    for outcome in join_all(polls).await {
        let (woke, answer) = outcome.expect("a poll");
        assert!(answer.has_event(&room, &event), "a poll woke without the event: {}", *answer);
        latest = latest.max(woke.saturating_duration_since(sent));
    }
    assert!(latest < Duration::from_secs(5), "the last poll woke after {latest:?}");
}

#[tokio::test]
async fn a_poll_that_times_out_is_empty_and_has_the_same_token() {
    let server = Server::shared();
    let user = server.user("patient").await;
    user.create_room(json!({})).await;
    let since = caught_up(&user).await;

    let started = Instant::now();
    let answer = user.sync().since(&since).timeout(1_000).await;

    assert!(started.elapsed() >= Duration::from_millis(950), "it did not wait: {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(4), "it waited too long: {:?}", started.elapsed());
    assert!(is_empty(&answer), "{}", *answer);
    assert_eq!(answer.next_batch(), since);
}

#[tokio::test]
async fn a_new_poll_of_a_device_ends_its_predecessor_and_no_other() {
    let server = Server::shared();
    let user = server.user("twice").await;
    let other_device = user.login_again(json!({})).await;
    let room = user.create_room(json!({})).await;
    let since = caught_up(&user).await;
    let (first, elsewhere) = (poll(&user, &since, 0), poll(&other_device, &since, 0));
    tokio::time::sleep(Duration::from_millis(500)).await;

    let second = poll(&user, &since, 0);
    let (_, answer) = tokio::time::timeout(Duration::from_secs(5), first).await.expect("its end").expect("the poll");
    assert!(is_empty(&answer), "{}", *answer);
    assert_eq!(answer.next_batch(), since);

    assert!(!elsewhere.is_finished(), "the poll of another device was ended");
    let event = user.send_text(&room, "still there?").await;
    for poll in [second, elsewhere] {
        let (_, answer) = poll.await.expect("the poll");
        assert!(answer.has_event(&room, &event), "{}", *answer);
    }
}

#[tokio::test]
async fn a_poll_wakes_within_a_second_of_each_kind_of_news() {
    let server = Server::shared();
    let (waiting, other) = (server.user("waiting").await, server.user("other").await);
    let room = other.create_room(json!({"preset": "public_chat"})).await;
    waiting.join(&room).await;
    let read = other.send_text(&room, "read this").await;
    let mut since = caught_up(&waiting).await;

    for news in ["message", "state", "receipt", "typing", "account data", "profile", "invite", "kick"] {
        let poll = poll(&waiting, &since, 0);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!poll.is_finished(), "the poll ended before {news}");
        let started = Instant::now();
        happen(news, &other, &waiting, &room, &read).await;
        let (woke, answer) = poll.await.expect("the poll");
        let rooms = answer["rooms"].as_object().is_some_and(|rooms| !rooms.is_empty());
        let told = rooms || answer.account_data("com.hubbub.test").is_some();
        assert!(told, "the poll woke empty after {news}: {}", *answer);
        assert!(woke.saturating_duration_since(started) < Duration::from_secs(3), "{news} woke the poll late");
        since = caught_up_from(&waiting, answer.next_batch()).await;
    }
}

async fn happen(news: &str, other: &User, waiting: &User, room: &str, read: &str) {
    let answer = match news {
        "message" => other.put(["rooms", room, "send", "m.room.message", news], json!({"body": "x"})),
        "state" => other.put_state(room, "m.room.topic", "", json!({"topic": "news"})),
        "receipt" => other.post(["rooms", room, "receipt", "m.read", read]).json(json!({})),
        "typing" => other.put(["rooms", room, "typing", &other.id], json!({"typing": true, "timeout": 1_000})),
        "account data" => waiting.put(["user", &waiting.id, "account_data", "com.hubbub.test"], json!({"a": 1})),
        "profile" => other.put(["profile", &other.id, "displayname"], json!({"displayname": "Another"})),
        "invite" => {
            let second = other.create_room(json!({})).await;
            other.invite(&second, waiting)
        }
        "kick" => other.kick(room, waiting),
        _ => panic!("no such news: {news}"),
    };
    answer.await.ok();
}

/// Goes on until nothing is new: typing ends by itself a second later.
async fn caught_up_from(user: &User, mut since: String) -> String {
    loop {
        let answer = user.sync().since(&since).timeout(1_300).await;
        if answer.next_batch() == since {
            return since;
        }
        since = answer.next_batch();
    }
}
