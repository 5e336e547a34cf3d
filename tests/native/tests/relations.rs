//! Relations: paging them, what is refused, and what a redaction or a leaving takes away.

use std::slice::from_ref;

use hubbub_core::contract::{
    Address,
    room::{Rebuilt, RoomCommand},
};
use hubbub_native::{Client, Reply, TestServer};
use hubbub_storage::{
    database::{Database as _, DatabaseError, Row, transaction},
    native::NativeDatabase,
    room::{
        SCHEMA,
        relations::{Children, children},
    },
    schema,
};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

/// Sends under a transaction id made of the content: no test sends the same twice.
fn send(client: &Client, room: &str, event_type: &str, content: &Json) -> Reply {
    client.put(["rooms", room, "send", event_type, &content.to_string()], content)
}

fn related(parent: &str, rel_type: &str, body: &str) -> Json {
    json!({"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": rel_type, "event_id": parent}})
}

fn edit(parent: &str, body: &str) -> Json {
    let mut content = related(parent, "m.replace", &format!("* {body}"));
    content["m.new_content"] = json!({"msgtype": "m.text", "body": body});
    content
}

#[track_caller]
fn sent(reply: Reply) -> String {
    reply.ok()["event_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn say(client: &Client, room: &str, content: &Json) -> String {
    client.server.advance(1);
    sent(send(client, room, "m.room.message", content))
}

#[track_caller]
fn react(client: &Client, room: &str, parent: &str, key: &str) -> String {
    let content = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": parent, "key": key}});
    sent(send(client, room, "m.reaction", &content))
}

/// `GET` below `/v1/rooms/<room>/relations/`.
fn relations(client: &Client, room: &str, rest: &[&str], query: &[(&str, &str)]) -> Reply {
    client.query_v1(["rooms", room, "relations"].into_iter().chain(rest.iter().copied()), query)
}

fn ids(page: &Json) -> Vec<String> {
    page["chunk"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

fn redact(client: &Client, room: &str, event: &str) {
    client.put(["rooms", room, "redact", event, event], &json!({})).ok();
}

#[test]
fn related_events_are_found_by_relation_and_type() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&alice, &room, &related(&root, "m.thread", "reply"));
    let dummy = sent(send(&bob, &room, "m.dummy", &related(&root, "m.thread", "dummy")));
    let edited = say(&alice, &room, &edit(&root, "edited"));
    alice.send_text(&room, "unrelated");

    let all = relations(&bob, &room, &[&root], &[]).ok();
    assert_eq!(ids(&all), [edited, dummy.clone(), reply.clone()]);
    assert!(all.get("next_batch").is_none() && all.get("prev_batch").is_none());
    assert!(all.get("recursion_depth").is_none());
    assert_eq!(all["chunk"][2]["room_id"], room.as_str());
    assert_eq!(ids(&relations(&bob, &room, &[&root, "m.thread"], &[]).ok()), [dummy, reply.clone()]);
    assert_eq!(ids(&relations(&bob, &room, &[&root, "m.thread", "m.room.message"], &[]).ok()), from_ref(&reply));
    assert!(ids(&relations(&bob, &room, &[&reply], &[]).ok()).is_empty());
}

#[test]
fn related_events_page_both_ways_and_each_comes_once() {
    let (_, alice, _, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let mut replies = Vec::new();
    for number in 0..10 {
        replies.push(say(&alice, &room, &related(&root, "m.thread", &format!("{number}"))));
        alice.send_text(&room, "between");
    }
    for direction in ["b", "f"] {
        let mut found: Vec<String> = Vec::new();
        let mut from: Option<String> = None;
        for size in [3, 3, 3, 1] {
            let mut query = vec![("dir", direction), ("limit", "3")];
            query.extend(from.as_deref().map(|from| ("from", from)));
            let page = relations(&alice, &room, &[&root, "m.thread"], &query).ok();
            assert_eq!(ids(&page).len(), size);
            assert_eq!(page["prev_batch"].as_str(), from.as_deref());
            found.extend(ids(&page));
            from = page["next_batch"].as_str().map(str::to_owned);
        }
        assert_eq!(from, None);
        if direction == "b" {
            found.reverse();
        }
        assert_eq!(found, replies);
    }
}

#[test]
fn pages_start_and_end_at_sync_and_messages_tokens() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let mut replies: Vec<String> =
        (0..5).map(|number| say(&alice, &room, &related(&root, "m.thread", &format!("early {number}")))).collect();
    let middle = bob.sync(None).next_batch();
    replies.extend((0..5).map(|number| say(&alice, &room, &related(&root, "m.thread", &format!("late {number}")))));

    let page = relations(&bob, &room, &[&root], &[("from", &middle), ("dir", "f"), ("limit", "3")]).ok();
    assert_eq!(ids(&page), replies[5..8]);
    let next = page["next_batch"].as_str().unwrap();
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[("from", next), ("dir", "f")]).ok()), replies[8..]);
    let early: Vec<String> = replies[..5].iter().rev().cloned().collect();
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[("from", &middle)]).ok()), early);
    let late: Vec<String> = replies[5..].iter().rev().cloned().collect();
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[("to", &middle)]).ok()), late);
    let messages = bob.query(["rooms", &room, "messages"], &[("dir", "b"), ("limit", "2")]).ok();
    let end = messages["end"].as_str().unwrap();
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[("from", end), ("limit", "1")]).ok()), replies[7..8]);
}

