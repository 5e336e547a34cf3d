//! What hot requests cost, in billable operations: counts do not depend on how busy the machine is.
//!
//! `HUBBUB_LONG=1` compares 10 with 1,000 rooms and 100 with 100,000 events; without it, fewer.

use std::env;

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

/// A `PUT …/send`: the request alone, and with everything that it sets off.
async fn send(server: &Server, user: &User, room: &str, transaction: &str) -> (Counts, Counts) {
    let path = format!("/rooms/{room}/send/m.room.message/{transaction}");
    let content = json!({"msgtype": "m.text", "body": "counted"});
    let sent = async || server.billed(user, Method::PUT, &path, Some(content.clone())).await.1;
    server.cost_of(sent).await
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

#[tokio::test]
async fn a_send_is_two_object_calls_and_an_idle_sync_one() {
    let server = Server::alone().await;
    let user = server.user("thrifty").await;
    let room = user.create_room(json!({})).await;
    // The first of each after an object woke reads what it keeps in memory from then on.
    send(&server, &user, &room, "warm").await;

    let (request, _) = send(&server, &user, &room, "counted").await;
    assert_eq!(request.object_calls, 2, "{request:?}");
    assert_eq!((request.d1_rows_read, request.d1_rows_written, request.fetches), (0, 0, 0), "{request:?}");

    idle_sync(&server, &user).await;
    let idle = idle_sync(&server, &user).await;
    assert_eq!(idle.object_calls, 1, "{idle:?}");
    assert_eq!((idle.written(), idle.d1_rows_read), (0, 0), "{idle:?}");
}

#[tokio::test]
async fn a_send_and_an_idle_sync_cost_the_same_in_few_rooms_and_in_many() {
    let server = Server::alone().await;
    let user = server.user("sociable").await;
    let room = user.create_room(json!({})).await;
    make_rooms(&user, 9).await;
    send(&server, &user, &room, "warm").await;
    idle_sync(&server, &user).await;
    let (few, few_in_all) = send(&server, &user, &room, "few").await;
    let few_idle = idle_sync(&server, &user).await;

    make_rooms(&user, many_rooms() - 10).await;
    send(&server, &user, &room, "warm again").await;
    let (many, many_in_all) = send(&server, &user, &room, "many").await;
    let many_idle = idle_sync(&server, &user).await;

    assert_eq!(many, few, "the request of a send costs more");
    assert_eq!(many_idle, few_idle, "an idle sync costs more");
    assert_eq!(rows(many_in_all), rows(few_in_all), "what a send sets off costs more");
}

#[tokio::test]
async fn a_send_and_an_idle_sync_cost_the_same_after_few_events_and_after_many() {
    let server = Server::alone().await;
    let user = server.user("talkative").await;
    let room = user.create_room(json!({})).await;
    send_many(&user, &room, 100).await;
    send(&server, &user, &room, "warm").await;
    idle_sync(&server, &user).await;
    let (few, few_in_all) = send(&server, &user, &room, "few").await;
    let few_idle = idle_sync(&server, &user).await;

    send_many(&user, &room, many_events() - 102).await;
    send(&server, &user, &room, "warm again").await;
    let (many, many_in_all) = send(&server, &user, &room, "many").await;
    let many_idle = idle_sync(&server, &user).await;

    assert_eq!(many, few, "the request of a send costs more");
    assert_eq!(many_idle, few_idle, "an idle sync costs more");
    assert_eq!(rows(many_in_all), rows(few_in_all), "what a send sets off costs more");
}

/// Rows read and written.
fn rows(counts: Counts) -> (i64, i64) {
    (counts.read_rows(), counts.written())
}

/// What one message of Slack's costs, from webhook to archive, averaged over a burst of `count`.
async fn bridged(server: &Server, slack: &Workspace, count: i64) -> Counts {
    let messages: Vec<_> = (0..count).map(|_| json!({"channel": "general", "user": "ana", "text": "counted"})).collect();
    let burst = json!({"messages": messages, "wait": true});
    server.cost_of(async || slack.tell("messages", &burst).await).await.1
}

async fn connected(server: &Server) -> Workspace {
    let owner = server.user("robin").await;
    Workspace::connected(server, &owner).await
}

#[tokio::test]
async fn a_bridged_message_writes_at_most_twenty_rows_in_a_burst_and_thirty_two_alone() {
    let server = Server::alone().await;
    let slack = connected(&server).await;
    let portal = slack.bridge("C0GENERAL").await;
    // The first message also makes the ghost and joins it.
    bridged(&server, &slack, 1).await;

    let lone = bridged(&server, &slack, 1).await;
    let burst = bridged(&server, &slack, 100).await;

    portal.messages("counted", 102).await;
    println!("alone: {} rows written, {lone:?}", lone.written());
    println!("burst of 100: {:.2} rows written a message, {burst:?}", burst.written() as f64 / 100.0);
    assert!(lone.written() <= LONE_ROWS, "{} rows were written for one message: {lone:?}", lone.written());
    assert!(burst.written() <= 100 * BURST_ROWS, "{} rows for a burst of 100: {burst:?}", burst.written());
}

#[tokio::test]
async fn a_bridged_message_costs_the_same_in_few_rooms_and_in_many_after_few_events_and_many() {
    let server = Server::alone().await;
    let slack = connected(&server).await;
    let portal = slack.bridge("C0GENERAL").await;
    bridged(&server, &slack, 50).await;
    bridged(&server, &slack, 1).await;
    let few = bridged(&server, &slack, 1).await;

    make_rooms(&slack.owner, many_rooms() - 10).await;
    send_many(&slack.owner, &slack.owner.create_room(json!({})).await, 20).await;
    let mut left = many_events();
    while left > 0 {
        let some = left.min(500);
        bridged(&server, &slack, i64::try_from(some).expect("a number")).await;
        left -= some;
    }
    bridged(&server, &slack, 1).await;
    let many = bridged(&server, &slack, 1).await;

    portal.message("counted").await;
    assert_eq!(rows(many), rows(few), "{many:?} instead of {few:?}");
}
