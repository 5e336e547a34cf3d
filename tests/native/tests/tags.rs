//! Tags of rooms.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn tag(client: &Client, room: &str, tag: &str, info: &Json) -> hubbub_native::Reply {
    client.put(["user", &client.user_id, "rooms", room, "tags", tag], info)
}

fn tags(client: &Client, room: &str) -> Json {
    client.get(["user", &client.user_id, "rooms", room, "tags"]).ok()["tags"].clone()
}

/// The content of `m.tag` in a sync.
fn synced(sync: &hubbub_native::SyncBody, room: &str) -> Option<Json> {
    let events = sync.joined(room)["account_data"]["events"].as_array()?;
    events.iter().find(|event| event["type"] == "m.tag").map(|event| event["content"].clone())
}

#[test]
fn tags_are_set_listed_removed_and_synced() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    assert_eq!(tags(&alice, &room), json!({}));
    let since = alice.sync(None).next_batch();

    tag(&alice, &room, "m.favourite", &json!({"order": 0.25})).ok();
    tag(&alice, &room, "u.work", &json!({})).ok();

    let both = json!({"m.favourite": {"order": 0.25}, "u.work": {}});
    assert_eq!(tags(&alice, &room), both);
    let sync = alice.sync(Some(&since));
    assert_eq!(synced(&sync, &room), Some(json!({ "tags": both })));
    assert_eq!(synced(&alice.sync(None), &room), Some(json!({ "tags": both })));

    alice.delete(["user", &alice.user_id, "rooms", &room, "tags", "m.favourite"]).ok();
    alice.delete(["user", &alice.user_id, "rooms", &room, "tags", "never there"]).ok();
    assert_eq!(tags(&alice, &room), json!({"u.work": {}}));
    let sync = alice.sync(Some(&sync.next_batch()));
    assert_eq!(synced(&sync, &room), Some(json!({"tags": {"u.work": {}}})));
}

#[test]
fn a_tag_that_is_there_already_writes_nothing() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    tag(&alice, &room, "u.work", &json!({"order": 0.5})).ok();
    let since = alice.sync(None).next_batch();
    tag(&alice, &room, "u.work", &json!({"order": 0.5})).ok();
    assert!(alice.sync(Some(&since)).is_empty());
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    for seed in 0..20 {
        let server = TestServer::with(hubbub_native::Options { seed, ..Default::default() });
        let alice = server.account("alice");
        let room = alice.public_room();
        let started: Vec<_> = (0..10)
            .map(|number| {
                let name = format!("u.{number}");
                let uri = hubbub_native::client::path(["user", &alice.user_id, "rooms", &room, "tags", &name]);
                server.start(alice.request(http::Method::PUT, &uri, Some(&json!({"order": 0.5}))))
            })
            .collect();
        for request in &started {
            server.finish(request).ok();
        }
        assert_eq!(tags(&alice, &room).as_object().unwrap().len(), 10, "seed {seed}");
    }
}

#[test]
fn the_same_tags_are_account_data_and_what_else_is_there_stays() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let path = ["user", &alice.user_id, "rooms", &room, "account_data", "m.tag"];
    alice.put(path, &json!({"tags": {"u.old": {}}, "own.key": [1, {"a": 2}]})).ok();
    tag(&alice, &room, "u.new", &json!({"order": 1, "own.key": "kept"})).ok();
    let expected = json!({"tags": {"u.old": {}, "u.new": {"order": 1, "own.key": "kept"}}, "own.key": [1, {"a": 2}]});
    assert_eq!(alice.get(path).ok(), expected);

    alice.put(path, &json!({"tags": "no list"})).ok();
    assert_eq!(tags(&alice, &room), json!({}));
}

#[test]
fn an_order_that_makes_no_sense_and_other_peoples_tags_are_refused() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    for order in [json!(-0.1), json!(1.1)] {
        tag(&alice, &room, "u.work", &json!({ "order": order })).refused(400, "M_INVALID_PARAM");
    }
    tag(&alice, &room, "u.work", &json!({"order": "0.5"})).refused(400, "M_BAD_JSON");
    tag(&alice, &room, &"t".repeat(256), &json!({})).refused(400, "M_INVALID_PARAM");
    tag(&alice, &room, "u.large", &json!({"x": "a".repeat(300_000)})).refused(413, "M_TOO_LARGE");
    tag(&alice, &room, "u.work", &json!({"order": null})).ok();
    assert_eq!(tags(&alice, &room).as_object().unwrap().len(), 1);

    let path = ["user", &alice.user_id, "rooms", &room, "tags"];
    bob.get(path).refused(403, "M_FORBIDDEN");
    bob.put(["user", &alice.user_id, "rooms", &room, "tags", "u.bob"], &json!({})).refused(403, "M_FORBIDDEN");
    bob.delete(["user", &alice.user_id, "rooms", &room, "tags", "u.work"]).refused(403, "M_FORBIDDEN");
    let uri = hubbub_native::client::path(path);
    server.get(&uri).refused(401, "M_MISSING_TOKEN");
    assert_eq!(tags(&bob, &room), json!({}));
}
