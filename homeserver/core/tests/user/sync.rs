//! `/sync`: the joined rooms.

use hubbub_core::{
    contract::{
        delivery::DeliveryAnswer,
        user::{Caller, SyncAnswer, UserCommand},
    },
    room_token::RoomToken,
};
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, send},
    support::{ALICE, BOB, User, bodies, next, refusal, request, types},
};

const CAROL: &str = "@carol:hub";

fn start(name: &str) -> (User, Caller, TestRoom) {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new(name);
    room.join(&user);
    (user, caller, room)
}

fn joined<'a>(body: &'a Json, room: &TestRoom) -> &'a Json {
    &body["rooms"]["join"][room.id()]
}

#[test]
fn an_initial_sync_has_every_section_of_a_joined_room() {
    let (user, caller, room) = start("r");
    let body = user.sync(&caller, None);
    assert_eq!(types(&body["account_data"]["events"]), ["m.push_rules"]);
    assert!(body["account_data"]["events"][0]["content"]["global"]["override"].is_array());
    let entry = joined(&body, &room);
    assert_eq!(
        types(&entry["timeline"]["events"]),
        ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.member"]
    );
    assert_eq!(entry["timeline"]["limited"], false);
    assert_eq!(entry["state"]["events"], json!([]));
    assert_eq!(entry["ephemeral"]["events"], json!([]));
    assert_eq!(entry["account_data"]["events"], json!([]));
    assert_eq!(entry["summary"], json!({"m.heroes": [BOB], "m.joined_member_count": 2, "m.invited_member_count": 0}));
    assert_eq!(entry["unread_notifications"], json!({"notification_count": 0, "highlight_count": 0}));
}

#[test]
fn an_idle_sync_has_nothing_but_its_token() {
    let (user, caller, _) = start("r");
    let body = user.sync(&caller, None);
    let again = user.sync(&caller, Some(next(&body)));
    assert_eq!(again, json!({"next_batch": next(&body)}));
}

#[test]
fn a_message_comes_to_each_device_once_with_membership_and_age() {
    let (user, caller, mut room) = start("r");
    let other = user.another_device("B");
    let first = user.sync(&caller, None);
    let second = user.sync(&other, None);
    let revision = user.object.revision().unwrap();
    room.text(BOB, "hello");
    room.deliver(&user);
    assert!(user.object.revision().unwrap() > revision);
    for (caller, since) in [(&caller, next(&first)), (&other, next(&second))] {
        let body = user.sync(caller, Some(since));
        let event = &joined(&body, &room)["timeline"]["events"][0];
        assert_eq!(event["content"]["body"], "hello");
        assert_eq!(event["unsigned"], json!({"age": 1_000, "membership": "join"}));
        assert_eq!(joined(&body, &room)["timeline"]["limited"], false);
        assert!(joined(&body, &room).get("summary").is_none());
        assert_eq!(user.sync(caller, Some(next(&body))).as_object().unwrap().len(), 1);
    }
}

#[test]
fn only_the_sending_device_sees_its_transaction_id() {
    let (user, caller, mut room) = start("r");
    let other = user.another_device("B");
    room.text(ALICE, "mine");
    room.events.last_mut().unwrap().transaction = Some(("A".to_owned(), "txn 1".to_owned()));
    room.deliver(&user);
    let transaction_id = |caller: &Caller| {
        let body = user.sync(caller, None);
        let events = joined(&body, &room)["timeline"]["events"].as_array().unwrap().clone();
        events.last().unwrap()["unsigned"].get("transaction_id").cloned()
    };
    assert_eq!(transaction_id(&caller), Some(json!("txn 1")));
    assert_eq!(transaction_id(&other), None);
}

#[test]
fn events_before_the_own_join_say_so() {
    let (user, caller, room) = start("r");
    let body = user.sync(&caller, None);
    let events = joined(&body, &room)["timeline"]["events"].as_array().unwrap();
    let memberships: Vec<&str> = events.iter().map(|event| event["unsigned"]["membership"].as_str().unwrap()).collect();
    assert_eq!(memberships, ["leave", "leave", "leave", "leave", "join"]);
}

