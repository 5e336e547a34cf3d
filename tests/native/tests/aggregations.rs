//! Bundled aggregations: the same wherever an event is read, and never more than the reader may see.

use hubbub_core::contract::Address;
use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

fn related(parent: &str, rel_type: &str, body: &str) -> Json {
    json!({"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": rel_type, "event_id": parent}})
}

fn edit(parent: &str, body: &str) -> Json {
    let mut content = related(parent, "m.replace", &format!("* {body}"));
    content["m.new_content"] = json!({"msgtype": "m.text", "body": body});
    content
}

/// Sends under a transaction id made of the content: no test sends the same twice.
#[track_caller]
fn say_as(client: &Client, room: &str, event_type: &str, content: &Json) -> String {
    client.server.advance(1);
    let sent = client.put(["rooms", room, "send", event_type, &content.to_string()], content).ok();
    sent["event_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn say(client: &Client, room: &str, content: &Json) -> String {
    say_as(client, room, "m.room.message", content)
}

fn redact(client: &Client, room: &str, event: &str) {
    client.put(["rooms", room, "redact", event, event], &json!({})).ok();
}

fn find(events: &Json, event: &str) -> Json {
    let events = events.as_array().unwrap();
    events.iter().find(|one| one["event_id"] == event).cloned().unwrap_or(Json::Null)
}

/// `m.relations` of an event as each endpoint gives it; they must all say the same. `None`: there is
/// none. `age`, which differs by the way, is left out, and so is `room_id`, which `/sync` lacks.
#[track_caller]
fn bundle(client: &Client, room: &str, event: &str) -> Json {
    let by_id = client.get(["rooms", room, "event", event]).ok();
    let messages = client.query(["rooms", room, "messages"], &[("dir", "b"), ("limit", "100")]).ok();
    let context = client.get(["rooms", room, "context", event]).ok();
    let sync = client.sync_with(&[("filter", r#"{"room":{"timeline":{"limit":50},"include_leave":true}}"#)]).0;
    let joined = &sync["rooms"]["join"][room]["timeline"]["events"];
    let timeline = if joined.is_null() { &sync["rooms"]["leave"][room]["timeline"]["events"] } else { joined };
    let shown = [by_id.clone(), find(&messages["chunk"], event), context["event"].clone(), find(timeline, event)];
    let bundles = shown.map(|mut event| {
        assert!(event.is_object(), "an endpoint does not show the event");
        let mut bundle = event["unsigned"]["m.relations"].take();
        strip(&mut bundle);
        bundle
    });
    for other in &bundles[1..] {
        assert_eq!(*other, bundles[0]);
    }
    bundles[0].clone()
}

fn strip(value: &mut Json) {
    match value {
        Json::Object(object) => {
            object.remove("age");
            object.remove("room_id");
            object.values_mut().for_each(strip);
        }
        Json::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn an_edit_comes_with_what_it_edits() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = alice.send_text(&room, "first");
    assert!(bundle(&bob, &room, &text).is_null());

    let once = say(&alice, &room, &edit(&text, "second"));
    let twice = say(&alice, &room, &edit(&text, "third"));

    for reader in [&alice, &bob] {
        let replacement = &bundle(reader, &room, &text)["m.replace"];
        assert_eq!(replacement["event_id"], twice.as_str());
        assert_eq!(replacement["content"]["m.new_content"]["body"], "third");
        assert_eq!(replacement["sender"], alice.user_id.as_str());
        // The original keeps its content: the client replaces it.
        assert_eq!(reader.get(["rooms", &room, "event", &text]).ok()["content"]["body"], "first");
    }
    redact(&alice, &room, &twice);
    assert_eq!(bundle(&bob, &room, &text)["m.replace"]["event_id"], once.as_str());
    redact(&alice, &room, &once);
    assert!(bundle(&bob, &room, &text).is_null());
}

#[test]
fn only_an_edit_by_the_sender_of_the_same_type_replaces() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = alice.send_text(&room, "first");
    say(&bob, &room, &edit(&text, "by somebody else"));
    say_as(&alice, &room, "m.sticker", &edit(&text, "of another type"));
    say(&alice, &room, &related(&text, "m.replace", "without m.new_content"));
    assert!(bundle(&bob, &room, &text).is_null());

    let valid = say(&alice, &room, &edit(&text, "second"));
    say(&bob, &room, &edit(&text, "by somebody else, later"));
    let of_edit = say(&alice, &room, &edit(&valid, "an edit of an edit"));
    assert_eq!(bundle(&bob, &room, &text)["m.replace"]["event_id"], valid.as_str());
    assert!(bundle(&bob, &room, &valid).is_null());
    assert!(bundle(&bob, &room, &of_edit).is_null());

    redact(&alice, &room, &text);
    assert!(bundle(&bob, &room, &text).is_null());
}

#[test]
fn state_is_not_edited() {
    let (_, alice, bob, room) = two_in_a_room();
    let named = alice.set_state(&room, "m.room.topic", "", &json!({"topic": "first"})).ok();
    let topic = named["event_id"].as_str().unwrap();
    say_as(&alice, &room, "m.room.topic", &edit(topic, "second"));
    say(&alice, &room, &related(topic, "m.thread", "reply"));

    assert!(bundle(&bob, &room, topic).is_null());
}

#[test]
fn a_thread_shows_its_newest_reply_its_length_and_who_took_part() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = bob.send_text(&room, "root");
    let first = say(&alice, &room, &related(&root, "m.thread", "first"));
    let second = say(&alice, &room, &related(&root, "m.thread", "second"));
    say(&bob, &room, &related(&root, "m.reference", "not in the thread"));
    let edited = say(&alice, &room, &edit(&second, "second, edited"));

    let thread = bundle(&alice, &room, &root)["m.thread"].clone();
    assert_eq!(thread["count"], 2);
    assert_eq!(thread["current_user_participated"], true);
    assert_eq!(thread["latest_event"]["event_id"], second.as_str());
    let latest = &thread["latest_event"]["unsigned"]["m.relations"]["m.replace"];
    assert_eq!(latest["event_id"], edited.as_str());
    // Whoever began the thread takes part in it.
    assert_eq!(bundle(&bob, &room, &root)["m.thread"]["current_user_participated"], true);
    assert!(bundle(&bob, &room, &first).is_null());

    redact(&alice, &room, &second);
    let thread = bundle(&bob, &room, &root)["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(first)));
    redact(&alice, &room, &first);
    assert!(bundle(&alice, &room, &root).get("m.thread").is_none());
}

#[test]
fn who_only_reads_a_thread_has_not_taken_part_until_they_reply() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    say(&alice, &room, &related(&root, "m.thread", "first"));
    let participated = || bundle(&bob, &room, &root)["m.thread"]["current_user_participated"].clone();

    assert_eq!(participated(), false);
    let own = say(&bob, &room, &related(&root, "m.thread", "mine"));
    assert_eq!(participated(), true);
    redact(&bob, &room, &own);
    assert_eq!(participated(), false);
}

#[test]
fn references_are_listed() {
    let (_, alice, bob, room) = two_in_a_room();
    let poll = alice.send_text(&room, "poll");
    let one = say(&alice, &room, &related(&poll, "m.reference", "one"));
    let two = say(&bob, &room, &related(&poll, "m.reference", "two"));
    let reaction = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": poll, "key": "+1"}});
    say_as(&bob, &room, "m.reaction", &reaction);

    let expected = json!({"m.reference": {"chunk": [{"event_id": one}, {"event_id": two}]}});
    assert_eq!(bundle(&bob, &room, &poll), expected);
    redact(&bob, &room, &two);
    assert_eq!(bundle(&bob, &room, &poll), json!({"m.reference": {"chunk": [{"event_id": one}]}}));
}

#[test]
fn at_most_a_hundred_references_are_listed_the_newest() {
    let (_, alice, _, room) = two_in_a_room();
    let poll = alice.send_text(&room, "poll");
    let votes: Vec<String> =
        (0..103).map(|number| say(&alice, &room, &related(&poll, "m.reference", &number.to_string()))).collect();

    let event = alice.get(["rooms", &room, "event", &poll]).ok();
    let chunk = event["unsigned"]["m.relations"]["m.reference"]["chunk"].as_array().unwrap().clone();
    let ids: Vec<&str> = chunk.iter().map(|one| one["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, votes[3..]);
}

#[test]
fn whoever_left_sees_aggregations_as_they_were_then() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = alice.send_text(&room, "text");
    let root = alice.send_text(&room, "root");
    let poll = alice.send_text(&room, "poll");
    let untouched = alice.send_text(&room, "edited after all");
    let seen = say(&alice, &room, &edit(&text, "seen"));
    let reply = say(&alice, &room, &related(&root, "m.thread", "seen"));
    let vote = say(&alice, &room, &related(&poll, "m.reference", "seen"));
    bob.leave(&room);
    say(&alice, &room, &edit(&text, "secret"));
    say(&alice, &room, &edit(&untouched, "secret"));
    say(&alice, &room, &related(&root, "m.thread", "secret"));
    say(&alice, &room, &related(&poll, "m.reference", "secret"));

    assert_eq!(bundle(&bob, &room, &text)["m.replace"]["event_id"], seen.as_str());
    let thread = bundle(&bob, &room, &root)["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(reply)));
    assert_eq!(bundle(&bob, &room, &poll), json!({"m.reference": {"chunk": [{"event_id": vote}]}}));
    assert!(bundle(&bob, &room, &untouched).is_null());
    assert!(bundle(&alice, &room, &untouched).is_object());
}

#[test]
fn what_was_said_while_one_was_away_is_not_bundled() {
    let (_, alice, bob, room) = two_in_a_room();
    alice.set_state(&room, "m.room.history_visibility", "", &json!({"history_visibility": "joined"})).ok();
    let text = alice.send_text(&room, "text");
    let root = alice.send_text(&room, "root");
    bob.leave(&room);
    say(&alice, &room, &edit(&text, "secret"));
    say(&alice, &room, &related(&root, "m.thread", "secret"));
    say(&alice, &room, &related(&text, "m.reference", "secret"));
    bob.join(&room);

    for event in [&text, &root] {
        let shown = bob.get(["rooms", &room, "event", event]).ok();
        assert!(!shown.to_string().contains("secret"), "{shown}");
        assert!(shown["unsigned"].get("m.relations").is_none(), "{shown}");
    }
}

#[test]
fn ignored_users_are_left_out_of_threads_and_references() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&alice, &room, &related(&root, "m.thread", "first"));
    say(&bob, &room, &related(&root, "m.thread", "by bob"));
    say(&bob, &room, &related(&root, "m.reference", "by bob"));
    let text = alice.send_text(&room, "text");
    say(&bob, &room, &related(&text, "m.thread", "by bob"));
    let ignored = json!({"ignored_users": {bob.user_id.as_str(): {}}});
    alice.put(["user", &alice.user_id, "account_data", "m.ignored_user_list"], &ignored).ok();

    let relations = bundle(&alice, &room, &root);
    let thread = &relations["m.thread"];
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(reply)));
    assert!(relations.get("m.reference").is_none(), "{relations}");
    assert_eq!(bundle(&alice, &room, &text), Json::Null);
    assert_eq!(bundle(&bob, &room, &root)["m.thread"]["count"], 2);
}

#[test]
fn a_gappy_sync_bundles_what_the_gap_has() {
    let (_, alice, bob, room) = two_in_a_room();
    let since = bob.sync(None).next_batch();
    let root = alice.send_text(&room, "root");
    for number in 0..8 {
        say(&alice, &room, &related(&root, "m.thread", &number.to_string()));
    }
    let edited = say(&alice, &room, &edit(&root, "edited"));

    // The filter hides the replies: they count all the same.
    let filter = r#"{"room":{"timeline":{"limit":3,"types":["m.room.message"]}}}"#;
    let sync = bob.sync_with(&[("since", &since), ("filter", filter)]);
    assert_eq!(sync.timeline(&room).len(), 3);
    let filter = r#"{"room":{"timeline":{"limit":10}}}"#;
    let sync = bob.sync_with(&[("since", &since), ("filter", filter)]);
    let root = sync.timeline(&room).remove(0);
    assert_eq!(root["unsigned"]["m.relations"]["m.thread"]["count"], 8);
    assert_eq!(root["unsigned"]["m.relations"]["m.replace"]["event_id"], edited.as_str());
}

#[test]
fn related_events_and_threads_bring_their_aggregations() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&alice, &room, &related(&root, "m.thread", "reply"));
    let edited = say(&alice, &room, &edit(&reply, "edited"));

    let page = bob.query_v1(["rooms", &room, "relations", &root], &[]).ok();
    assert_eq!(page["chunk"][0]["unsigned"]["m.relations"]["m.replace"]["event_id"], edited.as_str());
    let threads = bob.query_v1(["rooms", &room, "threads"], &[]).ok();
    let latest = &threads["chunk"][0]["unsigned"]["m.relations"]["m.thread"]["latest_event"];
    assert_eq!(latest["unsigned"]["m.relations"]["m.replace"]["event_id"], edited.as_str());
}

