//! Sending, reading, paging and redacting events.

use hubbub_native::{Client, TestServer};
use serde_json::{Value as Json, json};

fn two_in_a_room() -> (TestServer, Client, Client, String) {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    (server, alice, bob, room)
}

fn page(client: &Client, room: &str, query: &[(&str, &str)]) -> Json {
    client.query(["rooms", room, "messages"], query).ok()
}

fn bodies(page: &Json) -> Vec<String> {
    let chunk = page["chunk"].as_array().expect("a chunk");
    chunk.iter().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
}

#[test]
fn repeating_a_transaction_id_returns_the_first_event_id() {
    let (server, alice, _, room) = two_in_a_room();
    let other = alice.public_room();

    let first = alice.send_with(&room, "txn1", "hello").ok();
    let again = alice.send_with(&room, "txn1", "something else").ok();
    let elsewhere = alice.send_with(&other, "txn1", "hello").ok();

    assert_eq!(first["event_id"], again["event_id"]);
    assert_ne!(first["event_id"], elsewhere["event_id"]);
    assert_eq!(bodies(&page(&alice, &room, &[("dir", "b")])), ["hello"]);
    server.crash(&hubbub_core::contract::Address::new(hubbub_core::contract::Class::Room, room.clone()));
    assert_eq!(alice.send_with(&room, "txn1", "hello").ok()["event_id"], first["event_id"]);
}

#[test]
fn a_transaction_id_belongs_to_its_device() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", None);
    let room = phone.public_room();
    let first = phone.send_with(&room, "txn1", "hello").ok();

    assert_ne!(laptop.send_with(&room, "txn1", "hello").ok()["event_id"], first["event_id"]);
    let phone_again = server.login("alice", Some(&phone.device_id));
    assert_eq!(phone_again.send_with(&room, "txn1", "hello").ok()["event_id"], first["event_id"]);
}

#[test]
fn the_sending_device_alone_sees_the_transaction_id() {
    let server = TestServer::new();
    let phone = server.register("alice");
    let laptop = server.login("alice", None);
    let room = phone.public_room();
    let event_id = phone.send_with(&room, "txn1", "hello").ok()["event_id"].as_str().unwrap().to_owned();

    let transaction = |client: &Client| {
        let event = client.get(["rooms", &room, "event", &event_id]).ok();
        let synced = client.sync(None).timeline(&room).pop().unwrap();
        assert_eq!(event["unsigned"]["transaction_id"], synced["unsigned"]["transaction_id"]);
        event["unsigned"]["transaction_id"].clone()
    };
    assert_eq!(transaction(&phone), "txn1");
    assert_eq!(transaction(&laptop), Json::Null);
}

#[test]
fn an_event_is_sent_as_it_is_given() {
    let (_, alice, bob, room) = two_in_a_room();
    let content = json!({"body": "hi", "msgtype": "m.text", "org.example": {"deep": [1, null, true, "ü\u{0}"]}});

    let sent = alice.put(["rooms", &room, "send", "org.example.custom/type", "t"], &content).ok();

    let event = bob.get(["rooms", &room, "event", sent["event_id"].as_str().unwrap()]).ok();
    assert_eq!(event["content"], content);
    assert_eq!(event["type"], "org.example.custom/type");
    assert_eq!(event["sender"], alice.user_id.as_str());
    assert_eq!(event["room_id"], room.as_str());
    assert!(event["origin_server_ts"].is_i64());
}

#[test]
fn numbers_beyond_canonical_json_are_refused() {
    let (server, alice, _, room) = two_in_a_room();
    for bad in ["1.1", "9007199254740992", "-9007199254740992", "1e400", "\"text\"", "\"9007199254740992\""] {
        let body = if bad.starts_with('"') { bad.to_owned() } else { format!("{{\"n\": {bad}}}") };
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t{}", body.len());
        let mut request = alice.request(http::Method::PUT, &path, None);
        *request.body_mut() = body.clone().into_bytes();
        let reply = server.request(request);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    }
}

#[test]
fn an_event_above_64_kibibytes_is_too_large() {
    let (_, alice, _, room) = two_in_a_room();
    let large = "x".repeat(70_000);

    alice.send_with(&room, "t", &large).refused(413, "M_TOO_LARGE");
    alice.set_state(&room, "org.example.t", "", &json!({"large": large})).refused(413, "M_TOO_LARGE");
    let long = "x".repeat(300);
    assert!([400, 413].contains(&alice.put(["rooms", &room, "send", &long, "t2"], &json!({})).status));
    assert!([400, 413].contains(&alice.set_state(&room, "t", &long, &json!({})).status));
}

