//! `POST /search` in the category `room_events`.

use hubbub_conformance::{Answer, Homeserver, User};
use serde_json::{Value, json};

/// Searches the bodies of messages in these rooms; `extra` is merged into the criteria.
async fn search(user: &User, rooms: &[&str], term: &str, extra: Value, next_batch: Option<&str>) -> Value {
    let mut filter = json!({"rooms": rooms});
    let mut asked = json!({"keys": ["content.body"], "search_term": term});
    if let (Some(asked), Value::Object(mut extra)) = (asked.as_object_mut(), extra) {
        if let Some(limit) = extra.remove("limit") {
            filter["limit"] = limit;
        }
        asked.extend(extra);
        asked.insert("filter".to_owned(), filter);
    }
    let mut call = user.post(["search"]).json(json!({"search_categories": {"room_events": asked}}));
    if let Some(token) = next_batch {
        call = call.query("next_batch", token);
    }
    let answer: Answer = call.await;
    answer.with_status(200)["search_categories"]["room_events"].clone()
}

fn results(found: &Value) -> &Vec<Value> {
    found["results"].as_array().expect("results are a list")
}

fn bodies<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    events.into_iter().map(|event| event["content"]["body"].as_str().expect("a body")).collect()
}

fn found_bodies(found: &Value) -> Vec<&str> {
    bodies(results(found).iter().map(|entry| &entry["result"]))
}

fn list<'a>(context: &'a Value, key: &str) -> Vec<&'a str> {
    bodies(context[key].as_array().expect("a list"))
}

async fn in_a_room() -> (User, String) {
    let alice = Homeserver::from_env().register("alice").await;
    let room = alice.create_room(json!({"preset": "private_chat"})).await;
    (alice, room)
}

/// Suite: TestSearch/Can search for an event by body
#[tokio::test]
async fn a_message_is_found_by_a_word_of_its_body() {
    let (alice, room) = in_a_room().await;
    let event_id = alice.send_text_and_wait(&room, "hello, world").await;

    let found = search(&alice, &[&room], "hello", json!({}), None).await;

    assert_eq!(found["count"], 1, "{found}");
    let result = &found["results"][0]["result"];
    assert_eq!(result["event_id"], event_id.as_str());
    assert_eq!(result["room_id"], room.as_str());
    assert_eq!(result["type"], "m.room.message");
    assert_eq!(result["content"]["body"], "hello, world");
}

/// Suite: TestSearch/Can get context around search results
#[tokio::test]
async fn the_events_around_a_result_are_shown() {
    let (alice, room) = in_a_room().await;
    for number in 1..=6 {
        alice.send_text(&room, &format!("Message number {number}")).await;
    }
    alice.send_text_and_wait(&room, "Message number 7").await;

    let around = json!({"order_by": "recent", "limit": 1, "event_context": {"before_limit": 2, "after_limit": 2}});
    let found = search(&alice, &[&room], "Message 4", around, None).await;

    assert_eq!(found["count"], 1, "{found}");
    assert_eq!(found_bodies(&found), ["Message number 4"]);
    assert!(found["next_batch"].is_string(), "the page is full: {found}");
    let context = &found["results"][0]["context"];
    assert_eq!(list(context, "events_before"), ["Message number 3", "Message number 2"]);
    assert_eq!(list(context, "events_after"), ["Message number 5", "Message number 6"]);
}

/// Suite: TestSearch/Can back-paginate search results
#[tokio::test]
async fn results_are_paged_from_new_to_old() {
    let (alice, room) = in_a_room().await;
    for number in 0..19 {
        alice.send_text(&room, &format!("Message number {number}")).await;
    }
    alice.send_text_and_wait(&room, "Message number 19").await;
    let asked = || json!({"order_by": "recent", "limit": 10});
    let numbered = |numbers: std::ops::Range<u32>| -> Vec<String> {
        numbers.rev().map(|number| format!("Message number {number}")).collect()
    };

    let first = search(&alice, &[&room], "Message", asked(), None).await;
    let second = search(&alice, &[&room], "Message", asked(), first["next_batch"].as_str()).await;
    let third = search(&alice, &[&room], "Message", asked(), second["next_batch"].as_str()).await;

    assert_eq!(found_bodies(&first), numbered(10..20));
    assert_eq!(found_bodies(&second), numbered(0..10));
    assert!(second["next_batch"].is_string(), "this page was full, too");
    assert!(results(&third).is_empty());
    assert!(third.get("next_batch").is_none(), "{third}");
    for page in [&first, &second, &third] {
        assert_eq!(page["count"], 20);
    }
}

/// Suite: TestSearch/Search works across an upgraded room and its predecessor
#[tokio::test]
async fn an_upgraded_room_and_its_predecessor_are_searched_together() {
    let (alice, room) = in_a_room().await;
    alice.send_text_and_wait(&room, "Message before the upgrade").await;
    let upgrade = alice.post(["rooms", &room, "upgrade"]).json(json!({"new_version": "9"})).await.ok();
    let replacement = upgrade["replacement_room"].as_str().expect("a replacement room");
    alice.send_text_and_wait(replacement, "Message after the upgrade").await;

    let found = search(&alice, &[&room, replacement], "upgrade", json!({}), None).await;

    assert_eq!(found["count"], 2, "{found}");
    assert_eq!(results(&found).len(), 2);
    let mut rooms: Vec<&str> =
        results(&found).iter().map(|entry| entry["result"]["room_id"].as_str().expect("a room")).collect();
    rooms.sort_unstable();
    let mut expected = [room.as_str(), replacement];
    expected.sort_unstable();
    assert_eq!(rooms, expected);
    assert!(results(&found).iter().all(|entry| entry["result"]["type"] == "m.room.message"), "{found}");
}

async fn a_redacted_message_is_not_found(order: &str) {
    let (alice, room) = in_a_room().await;
    let taken_back = alice.send_text(&room, "a message that is taken back").await;
    alice.send_text_and_wait(&room, "a message that stays").await;
    let redaction = alice.redact(&room, &taken_back, "").await.ok();
    let redaction = redaction["event_id"].as_str().expect("an event id");
    alice.wait_for_event(&room, redaction).await;

    let found = search(&alice, &[&room], "message", json!({"order_by": order}), None).await;

    assert_eq!(found_bodies(&found), ["a message that stays"]);
    assert!(found["count"].is_u64(), "{found}");
}

/// Suite: TestSearch/Search results with rank ordering do not include redacted events
#[tokio::test]
async fn a_redacted_message_is_not_found_by_rank() {
    a_redacted_message_is_not_found("rank").await;
}

/// Suite: TestSearch/Search results with recent ordering do not include redacted events
#[tokio::test]
async fn a_redacted_message_is_not_found_among_recent_ones() {
    a_redacted_message_is_not_found("recent").await;
}
