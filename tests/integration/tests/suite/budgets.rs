//! What hot requests cost, in billable operations: counts do not depend on how busy the machine is.
//!
//! `HUBBUB_LONG=1` compares 10 with 1,000 rooms and 100 with 100,000 events; without it, fewer.

use std::{
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt as _, stream};
use hubbub_conformance::User;
use hubbub_integration::{Counts, Portal, Server, Workspace};
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

/// Object calls, rows read in objects, rows written. Without alarms, since one that rings early enough already is not set
/// again, and without what is read in D1: the registrations, once a minute.
fn rows(counts: Counts) -> [i64; 3] {
    [counts.object_calls, counts.rows_read, counts.written() - counts.alarms_set]
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

    println!("send: {few:?}\nand after many: {many:?}\nidle sync: {few_idle:?}");
    for request in [few.cold, few.warm] {
        assert_eq!((request.object_calls, request.d1_rows_written, request.fetches), (2, 0, 0), "{request:?}");
    }
    assert_eq!((few.warm.d1_rows_read, many.warm.d1_rows_read), (0, 0), "{:?}, {:?}", few.warm, many.warm);
    assert_eq!((few_idle.object_calls, few_idle.written(), few_idle.d1_rows_read), (1, 0, 0), "{few_idle:?}");
    assert_eq!(rows(many_idle), rows(few_idle), "an idle sync costs more");
    assert_eq!(rows(many.warm), rows(few.warm), "the request of a send costs more");
    assert_eq!(rows(many.cold), rows(few.cold), "the request of a send to sleeping objects costs more");
    assert_eq!(rows(many.in_all), rows(few.in_all), "what a send sets off costs more");
}

async fn say(slack: &Workspace, count: usize) {
    let message = json!({"channel": "general", "user": "ana", "text": "counted"});
    let burst = json!({"messages": vec![message; count], "wait": true, "timeout_ms": 120_000});
    slack.tell("messages", &burst).await;
}

/// What a lone message of Slack's costs.
#[derive(Clone, Copy, Debug)]
struct LoneCost {
    /// From webhook to archive, to objects that sleep.
    asleep: Counts,
    /// What happens at once, to objects that are awake.
    awake: Counts,
}

impl LoneCost {
    /// Whether this is no more than what it cost before.
    fn is_within(&self, before: &Self) -> bool {
        let no_more = |now, before| std::iter::zip(rows(now), rows(before)).all(|(now, before)| now <= before);
        no_more(self.awake, before.awake) && no_more(self.asleep, before.asleep)
    }
}

async fn next_minute() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    tokio::time::sleep(Duration::from_secs(60 - now.as_secs() % 60)).await;
}

async fn lone(portal: &Portal<'_>) -> LoneCost {
    let slack = portal.workspace;
    slack.server.settled().await;
    // Retries are known by the ids of the same minute: more are read after a burst than after Slack's 500 a minute.
    next_minute().await;
    for (class, name) in [
        ("Login", slack.login_id.as_str()),
        ("Portal", &portal.portal_id),
        ("Room", &portal.room_id),
        ("User", &slack.owner.id),
        ("Appservice", "slack"),
    ] {
        slack.server.abort(class, name).await;
    }
    let ((), asleep) = slack.server.cost_of(async || say(slack, 1).await).await;
    // Wakes all of them; their alarms ring five seconds later.
    say(slack, 1).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let before = slack.server.counts().await;
    say(slack, 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    LoneCost { asleep, awake: slack.server.counts().await - before }
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

    server.settled().await;
    let ((), burst) = server.cost_of(async || say(&slack, 100).await).await;
    let few = lone(&portal).await;
    make_rooms(&owner, many_rooms() - 10).await;
    let mut left = many_events();
    while left > 0 {
        say(&slack, left.min(1_000)).await;
        left = left.saturating_sub(1_000);
    }
    let mut many = lone(&portal).await;
    if !many.is_within(&few) {
        // What is done once in ten minutes, such as forgetting old events, may have been in it.
        many = lone(&portal).await;
    }

    server.settled().await;
    let ((), late_burst) = server.cost_of(async || say(&slack, 100).await).await;

    println!("alone: {} rows written, {few:?}\nand after many: {many:?}", few.asleep.written());
    for burst in [burst, late_burst] {
        println!("in a burst of 100: {} rows written, {burst:?}", burst.written());
        assert!(burst.written() <= 100 * BURST_ROWS, "{} rows were written for 100 messages", burst.written());
    }
    // How a burst falls into batches is up to the scheduler.
    assert!(late_burst.rows_read * 4 <= burst.rows_read * 5, "a burst reads more: {late_burst:?} instead of {burst:?}");
    assert!(few.asleep.written() <= LONE_ROWS, "{} rows were written for one message", few.asleep.written());
    assert!(many.is_within(&few), "a message costs more: {many:?} instead of {few:?}");
}
