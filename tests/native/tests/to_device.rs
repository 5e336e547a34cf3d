//! To-device messages: they arrive once, in order, at the devices that exist, and stay until the next
//! token says that they arrived.

use http::Method;
use hubbub_core::contract::{Address, Class};
use hubbub_native::{Client, Options, Reply, SyncBody, TestServer, client::path};
use serde_json::{Value as Json, json};

fn send(client: &Client, transaction: &str, messages: &Json) -> Reply {
    let body = json!({ "messages": messages });
    client.put(["sendToDevice", "m.test", transaction], &body)
}

/// Messages for one device.
fn to(client: &Client, content: Json) -> Json {
    json!({ &client.user_id: { &client.device_id: content } })
}

fn events(sync: &SyncBody) -> Vec<Json> {
    sync.0["to_device"]["events"].as_array().cloned().unwrap_or_default()
}

/// The `n` of each message.
fn numbers(sync: &SyncBody) -> Vec<u64> {
    events(sync).iter().map(|event| event["content"]["n"].as_u64().expect("a number")).collect()
}

fn user_of(client: &Client) -> Address {
    Address::new(Class::User, client.user_id.clone())
}

#[test]
fn a_message_arrives_as_it_was_sent_and_stays_until_the_next_token() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let since = bob.sync(None).next_batch();
    let content = json!({"z": 1, "a": {"nested": [true, null]}, "text": "hé"});

    send(&alice, "t1", &to(&bob, content.clone())).ok();

    let expected = [json!({"type": "m.test", "sender": alice.user_id, "content": content})];
    let first = bob.sync(Some(&since));
    assert_eq!(events(&first), expected);
    // The answer may have been lost: the same again, and for a client that starts over.
    assert_eq!(events(&bob.sync(Some(&since))), expected);
    assert_eq!(events(&bob.sync(None)), expected);
    assert!(events(&bob.sync(Some(&first.next_batch()))).is_empty());
    // It arrived, so it is gone.
    assert!(events(&bob.sync(Some(&since))).is_empty());
    assert!(events(&bob.sync(None)).is_empty());
}

#[test]
fn a_repeated_transaction_is_one_message_and_another_devices_is_another() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    let phone = server.login("alice", Some("PHONE"));
    for (device, n) in [(&alice, 1), (&alice, 2), (&phone, 3)] {
        send(device, "same", &to(&bob, json!({"n": n}))).ok();
    }
    assert_eq!(numbers(&bob.sync(None)), [1, 3]);
    // Another type is another request; and much later the transaction is still known.
    let body = json!({"messages": to(&bob, json!({"n": 4}))});
    alice.put(["sendToDevice", "m.other", "same"], &body).ok();
    server.host().crash_all();
    server.advance(3_600_000);
    send(&alice, "same", &to(&bob, json!({"n": 5}))).ok();
    assert_eq!(numbers(&bob.sync(None)), [1, 3, 4]);
    // A device that was made anew under its old id starts anew.
    phone.post(["logout"], &json!({})).ok();
    let phone = server.login("alice", Some("PHONE"));
    send(&phone, "same", &to(&bob, json!({"n": 6}))).ok();
    assert_eq!(numbers(&bob.sync(None)), [1, 3, 4, 6]);
}

#[test]
fn a_star_means_every_device_and_a_message_to_oneself_works() {
    let server = TestServer::new();
    let bob = server.account("bob");
    let alice = server.register("alice");
    let phone = server.login("alice", Some("PHONE"));
    send(&bob, "t1", &json!({ &alice.user_id: {"*": {"n": 1}} })).ok();
    send(&alice, "t2", &json!({ &alice.user_id: {"PHONE": {"n": 2}} })).ok();
    assert_eq!(numbers(&alice.sync(None)), [1]);
    assert_eq!(numbers(&phone.sync(None)), [1, 2]);
    // A device that comes later gets nothing of it.
    let tablet = server.login("alice", Some("TABLET"));
    assert!(events(&tablet.sync(None)).is_empty());
}