#[test]
fn who_is_not_in_the_room_or_has_no_power_sends_nothing() {
    let (server, alice, bob, room) = two_in_a_room();
    let carl = server.account("carl");

    carl.send_with(&room, "t", "hello").refused(403, "M_FORBIDDEN");
    alice.set_state(&room, "m.room.power_levels", "", &json!({"events_default": 50})).ok();
    bob.send_with(&room, "t", "hello").refused(403, "M_FORBIDDEN");
    bob.send_with("!nothing:hub.example", "t", "hello").status.to_string();
    assert!(bob.send_with("!nothing:hub.example", "t", "hello").status >= 403);
}

#[test]
fn paging_backwards_and_forwards_finds_each_message_once() {
    let (_, alice, _, room) = two_in_a_room();
    let since = alice.sync(None).next_batch();
    let sent: Vec<String> = (0..23).map(|number| format!("message {number}")).collect();
    for body in &sent {
        alice.send_text(&room, body);
    }

    for (dir, from) in [("b", None), ("f", Some(since))] {
        let mut from = from;
        let mut found = Vec::new();
        for _ in 0..30 {
            let mut query = vec![("dir", dir), ("limit", "7")];
            if let Some(from) = &from {
                query.push(("from", from));
            }
            let page = page(&alice, &room, &query);
            assert!(page["start"].is_string());
            found.extend(bodies(&page));
            from = page["end"].as_str().map(str::to_owned);
            if from.is_none() {
                break;
            }
        }
        if dir == "b" {
            found.reverse();
        }
        assert_eq!(found, sent, "{dir}");
        assert!(dir == "f" || from.is_none());
    }
}

#[test]
fn a_sync_token_and_a_gap_page_without_loss_or_overlap() {
    let (_, alice, bob, room) = two_in_a_room();
    let since = bob.sync(None).next_batch();
    for number in 0..130 {
        alice.send_text(&room, &format!("{number}"));
    }

    let sync = bob.sync(Some(&since));

    let part = sync.joined(&room);
    assert_eq!(part["timeline"]["limited"], true);
    let mut found = sync.bodies(&room);
    found.reverse();
    let mut from = part["timeline"]["prev_batch"].as_str().unwrap().to_owned();
    while found.len() < 130 {
        let page = page(&bob, &room, &[("dir", "b"), ("from", &from), ("limit", "50"), ("to", &since)]);
        found.extend(bodies(&page));
        let Some(end) = page["end"].as_str() else { break };
        from = end.to_owned();
    }
    let expected: Vec<String> = (0..130).rev().map(|number| number.to_string()).collect();
    assert_eq!(found, expected);
}