#[test]
fn children_of_children_come_along_when_asked_for() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&alice, &room, &related(&root, "m.thread", "reply"));
    let reaction = react(&bob, &room, &reply, "+1");
    let edited = say(&alice, &room, &edit(&reply, "edited"));
    let about = say(&bob, &room, &related(&edited, "m.reference", "about the edit"));
    let too_deep = say(&bob, &room, &related(&about, "m.reference", "too deep"));

    let page = relations(&alice, &room, &[&root], &[("recurse", "true")]).ok();
    assert_eq!(ids(&page), [about.clone(), edited.clone(), reaction.clone(), reply.clone()]);
    assert_eq!(page["recursion_depth"], 3);
    assert_eq!(ids(&relations(&alice, &room, &[&about], &[("recurse", "true")]).ok()), [too_deep]);
    let typed = relations(&alice, &room, &[&root, "m.replace"], &[("recurse", "true")]).ok();
    assert_eq!(ids(&typed), [edited]);
    let reactions = relations(&alice, &room, &[&root, "m.annotation", "m.reaction"], &[("recurse", "true")]).ok();
    assert_eq!(ids(&reactions), [reaction]);
    assert_eq!(ids(&relations(&alice, &room, &[&root], &[("recurse", "false")]).ok()), [reply]);
    let first = relations(&alice, &room, &[&root], &[("recurse", "true"), ("dir", "f"), ("limit", "3")]).ok();
    let next = first["next_batch"].as_str().unwrap();
    let rest = relations(&alice, &room, &[&root], &[("recurse", "true"), ("dir", "f"), ("from", next)]).ok();
    assert_eq!(ids(&rest), [about]);
}