#[test]
fn what_is_for_nobody_is_dropped_without_a_word() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let messages = json!({
        "@nobody:hub.example": {"*": {"n": 1}},
        "@alice:elsewhere.example": {"*": {"n": 1}},
        &bob.user_id: {"NONE": {"n": 1}, &bob.device_id: {"n": 2}},
    });
    send(&alice, "t1", &messages).ok();
    send(&alice, "t2", &json!({})).ok();
    assert_eq!(numbers(&bob.sync(None)), [2]);
    assert!(!server.host().written().contains(&Address::new(Class::User, "@nobody:hub.example")));
    server.advance(60_000);
    assert_eq!(hubbub_native::scheduler::Alarms::next(&**server.host()), None, "nothing waits");
}

#[test]
fn a_deleted_device_loses_its_messages() {
    let server = TestServer::new();
    let (alice, bob) = (server.register("alice"), server.account("bob"));
    for end in ["logout", "logout/all"] {
        let phone = server.login("alice", Some("PHONE"));
        send(&bob, end, &to(&phone, json!({"n": 1}))).ok();
        phone.post(end.split('/'), &json!({})).ok();
        let phone = server.login("alice", Some("PHONE"));
        assert!(events(&phone.sync(None)).is_empty(), "{end}");
        send(&bob, &format!("{end} again"), &to(&phone, json!({"n": 2}))).ok();
        assert_eq!(numbers(&phone.sync(None)), [2], "{end}");
    }
    assert!(events(&server.login("alice", Some(&alice.device_id)).sync(None)).is_empty());
}

#[test]
fn a_poll_wakes_for_its_own_device_only() {
    let server = TestServer::new();
    let bob = server.account("bob");
    let alice = server.register("alice");
    let phone = server.login("alice", Some("PHONE"));
    let since = alice.sync(None).next_batch();
    let (poll, other) = (phone.start_sync(&since), alice.start_sync(&since));
    server.settle();

    send(&bob, "t1", &to(&phone, json!({"n": 1}))).ok();

    assert!(poll.is_finished() && !other.is_finished());
    assert_eq!(numbers(&SyncBody(server.finish(&poll).ok())), [1]);
    assert!(events(&SyncBody(server.finish(&other).ok())).is_empty());
}

#[test]
fn many_messages_page_through_sync_in_bounded_answers_in_their_order() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let mut since = bob.sync(None).next_batch();
    for n in 0..250_u64 {
        send(&alice, &format!("t{n}"), &to(&bob, json!({"n": n}))).ok();
    }
    let mut seen = Vec::new();
    let mut answers = 0;
    loop {
        let sync = bob.sync(Some(&since));
        let page = numbers(&sync);
        assert!(page.len() <= 100);
        // A lost answer loses nothing on any page.
        assert_eq!(numbers(&bob.sync(Some(&since))), page);
        since = sync.next_batch();
        if page.is_empty() {
            break;
        }
        // What comes in between stays behind what waits.
        if answers == 0 {
            send(&alice, "between", &to(&bob, json!({"n": 250}))).ok();
        }
        answers += 1;
        seen.extend(page);
    }
    assert_eq!((answers, seen), (3, (0..=250).collect()));
    // Nothing is left: a poll waits for its full time.
    let before = server.now();
    server.finish(&bob.start_sync(&since)).ok();
    assert_eq!(server.now() - before, 30_000);
}

#[test]
fn large_messages_make_short_pages() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    let large = "x".repeat(300_000);
    for n in 0..3 {
        send(&alice, &format!("t{n}"), &to(&bob, json!({"n": n, "large": large}))).ok();
    }
    let first = bob.sync(None);
    assert_eq!(numbers(&first), [0]);
    let second = bob.sync(Some(&first.next_batch()));
    assert_eq!(numbers(&second), [1]);
    assert_eq!(numbers(&bob.sync(Some(&second.next_batch()))), [2]);
}

