//! What requests cost in calls to objects: the budgets of the hot ones.

use hubbub_core::contract::{Address, Class};
use hubbub_native::TestServer;
use serde_json::json;

fn classes(calls: &[Address]) -> Vec<Class> {
    calls.iter().map(|call| call.class).collect()
}

#[test]
fn a_send_is_two_calls() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    server.take_calls();

    alice.send_text(&room, "hello");

    assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room]);
}

#[test]
fn a_sync_is_one_call_idle_or_not() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    server.take_calls();

    let since = alice.sync(None).next_batch();
    assert_eq!(classes(&server.take_calls()), [Class::User]);
    alice.sync(Some(&since));
    assert_eq!(classes(&server.take_calls()), [Class::User]);
    alice.send_text(&room, "hello");
    server.take_calls();
    assert_eq!(alice.sync(Some(&since)).bodies(&room), ["hello"]);
    assert_eq!(classes(&server.take_calls()), [Class::User]);
    let poll = alice.start_sync(&alice.sync(None).next_batch());
    server.finish(&poll).ok();
    assert_eq!(classes(&server.take_calls()), [Class::User, Class::User]);
}

#[test]
fn state_redaction_typing_and_receipts_are_two_calls() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let event = alice.send_text(&room, "hello");
    let own = alice.user_id.clone();
    let requests: [(&[&str], _); 3] = [
        (&["rooms", &room, "state", "m.room.name", ""], json!({"name": "Lobby"})),
        (&["rooms", &room, "typing", &own], json!({"typing": true})),
        (&["rooms", &room, "redact", &event, "r1"], json!({})),
    ];
    for (path, body) in requests {
        server.take_calls();
        alice.put(path.iter().copied(), &body).ok();
        assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room], "{path:?}");
    }
    alice.post(["rooms", &room, "receipt", "m.read", &event], &json!({})).ok();
    assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room]);
}

#[test]
fn what_the_own_object_answers_is_one_call() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let own = alice.user_id.clone();
    server.take_calls();

    alice.put(["user", &own, "account_data", "t"], &json!({})).ok();
    alice.get(["user", &own, "account_data", "t"]).ok();
    alice.post(["user", &own, "filter"], &json!({})).ok();
    alice.get(["pushrules", ""]).ok();
    alice.get(["joined_rooms"]).ok();
    alice.put(["profile", &own, "displayname"], &json!({"displayname": "Alice"})).ok();
    alice.get(["account", "whoami"]).ok();

    assert_eq!(classes(&server.take_calls()), [Class::User; 7]);
}

#[test]
fn a_join_is_two_calls_and_an_invite_two() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.create_room(&json!({}));
    server.take_calls();

    alice.member(&room, "invite", &bob).ok();
    assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room]);
    bob.join(&room);
    assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room]);
}

#[test]
fn a_send_costs_the_same_in_a_small_and_a_large_room() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let address = Address::new(Class::Room, room.clone());
    let statements = || {
        let database = server.host().database(&address).expect("the room was made");
        let before = database.counts().statements;
        alice.send_text(&room, "hello");
        database.counts().statements - before
    };

    let few = statements();
    for number in 0..300 {
        alice.send_text(&room, &format!("{number}"));
    }

    assert_eq!(statements(), few);
}
