//! `/search`: what is found, by whom it is found, and by whom it is not.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Reply, TestServer, client::with_query};
use serde_json::{Value as Json, json};

const PATH: &str = "/_matrix/client/v3/search";

/// Searches with these criteria merged into a search for `term`.
fn search(client: &Client, term: &str, criteria: Json) -> Reply {
    page(client, term, criteria, None)
}

fn page(client: &Client, term: &str, criteria: Json, next_batch: Option<&str>) -> Reply {
    let mut asked = json!({"search_term": term, "order_by": "recent"});
    let further = criteria.as_object().expect("criteria are an object").clone();
    asked.as_object_mut().unwrap().extend(further);
    let query: Vec<(&str, &str)> = next_batch.map(|token| ("next_batch", token)).into_iter().collect();
    let uri = with_query(PATH.to_owned(), &query);
    client.ask(Method::POST, &uri, Some(&json!({"search_categories": {"room_events": asked}})))
}

#[track_caller]
fn found(reply: Reply) -> Json {
    reply.ok()["search_categories"]["room_events"].clone()
}

/// The bodies found, in order; as many as the count says.
#[track_caller]
fn bodies(client: &Client, term: &str) -> Vec<String> {
    let found = found(search(client, term, json!({})));
    let bodies = bodies_of(&found);
    assert_eq!(found["count"], bodies.len(), "the count tells of nothing else: {found}");
    bodies
}

fn bodies_of(found: &Json) -> Vec<String> {
    let results = found["results"].as_array().expect("results are a list");
    results.iter().map(|entry| entry["result"]["content"]["body"].as_str().unwrap_or("?").to_owned()).collect()
}

