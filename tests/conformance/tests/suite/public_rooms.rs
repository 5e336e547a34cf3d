//! The public room directory. Others list rooms there, too, so each test looks for its own.

use std::time::{Duration, Instant};

use hubbub_conformance::{Homeserver, User, random_name};
use serde_json::{Value, json};

/// The room's entry in the directory; null when it is not there.
async fn listed(user: &User, room: &str) -> Value {
    let page = user.get(["publicRooms"]).query("limit", "0").await.ok();
    let chunk = page["chunk"].as_array().expect("chunk is an array");
    chunk.iter().find(|entry| entry["room_id"] == room).cloned().unwrap_or_default()
}

/// The room's entry once it is as expected; a directory may take a moment.
async fn listed_as(user: &User, room: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let entry = listed(user, room).await;
        if is_right(&entry) || start.elapsed() > Duration::from_secs(5) {
            return entry;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Suite: TestRoomState/GET /publicRooms lists newly-created room
#[tokio::test]
async fn a_room_made_public_is_in_the_directory() {
    let alice = Homeserver::from_env().register("alice").await;

    let room = alice.create_room(json!({"visibility": "public", "preset": "public_chat"})).await;

    assert_eq!(listed_as(&alice, &room, |entry| !entry.is_null()).await["room_id"], room.as_str());
}

/// Suite: TestPublicRooms/Can search public room list
#[tokio::test]
async fn a_room_is_found_by_a_word_of_its_topic_whatever_its_case() {
    let alice = Homeserver::from_env().register("alice").await;
    let word = random_name("Word");
    let body = json!({"visibility": "public", "name": "A room", "topic": format!("There is a {word} in it")});
    let room = alice.create_room(body).await;

    listed_as(&alice, &room, |entry| entry["topic"].is_string()).await;

    let search = json!({"filter": {"generic_search_term": word.to_lowercase()}});
    let page = alice.post(["publicRooms"]).json(search).await.ok();

    let chunk = page["chunk"].as_array().expect("chunk is an array");
    assert_eq!(chunk.len(), 1);
    assert_eq!(chunk[0]["room_id"], room.as_str());
    let visibility = json!({"visibility": "private"});
    alice.put(["directory", "list", "room", &room], visibility).await.ok();
    assert!(listed(&alice, &room).await.is_null());
}

async fn shows(name: Option<&str>, topic: Option<&str>) {
    let alice = Homeserver::from_env().register("alice").await;
    let localpart = random_name("lobby");
    let mut body = json!({"visibility": "public", "room_alias_name": localpart});
    for (key, value) in [("name", name), ("topic", topic)] {
        if let Some(value) = value {
            body[key] = json!(value);
        }
    }
    let room = alice.create_room(body).await;

    let alias = json!(format!("#{localpart}:{}", alice.server_name()));
    let holds = |entry: &Value, key: &str, value: Option<&str>| {
        entry[key].as_str().unwrap_or_default() == value.unwrap_or_default()
    };
    let entry = listed_as(&alice, &room, |entry| {
        entry["canonical_alias"] == alias && holds(entry, "name", name) && holds(entry, "topic", topic)
    });
    let entry = entry.await;

    assert!(entry["world_readable"].is_boolean() && entry["guest_can_join"].is_boolean());
    assert_eq!(entry["num_joined_members"], 1);
    assert_eq!(entry["canonical_alias"], alias);
    for (key, value) in [("name", name), ("topic", topic)] {
        assert!(holds(&entry, key, value), "{key}: {entry}");
    }
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroomalias_no_name
#[tokio::test]
async fn a_room_without_name_and_topic_shows_neither() {
    shows(None, None).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroomalias_with_name
#[tokio::test]
async fn a_room_with_a_name_shows_it() {
    shows(Some("A name"), None).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroomalias_with_topic
#[tokio::test]
async fn a_room_with_a_topic_shows_it() {
    shows(None, Some("A topic")).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroomalias_with_name_topic
#[tokio::test]
async fn a_room_with_name_and_topic_shows_both() {
    shows(Some("A name"), Some("A topic")).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroom_with_unicode_chars_name
#[tokio::test]
async fn an_accented_name_comes_back_unchanged() {
    shows(Some("un nom français"), None).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroom_with_unicode_chars_topic
#[tokio::test]
async fn an_accented_topic_comes_back_unchanged() {
    shows(None, Some("un thème français")).await;
}

/// Suite: TestPublicRooms/Name/topic keys are correct/Creating room with alias publicroom_with_unicode_chars_name_topic
#[tokio::test]
async fn accented_name_and_topic_come_back_unchanged() {
    shows(Some("un nom français"), Some("un thème français")).await;
}

async fn says_how_to_join(version: &str, join_rule: &str) {
    let alice = Homeserver::from_env().register("alice").await;
    let closed = alice.create_room(json!({"preset": "private_chat", "room_version": version})).await;
    alice.set_state(&closed, "m.room.join_rules", json!({"join_rule": join_rule})).await;
    let open = alice.create_room(json!({"preset": "public_chat", "room_version": version})).await;

    for room in [&closed, &open] {
        alice.put(["directory", "list", "room", room], json!({"visibility": "public"})).await.ok();
    }

    for (room, join_rule) in [(&closed, join_rule), (&open, "public")] {
        let entry = listed_as(&alice, room, |entry| entry["join_rule"] == join_rule).await;
        assert_eq!(entry["join_rule"], join_rule);
    }
}

/// Suite: TestKnockRoomsInPublicRoomsDirectory
#[tokio::test]
async fn the_directory_shows_that_a_room_takes_knocks() {
    says_how_to_join("7", "knock").await;
}

/// Suite: TestKnockRoomsInPublicRoomsDirectoryInMSC3787Room
#[tokio::test]
async fn the_directory_shows_that_a_room_takes_knocks_and_members_of_others() {
    says_how_to_join("10", "knock_restricted").await;
}
