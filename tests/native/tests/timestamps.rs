//! `timestamp_to_event`: jumping to a date.

use http::Method;
use hubbub_native::{Client, Reply, TestServer, bridge};
use serde_json::json;

/// A room whose messages are said a second apart, with the time of each.
fn by_the_second(server: &TestServer, client: &Client, messages: usize) -> (String, Vec<(String, i64)>) {
    let room = client.public_room();
    let said = (0..messages)
        .map(|number| {
            server.advance(1_000);
            (client.send_text(&room, &number.to_string()), server.now())
        })
        .collect();
    (room, said)
}

fn at(client: &Client, room: &str, ts: i64, direction: &str) -> Reply {
    client.query_v1(["rooms", room, "timestamp_to_event"], &[("ts", &ts.to_string()), ("dir", direction)])
}

#[track_caller]
fn found(reply: Reply) -> String {
    reply.ok()["event_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_nearest_event_is_found_in_both_directions() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let (room, said) = by_the_second(&server, &alice, 5);
    let (event, ts) = &said[2];

    assert_eq!(found(at(&alice, &room, ts - 1, "f")), *event);
    assert_eq!(found(at(&alice, &room, *ts, "f")), *event);
    assert_eq!(found(at(&alice, &room, ts + 1, "f")), said[3].0);
    assert_eq!(found(at(&alice, &room, ts + 1, "b")), *event);
    assert_eq!(found(at(&alice, &room, *ts, "b")), *event);
    assert_eq!(found(at(&alice, &room, ts - 1, "b")), said[1].0);
    assert_eq!(at(&alice, &room, *ts, "b").ok()["origin_server_ts"], *ts);
    let create = at(&alice, &room, 0, "f").ok()["event_id"].as_str().unwrap().to_owned();
    assert_eq!(alice.get(["rooms", &room, "event", &create]).ok()["type"], "m.room.create");
    at(&alice, &room, said[4].1 + 1, "f").refused(404, "M_NOT_FOUND");
    at(&alice, &room, 1, "b").refused(404, "M_NOT_FOUND");
}

#[test]
fn a_large_room_is_searched_by_its_blocks_and_goes_on_growing() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let (room, mut said) = by_the_second(&server, &alice, 330);
    for round in 0..2 {
        for index in [0, 1, 200, 254, 255, 256, 257, 328, said.len() - 1] {
            let (event, ts) = &said[index];
            assert_eq!(found(at(&alice, &room, ts - 1, "f")), *event, "{index} forwards in round {round}");
            assert_eq!(found(at(&alice, &room, ts + 1, "b")), *event, "{index} backwards in round {round}");
        }
        for number in 0..100 {
            server.advance(1_000);
            said.push((alice.send_text(&room, &format!("more {number}")), server.now()));
        }
    }
}

#[test]
fn what_the_reader_may_not_see_is_passed_over() {
    let server = TestServer::new();
    let (alice, bob, carl) = (server.account("alice"), server.account("bob"), server.account("carl"));
    let (room, said) = by_the_second(&server, &alice, 3);
    alice.set_state(&room, "m.room.history_visibility", "", &json!({"history_visibility": "joined"})).ok();
    server.advance(1_000);
    let hidden = (alice.send_text(&room, "hidden"), server.now());
    bob.join(&room);
    server.advance(1_000);
    let seen = (alice.send_text(&room, "seen"), server.now());
    bob.leave(&room);
    server.advance(1_000);
    alice.send_text(&room, "after");

    assert_eq!(found(at(&bob, &room, said[1].1, "f")), said[1].0);
    let next = found(at(&bob, &room, hidden.1, "f"));
    assert_ne!(next, hidden.0);
    assert_eq!(found(at(&bob, &room, seen.1, "f")), seen.0);
    at(&bob, &room, server.now(), "f").refused(404, "M_NOT_FOUND");
    let last = found(at(&bob, &room, server.now() + 1, "b"));
    assert_eq!(bob.get(["rooms", &room, "event", &last]).ok()["type"], "m.room.member");
    at(&carl, &room, seen.1, "f").refused(403, "M_FORBIDDEN");
    at(&alice, "!none:hub.example", 0, "f").refused(403, "M_FORBIDDEN");
}

#[test]
fn a_search_that_cannot_be_is_refused() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let (room, said) = by_the_second(&server, &alice, 1);
    let ask = |query: &[(&str, &str)]| alice.query_v1(["rooms", &room, "timestamp_to_event"], query).status;

    let ts = said[0].1.to_string();
    assert_eq!(ask(&[("ts", &ts), ("dir", "x")]), 400);
    assert_eq!(ask(&[("ts", &ts)]), 400);
    assert_eq!(ask(&[("dir", "f")]), 400);
    assert_eq!(ask(&[("ts", "-1"), ("dir", "f")]), 400);
    assert_eq!(ask(&[("ts", "9007199254740993"), ("dir", "f")]), 400);
}

/// A user of a bridge, which dates its messages itself.
fn ghost(server: &TestServer) -> Client {
    server.register_appservice(bridge::REGISTRATION).ok();
    let body = json!({"type": "m.login.application_service", "username": "_bridge_one"});
    let token = "as_token_of_the_bridge";
    let made = server.send(Method::POST, "/_matrix/client/v3/register", Some(token), Some(&body)).ok();
    server.appservice_user(token, made["user_id"].as_str().unwrap())
}

#[test]
fn among_times_in_any_order_the_nearest_is_found_and_ties_go_by_place() {
    let server = TestServer::new();
    let ghost = ghost(&server);
    let room = ghost.public_room();
    let alice = server.account("alice");
    alice.join(&room);
    // Times that repeat and lie in no order.
    let said: Vec<(i64, String)> = (0..400_i64)
        .map(|number| {
            let ts = 1_000_000_000_000 + number * number % 389;
            let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t{number}?ts={ts}");
            let body = json!({"msgtype": "m.text", "body": number.to_string()});
            (ts, found(ghost.ask(Method::PUT, &path, Some(&body))))
        })
        .collect();
    let latest = said.iter().map(|(ts, _)| *ts).max().unwrap();
    for ts in (1_000_000_000_000..=latest).step_by(23) {
        let after = said.iter().filter(|(at, _)| *at >= ts).min_by_key(|(at, _)| *at).unwrap();
        assert_eq!(found(at(&alice, &room, ts, "f")), after.1, "at or after {ts}");
        // Of several that are the latest, `max_by_key` takes the last.
        let before = said.iter().filter(|(at, _)| *at <= ts).max_by_key(|(at, _)| *at).unwrap();
        assert_eq!(found(at(&alice, &room, ts, "b")), before.1, "at or before {ts}");
    }
}
