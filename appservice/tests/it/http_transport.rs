//! Transactions over HTTP: their form, their order, and that none is ever given up.

use std::{
    future::Future as _,
    pin::pin,
    task::{Context as TaskContext, Waker},
};

use hubbub_appservice::object::AppserviceObject;
use hubbub_core::{
    context::{Egress, HttpError},
    contract::{
        appservice::{AppserviceCommand, QueueStatus},
        delivery::{DeliveryAnswer, Receipt},
    },
    object::Object as _,
};
use serde_json::{Value as Json, json};

use crate::support::{Answer, START, World, bodies, command, deliver, delivery, event_with, irc_yaml, ready};

const ROOM: &str = "!a:hub.example";

fn status(object: &AppserviceObject) -> QueueStatus {
    command(object, AppserviceCommand::Status).unwrap()
}

/// Runs until the armed failpoint and drops the run there, as a kill would.
fn killed_at(world: &World, object: AppserviceObject, failpoint: &'static str) {
    world.kills.at.borrow_mut().insert(failpoint);
    {
        let mut run = pin!(object.work());
        assert!(run.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    }
    assert!(world.kills.at.borrow().is_empty(), "the failpoint was passed");
}

#[test]
fn a_transaction_carries_client_events_with_their_room_and_the_token_in_the_header_only() {
    let world = World::with_irc();
    let object = world.open();
    let mut batch = delivery(ROOM, 1, (0, 0), 2);
    batch.events[0].transaction = Some(("appservice:irc".to_owned(), "own".to_owned()));
    batch.events[1].transaction = Some(("DEVICE".to_owned(), "someone's".to_owned()));
    deliver(&object, batch);
    assert_eq!(ready(object.work()), None);

    let requests = world.http.requests.borrow();
    let request = &requests[0];
    assert_eq!(request.method(), "PUT");
    assert!(request.uri().to_string().starts_with("https://irc.example/as/_matrix/app/v1/transactions/"));
    assert_eq!(request.uri().query(), None);
    assert_eq!(request.headers()["authorization"], "Bearer hs_0123456789abcdef");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(*world.http.egress.borrow(), [Egress::Stranger]);
    let body: Json = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!({ "events": [
            {
                "type": "m.room.message", "event_id": "$a_hub.example_1", "room_id": ROOM,
                "sender": "@alice:hub.example", "origin_server_ts": START,
                "content": { "body": "1" }, "unsigned": { "transaction_id": "own" },
            },
            {
                "type": "m.room.message", "event_id": "$a_hub.example_2", "room_id": ROOM,
                "sender": "@alice:hub.example", "origin_server_ts": START, "content": { "body": "2" },
            },
        ] })
    );
}

#[test]
fn a_retry_repeats_the_id_and_the_events_although_more_came() {
    let world = World::with_irc();
    let object = world.open();
    world.http.answers.borrow_mut().extend([
        Answer::Status(500, ""),
        Answer::Error(HttpError::Unknown("reset".to_owned())),
        Answer::Status(302, ""),
    ]);
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    ready(object.work());
    deliver(&object, delivery(ROOM, 1, (1, 1), 3));
    world.work_until_idle(&object, 10);

    let transactions = world.http.transactions();
    assert_eq!(transactions.len(), 5);
    for retry in &transactions[1..4] {
        assert_eq!(retry, &transactions[0]);
    }
    assert_ne!(transactions[4].0, transactions[0].0);
    assert_eq!(bodies(&transactions[4].1), ["2", "3"]);
    assert_eq!(status(&object).queued, 0);
}

#[test]
fn a_crash_after_sending_repeats_the_same_transaction() {
    let world = World::with_irc();
    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    killed_at(&world, object, "appservice.after_send");

    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (1, 1), 2));
    world.work_until_idle(&object, 5);

    let transactions = world.http.transactions();
    assert_eq!(transactions.len(), 3);
    assert_eq!(transactions[0], transactions[1]);
    assert_eq!(bodies(&transactions[2].1), ["2"]);
}

#[test]
fn a_crash_before_sending_keeps_the_transaction_that_was_fixed() {
    let world = World::with_irc();
    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    killed_at(&world, object, "appservice.before_send");
    assert!(world.http.transactions().is_empty());

    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (1, 1), 2));
    world.work_until_idle(&object, 5);

    let sent: Vec<_> = world.http.transactions().iter().map(|(_, body)| bodies(body)).collect();
    assert_eq!(sent, [vec!["1"], vec!["2"]]);
}

#[test]
fn attempts_never_end_and_come_at_least_every_five_minutes() {
    let world = World::with_irc();
    let object = world.open();
    world.http.always.set(Some(500));
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));

    let mut waits = Vec::new();
    for _ in 0..200 {
        let at = ready(object.work()).expect("it is tried again");
        waits.push(at - world.context.clock.now());
        assert_eq!(world.database.alarm(), Some(at), "the alarm was armed with the failure");
        world.clock.0.set(at);
    }
    assert!(waits.iter().all(|wait| (1_000..=300_000).contains(wait)), "{waits:?}");
    assert!(waits[0] <= 1_000 && waits[4] >= 12_000, "{waits:?}");
    assert!(waits[20..].iter().all(|wait| *wait >= 225_000), "{waits:?}");
    assert_eq!(status(&object).attempts, 200);

    world.http.always.set(None);
    assert_eq!(ready(object.work()), None);
    let ids: std::collections::HashSet<_> = world.http.transactions().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn nothing_is_sent_before_its_time_and_the_wait_survives_a_restart() {
    let world = World::with_irc();
    let object = world.open();
    world.http.always.set(Some(503));
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    let at = ready(object.work()).unwrap();

    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (1, 1), 2));
    assert_eq!(ready(object.work()), Some(at));
    assert_eq!(world.http.transactions().len(), 1);
}