fn texts(events: &Json) -> Vec<&str> {
    events.as_array().expect("a list").iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

fn alone() -> (TestServer, Client, String) {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    (server, alice, room)
}

#[test]
fn a_message_is_found_by_its_words_as_soon_as_it_was_sent() {
    let (_, alice, room) = alone();
    let event_id = alice.send_text(&room, "hello, world");
    alice.send_text(&room, "something else");

    let found = found(search(&alice, "HELLO", json!({"keys": ["content.body"], "filter": {"rooms": [room]}})));

    assert_eq!(found["count"], 1);
    let result = &found["results"][0]["result"];
    assert_eq!(result["event_id"], event_id.as_str());
    assert_eq!(result["room_id"], room.as_str());
    assert_eq!(result["type"], "m.room.message");
    assert_eq!(result["content"]["body"], "hello, world");
    assert_eq!(found["highlights"], json!(["hello"]));
    assert!(found["results"][0].get("context").is_none(), "no context was asked for");
    assert!(found.get("next_batch").is_none());
    assert!(found.get("com.hubbub.incomplete").is_none());
}

#[test]
fn all_words_are_needed_in_any_order_and_phrases_as_they_stand() {
    let (_, alice, room) = alone();
    for text in ["a red door", "the door is red", "a blue door", "red"] {
        alice.send_text(&room, text);
    }

    assert_eq!(bodies(&alice, "door red"), ["the door is red", "a red door"]);
    assert_eq!(bodies(&alice, "\"red door\""), ["a red door"]);
    assert!(bodies(&alice, "green door").is_empty());
}

#[test]
fn longer_forms_other_accents_and_scripts_without_spaces_are_found() {
    let (_, alice, room) = alone();
    for text in ["two invoices", "Müller kommt", "東京に行く", "40"] {
        alice.send_text(&room, text);
    }

    assert_eq!(bodies(&alice, "invoice"), ["two invoices"]);
    assert_eq!(bodies(&alice, "muller"), ["Müller kommt"]);
    assert_eq!(bodies(&alice, "東京"), ["東京に行く"]);
    assert!(bodies(&alice, "京東").is_empty());
    assert!(bodies(&alice, "4").is_empty(), "short words only as they are");
}

#[test]
fn names_and_topics_are_found_under_their_keys() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.create_room(&json!({"name": "Harbour", "topic": "all about boats"}));
    alice.send_text(&room, "the harbour has boats");
    let types = |term: &str, keys: Json| {
        let found = found(search(&alice, term, json!({"keys": keys})));
        let results = found["results"].as_array().unwrap().clone();
        results.iter().map(|entry| entry["result"]["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(types("harbour", json!(["content.name"])), ["m.room.name"]);
    assert_eq!(types("boats", json!(["content.topic"])), ["m.room.topic"]);
    assert_eq!(types("harbour", json!(["content.topic"])), [""; 0]);
    assert_eq!(types("boats", json!(["content.body", "content.topic"])), ["m.room.message", "m.room.topic"]);
    let all = found(search(&alice, "harbour", json!({})));
    assert_eq!(all["count"], 2, "without keys all are searched");
}

#[test]
fn what_surrounds_a_result_is_shown_on_request_nearest_first() {
    let (_, alice, room) = alone();
    for number in 1..=7 {
        alice.send_text(&room, &format!("Message number {number}"));
    }

    let found = found(search(
        &alice,
        "Message 4",
        json!({"filter": {"limit": 1}, "event_context": {"before_limit": 2, "after_limit": 2, "include_profile": true}}),
    ));

    assert_eq!(found["count"], 1);
    assert!(found["next_batch"].is_string(), "the page is full");
    let context = &found["results"][0]["context"];
    assert_eq!(texts(&context["events_before"]), ["Message number 3", "Message number 2"]);
    assert_eq!(texts(&context["events_after"]), ["Message number 5", "Message number 6"]);
    assert!(context["profile_info"][&alice.user_id].is_object());
    let end = context["end"].as_str().unwrap();
    let on = alice.query(["rooms", &room, "messages"], &[("dir", "f"), ("from", end), ("limit", "1")]).ok();
    assert_eq!(texts(&on["chunk"]), ["Message number 7"], "the tokens page on");
}

#[test]
fn profiles_around_a_result_are_those_of_that_time() {
    let (_, alice, room) = alone();
    let own = alice.user_id.clone();
    alice.put(["profile", &own, "displayname"], &json!({"displayname": "Early"})).ok();
    alice.send_text(&room, "needle");
    alice.put(["profile", &own, "displayname"], &json!({"displayname": "Late"})).ok();

    let asked = json!({"event_context": {"before_limit": 1, "after_limit": 0, "include_profile": true}});
    let found = found(search(&alice, "needle", asked));

    assert_eq!(found["results"][0]["context"]["profile_info"][&own]["displayname"], "Early");
}

#[test]
fn pages_go_back_in_time_and_each_says_how_many_there_are() {
    let (_, alice, room) = alone();
    for number in 0..20 {
        alice.send_text(&room, &format!("Message number {number}"));
    }
    let expected = |numbers: std::ops::Range<u32>| -> Vec<String> {
        numbers.rev().map(|number| format!("Message number {number}")).collect()
    };
    let asked = json!({"filter": {"limit": 10}});

    let first = found(search(&alice, "Message", asked.clone()));
    alice.send_text(&room, "Message that came meanwhile");
    let second = found(page(&alice, "Message", asked.clone(), first["next_batch"].as_str()));
    let third = found(page(&alice, "Message", asked, second["next_batch"].as_str()));

    assert_eq!(bodies_of(&first), expected(10..20));
    assert_eq!(bodies_of(&second), expected(0..10));
    assert_eq!(third["results"], json!([]));
    assert!(third.get("next_batch").is_none());
    assert_eq!([&first["count"], &second["count"], &third["count"]], [20, 20, 20]);
}

#[test]
fn the_pages_of_many_hits_reach_the_end_and_the_count_is_how_many_were_looked_at() {
    let (server, alice, room) = alone();
    server.set_settling(false);
    for number in 0..600 {
        alice.send_text(&room, &format!("hay {number}"));
    }
    server.set_settling(true);
    server.advance(60_000);
    for (order, counted) in [("recent", 500), ("rank", 600)] {
        let asked = json!({"order_by": order, "filter": {"limit": 50}});
        let mut all = std::collections::BTreeSet::new();
        let mut next: Option<String> = None;
        loop {
            let found = found(page(&alice, "hay", asked.clone(), next.as_deref()));
            assert_eq!(found["count"], counted, "{order}");
            all.extend(bodies_of(&found));
            next = found["next_batch"].as_str().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), 600, "{order}");
    }
}

#[test]
fn a_page_belongs_to_its_search_and_its_user() {
    let (server, alice, room) = alone();
    let bob = server.account("bob");
    bob.join(&room);
    for _ in 0..3 {
        alice.send_text(&room, "needle and thread");
    }
    let limit = json!({"filter": {"limit": 1}});
    let first = found(search(&alice, "needle", limit.clone()));
    let token = first["next_batch"].as_str().unwrap();

    found(page(&alice, "needle", json!({"filter": {"limit": 2}}), Some(token)));
    page(&alice, "thread", limit.clone(), Some(token)).refused(400, "M_INVALID_PARAM");
    let other_order = json!({"filter": {"limit": 1}, "order_by": "rank"});
    page(&alice, "needle", other_order, Some(token)).refused(400, "M_INVALID_PARAM");
    let other_rooms = json!({"filter": {"limit": 1, "not_rooms": ["!x:hub.example"]}});
    page(&alice, "needle", other_rooms, Some(token)).refused(400, "M_INVALID_PARAM");
    page(&bob, "needle", limit.clone(), Some(token)).refused(400, "M_INVALID_PARAM");
    for nonsense in ["", "x", "AAAA", &"A".repeat(5000)] {
        page(&alice, "needle", limit.clone(), Some(nonsense)).refused(400, "M_INVALID_PARAM");
    }
}

#[test]
fn the_best_match_comes_first_by_rank_and_the_pages_of_it_miss_nothing() {
    let (_, alice, room) = alone();
    alice.send_text(&room, "apple among very many other words of no interest whatsoever to anybody here");
    alice.send_text(&room, "apple apple");
    for number in 0..5 {
        alice.send_text(&room, &format!("{number}"));
    }
    let asked = json!({"order_by": "rank", "filter": {"limit": 1}});

    let first = found(search(&alice, "apple", asked.clone()));
    let second = found(page(&alice, "apple", asked, first["next_batch"].as_str()));

    assert_eq!(bodies_of(&first), ["apple apple"]);
    assert!(bodies_of(&second)[0].starts_with("apple among"));
    let rank = |found: &Json| found["results"][0]["rank"].as_f64().unwrap();
    assert!(rank(&first) > rank(&second));
}

#[test]
fn a_rank_tells_nothing_of_what_others_write() {
    let server = TestServer::new();
    let (alice, eve) = (server.account("alice"), server.account("eve"));
    let own = eve.create_room(&json!({}));
    eve.send_text(&own, "codename");
    let rank = || found(search(&eve, "codename", json!({"order_by": "rank"})))["results"][0]["rank"].clone();
    let before = rank();
    let secret = alice.create_room(&json!({}));
    for _ in 0..30 {
        alice.send_text(&secret, "codename");
    }
    server.advance(60_000);

    assert_eq!(rank(), before);
}

#[test]
fn a_redacted_message_is_found_no_more_in_either_order() {
    let (server, alice, room) = alone();
    let taken_back = alice.send_text(&room, "needle one");
    alice.send_text(&room, "needle two");
    assert_eq!(bodies(&alice, "needle").len(), 2, "both were indexed");

    alice.put(["rooms", &room, "redact", &taken_back, "r1"], &json!({})).ok();

    for order in ["recent", "rank"] {
        let found = found(search(&alice, "needle", json!({"order_by": order})));
        assert_eq!(bodies_of(&found), ["needle two"]);
        assert_eq!(found["count"], 1);
    }
    server.advance(60_000);
    assert_eq!(rows(&server), 1, "its words left the index, too");
}

/// How many events the index holds.
fn rows(server: &TestServer) -> i64 {
    use hubbub_storage::database::Query as _;
    let rows = server.search_index().database().query("SELECT COUNT(*) AS n FROM texts", &[]).unwrap();
    rows[0].integer(0).unwrap()
}

#[test]
fn a_message_redacted_before_it_was_indexed_never_is() {
    let (server, alice, room) = alone();
    let event = alice.send_text(&room, "needle");
    alice.put(["rooms", &room, "redact", &event, "r1"], &json!({})).ok();
    server.advance(60_000);

    assert!(bodies(&alice, "needle").is_empty());
    assert_eq!(rows(&server), 0);
}

#[test]
fn an_edit_is_found_by_its_new_text() {
    let (_, alice, room) = alone();
    let event = alice.send_text(&room, "original");
    let edit = json!({
        "msgtype": "m.text",
        "body": "* fallback",
        "m.new_content": {"msgtype": "m.text", "body": "corrected"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    });
    alice.put(["rooms", &room, "send", "m.room.message", "e1"], &edit).ok();

    assert_eq!(bodies(&alice, "corrected"), ["* fallback"]);
    assert!(bodies(&alice, "fallback").is_empty());
}

#[test]
fn encrypted_events_and_other_types_are_not_indexed() {
    let (server, alice, room) = alone();
    let content = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "needle", "body": "needle"});
    alice.put(["rooms", &room, "send", "m.room.encrypted", "c1"], &content).ok();
    alice.put(["rooms", &room, "send", "org.example.note", "c2"], &json!({"body": "needle"})).ok();
    alice.put(["rooms", &room, "send", "m.room.message", "c3"], &json!({"msgtype": "m.text", "body": 7})).ok();

    assert!(bodies(&alice, "needle").is_empty());
    server.advance(60_000);
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_stranger_finds_nothing_not_even_a_count() {
    let server = TestServer::new();
    let (alice, eve) = (server.account("alice"), server.account("eve"));
    let room = alice.create_room(&json!({}));
    alice.send_text(&room, "secret needle");
    let own = eve.create_room(&json!({}));
    eve.send_text(&own, "an own needle");

    assert_eq!(bodies(&eve, "needle"), ["an own needle"]);
    let found = found(search(&eve, "secret", json!({"filter": {"rooms": [room]}, "include_state": true})));
    assert_eq!((&found["count"], &found["results"]), (&json!(0), &json!([])));
    assert!(found.get("state").is_none());
}

#[test]
fn an_invited_user_finds_nothing_yet() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.create_room(&json!({}));
    alice.send_text(&room, "secret needle");
    alice.member(&room, "invite", &bob).ok();

    assert!(bodies(&bob, "needle").is_empty());
    bob.join(&room);
    assert_eq!(bodies(&bob, "needle"), ["secret needle"], "shared history opens with the join");
}

#[test]
fn whoever_left_finds_what_was_said_before_and_nothing_later() {
    for how in ["leave", "kick", "ban"] {
        let (server, alice, room) = alone();
        let bob = server.account("bob");
        bob.join(&room);
        alice.send_text(&room, "needle before");
        match how {
            "leave" => bob.leave(&room),
            _ => drop(alice.member(&room, how, &bob).ok()),
        }
        alice.send_text(&room, "needle after");
        server.advance(60_000);

        assert_eq!(bodies(&bob, "needle"), ["needle before"], "{how}");
        assert!(bodies(&bob, "after").is_empty(), "{how}");
        let around = json!({"event_context": {"before_limit": 0, "after_limit": 5}});
        let found = found(search(&bob, "needle", around));
        let after = &found["results"][0]["context"]["events_after"];
        assert!(texts(after).is_empty(), "{how}: {after}");
    }
}

#[test]
fn a_forgotten_room_is_searched_no_more() {
    let (server, alice, room) = alone();
    let bob = server.account("bob");
    bob.join(&room);
    alice.send_text(&room, "needle");
    bob.leave(&room);
    bob.post(["rooms", &room, "forget"], &json!({})).ok();

    assert!(bodies(&bob, "needle").is_empty());
}

#[test]
fn history_from_before_the_join_is_not_found_where_only_members_may_read_it() {
    for visibility in ["joined", "invited"] {
        let server = TestServer::new();
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        let visible = json!({"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}});
        let room = alice.create_room(&json!({"preset": "public_chat", "initial_state": [visible]}));
        alice.send_text(&room, "needle before");
        bob.join(&room);
        alice.send_text(&room, "needle after");

        assert_eq!(bodies(&bob, "needle"), ["needle after"], "{visibility}");
        assert!(bodies(&bob, "before").is_empty(), "{visibility}");
        let around = json!({"event_context": {"before_limit": 5, "after_limit": 0}});
        let found = found(search(&bob, "after", around));
        let before = &found["results"][0]["context"]["events_before"];
        assert!(texts(before).is_empty(), "{visibility}: {before}");
    }
}

#[test]
fn ignored_users_are_left_out_and_not_counted() {
    let (server, alice, room) = alone();
    let (bob, carl) = (server.account("bob"), server.account("carl"));
    bob.join(&room);
    carl.join(&room);
    bob.send_text(&room, "needle of bob");
    carl.send_text(&room, "needle of carl");
    let list = json!({"ignored_users": {bob.user_id.as_str(): {}}});
    let own = alice.user_id.clone();
    alice.put(["user", &own, "account_data", "m.ignored_user_list"], &list).ok();

    assert_eq!(bodies(&alice, "needle"), ["needle of carl"]);
    let found = found(search(&alice, "carl", json!({"event_context": {"before_limit": 5, "after_limit": 0}})));
    assert!(texts(&found["results"][0]["context"]["events_before"]).is_empty());
}

#[test]
fn filters_choose_rooms_senders_types_and_links() {
    let (server, alice, room) = alone();
    let bob = server.account("bob");
    let other = alice.public_room();
    bob.join(&room);
    alice.send_text(&room, "needle one");
    bob.send_text(&room, "needle two");
    alice.send_text(&other, "needle three");
    let file = json!({"msgtype": "m.file", "body": "needle.txt", "url": "mxc://hub.example/x"});
    alice.put(["rooms", &other, "send", "m.room.message", "f1"], &file).ok();
    let by = |filter: Json| bodies_of(&found(search(&alice, "needle", json!({"filter": filter}))));

    assert_eq!(by(json!({"rooms": [room]})), ["needle two", "needle one"]);
    assert_eq!(by(json!({"rooms": []})), [""; 0]);
    assert_eq!(by(json!({"not_rooms": [room]})), ["needle.txt", "needle three"]);
    assert_eq!(by(json!({"senders": [bob.user_id]})), ["needle two"]);
    assert_eq!(by(json!({"senders": []})), [""; 0]);
    assert_eq!(by(json!({"not_senders": [alice.user_id]})), ["needle two"]);
    assert_eq!(by(json!({"types": ["m.room.topic"]})), [""; 0]);
    assert_eq!(by(json!({"not_types": ["m.room.message"]})), [""; 0]);
    assert_eq!(by(json!({"contains_url": true})), ["needle.txt"]);
    assert_eq!(by(json!({"rooms": [other], "contains_url": false})), ["needle three"]);
}

#[test]
fn results_are_grouped_and_each_group_pages_by_itself() {
    let (server, alice, room) = alone();
    let bob = server.account("bob");
    let other = alice.public_room();
    bob.join(&room);
    alice.send_text(&other, "needle 1");
    server.advance(1);
    let second = bob.send_text(&room, "needle 2");
    server.advance(1);
    alice.send_text(&other, "needle 3");
    server.advance(1);
    let fourth = alice.send_text(&room, "needle 4");
    let asked = json!({
        "filter": {"limit": 2},
        "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]},
    });

    let first = found(search(&alice, "needle", asked.clone()));

    let of_room = &first["groups"]["room_id"][&room];
    assert_eq!(of_room["results"], json!([fourth]));
    assert_eq!((&of_room["order"], &first["groups"]["room_id"][&other]["order"]), (&json!(1), &json!(2)));
    assert_eq!(first["groups"]["sender"][&alice.user_id]["results"].as_array().unwrap().len(), 2);
    let next = found(page(&alice, "needle", asked.clone(), of_room["next_batch"].as_str()));
    assert_eq!(next["groups"]["room_id"][&room]["results"], json!([second]));
    assert_eq!(bodies_of(&next), ["needle 2"]);
    let by_sender = first["groups"]["sender"][&alice.user_id]["next_batch"].as_str();
    assert_eq!(bodies_of(&found(page(&alice, "needle", asked, by_sender))), ["needle 1"]);
}

#[test]
fn the_state_of_the_rooms_found_comes_on_request() {
    let (server, alice, room) = alone();
    let bob = server.account("bob");
    bob.join(&room);
    alice.send_text(&room, "needle");
    bob.leave(&room);
    alice.set_state(&room, "m.room.topic", "", &json!({"topic": "later"})).ok();

    let of = |client: &Client| found(search(client, "needle", json!({"include_state": true})))["state"][&room].clone();

    let has_topic = |state: &Json| state.as_array().unwrap().iter().any(|event| event["type"] == "m.room.topic");
    assert!(has_topic(&of(&alice)));
    assert!(!has_topic(&of(&bob)), "as of the leave");
}

#[test]
fn nothing_that_is_typed_becomes_syntax() {
    let (_, alice, room) = alone();
    alice.send_text(&room, "needle");
    for term in [
        "\"",
        "\"\"",
        "needle\"",
        "needle OR x",
        "needle NOT needle",
        "body:needle",
        "{body} : needle",
        "nee*",
        "^needle",
        "NEAR(needle x)",
        "needle + x",
        "(((",
        "' OR 1=1 --",
        "needle\u{0}",
        "-needle x",
        "\\",
        "%",
        "needle AND",
    ] {
        let reply = search(&alice, term, json!({}));
        assert_eq!(reply.status, 200, "{term:?}: {}", reply.text());
    }
    assert!(bodies(&alice, "needle OR haystack").is_empty(), "OR is a word like any other");
    assert!(bodies(&alice, "nee*").is_empty(), "and * means nothing");
    assert_eq!(bodies(&alice, "").len(), 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (server, alice, _) = alone();
    search(&alice, &"x ".repeat(600), json!({})).refused(400, "M_INVALID_PARAM");
    search(&alice, "x", json!({"keys": ["content.formatted_body"]})).refused(400, "M_INVALID_PARAM");
    search(&alice, "x", json!({"order_by": "size"})).refused(400, "M_INVALID_PARAM");
    search(&alice, "x", json!({"groupings": {"group_by": [{"key": "type"}]}})).refused(400, "M_INVALID_PARAM");
    search(&alice, "x", json!({"filter": {"limit": "many"}})).refused(400, "M_BAD_JSON");
    let ask = |body: Json| alice.ask(Method::POST, PATH, Some(&body));
    ask(json!({})).refused(400, "M_BAD_JSON");
    ask(json!({"search_categories": {"room_events": {}}})).refused(400, "M_BAD_JSON");
    assert_eq!(ask(json!({"search_categories": {}})).ok(), json!({"search_categories": {}}));
    server.post(PATH, &json!({})).refused(401, "M_MISSING_TOKEN");
    alice.post(["logout"], &json!({})).ok();
    search(&alice, "x", json!({})).refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn an_index_that_was_lost_fills_itself_where_it_is_searched() {
    let (server, alice, room) = alone();
    for number in 0..250 {
        alice.send_text(&room, &format!("needle {number}"));
    }
    server.advance(60_000);
    assert_eq!(rows(&server), 250);
    server.run({
        let index = std::rc::Rc::clone(&server.context().search);
        async move { hubbub_storage::search::empty(&*index).await.unwrap() }
    });
    assert_eq!(rows(&server), 0);

    let found = found(search(&alice, "needle 7", json!({})));

    assert_eq!(bodies_of(&found), ["needle 7"]);
    assert_eq!(rows(&server), 250);
}

#[test]
fn the_operator_empties_and_refills_the_index() {
    let (server, alice, room) = alone();
    let gone = alice.send_text(&room, "needle gone");
    alice.send_text(&room, "needle kept");
    server.advance(1);
    let other = alice.create_room(&json!({"name": "needle case"}));
    alice.send_text(&other, "another needle");
    server.advance(60_000);
    alice.put(["rooms", &room, "redact", &gone, "r1"], &json!({})).ok();
    let before = rows(&server);

    server.post("/_hubbub/admin/v1/rebuild-search", &json!({})).refused(401, "M_MISSING_TOKEN");
    alice.ask(Method::POST, "/_hubbub/admin/v1/rebuild-search", Some(&json!({}))).refused(401, "M_UNKNOWN_TOKEN");
    server.set_settling(false);
    let report = server.admin(Method::POST, "rebuild-search", &json!({})).ok();

    assert_eq!((&report["rooms"], &report["silent"], &report["next"]), (&json!(2), &json!([]), &Json::Null));
    server.advance(60_000);
    assert_eq!(rows(&server), before - 1);
    server.set_settling(true);
    assert_eq!(bodies(&alice, "needle"), ["another needle", "?", "needle kept"]);
    let later = server.admin(Method::POST, "rebuild-search", &json!({"after": "~"})).ok();
    assert_eq!(later["rooms"], 0);
    assert_eq!(rows(&server), before - 1, "going on empties nothing");
}

#[test]
fn a_rebuilt_room_is_still_searched_and_so_is_what_follows() {
    let (server, alice, room) = alone();
    alice.send_text(&room, "needle before");
    server.admin(Method::POST, "rebuild-room", &json!({"room_id": room})).ok();
    alice.send_text(&room, "needle after");

    assert_eq!(bodies(&alice, "needle"), ["needle after", "needle before"]);
}

#[test]
fn an_index_out_of_reach_stops_no_message_and_a_search_says_what_it_lacks() {
    let (server, alice, room) = alone();
    alice.send_text(&room, "needle one");
    assert_eq!(bodies(&alice, "needle"), ["needle one"]);

    server.search_index().refuse.set(true);
    alice.send_text(&room, "needle two");
    server.advance(120_000);
    assert_eq!(search(&alice, "needle", json!({})).status, 500);
    server.search_index().refuse.set(false);
    server.advance(60_000);
    assert_eq!(bodies(&alice, "needle"), ["needle two", "needle one"], "nothing was lost");

    alice.send_text(&room, "so that the appservices are known for a while");
    server.directory().refuse.set(true);
    alice.send_text(&room, "needle three");
    let found = found(search(&alice, "needle", json!({})));
    assert_eq!(found["com.hubbub.incomplete"], true, "the archive comes first");
    assert_eq!(bodies_of(&found), ["needle two", "needle one"]);
}

#[test]
fn a_search_waits_two_seconds_for_a_batch_that_hangs_and_says_what_it_lacks() {
    let (server, alice, room) = alone();
    alice.send_text(&room, "needle one");
    assert_eq!(bodies(&alice, "needle"), ["needle one"]);
    alice.send_text(&room, "needle two");
    let before = server.now();

    server.set_directory_hanging(true);
    let found = found(search(&alice, "needle", json!({})));

    assert_eq!(server.now() - before, 2_000);
    assert_eq!(found["com.hubbub.incomplete"], true);
    assert_eq!(bodies_of(&found), ["needle one"]);
}

#[test]
fn a_room_that_dies_while_it_indexes_loses_and_doubles_nothing() {
    for seed in 0..4 {
        let server = TestServer::with(hubbub_native::Options { seed, ..Default::default() });
        let alice = server.account("alice");
        let room = alice.public_room();
        for number in 0..120 {
            alice.send_text(&room, &format!("needle {number}"));
        }
        server.set_settling(false);
        server.advance(5_000);
        server.crash(&Address::new(Class::Room, room.clone()));
        server.set_settling(true);
        server.advance(60_000);

        assert_eq!(rows(&server), 120, "seed {seed}");
        assert_eq!(bodies(&alice, "\"needle 119\""), ["needle 119"], "seed {seed}");
    }
}

#[test]
fn a_search_asks_the_searcher_and_each_affected_room_a_bounded_number_of_times() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let rooms: Vec<String> = (0..4).map(|_| alice.public_room()).collect();
    for room in &rooms[..2] {
        for number in 0..30 {
            alice.send_text(room, &format!("needle {number}"));
        }
    }
    server.advance(60_000);
    server.take_calls();

    found(search(&alice, "needle", json!({"event_context": {}, "include_state": true})));

    let calls = server.take_calls();
    let of = |class: Class| calls.iter().filter(|call| call.class == class).count();
    assert_eq!((of(Class::User), of(Class::Room)), (1, 3), "{calls:?}");
}
