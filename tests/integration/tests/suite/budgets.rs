//! What hot requests cost, in billable operations: counts do not depend on how busy the machine is.
//!
//! `HUBBUB_LONG=1` compares 10 with 1,000 rooms and 100 with 100,000 events; without it, fewer.

use std::{env, time::Duration};

use futures_util::{StreamExt as _, stream};
use hubbub_conformance::User;
use hubbub_integration::{Counts, Server, Workspace};
use reqwest::Method;
use serde_json::json;

/// The most rows that a bridged message may write: averaged over a burst, and alone.
const BURST_ROWS: i64 = 20;
const LONE_ROWS: i64 = 32;

fn is_long() -> bool {
    env::var("HUBBUB_LONG").is_ok_and(|value| value == "1")
}

fn many_rooms() -> usize {
    if is_long() { 1_000 } else { 60 }
}

fn many_events() -> usize {
    if is_long() { 100_000 } else { 1_500 }
}

async fn make_rooms(user: &User, count: usize) {
    let rooms = stream::iter(0..count).map(|_| user.create_room(json!({"preset": "private_chat"})));
    rooms.buffer_unordered(4).collect::<Vec<_>>().await;
}

async fn send_many(user: &User, room: &str, count: usize) {
    let sends = stream::iter(0..count).map(|_| user.send_text(room, "one of many"));
    sends.buffer_unordered(8).collect::<Vec<_>>().await;
}

/// What sending costs.
#[derive(Debug)]
struct SendCost {
    /// The request while its objects sleep.
    cold: Counts,
    /// The next request, at once.
    warm: Counts,
    /// Both, with everything that they set off.
    in_all: Counts,
}

/// Sends twice, first to objects that have lost what they kept in memory: whether they are evicted in the meantime is
/// else up to the platform, and waking costs rows.
async fn send_twice(server: &Server, user: &User, room: &str, transaction: &str) -> SendCost {
    server.settled().await;
    server.abort("User", &user.id).await;
    server.abort("Room", room).await;
    let send = async |number: u32| {
        let path = format!("/rooms/{room}/send/m.room.message/{transaction}-{number}");
        let content = json!({"msgtype": "m.text", "body": "counted"});
        let bill = server.billed(user, Method::PUT, &path, Some(content)).await.1;
        tokio::time::sleep(Duration::from_millis(500)).await;
        bill
    };
    let ((cold, warm), in_all) = server.cost_of(async || (send(1).await, send(2).await)).await;
    SendCost { cold, warm, in_all }
}

/// A `/sync` that has nothing to say.
async fn idle_sync(server: &Server, user: &User) -> Counts {
    let mut since = user.sync_token().await;
    loop {
        let path = format!("/sync?timeout=0&since={since}");
        let (answer, bill) = server.billed(user, Method::GET, &path, None).await;
        let next = answer["next_batch"].as_str().expect("a token").to_owned();
        if next == since {
            return bill;
        }
        since = next;
    }
}

/// Object calls, rows read and written. Without alarms: one that rings early enough already is not set again.
fn rows(counts: Counts) -> (i64, i64, i64) {
    (counts.object_calls, counts.read_rows(), counts.written() - counts.alarms_set)
}

#[tokio::test]
async fn a_send_is_two_object_calls_and_an_idle_sync_one_in_few_rooms_and_in_many_after_few_events_and_many() {
    let server = Server::alone().await;
    let user = server.user("thrifty").await;
    let room = user.create_room(json!({})).await;
    make_rooms(&user, 9).await;
    send_many(&user, &room, 100).await;

    let few = send_twice(&server, &user, &room, "few").await;
    let few_idle = idle_sync(&server, &user).await;
    make_rooms(&user, many_rooms() - 10).await;
    send_many(&user, &room, many_events() - 102).await;
    let many = send_twice(&server, &user, &room, "many").await;
    let many_idle = idle_sync(&server, &user).await;

    println!("send: {few:?}\nidle sync: {few_idle:?}");
    for request in [few.cold, few.warm] {
        assert_eq!(request.object_calls, 2, "{request:?}");
        assert_eq!((request.d1_rows_read, request.d1_rows_written, request.fetches), (0, 0, 0), "{request:?}");
    }
    assert_eq!((few_idle.object_calls, few_idle.written(), few_idle.d1_rows_read), (1, 0, 0), "{few_idle:?}");
    assert_eq!(rows(many_idle), rows(few_idle), "an idle sync costs more");
    assert_eq!(rows(many.warm), rows(few.warm), "the request of a send costs more");
    assert_eq!(rows(many.cold), rows(few.cold), "the request of a send to sleeping objects costs more");
    assert_eq!(rows(many.in_all), rows(few.in_all), "what a send sets off costs more");
}

/// What `count` messages of Slack's cost, from webhook to archive.
async fn bridged(server: &Server, slack: &Workspace, count: usize) -> Counts {
    let message = json!({"channel": "general", "user": "ana", "text": "counted"});
    let burst = json!({"messages": vec![message; count], "wait": true});
    server.cost_of(async || slack.tell("messages", &burst).await).await.1
}

/// What a lone message costs. What each isolate reads once a minute (the registrations) is in one of two at most.
async fn lone(server: &Server, slack: &Workspace) -> Counts {
    server.settled().await;
    let (one, other) = (bridged(server, slack, 1).await, bridged(server, slack, 1).await);
    if one.read_rows() < other.read_rows() { one } else { other }
}

#[tokio::test]
async fn a_bridged_message_keeps_its_budget_in_few_rooms_and_in_many_after_few_events_and_many() {
    let server = Server::alone().await;
    let owner = server.user("robin").await;
    let slack = Workspace::connected(&server, &owner).await;
    let portal = slack.bridge("C0GENERAL").await;
    // The first message also makes the ghost and joins it.
    slack.say("general", "ana", "the first").await;
    portal.message("the first").await;

    let few = lone(&server, &slack).await;
    let burst = bridged(&server, &slack, 100).await;
    make_rooms(&owner, many_rooms() - 10).await;
    let mut left = many_events();
    while left > 0 {
        let some = left.min(1_000);
        let message = json!({"channel": "general", "user": "ana", "text": "one of many"});
        slack.tell("messages", &json!({"messages": vec![message; some], "wait": true})).await;
        left -= some;
    }
    let many = lone(&server, &slack).await;

    println!("alone: {} rows written, {few:?}", few.written());
    println!("in a burst of 100: {} rows written, {burst:?}", burst.written());
    assert!(few.written() <= LONE_ROWS, "{} rows were written for one message: {few:?}", few.written());
    assert!(burst.written() <= 100 * BURST_ROWS, "{} rows for a burst of 100: {burst:?}", burst.written());
    assert_eq!(rows(many), rows(few), "{many:?} instead of {few:?}");
}