#[test]
fn a_transaction_holds_a_hundred_events_or_about_a_mebibyte() {
    let world = World::with_irc();
    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (0, 0), 250));
    world.work_until_idle(&object, 5);
    let sizes: Vec<_> = world.http.transactions().iter().map(|(_, body)| bodies(body).len()).collect();
    assert_eq!(sizes, [100, 100, 50]);

    world.http.requests.borrow_mut().clear();
    let mut large = delivery(ROOM, 1, (1, 250), 290);
    let text = "x".repeat(60_000);
    for event in &mut large.events {
        *event = event_with(ROOM, event.position.unwrap(), &text);
    }
    deliver(&object, large);
    world.work_until_idle(&object, 5);
    let requests = world.http.requests.borrow();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.body().len() < 1_100_000));
    let events: usize = world.http.transactions().iter().map(|(_, body)| bodies(body).len()).sum();
    assert_eq!(events, 40);
}

#[test]
fn batches_that_wait_are_sent_together() {
    let world = World::with_irc();
    let object = world.open();
    for position in 0..30 {
        let room = if position % 2 == 0 { ROOM } else { "!b:hub.example" };
        let held = position / 2;
        deliver(&object, delivery(room, 1, (i64::from(held > 0), held), held + 1));
    }
    world.work_until_idle(&object, 5);
    let transactions = world.http.transactions();
    assert_eq!(transactions.len(), 1);
    assert_eq!(bodies(&transactions[0].1).len(), 30);
}

#[test]
fn typing_and_public_receipts_go_under_the_key_that_was_registered() {
    let receipt = |user: &str, receipt_type: &str| Receipt {
        user_id: user.try_into().unwrap(),
        receipt_type: receipt_type.to_owned(),
        thread_id: None,
        event_id: "$e".try_into().unwrap(),
        event_position: 1,
        ts: 5,
    };
    let mut batch = delivery(ROOM, 1, (0, 0), 1);
    batch.events.clear();
    batch.typing = Some(vec!["@alice:hub.example".try_into().unwrap()]);
    batch.receipts = vec![receipt("@alice:hub.example", "m.read"), receipt("@bob:hub.example", "m.read.private")];
    let expected = json!([
        { "type": "m.typing", "room_id": ROOM, "content": { "user_ids": ["@alice:hub.example"] } },
        { "type": "m.receipt", "room_id": ROOM,
          "content": { "$e": { "m.read": { "@alice:hub.example": { "ts": 5 } } } } },
    ]);
    let sent_with = |yaml: &str| {
        let world = World::new();
        world.register(yaml).unwrap();
        let object = world.open();
        assert_eq!(deliver(&object, batch.clone()), DeliveryAnswer::Accepted);
        world.work_until_idle(&object, 3);
        world.http.transactions().into_iter().map(|(_, body)| body).collect::<Vec<_>>()
    };
    let stable = irc_yaml("https://irc.example/as");
    let unstable = stable.replace("receive_ephemeral", "de.sorunome.msc2409.push_ephemeral");
    let without = stable.replace("receive_ephemeral: true", "receive_ephemeral: false");

    assert_eq!(sent_with(&stable), [json!({ "events": [], "ephemeral": expected })]);
    assert_eq!(
        sent_with(&unstable),
        [json!({ "events": [], "ephemeral": expected, "de.sorunome.msc2409.ephemeral": expected })]
    );
    assert_eq!(sent_with(&without), Vec::<Json>::new());
}

#[test]
fn the_queue_of_an_appservice_that_is_gone_is_dropped_and_its_place_is_kept() {
    let world = World::with_irc();
    let object = world.open();
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    ready(world.registry.unregister(&world.context, "irc")).unwrap();
    assert_eq!(ready(object.work()), None);
    assert!(world.http.transactions().is_empty());
    assert_eq!(status(&object).queued, 0);

    world.register(&irc_yaml("https://irc.example/as")).unwrap();
    assert_eq!(deliver(&object, delivery(ROOM, 1, (1, 1), 2)), DeliveryAnswer::Accepted);
    ready(object.work());
    assert_eq!(bodies(&world.http.transactions()[0].1), ["2"]);
}

#[test]
fn an_appservice_that_moved_is_found_by_the_next_attempt() {
    let world = World::with_irc();
    let object = world.open();
    world.http.answers.borrow_mut().push_back(Answer::Status(500, ""));
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    ready(object.work());
    world.register(&irc_yaml("http://new.example")).unwrap();
    world.work_until_idle(&object, 3);
    let requests = world.http.requests.borrow();
    assert_eq!(requests.last().unwrap().uri().host(), Some("new.example"));
}

#[test]
fn cron_is_told_of_work_older_than_a_minute_and_told_when_it_is_done() {
    let world = World::with_irc();
    let object = world.open();
    let stuck = "SELECT class || '/' || name FROM stuck";
    world.http.always.set(Some(500));
    deliver(&object, delivery(ROOM, 1, (0, 0), 1));
    ready(object.work());
    assert!(world.d1(stuck).is_empty());

    world.pass(61_000);
    ready(object.work());
    assert_eq!(world.d1(stuck), ["Appservice/irc"]);

    // Also after a restart, and after D1 refused once.
    let object = world.open();
    world.http.always.set(None);
    world.pass(300_000);
    world.directory.refuse.set(true);
    let again = ready(object.work());
    world.directory.refuse.set(false);
    if let Some(at) = again {
        world.clock.0.set(at);
    }
    world.work_until_idle(&object, 3);
    assert!(world.d1(stuck).is_empty());
    assert_eq!(status(&object).queued, 0);
}