#[test]
fn a_page_of_children_of_children_takes_as_many_statements_however_many_there_are() {
    let (server, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let mut said = Vec::new();
    let mut say_some = |many: usize| {
        for _ in 0..many {
            let reply = say(&alice, &room, &related(&root, "m.thread", &said.len().to_string()));
            said.push(reply.clone());
            said.push(react(&bob, &room, &reply, "+1"));
        }
        said.clone()
    };
    let address = Address::new(hubbub_core::contract::Class::Room, room.clone());
    let page = |query: &[(&str, &str)]| {
        let before = server.host().database(&address).unwrap().counts().statements;
        let query: Vec<_> = [("recurse", "true"), ("limit", "10")].into_iter().chain(query.iter().copied()).collect();
        let page = relations(&alice, &room, &[&root], &query).ok();
        (page, server.host().database(&address).unwrap().counts().statements - before)
    };
    say_some(20);
    let (few, forwards) = (page(&[]).1, page(&[("dir", "f")]).1);
    let all = say_some(180);

    let (newest, statements) = page(&[]);
    assert_eq!(statements, few);
    assert_eq!(page(&[("dir", "f")]).1, forwards);
    // And it goes on to the end, both ways.
    for direction in ["b", "f"] {
        let (mut shown, mut from) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("dir", direction)];
            query.extend(from.as_deref().map(|from| ("from", from)));
            let (page, statements) = page(&query);
            assert!(statements <= few + 1, "{statements} statements");
            shown.extend(ids(&page));
            match page["next_batch"].as_str() {
                Some(next) => from = Some(next.to_owned()),
                None => break,
            }
        }
        if direction == "b" {
            assert_eq!(shown[..10], ids(&newest));
            shown.reverse();
        }
        assert_eq!(shown, all, "{direction}");
    }
}

#[test]
fn children_of_children_are_chosen_from_the_ten_thousand_nearest() {
    let database = NativeDatabase::in_memory().unwrap();
    schema::migrate(&database, SCHEMA).unwrap();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)";
    let events = format!(
        "INSERT INTO events (order_key, event_id, type, sender, pdu, branch, state_before, rejected, visibility)
         {numbers} SELECT i, '$' || i, 'm.room.message', '@a:b', '{{}}', 0, 0, 0, 'shared' FROM n"
    );
    let rows = format!(
        "INSERT INTO relations (parent, rel_type, order_key, event_type, sender, ts, valid)
         {numbers} SELECT '$0', 'm.thread', i, 'm.room.message', '@a:b', i, 1 FROM n"
    );
    let (events, rows): (&'static str, &'static str) = (events.leak(), rows.leak());
    transaction(&database, |transaction| -> Result<(), DatabaseError> {
        transaction.execute(events, &[])?;
        transaction.execute(rows, &[])?;
        Ok(())
    })
    .unwrap();
    let wanted = Children { parent: "$0", rel_type: None, event_type: None, depth: 3 };
    let found = |bounds, backwards| -> Vec<i64> {
        let rows = children(database.as_query(), wanted, bounds, backwards, 2).unwrap();
        rows.iter().map(|row| row.order_key).collect()
    };

    assert_eq!(found((0, 20_000), true), [10_100, 10_099]);
    assert_eq!(found((0, 60), true), [59, 58], "a page below a bound looks below it");
    assert_eq!(found((0, 20_000), false), [1, 2]);
    assert_eq!(found((10_090, 20_000), false), [10_090, 10_091]);
    let oldest = children(database.as_query(), wanted, (0, 20_000), true, 20_000).unwrap();
    assert_eq!((oldest.len(), oldest.last().map(|row| row.order_key)), (10_000, Some(101)));
}

#[test]
fn whoever_may_not_see_an_event_learns_nothing_of_its_relations() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");
    let root = alice.send_text(&room, "root");
    let seen = say(&alice, &room, &related(&root, "m.thread", "before"));
    bob.leave(&room);
    say(&alice, &room, &related(&root, "m.thread", "after"));
    let other = alice.public_room();
    let elsewhere = alice.send_text(&other, "elsewhere");

    relations(&carl, &room, &[&root], &[]).refused(404, "M_NOT_FOUND");
    relations(&alice, &room, &[&elsewhere], &[]).refused(404, "M_NOT_FOUND");
    relations(&alice, &room, &["$nothing"], &[]).refused(404, "M_NOT_FOUND");
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[]).ok()), from_ref(&seen));
    assert_eq!(ids(&relations(&bob, &room, &[&root], &[("recurse", "true"), ("dir", "f")]).ok()), [seen]);
    relations(&alice, &room, &[&root], &[("dir", "x")]).refused(400, "M_INVALID_PARAM");
    relations(&alice, &room, &[&root], &[("from", "nonsense")]).refused(400, "M_INVALID_PARAM");
    relations(&alice, &room, &[&root], &[("limit", "-1")]).refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_redacted_event_relates_to_nothing_any_more() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&bob, &room, &related(&root, "m.thread", "reply"));
    let reaction = react(&bob, &room, &root, "+1");

    redact(&bob, &room, &reaction);
    assert_eq!(ids(&relations(&alice, &room, &[&root], &[]).ok()), from_ref(&reply));
    redact(&bob, &room, &reply);
    assert!(ids(&relations(&alice, &room, &[&root], &[]).ok()).is_empty());
}