#[test]
fn a_limited_timeline_says_where_to_page_from() {
    let (user, caller, mut room) = start("r");
    let body = user.sync(&caller, None);
    for number in 0..30 {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    let filter = json!({"room": {"timeline": {"limit": 4}}});
    let body = user.sync_with(&caller, Some(next(&body)), filter);
    let timeline = &joined(&body, &room)["timeline"];
    assert_eq!(bodies(&timeline["events"]), ["26", "27", "28", "29"]);
    assert_eq!(timeline["limited"], true);
    let token: RoomToken = timeline["prev_batch"].as_str().unwrap().parse().unwrap();
    let first = room.events.iter().find(|event| event.event.get().contains("\"26\"")).unwrap();
    assert_eq!(token.order_key, first.order_key);
    assert_eq!((token.epoch, token.position), (room.epoch, room.position));
}

#[test]
fn more_events_than_are_kept_make_the_timeline_limited() {
    let (user, caller, mut room) = start("r");
    let body = user.sync(&caller, None);
    for number in 0..60 {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    let filter = json!({"room": {"timeline": {"limit": 500}}});
    let answer = user.sync_with(&caller, Some(next(&body)), filter.clone());
    let timeline = &joined(&answer, &room)["timeline"];
    assert_eq!(bodies(&timeline["events"]).len(), 50);
    assert_eq!(bodies(&timeline["events"])[0], "10");
    assert_eq!(timeline["limited"], true);
    let nothing = json!({"room": {"timeline": {"types": ["none"]}}});
    let hidden = user.sync_with(&caller, Some(next(&body)), nothing);
    assert_eq!(joined(&hidden, &room)["timeline"]["limited"], true);
    // An initial sync knows that there is more, too.
    let answer = user.sync_with(&caller, None, filter);
    assert_eq!(joined(&answer, &room)["timeline"]["limited"], true);
}

#[test]
fn state_in_the_gap_comes_in_the_state_section() {
    let (user, caller, mut room) = start("r");
    let body = user.sync(&caller, None);
    room.state(BOB, "m.room.topic", "", json!({"topic": "new"}));
    room.member(CAROL, CAROL, "join");
    for number in 0..12 {
        room.text(BOB, &number.to_string());
    }
    room.state(BOB, "m.room.name", "", json!({"name": "n"}));
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&body)));
    let entry = joined(&body, &room);
    assert_eq!(types(&entry["state"]["events"]), ["m.room.member", "m.room.topic"]);
    assert_eq!(types(&entry["timeline"]["events"])[9], "m.room.name");
    assert_eq!(entry["summary"]["m.joined_member_count"], 3);
}

#[test]
fn state_that_the_timeline_filter_hides_comes_in_the_state_section() {
    let (user, caller, mut room) = start("r");
    let body = user.sync(&caller, None);
    room.state(BOB, "m.room.topic", "", json!({"topic": "new"}));
    room.text(BOB, "hello");
    room.deliver(&user);
    let filter = json!({"room": {"timeline": {"types": ["m.room.message"]}}});
    let body = user.sync_with(&caller, Some(next(&body)), filter);
    let entry = joined(&body, &room);
    assert_eq!(bodies(&entry["timeline"]["events"]), ["hello"]);
    assert_eq!(entry["timeline"]["limited"], false);
    assert_eq!(types(&entry["state"]["events"]), ["m.room.topic"]);
}

#[test]
fn filters_choose_among_rooms_types_and_senders() {
    let (user, caller, mut room) = start("a");
    let mut other = TestRoom::new("b");
    other.join(&user);
    room.text(BOB, "one");
    room.append(BOB, "m.file", None, json!({"url": "mxc://hub/x", "body": "two"}));
    room.text(ALICE, "three");
    room.deliver(&user);
    let timeline = |filter: Json| {
        let body = user.sync_with(&caller, None, json!({"room": filter}));
        let entry = joined(&body, &room).clone();
        entry["timeline"]["events"].clone()
    };
    let only = json!({"timeline": {"types": ["m.*"], "not_types": ["m.room.*"]}});
    assert_eq!(bodies(&timeline(only)), ["two"]);
    let senders = json!({"timeline": {"senders": [ALICE], "not_types": ["m.room.member"]}});
    assert_eq!(bodies(&timeline(senders)), ["three"]);
    assert_eq!(bodies(&timeline(json!({"timeline": {"contains_url": true}}))), ["two"]);
    assert_eq!(timeline(json!({"timeline": {"limit": 0}})), json!([]));
    assert_eq!(timeline(json!({"not_rooms": [room.id()]})), Json::Null);
    let body = user.sync_with(&caller, None, json!({"room": {"rooms": [other.id()]}}));
    assert!(joined(&body, &room).is_null() && joined(&body, &other).is_object());
}

