//! What requests cost in calls to objects, statements and rows: the budgets of the hot ones.

use hubbub_core::contract::{Address, Class};
use hubbub_native::{
    Client, TestServer,
    crypto::{SigningKey, device_keys},
};
use serde_json::{Value as Json, json};

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

/// Rows that an object has written so far, one for each alarm, as they are billed but for indexes.
fn rows_of(server: &TestServer, address: &Address) -> u64 {
    let counts = server.host().database(address).expect("the object has data").counts();
    counts.rows_changed + counts.alarms_set
}

fn user(client: &Client) -> Address {
    Address::new(Class::User, client.user_id.clone())
}

fn set_presence(client: &Client, presence: &str) {
    client.put(["presence", &client.user_id, "status"], &json!({"presence": presence})).ok();
}

#[test]
fn a_change_of_presence_is_one_row_at_its_user_and_two_at_each_room_mate() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    set_presence(&bob, "online");
    set_presence(&alice, "online");
    server.advance(1_000);
    let objects = [user(&alice), user(&bob), Address::new(Class::Room, room)];
    let before = objects.each_ref().map(|object| rows_of(&server, object));

    set_presence(&alice, "unavailable");

    let after = objects.each_ref().map(|object| rows_of(&server, object));
    assert_eq!(std::array::from_fn::<_, 3, _>(|at| after[at] - before[at]), [1, 2, 0]);
}

#[test]
fn a_push_is_two_rows_more_than_a_message_alone() {
    let server = TestServer::new();
    server.http().answer_by(|_| Ok(http::Response::new(br#"{"rejected": []}"#.to_vec())));
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let room = alice.public_room();
    bob.join(&room);
    let cost = || {
        // Alarms that rang before are set again by the first message.
        bob.send_text(&room, "hello");
        server.advance(60_000);
        let before = rows_of(&server, &user(&alice));
        bob.send_text(&room, "hello");
        server.advance(60_000);
        rows_of(&server, &user(&alice)) - before
    };
    let alone = cost();

    let pusher = json!({
        "kind": "http", "app_id": "im.app", "pushkey": "key", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en", "data": {"url": "https://push.example/_matrix/push/v1/notify"},
    });
    alice.post(["pushers", "set"], &pusher).ok();

    assert_eq!(cost() - alone, 2);
}

/// Statements of an object while `work` runs.
fn statements(server: &TestServer, address: &Address, work: impl FnOnce()) -> u64 {
    let counted = || server.host().database(address).expect("the object has data").counts().statements;
    let before = counted();
    work();
    counted() - before
}

#[test]
fn members_take_as_many_statements_in_a_small_room_as_in_a_large_one() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let address = Address::new(Class::Room, room.clone());
    let ban = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let body = json!({"user_id": format!("@member{number}:elsewhere.example")});
            alice.post(["rooms", &room, "ban"], &body).ok();
        }
    };
    let members = |expected: usize| {
        let read = || {
            let members = alice.get(["rooms", &room, "members"]).ok();
            assert_eq!(members["chunk"].as_array().map(Vec::len), Some(expected));
        };
        statements(&server, &address, read)
    };
    ban(0..4);
    let few = members(5);
    ban(4..150);

    assert_eq!(members(151), few);
    server.take_calls();
    members(151);
    assert_eq!(classes(&server.take_calls()), [Class::User, Class::Room]);
}

#[test]
fn a_page_of_a_hierarchy_asks_each_room_that_it_shows_once_however_large_the_space_is() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let space = alice.create_room(&json!({"preset": "public_chat", "creation_content": {"type": "m.space"}}));
    let add = |rooms: usize| {
        for _ in 0..rooms {
            let room = alice.public_room();
            alice.set_state(&space, "m.space.child", &room, &json!({"via": ["hub.example"]})).ok();
        }
    };
    let page = |limit: &str| {
        server.take_calls();
        let shown = alice.query_v1(["rooms", &space, "hierarchy"], &[("limit", limit)]).ok();
        let rooms = server.take_calls().iter().filter(|call| call.class == Class::Room).count();
        (shown["rooms"].as_array().map_or(0, Vec::len), rooms)
    };
    add(12);
    let few = page("5");
    add(30);

    assert_eq!(few, (5, few.1));
    assert!(few.1 <= 10, "{} rooms were asked for a page of 5", few.1);
    assert_eq!(page("5"), few);
    let (shown, asked) = page("43");
    assert_eq!(shown, 43);
    assert!(asked <= 2 * 43, "{asked} rooms were asked for a page of 43");
}