#[test]
fn a_page_costs_as_many_statements_however_many_aggregations_it_has() {
    let (server, alice, _, room) = two_in_a_room();
    for number in 0..30 {
        let text = alice.send_text(&room, &number.to_string());
        let reply = say(&alice, &room, &related(&text, "m.thread", &format!("reply to {number}")));
        say(&alice, &room, &edit(&reply, &format!("edited {number}")));
        say(&alice, &room, &edit(&text, &format!("edited root {number}")));
        say(&alice, &room, &related(&text, "m.reference", &format!("about {number}")));
    }
    let address = Address::room(room.as_str().try_into().unwrap());
    let statements = |limit: &str| {
        let database = server.host().database(&address).expect("the room was made");
        let before = database.counts().statements;
        alice.query(["rooms", &room, "messages"], &[("dir", "b"), ("limit", limit)]).ok();
        database.counts().statements - before
    };

    // Both read one stride of a hundred stored events.
    assert_eq!(statements("5"), statements("99"));
}

#[test]
fn a_sync_with_aggregations_is_one_call_and_no_more_statements() {
    let (server, alice, bob, room) = two_in_a_room();
    let inbox = Address::user(bob.user_id.as_str().try_into().unwrap());
    let statements = || {
        let before = server.host().database(&inbox).unwrap().counts().statements;
        server.take_calls();
        let sync = bob.sync(None);
        assert_eq!(server.take_calls().len(), 1);
        (sync, server.host().database(&inbox).unwrap().counts().statements - before)
    };
    for number in 0..12 {
        alice.send_text(&room, &format!("plain {number}"));
    }
    let root = alice.send_text(&room, "root");
    // The first poll also says that Bob is there.
    statements();
    let (_, plain) = statements();

    say(&alice, &room, &related(&root, "m.thread", "reply"));
    say(&alice, &room, &edit(&root, "edited"));

    let (sync, with_aggregations) = statements();
    let shown = sync.timeline(&room).into_iter().find(|event| event["event_id"] == root.as_str()).unwrap();
    assert_eq!(shown["unsigned"]["m.relations"]["m.thread"]["count"], 1);
    assert_eq!(with_aggregations, plain);
}