#[test]
fn full_state_shows_every_joined_room_with_all_its_state() {
    let (user, caller, room) = start("r");
    let body = user.sync(&caller, None);
    let mut asked = request(&caller, Some(next(&body)), None);
    asked.full_state = true;
    let answer: SyncAnswer = user.ask(UserCommand::Sync(Box::new(asked))).unwrap();
    let body: Json = serde_json::from_str(answer.body.get()).unwrap();
    let entry = joined(&body, &room);
    assert_eq!(entry["state"]["events"].as_array().unwrap().len(), 5);
    assert_eq!(entry["timeline"]["events"], json!([]));
}

#[test]
fn a_lazy_client_gets_the_members_that_speak_the_heroes_and_itself() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    for number in 0..20 {
        let silent = format!("@s{number}:hub");
        room.member(&silent, &silent, "join");
    }
    room.member(CAROL, CAROL, "join");
    room.facts.heroes = Some(vec![BOB.try_into().unwrap()]);
    for number in 0..15 {
        room.text(CAROL, &number.to_string());
    }
    room.join(&user);
    let lazy = json!({"room": {"timeline": {"limit": 3}, "state": {"lazy_load_members": true}}});
    let body = user.sync_with(&caller, None, lazy.clone());
    let members = |body: &Json| -> Vec<String> {
        let state = joined(body, &room)["state"]["events"].as_array().unwrap().clone();
        let members = state.iter().filter(|event| event["type"] == "m.room.member");
        members.map(|event| event["state_key"].as_str().unwrap().to_owned()).collect()
    };
    // Alice's own join is in the timeline; the heroes are what the room says they are now.
    let found = members(&body);
    assert!(found.contains(&CAROL.to_owned()) && found.contains(&BOB.to_owned()), "{found:?}");
    assert!(found.len() <= 7, "{found:?}");
    assert!(types(&joined(&body, &room)["state"]["events"]).contains(&"m.room.create"));
    room.text(BOB, "hello");
    room.deliver(&user);
    let body = user.sync_with(&caller, Some(next(&body)), lazy);
    let state = joined(&body, &room)["state"]["events"].as_array().unwrap();
    assert_eq!(state.len(), 1);
    assert_eq!(state[0]["state_key"], BOB);
}

#[test]
fn a_message_brings_the_member_event_of_its_sender() {
    let (user, caller, mut room) = start("r");
    let body = user.sync(&caller, None);
    let member = json!({
        "type": "m.room.member", "state_key": CAROL, "sender": CAROL, "event_id": "$carol",
        "origin_server_ts": 1, "content": {"membership": "join"},
    });
    room.text(CAROL, "hello");
    room.events.last_mut().unwrap().sender_member = Some(crate::room::raw(&member));
    room.deliver(&user);
    let lazy = json!({"room": {"state": {"lazy_load_members": true}}});
    let answer = user.sync_with(&caller, Some(next(&body)), lazy);
    assert_eq!(joined(&answer, &room)["state"]["events"][0]["state_key"], CAROL);
    // To an eager client this member is no news.
    let answer = user.sync(&caller, Some(next(&body)));
    assert_eq!(joined(&answer, &room)["state"]["events"], json!([]));
}

#[test]
fn an_eager_client_gets_the_members_that_only_the_room_knows() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.member(CAROL, CAROL, "join");
    room.member(ALICE, ALICE, "join");
    let mut delivery = room.next(100);
    let snapshot = delivery.snapshot.as_mut().unwrap();
    snapshot.history.clear();
    snapshot.state.retain(|event| event.state_key.as_deref() != Some(CAROL));
    assert_eq!(send(&user, delivery).unwrap(), DeliveryAnswer::Accepted);
    *user.world.objects.answer.borrow_mut() = Box::new(|_, command| {
        assert_eq!(command["Members"]["reader"], ALICE);
        Ok(Ok(json!([
            {"type": "m.room.member", "state_key": CAROL, "sender": CAROL, "event_id": "$c",
             "room_id": "!r:hub", "origin_server_ts": 1, "content": {"membership": "join"}},
            {"type": "m.room.member", "state_key": BOB, "sender": BOB, "event_id": "$other",
             "room_id": "!r:hub", "origin_server_ts": 1, "content": {"membership": "join"}},
        ])))
    });
    let body = user.sync(&caller, None);
    let state = joined(&body, &room)["state"]["events"].as_array().unwrap();
    let carol: Vec<&Json> = state.iter().filter(|event| event["state_key"] == CAROL).collect();
    assert_eq!(carol.len(), 1);
    assert!(carol[0].get("room_id").is_none());
    assert_eq!(user.world.objects.calls.borrow().len(), 1);
    let lazy = json!({"room": {"state": {"lazy_load_members": true}}});
    user.sync_with(&caller, None, lazy);
    assert_eq!(user.world.objects.calls.borrow().len(), 1, "a lazy client costs no call");
}