#[test]
fn anothers_or_a_foreign_token_deletes_nothing() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    send(&alice, "t1", &to(&bob, json!({"n": 1}))).ok();
    let own = bob.sync(None).next_batch();
    let position = own.rsplit_once('_').unwrap().1.to_owned();
    for token in [alice.sync(None).next_batch(), format!("s1_{position}"), format!("s1_{position}_{position}")] {
        assert_eq!(numbers(&bob.sync(Some(&token))), [1], "{token}");
    }
    for token in [format!("{own}_999999"), format!("{own}_"), format!("{own}_0_0")] {
        bob.query(["sync"], &[("since", &token)]).refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(numbers(&bob.sync(Some(&format!("{own}_0")))), [1]);
    assert!(events(&bob.sync(Some(&own))).is_empty());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    for messages in
        [json!([]), json!({"bob": {"*": {}}}), json!({ &bob.user_id: {"*": 7} }), json!({ &bob.user_id: [] })]
    {
        send(&alice, "t1", &messages).refused(400, "M_BAD_JSON");
    }
    alice.put(["sendToDevice", "m.test", "t1"], &json!({})).refused(400, "M_BAD_JSON");
    let long = "x".repeat(256);
    send(&alice, &long, &to(&bob, json!({}))).refused(400, "M_INVALID_PARAM");
    let body = json!({"messages": to(&bob, json!({}))});
    alice.put(["sendToDevice", &long, "t1"], &body).refused(400, "M_INVALID_PARAM");
    let uri = path(["sendToDevice", "m.test", "t1"]);
    server.send(Method::PUT, &uri, None, Some(&body)).refused(401, "M_MISSING_TOKEN");
    alice.post(["logout"], &json!({})).ok();
    send(&alice, "t1", &to(&bob, json!({}))).refused(401, "M_UNKNOWN_TOKEN");
    assert!(events(&bob.sync(None)).is_empty());
}

#[test]
fn a_request_is_one_call_and_the_hand_over_one_a_recipient() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    server.take_calls();
    send(&alice, "t1", &to(&bob, json!({"n": 1}))).ok();
    assert_eq!(server.take_calls(), [user_of(&alice)]);
    let commits = |client: &Client| server.host().commits(&user_of(client));
    let before = (commits(&alice), commits(&bob));
    send(&alice, "t2", &to(&bob, json!({"n": 2}))).ok();
    // Acknowledged by the first of the sender's; the second takes the request out of the outbox.
    assert_eq!((commits(&alice) - before.0, commits(&bob) - before.1), (2, 1));
}

#[test]
fn a_recipient_out_of_reach_gets_everything_later_in_order() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    server.set_settling(false);
    for n in 0..3 {
        send(&alice, &format!("t{n}"), &to(&bob, json!({"n": n}))).ok();
        server.host().set_failing(true);
        server.settle();
        server.host().set_failing(false);
    }
    server.host().crash_all();
    server.advance(60_000);
    server.set_settling(true);
    assert_eq!(numbers(&bob.sync(None)), [0, 1, 2]);
}

#[test]
fn a_full_queue_lets_its_oldest_messages_go() {
    let server = TestServer::new();
    let (alice, bob) = (server.account("alice"), server.account("bob"));
    // More bytes than may wait: 36 times 990,000.
    let large = "x".repeat(990_000);
    for n in 0..36 {
        send(&alice, &format!("t{n}"), &to(&bob, json!({"n": n, "large": large}))).ok();
    }
    let first = bob.sync(None);
    assert_eq!(numbers(&first), [3]);
    let mut seen = 1;
    let mut since = first.next_batch();
    loop {
        let sync = bob.sync(Some(&since));
        if events(&sync).is_empty() {
            break;
        }
        seen += events(&sync).len();
        since = sync.next_batch();
    }
    assert_eq!(seen, 33);
}

#[test]
fn messages_sent_through_crashes_arrive_once_and_in_order() {
    let mut interrupted = 0;
    for seed in 0..60 {
        let server = TestServer::with(Options { seed, ..Options::default() });
        let (alice, bob, carol) = (server.account("alice"), server.account("bob"), server.account("carol"));
        server.set_settling(false);
        for number in 0..8_u64 {
            let segments = ["sendToDevice", "m.test", &format!("t{number}")];
            let mut messages = to(&bob, json!({"n": number}));
            messages[&carol.user_id] = json!({"*": {"n": number}});
            messages[&alice.user_id] = json!({"*": {"n": number}});
            let body = json!({ "messages": messages });
            let send = || server.start(alice.request(Method::PUT, &path(segments), Some(&body)));
            let started = send();
            let victim = [user_of(&alice), user_of(&bob), user_of(&carol)]
                [usize::try_from((seed + number) % 3).unwrap()]
            .clone();
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

        let expected: Vec<u64> = (0..8).collect();
        for client in [&alice, &bob, &carol] {
            assert_eq!(numbers(&client.sync(None)), expected, "seed {seed}, {}", client.user_id);
        }
        interrupted += server.host().interrupted();
    }
    println!("{interrupted} calls were interrupted");
    assert!(interrupted > 30, "the crashes hit nothing: {interrupted}");
}