#[test]
fn pages_are_filtered_and_lazy_load_members() {
    let (_, alice, bob, room) = two_in_a_room();
    alice.send_text(&room, "text");
    bob.put(["rooms", &room, "send", "org.example.t", "t"], &json!({"url": "mxc://a/b"})).ok();

    let by_type = page(&alice, &room, &[("dir", "b"), ("filter", r#"{"types":["m.room.message"]}"#)]);
    let by_url = page(&alice, &room, &[("dir", "b"), ("filter", r#"{"contains_url":true}"#)]);
    let lazy = page(&alice, &room, &[("dir", "b"), ("limit", "1"), ("filter", r#"{"lazy_load_members":true}"#)]);

    assert_eq!(bodies(&by_type), ["text"]);
    assert_eq!(by_url["chunk"].as_array().unwrap().len(), 1);
    assert!(by_url["start"].is_string());
    let members: Vec<_> = lazy["state"].as_array().unwrap().iter().map(|event| event["state_key"].clone()).collect();
    assert_eq!(members, [json!(bob.user_id)]);
}

#[test]
fn a_page_is_refused_to_strangers_before_its_query_is_read() {
    let (server, alice, _, room) = two_in_a_room();
    let carl = server.account("carl");

    carl.get(["rooms", &room, "messages"]).refused(403, "M_FORBIDDEN");
    carl.query(["rooms", "!nothing:hub.example", "messages"], &[("dir", "b")]).refused(403, "M_FORBIDDEN");
    let ask = |query: &[(&str, &str)]| alice.query(["rooms", &room, "messages"], query);
    ask(&[]).refused(400, "M_MISSING_PARAM");
    ask(&[("dir", "x")]).refused(400, "M_INVALID_PARAM");
    ask(&[("dir", "b"), ("limit", "many")]).refused(400, "M_INVALID_PARAM");
    ask(&[("dir", "b"), ("limit", "-1")]).refused(400, "M_INVALID_PARAM");
    ask(&[("dir", "b"), ("from", "nonsense")]).refused(400, "M_INVALID_PARAM");
    ask(&[("dir", "b"), ("filter", "{")]).refused(400, "M_BAD_JSON");
    ask(&[("dir", "b"), ("filter", r#"{"types":"m.room.message"}"#)]).refused(400, "M_BAD_JSON");
}

#[test]
fn one_who_left_pages_up_to_the_leaving() {
    let (_, alice, bob, room) = two_in_a_room();
    alice.send_text(&room, "while bob was there");
    bob.leave(&room);
    alice.send_text(&room, "afterwards");

    let back = page(&bob, &room, &[("dir", "b")]);
    assert_eq!(bodies(&back), ["while bob was there"]);
    let from = bob.sync(None).next_batch();
    let forward = page(&bob, &room, &[("dir", "f"), ("from", &from), ("limit", "100")]);
    assert_eq!(forward["chunk"], json!([]));
}

#[test]
fn an_event_is_shown_by_the_history_visibility_of_its_time() {
    for (visibility, before_invite, between, stranger) in [
        ("shared", 200, 200, 404),
        ("invited", 404, 200, 404),
        ("joined", 404, 404, 404),
        ("world_readable", 200, 200, 200),
    ] {
        let server = TestServer::new();
        let (alice, bob, carl) = (server.account("alice"), server.account("bob"), server.account("carl"));
        let room = alice.create_room(&json!({
            "preset": "public_chat",
            "initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}],
        }));
        let first = alice.send_text(&room, "before the invite");
        alice.member(&room, "invite", &bob).ok();
        let second = alice.send_text(&room, "between");
        bob.join(&room);
        let third = alice.send_text(&room, "after the join");
        let status = |client: &Client, event: &str| client.get(["rooms", &room, "event", event]).status;

        assert_eq!(status(&bob, &first), before_invite, "{visibility}");
        assert_eq!(status(&bob, &second), between, "{visibility}");
        assert_eq!(status(&bob, &third), 200, "{visibility}");
        assert_eq!(status(&carl, &third), stranger, "{visibility}");
    }
}

#[test]
fn an_unknown_event_is_not_found() {
    let (_, alice, _, room) = two_in_a_room();

    alice.get(["rooms", &room, "event", "$nothing"]).refused(404, "M_NOT_FOUND");
    alice.get(["rooms", &room, "context", "$nothing"]).refused(404, "M_NOT_FOUND");
    alice.get(["rooms", &room, "event", "nonsense"]).refused(400, "M_INVALID_PARAM");
}

#[test]
fn a_context_surrounds_its_event_and_pages_on() {
    let (_, alice, _, room) = two_in_a_room();
    let events: Vec<String> = (0..9).map(|number| alice.send_text(&room, &format!("{number}"))).collect();

    let context = alice.query(["rooms", &room, "context", &events[4]], &[("limit", "4")]).ok();

    let ids = |key: &str| -> Vec<Json> {
        context[key].as_array().unwrap().iter().map(|event| event["content"]["body"].clone()).collect()
    };
    assert_eq!(context["event"]["event_id"], events[4].as_str());
    assert_eq!(ids("events_before"), ["3", "2"]);
    assert_eq!(ids("events_after"), ["5", "6"]);
    assert!(context["state"].as_array().is_some_and(|state| !state.is_empty()));
    let older = page(&alice, &room, &[("dir", "b"), ("from", context["start"].as_str().unwrap()), ("limit", "2")]);
    let newer = page(&alice, &room, &[("dir", "f"), ("from", context["end"].as_str().unwrap()), ("limit", "2")]);
    assert_eq!(bodies(&older), ["1", "0"]);
    assert_eq!(bodies(&newer), ["7", "8"]);
}

#[test]
fn a_redaction_takes_the_content_away_at_once() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "regretted");
    let redact = |client: &Client, transaction: &str, body: &Json| {
        client.put(["rooms", &room, "redact", &event, transaction], body)
    };

    bob.put(["rooms", &room, "redact", &event, "t0"], &json!({})).refused(403, "M_FORBIDDEN");
    let redaction = redact(&alice, "r1", &json!({"reason": "typo"})).ok();
    assert_eq!(redact(&alice, "r1", &json!({})).ok(), redaction);

    let seen = bob.get(["rooms", &room, "event", &event]).ok();
    assert_eq!(seen["content"], json!({}));
    assert_eq!(seen["unsigned"]["redacted_because"]["event_id"], redaction["event_id"]);
    let redaction = bob.get(["rooms", &room, "event", redaction["event_id"].as_str().unwrap()]).ok();
    assert_eq!(redaction["content"]["reason"], "typo");
    assert_eq!(redaction["content"]["redacts"], event.as_str());
    assert!(bodies(&page(&bob, &room, &[("dir", "b")])).is_empty());
    assert!(bob.sync(None).bodies(&room).is_empty());
}

#[test]
fn a_redaction_has_transaction_ids_of_its_own_and_shows_them_to_its_device() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_with(&room, "t1", "regretted").ok()["event_id"].as_str().unwrap().to_owned();

    let redaction = alice.put(["rooms", &room, "redact", &event, "t1"], &json!({})).ok();

    assert_ne!(redaction["event_id"], event.as_str());
    assert_eq!(alice.put(["rooms", &room, "redact", &event, "t1"], &json!({})).ok(), redaction);
    assert_eq!(bob.get(["rooms", &room, "event", &event]).ok()["content"], json!({}));
    let path = ["rooms", &room, "event", redaction["event_id"].as_str().unwrap()];
    assert_eq!(alice.get(path).ok()["unsigned"]["transaction_id"], "t1");
    assert!(bob.get(path).ok()["unsigned"]["transaction_id"].is_null());
    let synced = alice.sync(None).timeline(&room).pop().unwrap();
    assert_eq!(synced["unsigned"]["transaction_id"], "t1");
}

#[test]
fn a_redaction_may_be_sent_as_an_event() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = alice.send_text(&room, "regretted");

    alice.put(["rooms", &room, "send", "m.room.redaction", "t"], &json!({"redacts": event})).ok();

    assert_eq!(bob.get(["rooms", &room, "event", &event]).ok()["content"], json!({}));
}

#[test]
fn a_power_user_redacts_others_messages() {
    let (_, alice, bob, room) = two_in_a_room();
    let event = bob.send_text(&room, "spam");

    alice.put(["rooms", &room, "redact", &event, "t"], &json!({})).ok();

    assert_eq!(bob.get(["rooms", &room, "event", &event]).ok()["content"], json!({}));
}

#[test]
fn a_join_rule_sent_as_a_message_has_no_effect() {
    let (server, alice, _, room) = two_in_a_room();
    let content = json!({"join_rule": "invite"});
    alice.put(["rooms", &room, "send", "m.room.join_rules", "t"], &content).ok();

    server.account("carl").join(&room);
}

#[test]
fn sixteen_devices_that_send_at_once_lose_and_double_nothing() {
    let server = TestServer::with(hubbub_native::Options { seed: 7, ..Default::default() });
    let users: Vec<Client> = (0..16).map(|number| server.account(&format!("user{number}"))).collect();
    let room = users[0].public_room();
    for user in &users[1..] {
        user.join(&room);
    }
    let started: Vec<_> = users
        .iter()
        .enumerate()
        .flat_map(|(index, user)| (0..10).map(move |number| (index, user, number)))
        .map(|(index, user, number)| {
            let path = hubbub_native::client::path(["rooms", &room, "send", "m.room.message", &format!("t{number}")]);
            let body = json!({"msgtype": "m.text", "body": format!("{index}/{number}")});
            server.start(user.request(http::Method::PUT, &path, Some(&body)))
        })
        .collect();
    for request in &started {
        server.finish(request).ok();
    }

    let mut found = bodies(&page(&users[3], &room, &[("dir", "b"), ("limit", "1000")]));
    found.sort();
    let mut expected: Vec<String> =
        (0..16).flat_map(|index| (0..10).map(move |number| format!("{index}/{number}"))).collect();
    expected.sort();
    assert_eq!(found, expected);
}