#[test]
fn a_redaction_changes_the_kept_event_and_comes_itself() {
    let (user, caller, mut room) = start("r");
    let topic = room.state(BOB, "m.room.topic", "", json!({"topic": "bad"}));
    let message = room.text(BOB, "bad");
    room.deliver(&user);
    let body = user.sync(&caller, None);
    room.redact(&message);
    room.redact(&topic);
    room.deliver(&user);
    let answer = user.sync(&caller, Some(next(&body)));
    assert_eq!(types(&joined(&answer, &room)["timeline"]["events"]), ["m.room.redaction", "m.room.redaction"]);
    let answer = user.sync_with(&caller, None, json!({"room": {"timeline": {"limit": 3}}}));
    let entry = joined(&answer, &room);
    assert_eq!(entry["timeline"]["events"][0]["content"], json!({}));
    assert!(entry["timeline"]["events"][0]["unsigned"]["redacted_because"].is_object());
    let state = entry["state"]["events"].as_array().unwrap();
    let topic = state.iter().find(|event| event["type"] == "m.room.topic").unwrap();
    assert_eq!(topic["content"], json!({}));
}

#[test]
fn receipts_and_typing_come_without_room_id_and_end() {
    let (user, caller, mut room) = start("r");
    let message = room.text(ALICE, "read me");
    room.deliver(&user);
    let start = user.sync(&caller, None);
    room.receipt(BOB, &message, None);
    room.typing(&[BOB]);
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&start)));
    let entry = joined(&body, &room);
    assert_eq!(types(&entry["ephemeral"]["events"]), ["m.receipt", "m.typing"]);
    let receipt = &entry["ephemeral"]["events"][0];
    assert!(receipt["content"][message.as_str()]["m.read"][BOB]["ts"].is_i64());
    assert!(receipt.get("room_id").is_none());
    assert_eq!(entry["ephemeral"]["events"][1]["content"]["user_ids"], json!([BOB]));
    room.typing(&[]);
    room.deliver(&user);
    // From before it began: the end must be told.
    for since in [next(&start), next(&body)] {
        let body = user.sync(&caller, Some(since));
        let events = joined(&body, &room)["ephemeral"]["events"].as_array().unwrap();
        assert_eq!(events.last().unwrap()["content"]["user_ids"], json!([]));
    }
    let none = json!({"room": {"ephemeral": {"types": []}}});
    let body = user.sync_with(&caller, Some(next(&start)), none);
    assert_eq!(body.as_object().unwrap().len(), 1, "filtered out: nothing to tell");
}

#[test]
fn an_unthreaded_receipt_wins_over_a_threaded_one_on_the_same_event() {
    let (user, caller, mut room) = start("r");
    let message = room.text(ALICE, "read me");
    room.receipt(BOB, &message, None);
    room.receipt(BOB, &message, Some("main"));
    room.deliver(&user);
    let body = user.sync(&caller, None);
    let receipt = &joined(&body, &room)["ephemeral"]["events"][0]["content"];
    assert!(receipt[message.as_str()]["m.read"][BOB].get("thread_id").is_none());
}

#[test]
fn messages_of_ignored_users_are_hidden_but_their_state_is_not() {
    let (user, caller, mut room) = start("r");
    let put = UserCommand::PutAccountData {
        caller: caller.clone(),
        room_id: None,
        event_type: "m.ignored_user_list".to_owned(),
        content: crate::room::raw(&json!({"ignored_users": {BOB: {}}})),
    };
    user.ask::<()>(put).unwrap();
    let start = user.sync(&caller, None);
    room.text(BOB, "hidden");
    room.text(CAROL, "shown");
    room.state(BOB, "m.room.topic", "", json!({"topic": "t"}));
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&start)));
    assert_eq!(types(&joined(&body, &room)["timeline"]["events"]), ["m.room.message", "m.room.topic"]);
    let mut invite = TestRoom::new("i");
    invite.member(BOB, ALICE, "invite");
    invite.deliver(&user);
    let mut other = TestRoom::new("j");
    other.member(CAROL, ALICE, "invite");
    other.deliver(&user);
    for since in [Some(next(&start)), None] {
        let body = user.sync(&caller, since);
        assert!(body["rooms"]["invite"].get(invite.id()).is_none());
        assert!(body["rooms"]["invite"].get(other.id()).is_some());
    }
}