#[test]
fn a_redacted_parent_keeps_its_children() {
    let (_, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&bob, &room, &related(&root, "m.thread", "reply"));

    redact(&alice, &room, &root);

    assert_eq!(ids(&relations(&alice, &room, &[&root], &[]).ok()), [reply]);
}

#[test]
fn the_same_reaction_is_sent_once_until_it_is_redacted() {
    let (_, alice, bob, room) = two_in_a_room();
    let text = alice.send_text(&room, "hello");
    let content = |key: &str| json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": text, "key": key}});
    let attempt = |who: &Client, transaction: &str, key: &str| {
        who.put(["rooms", &room, "send", "m.reaction", transaction], &content(key))
    };

    let first = sent(attempt(&alice, "1", "+1"));
    assert_eq!(sent(attempt(&alice, "1", "+1")), first);
    attempt(&alice, "2", "+1").refused(400, "M_DUPLICATE_ANNOTATION");
    attempt(&alice, "3", "-1").ok();
    attempt(&bob, "4", "+1").ok();
    redact(&alice, &room, &first);
    attempt(&alice, "5", "+1").ok();
    let keyless = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": text}});
    alice.put(["rooms", &room, "send", "m.reaction", "6"], &keyless).refused(400, "M_UNKNOWN");
    attempt(&alice, "7", &"x".repeat(501)).refused(400, "M_UNKNOWN");
}

#[test]
fn a_relation_needs_an_event_of_the_room_and_a_thread_an_unrelated_one() {
    let (_, alice, _, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&alice, &room, &related(&root, "m.thread", "reply"));
    let other = alice.public_room();
    let elsewhere = alice.send_text(&other, "elsewhere");
    let attempt = |content: &Json| send(&alice, &room, "m.room.message", content);

    attempt(&related(&reply, "m.thread", "below a reply")).refused(400, "M_UNKNOWN");
    attempt(&related(&elsewhere, "m.thread", "across rooms")).refused(400, "M_UNKNOWN");
    attempt(&related("$nothing", "m.reference", "to nothing")).refused(400, "M_UNKNOWN");
    attempt(&json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": "$nothing"}}})).ok();
    assert_eq!(ids(&relations(&alice, &room, &[&root], &[]).ok()), [reply]);
}

#[test]
fn a_message_that_relates_to_nothing_leaves_no_row() {
    let (server, alice, _, room) = two_in_a_room();
    let count = || {
        let database = server.host().database(&Address::room(room.as_str().try_into().unwrap())).unwrap();
        let tables = ["relations", "aggregations", "thread_participants"];
        tables.map(|table| {
            let sql: &'static str = match table {
                "relations" => "SELECT COUNT(*) FROM relations",
                "aggregations" => "SELECT COUNT(*) FROM aggregations",
                _ => "SELECT COUNT(*) FROM thread_participants",
            };
            database.as_query().query_one(sql, &[]).unwrap().unwrap().integer(0).unwrap()
        })
    };
    let root = alice.send_text(&room, "plain");
    alice.set_state(&room, "m.room.name", "", &json!({"name": "Lobby"})).ok();
    assert_eq!(count(), [0, 0, 0]);
    react(&alice, &room, &root, "+1");
    assert_eq!(count(), [1, 0, 0]);
    say(&alice, &room, &related(&root, "m.thread", "reply"));
    say(&alice, &room, &related(&root, "m.thread", "another"));
    assert_eq!(count(), [3, 1, 1]);
}