#[test]
fn a_search_costs_what_its_page_shows_however_much_there_is() {
    let server = TestServer::new();
    let alice = server.account("alice");
    let room = alice.public_room();
    let address = Address::new(Class::Room, room.clone());
    let say = |count: usize| {
        for number in 0..count {
            alice.send_text(&room, &format!("hay {number}"));
        }
        server.advance(60_000);
    };
    let search = |term: &str| {
        let events: Json = json!({"search_term": term, "order_by": "recent", "filter": {"limit": 5}});
        let body = json!({"search_categories": {"room_events": events}});
        let index = server.search_index().counts().statements;
        let in_room = statements(&server, &address, || {
            let found = alice.post(["search"], &body).ok();
            assert!(found["search_categories"]["room_events"]["results"][0].is_object(), "{found}");
        });
        (in_room, server.search_index().counts().statements - index)
    };
    alice.send_text(&room, "needle");
    say(300);
    let few = search("needle");
    say(600);

    assert_eq!(search("needle"), few);
    // Of many hits the newest 500 are looked at for a page of the newest.
    let (in_room, index) = search("hay");
    assert!(in_room <= 700 && index <= 8, "{in_room} statements in the room, {index} in the index");
}

/// People with keys of one device each.
fn people_with_keys(server: &TestServer, count: u32) -> Vec<Client> {
    let made = (0..count).map(|number| {
        let client = server.account(&format!("person{number}"));
        let key = SigningKey::new(Some(&client.device_id));
        let body = json!({
            "device_keys": device_keys(&client.user_id, &client.device_id, &key),
            "one_time_keys": {"signed_curve25519:1": {"key": "one"}},
        });
        client.post(["keys", "upload"], &body).ok();
        client
    });
    let made: Vec<Client> = made.collect();
    server.advance(60_000);
    made
}

/// For each of the people and their device the same.
fn for_each_device(people: &[Client], value: &Json) -> Json {
    let entries = people.iter().map(|client| (client.user_id.clone(), json!({ &client.device_id: value })));
    Json::Object(entries.collect())
}

#[test]
fn a_claim_is_one_call_for_each_claimed_user_and_a_query_of_keys_asks_no_more() {
    let server = TestServer::new();
    let (alice, people) = (server.account("alice"), people_with_keys(&server, 12));
    server.take_calls();

    let body = json!({"one_time_keys": for_each_device(&people, &json!("signed_curve25519"))});
    let claimed = alice.post(["keys", "claim"], &body).ok();

    assert_eq!(claimed["one_time_keys"].as_object().map(serde_json::Map::len), Some(12));
    let mut calls = classes(&server.take_calls());
    calls.retain(|class| *class != Class::User);
    assert_eq!(calls, [Class::UserKeys; 12]);
    let users: Vec<(String, Json)> = people.iter().map(|client| (client.user_id.clone(), json!([]))).collect();
    server.take_calls();
    alice.post(["keys", "query"], &json!({"device_keys": Json::Object(users.into_iter().collect())})).ok();
    let asked = server.take_calls().iter().filter(|call| call.class != Class::User).count();
    assert!(asked <= 12, "{asked} objects were asked");
}

#[test]
fn a_send_to_devices_is_acknowledged_by_one_object_in_one_transaction_for_however_many() {
    let server = TestServer::new();
    let (alice, people) = (server.account("alice"), people_with_keys(&server, 12));
    let cost = |people: &[Client], transaction: &str| {
        server.set_settling(false);
        server.take_calls();
        let before = rows_of(&server, &user(&alice));
        let body = json!({"messages": for_each_device(people, &json!({"n": 1}))});
        let uri = ["sendToDevice", "m.test", transaction];
        let started = server.start(alice.request(http::Method::PUT, &hubbub_native::client::path(uri), Some(&body)));
        server.finish(&started).ok();
        let cost = (server.take_calls().first().cloned(), rows_of(&server, &user(&alice)) - before);
        server.settle();
        server.advance(60_000);
        server.set_settling(true);
        cost
    };
    let one = cost(&people[..1], "one");

    let twelve = cost(&people, "twelve");

    assert_eq!(twelve.0, Some(user(&alice)));
    assert!(twelve.1 <= one.1 + 1 && twelve.1 <= 5, "{twelve:?} rows for twelve, {one:?} for one");
    for client in &people {
        assert!(client.sync(None).0["to_device"]["events"].as_array().is_some_and(|events| !events.is_empty()));
    }
}