#[test]
fn a_new_epoch_starts_the_room_anew_and_keeps_the_places() {
    let (user, caller, mut room) = start("r");
    for number in 0..5 {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    let before = user.sync(&caller, None);
    room.text(BOB, "five");
    room.deliver(&user);
    let resolve = |token: &str| -> String {
        user.ask(UserCommand::ResolveToken {
            caller: caller.clone(),
            room_id: room.room_id.clone(),
            token: token.to_owned(),
        })
        .unwrap()
    };
    let place: RoomToken = resolve(next(&before)).parse().unwrap();
    room.rebuild();
    room.deliver(&user);
    let after = user.sync(&caller, Some(next(&before)));
    let entry = joined(&after, &room);
    assert_eq!(entry["timeline"]["limited"], true);
    assert_eq!(bodies(&entry["timeline"]["events"]).last(), Some(&"five"));
    let resolve = |token: &str| -> String {
        user.ask(UserCommand::ResolveToken {
            caller: caller.clone(),
            room_id: room.room_id.clone(),
            token: token.to_owned(),
        })
        .unwrap()
    };
    let again: RoomToken = resolve(next(&before)).parse().unwrap();
    assert_eq!(again.order_key, place.order_key);
    room.text(BOB, "six");
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&after)));
    assert_eq!(bodies(&joined(&body, &room)["timeline"]["events"]), ["six"]);
    assert_eq!(joined(&body, &room)["timeline"]["limited"], false);
}

#[test]
fn a_delivery_that_does_not_follow_is_refused_and_one_that_was_taken_is_not_taken_again() {
    let (user, caller, mut room) = start("r");
    room.text(BOB, "one");
    let first = room.next(100);
    room.answered(&first, DeliveryAnswer::Accepted);
    room.text(BOB, "two");
    let second = room.next(100);
    let held = hubbub_core::contract::delivery::Cursor { epoch: room.epoch, position: first.previous.position };
    assert_eq!(send(&user, second.clone()).unwrap(), DeliveryAnswer::Refused(held));
    assert_eq!(send(&user, first.clone()).unwrap(), DeliveryAnswer::Accepted);
    assert_eq!(send(&user, second).unwrap(), DeliveryAnswer::Accepted);
    let revision = user.object.revision().unwrap();
    assert_eq!(send(&user, first).unwrap(), DeliveryAnswer::Accepted);
    assert_eq!(user.object.revision().unwrap(), revision);
    let body = user.sync(&caller, None);
    assert_eq!(bodies(&joined(&body, &room)["timeline"]["events"]), ["one", "two"]);
}

#[test]
fn nobody_delivers_to_a_user_who_does_not_exist() {
    let user = User::unmade();
    let mut room = TestRoom::new("r");
    room.member(ALICE, ALICE, "join");
    assert_eq!(refusal(send(&user, room.next(10))), (404, "M_NOT_FOUND".to_owned()));
}

#[test]
fn the_synchronous_sync_answers_from_the_inbox_and_names_the_waiter() {
    let (user, caller, mut room) = start("r");
    let other = user.another_device("B");
    let since = next(&user.sync(&caller, None)).to_owned();
    let asked = request(&caller, Some(&since), None);
    assert!(user.object.sync(&asked).unwrap().empty);
    room.text(BOB, "wake");
    room.deliver(&user);
    let answer = user.object.sync(&asked).unwrap();
    assert!(!answer.empty && answer.body.get().contains("wake"));
    let waiter = |caller: &Caller, filter: Option<&str>| {
        user.object.sync(&request(caller, Some(&since), filter)).unwrap().waiter
    };
    assert_eq!(waiter(&caller, None), answer.waiter);
    assert_ne!(waiter(&other, None), answer.waiter);
    assert_ne!(waiter(&caller, Some("{}")), answer.waiter);
}
