//! Objects that die at any moment: nothing acknowledged is lost, nothing happens twice.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Options, TestServer, client::path};
use serde_json::{Value as Json, json};

fn room_of(room: &str) -> Address {
    Address::new(Class::Room, room)
}

fn user_of(client: &Client) -> Address {
    Address::new(Class::User, client.user_id.clone())
}

fn bodies(client: &Client, room: &str) -> Vec<String> {
    let page = client.query(["rooms", room, "messages"], &[("dir", "b"), ("limit", "1000")]).ok();
    let chunk = page["chunk"].as_array().unwrap();
    chunk.iter().rev().filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
}

#[test]
fn everything_survives_a_restart_of_all_objects() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let room = alice.create_room(&json!({"invite": [bob.user_id], "name": "Lobby"}));
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    alice.send_text(&room, "hello");
    server.host().crash_all();

    assert_eq!(bob.sync(Some(&since)).bodies(&room), ["hello"]);
    assert_eq!(alice.state(&room, "m.room.name", "").ok()["name"], "Lobby");
    alice.send_text(&room, "still here");
    assert_eq!(bodies(&bob, &room), ["hello", "still here"]);
    server.login("alice", None);
}

#[test]
fn sends_repeated_through_crashes_arrive_once_and_reach_the_inbox() {
    let mut interrupted = 0;
    for seed in 0..60 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        let room = alice.public_room();
        bob.join(&room);
        let since = bob.sync(None).next_batch();
        server.set_settling(false);
        for number in 0..6_u64 {
            let segments = ["rooms", &room, "send", "m.room.message", &format!("t{number}")];
            let body = json!({"msgtype": "m.text", "body": number.to_string()});
            let send = || server.start(alice.request(Method::PUT, &path(segments), Some(&body)));
            let started = send();
            // Dies at some point of the send, of the delivery, or of neither.
            let victim =
                [room_of(&room), user_of(&bob), user_of(&alice)][usize::try_from((seed + number) % 3).unwrap()].clone();
            server.crash_after(victim, (seed * 7 + number * 5) % 23);
            let mut reply = server.finish(&started);
            for _ in 0..3 {
                if reply.status == 200 {
                    break;
                }
                assert_eq!(reply.status, 500, "{}", reply.text());
                reply = server.finish(&send());
            }
            reply.ok();
        }
        server.settle();
        server.advance(60_000);
        server.set_settling(true);

        let expected: Vec<String> = (0..6).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&alice, &room), expected, "seed {seed}");
        assert_eq!(bob.sync(Some(&since)).bodies(&room), expected, "seed {seed}");
        interrupted += server.host().interrupted();
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 30, "the crashes hit nothing: {interrupted}");
}

#[test]
fn rooms_made_through_crashes_are_whole_or_absent_and_the_alias_tells() {
    let mut interrupted = 0;
    for seed in 0..60 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob) = (server.account("alice"), server.account("bob"));
        server.set_settling(false);
        let body = json!({"room_alias_name": "lobby", "name": "Lobby", "invite": [bob.user_id]});
        let started = server.start(alice.request(Method::POST, &path(["createRoom"]), Some(&body)));
        server.crash_after(user_of(&alice), seed);
        let reply = server.finish(&started);
        server.settle();
        server.advance(60_000);
        server.set_settling(true);

        let rooms = alice.get(["joined_rooms"]).ok()["joined_rooms"].as_array().unwrap().clone();
        let found = server.get("/_matrix/client/v3/directory/room/%23lobby%3Ahub.example");
        if reply.status == 200 {
            assert_eq!(rooms, [reply.json()["room_id"].clone()], "seed {seed}");
            assert_eq!(found.ok()["room_id"], rooms[0]);
            let room = rooms[0].as_str().unwrap();
            assert_eq!(alice.state(room, "m.room.name", "").ok()["name"], "Lobby");
            assert_eq!(bob.sync(None).membership(room, &bob.user_id).as_deref(), Some("invite"), "seed {seed}");
        } else {
            assert_eq!(reply.status, 500, "seed {seed}: {}", reply.text());
        }
        interrupted += server.host().interrupted();
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 10, "the crashes hit nothing: {interrupted}");
}

#[test]
fn d1_refusing_writes_blocks_no_send_and_the_archive_catches_up() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    server.directory().refuse.set(true);

    let event = alice.send_text(&room, "hello");
    assert_eq!(bob.sync(Some(&since)).bodies(&room), ["hello"]);

    server.directory().refuse.set(false);
    server.advance(120_000);
    let rows = archived(&server, &event);
    assert_eq!(rows, 1);
}

fn archived(server: &TestServer, event_id: &str) -> usize {
    let directory = std::rc::Rc::clone(&server.context().directory);
    let event_id = event_id.to_owned();
    server.run(async move {
        let sql = "SELECT 1 FROM events WHERE event_id = ?";
        hubbub_storage::directory::run(&*directory, sql, vec![event_id.into()]).await.expect("D1 answers").len()
    })
}

#[test]
fn an_idle_server_sleeps_for_ever() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    alice.send_text(&room, "hello");
    server.advance(600_000);

    let commits = |server: &TestServer| -> u64 {
        server.host().written().iter().map(|address| server.host().commits(address)).sum()
    };
    let (before, directory) = (commits(&server), server.directory().counts());
    server.advance(86_400_000);

    assert_eq!(commits(&server), before);
    assert_eq!(server.directory().counts(), directory);
    let next = hubbub_native::scheduler::Alarms::next(&**server.host());
    assert_eq!(next, None, "no alarm is armed");
}

#[test]
fn what_waits_while_an_object_dies_is_answered_or_refused_never_left_hanging() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let since = bob.sync(None).next_batch();
    let poll = bob.start_sync(&since);
    server.settle();
    server.crash(&user_of(&bob));

    alice.send_text(&room, "hello");

    let body: Json = server.finish(&poll).ok();
    assert_eq!(hubbub_native::SyncBody(body).bodies(&room), ["hello"]);
}
