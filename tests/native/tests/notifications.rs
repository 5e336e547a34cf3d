//! `/notifications`: what notified, over all rooms.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn bodies(page: &Json) -> Vec<String> {
    let notifications = page["notifications"].as_array().unwrap();
    notifications.iter().map(|one| one["event"]["content"]["body"].as_str().unwrap().to_owned()).collect()
}

fn notifications(client: &Client, query: &[(&str, &str)]) -> Json {
    client.query(["notifications"], query).ok()
}

/// Alice speaks in two rooms where Bob is, by turns; Bob, who joined quietly, has one receipt.
fn two_rooms() -> (TestServer, Client, Client, [String; 2]) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let rooms = [alice.public_room(), alice.public_room()];
    for room in &rooms {
        bob.join(room);
    }
    for number in 0..6 {
        server.advance(1_000);
        let text = if number % 3 == 0 { format!("{number} to bob") } else { number.to_string() };
        alice.send_text(&rooms[number % 2], &text);
    }
    (server, alice, bob, rooms)
}

#[test]
fn they_come_newest_first_over_all_rooms() {
    let (_, alice, bob, rooms) = two_rooms();
    let page = notifications(&bob, &[]);

    assert_eq!(bodies(&page), ["5", "4", "3 to bob", "2", "1", "0 to bob"]);
    let newest = &page["notifications"][0];
    assert_eq!(newest["room_id"], rooms[1].as_str());
    assert_eq!(newest["actions"], json!(["notify"]));
    assert_eq!(newest["read"], false);
    assert_eq!(newest["ts"], newest["event"]["origin_server_ts"]);
    assert_eq!(newest["event"]["sender"], alice.user_id.as_str());
    assert!(page.get("next_token").is_none());
    assert!(bodies(&notifications(&alice, &[])).is_empty());
}

#[test]
fn they_page_and_each_comes_once() {
    let (_, _, bob, _) = two_rooms();
    let mut found = Vec::new();
    let mut from: Option<String> = None;
    for size in [4, 2] {
        let mut query = vec![("limit", "4")];
        query.extend(from.as_deref().map(|from| ("from", from)));
        let page = notifications(&bob, &query);
        assert_eq!(bodies(&page).len(), size);
        found.extend(bodies(&page));
        from = page["next_token"].as_str().map(str::to_owned);
    }
    assert_eq!(from, None);
    assert_eq!(found, ["5", "4", "3 to bob", "2", "1", "0 to bob"]);
    for bad in ["nonsense", "n1", "n1_2_3_4", "nx_2_3", ""] {
        bob.query(["notifications"], &[("from", bad)]).refused(400, "M_INVALID_PARAM");
    }
}

#[test]
fn only_highlights_are_shown_when_asked_for() {
    let (_, _, bob, _) = two_rooms();

    let page = notifications(&bob, &[("only", "highlight")]);

    assert_eq!(bodies(&page), ["3 to bob", "0 to bob"]);
    let actions = page["notifications"][0]["actions"].as_array().unwrap();
    assert!(actions.iter().any(|action| action["set_tweak"] == "highlight"), "{actions:?}");
    assert_eq!(bodies(&notifications(&bob, &[("only", "highlight"), ("limit", "1")])), ["3 to bob"]);
}

#[test]
fn what_was_read_says_so() {
    let (_, _, bob, rooms) = two_rooms();
    let timeline = bob.sync(None).timeline(&rooms[0]);
    let event = timeline.iter().find(|event| event["content"]["body"] == "2").unwrap()["event_id"].clone();
    bob.post(["rooms", &rooms[0], "receipt", "m.read", event.as_str().unwrap()], &json!({})).ok();

    let page = notifications(&bob, &[]);
    let read: Vec<bool> =
        page["notifications"].as_array().unwrap().iter().map(|one| one["read"].as_bool().unwrap()).collect();
    assert_eq!(read, [false, false, false, true, false, true]);
}

#[test]
fn what_was_redacted_left_or_ignored_is_not_shown() {
    let (server, alice, bob, rooms) = two_rooms();
    let carl = server.account("carl");
    carl.join(&rooms[1]);
    carl.send_text(&rooms[1], "by carl");
    let gone = alice.send_text(&rooms[1], "redacted");
    assert_eq!(bodies(&notifications(&bob, &[("limit", "2")])), ["redacted", "by carl"]);

    alice.put(["rooms", &rooms[1], "redact", &gone, "r"], &json!({})).ok();
    let ignored = json!({"ignored_users": {carl.user_id.as_str(): {}}});
    bob.put(["user", &bob.user_id, "account_data", "m.ignored_user_list"], &ignored).ok();
    bob.leave(&rooms[0]);

    let shown: Vec<String> = notifications(&bob, &[])["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["event"]["content"]["body"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(shown, ["5", "3 to bob", "1"]);
}
