//! Users whom somebody ignores: what they say is left out wherever it could be read, what they do to a room is not.
//! Their invites and threads in a `/sync`, pushes and searches are in the tests of those.

use http::Method;
use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn ignore(client: &Client, whom: &[&Client]) {
    let users: serde_json::Map<String, Json> = whom.iter().map(|user| (user.user_id.clone(), json!({}))).collect();
    let path = ["user", &client.user_id, "account_data", "m.ignored_user_list"];
    client.put(path, &json!({"ignored_users": users})).ok();
}

fn ids(events: &Json) -> Vec<String> {
    let events = events.as_array().expect("a list of events").iter();
    events.filter_map(|event| event["event_id"].as_str()).map(str::to_owned).collect()
}

struct Room {
    server: TestServer,
    alice: Client,
    bob: Client,
    id: String,
    /// One by Alice, then one by Bob.
    said: [String; 2],
    /// State that Bob set.
    topic: String,
}

fn room() -> Room {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let levels = json!({"users": {bob.user_id.as_str(): 50}});
    let id = alice.create_room(&json!({"preset": "public_chat", "power_level_content_override": levels}));
    bob.join(&id);
    let said = [alice.send_text(&id, "by alice"), bob.send_text(&id, "by bob")];
    let topic = bob.set_state(&id, "m.room.topic", "", &json!({"topic": "set by bob"})).ok();
    let topic = topic["event_id"].as_str().expect("an event id").to_owned();
    Room { server, alice, bob, id, said, topic }
}

#[test]
fn messages_of_ignored_users_are_left_out_of_pages_and_their_state_is_not() {
    let room = room();
    ignore(&room.alice, &[&room.bob]);
    let page = |client: &Client, direction: &str| {
        let query = [("dir", direction), ("limit", "100")];
        ids(&client.query(["rooms", &room.id, "messages"], &query).ok()["chunk"])
    };

    for direction in ["b", "f"] {
        let shown = page(&room.alice, direction);
        assert!(shown.contains(&room.said[0]) && shown.contains(&room.topic), "{direction}: {shown:?}");
        assert!(!shown.contains(&room.said[1]), "{direction}: {shown:?}");
        assert!(page(&room.bob, direction).contains(&room.said[1]));
    }
}

#[test]
fn a_message_of_an_ignored_user_is_neither_found_by_its_id_nor_around_another() {
    let room = room();
    let Room { alice, id, said, topic, .. } = &room;
    ignore(alice, &[&room.bob]);

    alice.get(["rooms", id, "event", &said[1]]).refused(404, "M_NOT_FOUND");
    alice.get(["rooms", id, "context", &said[1]]).refused(404, "M_NOT_FOUND");
    alice.get(["rooms", id, "event", topic]).ok();
    let around = alice.get(["rooms", id, "context", &said[0]]).ok();
    let after = ids(&around["events_after"]);
    assert!(after.contains(topic) && !after.contains(&said[1]), "{after:?}");
    let members = alice.get(["rooms", id, "joined_members"]).ok();
    assert!(members["joined"].get(&room.bob.user_id).is_some());
    let names = alice.get(["rooms", id, "state", "m.room.topic", ""]).ok();
    assert_eq!(names["topic"], "set by bob");

    ignore(alice, &[]);
    alice.get(["rooms", id, "event", &said[1]]).ok();
}

#[test]
fn what_ignored_users_relate_and_the_threads_they_began_are_left_out() {
    let room = room();
    let Room { alice, bob, id, said, .. } = &room;
    let relate = |client: &Client, parent: &str, body: &str| {
        let relation = json!({"rel_type": "m.thread", "event_id": parent});
        let content = json!({"msgtype": "m.text", "body": body, "m.relates_to": relation});
        let sent = client.put(["rooms", id, "send", "m.room.message", body], &content).ok();
        sent["event_id"].as_str().expect("an event id").to_owned()
    };
    let own = relate(alice, &said[0], "alice to alice");
    relate(bob, &said[0], "bob to alice");
    relate(alice, &said[1], "alice to bob");
    ignore(alice, &[bob]);

    let relations = format!("/_matrix/client/v1/rooms/{id}/relations/{}", said[0]);
    assert_eq!(ids(&alice.ask(Method::GET, &relations, None).ok()["chunk"]), [own]);
    let recursive = format!("{relations}?recurse=true");
    assert_eq!(ids(&alice.ask(Method::GET, &recursive, None).ok()["chunk"]).len(), 1);
    let threads = format!("/_matrix/client/v1/rooms/{id}/threads");
    let shown = alice.ask(Method::GET, &threads, None).ok();
    assert_eq!(ids(&shown["chunk"]), [said[0].clone()]);
    assert_eq!(shown["chunk"][0]["unsigned"]["m.relations"]["m.thread"]["count"], 1);
    assert_eq!(ids(&bob.ask(Method::GET, &threads, None).ok()["chunk"]).len(), 2);
}

#[test]
fn a_date_leads_past_what_ignored_users_said() {
    let room = room();
    ignore(&room.alice, &[&room.bob]);
    room.server.advance(1_000);
    room.bob.send_text(&room.id, "later");
    let ts = room.server.now().to_string();
    let query = [("ts", ts.as_str()), ("dir", "b")];

    let nearest = room.alice.query_v1(["rooms", &room.id, "timestamp_to_event"], &query).ok();
    assert_eq!(nearest["event_id"], room.topic.as_str());
}

#[test]
fn what_an_ignored_user_said_can_be_reported() {
    let room = room();
    ignore(&room.alice, &[&room.bob]);

    let report = json!({"reason": "spam"});
    room.alice.post(["rooms", &room.id, "report", &room.said[1]], &report).ok();
}

#[test]
fn nobody_ignores_themselves() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let list = json!({"ignored_users": {alice.user_id.as_str(): {}}});
    let path = ["user", &alice.user_id, "account_data", "m.ignored_user_list"];

    alice.put(path, &list).refused(400, "M_INVALID_PARAM");
    alice.get(path).refused(404, "M_NOT_FOUND");
}
