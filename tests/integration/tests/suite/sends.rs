//! Many senders at once: everything acknowledged is in the room, once.

use std::collections::HashMap;

use futures_util::future::join_all;
use hubbub_conformance::{User, events};
use hubbub_integration::{Room, Server, eventually, ids};
use serde_json::{Value, json};

const SENDERS: usize = 16;
const EACH: usize = 20;

/// Every sender sends its messages one after another, all senders at once; returns what was acknowledged, a room each.
async fn send_all(senders: &[(User, String)]) -> HashMap<String, Vec<String>> {
    let sent = join_all(senders.iter().enumerate().map(|(number, (user, room))| async move {
        let mut acknowledged = Vec::new();
        for index in 0..EACH {
            acknowledged.push(user.send_text(room, &format!("{number} says {index}")).await);
        }
        (room.clone(), acknowledged)
    }));
    let mut rooms: HashMap<String, Vec<String>> = HashMap::new();
    for (room, acknowledged) in sent.await {
        rooms.entry(room).or_default().extend(acknowledged);
    }
    rooms
}

/// A filter by which a sync has as much of a room as it can.
fn whole_timelines() -> Value {
    json!({"room": {"timeline": {"limit": 50}}})
}

/// Checks that paging finds exactly what was acknowledged, each once, and the messages of a sender in its order.
async fn assert_once_and_in_order(user: &User, room: &str, acknowledged: &[String]) {
    let messages = Room { user, id: room }.messages().await;
    let mut found = ids(&messages);
    let mut wanted = acknowledged.to_vec();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "what paging finds and what was acknowledged differ");
    let mut next: HashMap<String, usize> = HashMap::new();
    for message in &messages {
        let sender = message["sender"].as_str().unwrap_or_default().to_owned();
        let body = message["content"]["body"].as_str().unwrap_or_default();
        let index: usize = body.rsplit(' ').next().and_then(|index| index.parse().ok()).expect("an index");
        let next = next.entry(sender).or_default();
        assert_eq!(index, *next, "a sender's messages are out of order");
        *next += 1;
    }
}

#[tokio::test]
async fn sixteen_senders_into_one_room_lose_and_double_nothing() {
    let server = Server::shared();
    let host = server.user("host").await;
    let room = host.create_room(json!({"preset": "public_chat"})).await;
    let people = join_all((0..SENDERS).map(|_| async {
        let user = server.user("sender").await;
        user.join(&room).await;
        user
    }));
    let senders: Vec<_> = people.await.into_iter().map(|user| (user, room.clone())).collect();
    let since = host.sync_token().await;

    let acknowledged = send_all(&senders).await.remove(&room).expect("the room");

    assert_eq!(acknowledged.len(), SENDERS * EACH);
    assert_once_and_in_order(&host, &room, &acknowledged).await;
    // A follower, too, gets the newest, knows that there is more, and can page to the rest.
    let newest = acknowledged.len();
    let answer = eventually("the newest messages in a sync", async || {
        let answer = host.sync().since(&since).filter(whole_timelines()).timeout(0).await;
        let last = ids(&Room { user: &host, id: &room }.messages().await).split_off(newest - 50);
        (ids(answer.timeline(&room)) == last).then_some(answer)
    })
    .await;
    assert_eq!(answer.joined(&room)["timeline"]["limited"], true);
}

#[tokio::test]
async fn sixteen_senders_into_sixteen_rooms_lose_and_double_nothing() {
    let server = Server::shared();
    let senders = join_all((0..SENDERS).map(|_| async {
        let user = server.user("sender").await;
        let room = user.create_room(json!({})).await;
        (user, room)
    }))
    .await;

    let acknowledged = send_all(&senders).await;

    assert_eq!(acknowledged.len(), SENDERS);
    for (user, room) in &senders {
        assert_eq!(acknowledged[room].len(), EACH);
        assert_once_and_in_order(user, room, &acknowledged[room]).await;
    }
}

#[tokio::test]
async fn one_person_in_sixteen_rooms_hears_all_of_them_at_once() {
    let server = Server::shared();
    let listener = server.user("listener").await;
    let senders = join_all((0..SENDERS).map(|_| async {
        let user = server.user("sender").await;
        let room = user.create_room(json!({"preset": "public_chat"})).await;
        listener.join(&room).await;
        (user, room)
    }))
    .await;
    let mut since = listener.sync_token().await;

    let acknowledged = send_all(&senders).await;

    let mut heard: HashMap<String, Vec<String>> = HashMap::new();
    let wanted = SENDERS * EACH;
    while heard.values().map(Vec::len).sum::<usize>() < wanted {
        let answer = listener.sync().since(&since).filter(whole_timelines()).timeout(10_000).await;
        let rooms = answer["rooms"]["join"].as_object().cloned().unwrap_or_default();
        assert!(!rooms.is_empty(), "a sync was empty although messages are missing");
        for (room, section) in rooms {
            let messages: Vec<Value> = events(&section["timeline"]).to_vec();
            heard.entry(room).or_default().extend(ids(&messages));
        }
        since = answer.next_batch();
    }
    for (room, events) in &acknowledged {
        assert_eq!(&heard[room], events, "a room was not heard in order, each message once");
    }
}

#[tokio::test]
async fn the_same_transaction_sent_sixteen_times_at_once_makes_one_event() {
    let server = Server::shared();
    let user = server.user("hasty").await;
    let room = user.create_room(json!({})).await;

    let answers = join_all((0..SENDERS).map(|_| {
        user.put(["rooms", &room, "send", "m.room.message", "txn-1"], json!({"msgtype": "m.text", "body": "once"}))
            .into_future()
    }))
    .await;

    let ids: Vec<Value> = answers.into_iter().map(|answer| answer.ok()["event_id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(Room { user: &user, id: &room }.saying("once").await.len(), 1);
}