#[test]
fn a_rebuilt_room_has_its_relations() {
    let (server, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&bob, &room, &related(&root, "m.thread", "reply"));
    let gone = say(&bob, &room, &related(&root, "m.thread", "gone"));
    let edited = say(&alice, &room, &edit(&root, "edited"));
    redact(&bob, &room, &gone);
    let event = || alice.get(["rooms", &room, "event", &root]).ok()["unsigned"]["m.relations"].clone();
    let before = event();
    server.advance(60_000);

    let address = Address::room(room.as_str().try_into().unwrap());
    let _: Rebuilt = server.call(address, RoomCommand::Rebuild).unwrap();

    assert_eq!(ids(&relations(&alice, &room, &[&root], &[]).ok()), [edited, reply]);
    let after = event();
    assert_eq!(after["m.replace"]["event_id"], before["m.replace"]["event_id"]);
    assert_eq!(after["m.thread"]["count"], 1);
    assert_eq!(after["m.thread"]["latest_event"]["event_id"], before["m.thread"]["latest_event"]["event_id"]);
}

/// What the tables of relations hold.
fn accounts(database: &NativeDatabase) -> Vec<Vec<Row>> {
    [
        "SELECT * FROM relations ORDER BY parent, rel_type, order_key",
        "SELECT * FROM aggregations ORDER BY parent",
        "SELECT * FROM thread_participants ORDER BY root, user_id",
    ]
    .map(|sql| database.as_query().query(sql, &[]).unwrap())
    .into()
}

#[test]
fn a_room_from_before_relations_were_kept_gets_them_as_if_they_always_had_been() {
    let (server, alice, bob, room) = two_in_a_room();
    let root = alice.send_text(&room, "root");
    let reply = say(&bob, &room, &related(&root, "m.thread", "reply"));
    say(&alice, &room, &edit(&root, "edited"));
    say(&alice, &room, &edit(&root, "edited again"));
    say(&bob, &room, &edit(&root, "by somebody else"));
    say(&alice, &room, &related(&root, "m.replace", "without m.new_content"));
    let only_edited = say(&bob, &room, &json!({"msgtype": "m.text", "body": "a text"}));
    let of = say(&bob, &room, &edit(&only_edited, "edited"));
    say(&bob, &room, &edit(&of, "an edit of an edit"));
    react(&bob, &room, &root, "+1");
    say(&bob, &room, &related(&reply, "m.reference", "about the reply"));
    let gone = say(&alice, &room, &related(&reply, "m.reference", "gone"));
    redact(&alice, &room, &gone);
    let odd = json!({"body": "x", "m.relates_to": {"rel_type": 7, "event_id": [root]}});
    say(&alice, &room, &odd);
    let live = server.host().database(&Address::room(room.as_str().try_into().unwrap())).unwrap();

    let dump: String = live
        .dump()
        .unwrap()
        .split_inclusive(";\n")
        .filter(|statement| {
            let of = |table: &str| statement.contains(table);
            let later = ["erased_users", "listing", "relations", "aggregations", "thread_participants", "time_blocks"];
            !statement.starts_with("INSERT INTO schema_version")
                && (statement.starts_with("INSERT INTO events") || !later.into_iter().any(of))
        })
        .collect();
    let first = "ALTER TABLE room DROP COLUMN rebuilding;\nINSERT INTO schema_version VALUES (1, 1);\n";
    let old = NativeDatabase::from_dump(&format!("{dump}{first}")).unwrap();
    schema::migrate(&old, SCHEMA).unwrap();

    assert!(accounts(&live).iter().all(|rows| !rows.is_empty()));
    assert_eq!(accounts(&old), accounts(&live));
}
