//! A room's object is lost, and made again from D1.

use std::collections::BTreeMap;

use hubbub_conformance::User;
use hubbub_integration::{Room, Server, eventually, ids};
use serde_json::{Value, json};

struct Before {
    events: Vec<Value>,
    state: BTreeMap<String, Value>,
    members: Vec<String>,
}

/// What a member can see of a room.
async fn seen(user: &User, room: &str) -> Before {
    let mut state = BTreeMap::new();
    for event in user.get(["rooms", room, "state"]).await.ok().as_array().into_iter().flatten() {
        state.insert(format!("{} {}", event["type"], event["state_key"]), without_age(event));
    }
    let members = user.get(["rooms", room, "members"]).await.ok();
    let mut members: Vec<_> = members["chunk"].as_array().into_iter().flatten().map(Value::to_string).collect();
    members
        .iter_mut()
        .for_each(|member| *member = without_age(&serde_json::from_str(member).expect("JSON")).to_string());
    members.sort();
    let events = Room { user, id: room }.events().await;
    Before { events: events.iter().map(without_age).collect(), state, members }
}

/// The age of an event grows.
fn without_age(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(unsigned) = event["unsigned"].as_object_mut() {
        unsigned.remove("age");
    }
    event
}

/// A filter by which a sync has as much of a room as it can.
fn whole_timelines() -> Value {
    json!({"room": {"timeline": {"limit": 50}}})
}

/// The events that somebody hears until `last`, each at its first time: a rebuilt room is told anew, so some come again.
async fn heard_until(user: &User, room: &str, mut since: String, last: &str) -> Vec<String> {
    let mut heard: Vec<String> = Vec::new();
    eventually("the last message", async || {
        let answer = user.sync().since(&since).filter(whole_timelines()).timeout(1_000).await;
        for id in ids(answer.timeline(room)) {
            if !heard.contains(&id) {
                heard.push(id);
            }
        }
        since = answer.next_batch();
        heard.iter().any(|id| id == last).then_some(())
    })
    .await;
    heard
}

#[tokio::test]
async fn a_rebuilt_room_is_the_same_room_and_its_followers_go_on_without_a_gap() {
    let server = Server::shared();
    let (anna, ben, gone) = (server.user("anna").await, server.user("ben").await, server.user("gone").await);
    let room = anna.create_room(json!({"preset": "public_chat", "name": "Before", "topic": "the loss"})).await;
    ben.join(&room).await;
    gone.join(&room).await;
    let transaction = ["rooms", room.as_str(), "send", "m.room.message", "kept-transaction"];
    let content = json!({"msgtype": "m.text", "body": "with a transaction"});
    let sent = anna.put(transaction, content.clone()).await.ok();
    let mut last = String::new();
    for number in 0..40 {
        last = ben.send_text(&room, &format!("before {number}")).await;
    }
    let redacted = anna.send_text(&room, "a secret").await;
    anna.redact(&room, &redacted, "slipped out").await.ok();
    anna.set_state(&room, "m.room.topic", json!({"topic": "another"})).await;
    gone.leave(&room).await;
    ben.post(["rooms", &room, "receipt", "m.read", &last]).json(json!({})).await.ok();
    let anna_since = anna.wait_for_event(&room, &redacted).await;
    let ben_since = ben.wait_for_event(&room, &redacted).await;
    let page = anna.get(["rooms", &room, "messages"]).query("dir", "b").query("limit", "10").await.ok();
    let old_token = page["end"].as_str().expect("a token").to_owned();
    let before = seen(&anna, &room).await;

    let rebuilt = server.post("rebuild-room", &json!({"room_id": room})).await.ok();

    assert!(rebuilt.is_object(), "{rebuilt}");
    let after = seen(&anna, &room).await;
    assert_eq!(after.events, before.events);
    assert_eq!(after.state, before.state);
    assert_eq!(after.members, before.members);
    // A transaction id from before still names its event.
    assert_eq!(anna.put(transaction, content).await.ok()["event_id"], sent["event_id"]);
    // A token of the old epoch still pages.
    let older = anna.get(["rooms", &room, "messages"]).query("dir", "b").query("limit", "10").query("from", &old_token);
    let older = ids(older.await.ok()["chunk"].as_array().expect("events"));
    let all = ids(&before.events);
    let wanted: Vec<_> = all.iter().rev().skip(10).take(10).cloned().collect();
    assert_eq!(older, wanted);
    // Followers go on: with everything since what they had, in order.
    let news = ben.send_text(&room, "after the loss").await;
    let missed = all.iter().skip_while(|id| **id != redacted).skip(1).chain([&news]);
    let missed: Vec<_> = missed.cloned().collect();
    for (user, since) in [(&anna, anna_since), (&ben, ben_since)] {
        let heard = heard_until(user, &room, since, &news).await;
        let heard: Vec<_> = heard.into_iter().filter(|id| missed.contains(id)).collect();
        assert_eq!(heard, missed, "{} missed something", user.id);
    }
    // The receipt is back.
    let initial = anna.sync().await;
    let receipts = initial.ephemeral(&room, "m.receipt").expect("receipts");
    assert!(!receipts["content"][&last]["m.read"][&ben.id].is_null(), "{receipts}");
    // Who had left stays out.
    assert_eq!(gone.put(["rooms", &room, "send", "m.room.message", "t"], json!({"body": "x"})).await.status(), 403);
}

#[tokio::test]
async fn a_room_can_be_rebuilt_twice_and_while_people_talk() {
    let server = Server::shared();
    let (anna, ben) = (server.user("anna").await, server.user("ben").await);
    let room = anna.create_room(json!({"preset": "public_chat"})).await;
    ben.join(&room).await;
    let since = ben.sync_token().await;
    let mut sent = Vec::new();

    for round in 0..3 {
        for number in 0..5 {
            sent.push(anna.send_text(&room, &format!("{round}-{number}")).await);
        }
        let body = json!({"room_id": room});
        let (rebuilt, meanwhile) = tokio::join!(server.post("rebuild-room", &body), async {
            let mut meanwhile = Vec::new();
            for number in 5..15 {
                meanwhile.push(anna.send_text(&room, &format!("{round}-{number}")).await);
            }
            meanwhile
        });
        rebuilt.ok();
        sent.extend(meanwhile);
    }
    sent.push(anna.send_text(&room, "the end").await);

    // As their places among what was acknowledged.
    let places =
        |found: &[String]| found.iter().filter_map(|id| sent.iter().position(|known| known == id)).collect::<Vec<_>>();
    let wanted: Vec<_> = (0..sent.len()).collect();
    assert_eq!(places(&ids(&Room { user: &anna, id: &room }.messages().await)), wanted);
    let heard = heard_until(&ben, &room, since, sent.last().expect("the end")).await;
    assert_eq!(places(&heard), wanted);
}

#[tokio::test]
async fn only_the_operator_rebuilds_and_only_rooms_that_are_there() {
    let server = Server::shared();
    let user = server.user("nosy").await;
    let room = user.create_room(json!({})).await;

    let url = server.address("/_hubbub/admin/v1/rebuild-room");
    for token in [&user.token, "", "forged"] {
        let request = server.http.post(&url).bearer_auth(token).body(json!({"room_id": room}).to_string());
        let refused = hubbub_integration::Reply::to(request).await;
        assert!([401, 403].contains(&refused.status), "{}: {}", refused.status, refused.body);
    }
    let unknown = server.post("rebuild-room", &json!({"room_id": format!("!nowhere:{}", server.name)})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert_eq!(server.post("rebuild-room", &json!({"room_id": "nothing"})).await.status, 400);
}
