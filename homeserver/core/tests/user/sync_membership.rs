//! `/sync`: invites, leaving, being put out, forgetting, joining again.

use hubbub_core::contract::user::{Caller, UserCommand};
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, raw},
    support::{ALICE, BOB, User, bodies, next, refusal, types},
};

fn start(name: &str) -> (User, Caller, TestRoom) {
    let (user, caller) = User::with_device("A");
    (user, caller, TestRoom::new(name))
}

fn include_leave() -> Json {
    json!({"room": {"include_leave": true}})
}

#[test]
fn an_invite_comes_with_stripped_state_and_the_invite_itself() {
    let (user, caller, mut room) = start("r");
    let before = user.sync(&caller, None);
    room.member(BOB, ALICE, "invite");
    room.facts.invite_state = vec![raw(&json!({
        "type": "m.room.name", "state_key": "", "sender": BOB, "content": {"name": "n"},
    }))];
    room.deliver(&user);
    for since in [None, Some(next(&before))] {
        let body = user.sync(&caller, since);
        let events = &body["rooms"]["invite"][room.id()]["invite_state"]["events"];
        assert_eq!(types(events), ["m.room.name", "m.room.member"]);
        assert_eq!(events[1]["content"]["membership"], "invite");
        assert_eq!(events[1].as_object().unwrap().len(), 4);
        assert!(body["rooms"].get("join").is_none());
        assert_eq!(user.sync(&caller, Some(next(&body))).as_object().unwrap().len(), 1);
    }
}

#[test]
fn a_knock_comes_with_the_knock_itself() {
    let (user, caller, mut room) = start("r");
    room.member(ALICE, ALICE, "knock");
    room.deliver(&user);
    let body = user.sync(&caller, None);
    let events = &body["rooms"]["knock"][room.id()]["knock_state"]["events"];
    assert_eq!(events[0]["content"]["membership"], "knock");
}

#[test]
fn a_rejected_invite_is_a_left_room_once() {
    let (user, caller, mut room) = start("r");
    room.member(BOB, ALICE, "invite");
    room.deliver(&user);
    let before = user.sync(&caller, None);
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&before)));
    let left = &body["rooms"]["leave"][room.id()];
    let leave = &left["timeline"]["events"][0];
    assert_eq!(leave["content"]["membership"], "leave");
    assert!(body["rooms"].get("invite").is_none());
    let again = user.sync(&caller, Some(next(&body)));
    assert_eq!(again.as_object().unwrap().len(), 1);
}

#[test]
fn a_join_is_limited_and_brings_what_was_before_it() {
    let (user, caller, mut room) = start("r");
    for number in 0..4 {
        room.text(BOB, &number.to_string());
    }
    let before = user.sync(&caller, None);
    room.join(&user);
    let filter = json!({"room": {"timeline": {"types": ["m.room.message"]}, "state": {"types": []}}});
    let body = user.sync_with(&caller, Some(next(&before)), filter);
    let entry = &body["rooms"]["join"][room.id()];
    assert_eq!(bodies(&entry["timeline"]["events"]), ["0", "1", "2", "3"]);
    assert_eq!(entry["timeline"]["limited"], true);
    assert_eq!(entry["state"]["events"], json!([]));
    assert_eq!(user.sync(&caller, Some(next(&body))).as_object().unwrap().len(), 1);
}

#[test]
fn a_left_room_is_told_once_and_later_only_to_who_asks() {
    let (user, caller, mut room) = start("r");
    room.join(&user);
    let before = user.sync(&caller, None);
    room.member(ALICE, ALICE, "leave");
    room.text(BOB, "not for alice");
    room.deliver(&user);
    let body = user.sync(&caller, Some(next(&before)));
    let left = &body["rooms"]["leave"][room.id()];
    assert_eq!(types(&left["timeline"]["events"]), ["m.room.member"]);
    assert_eq!(left["timeline"]["limited"], false);
    assert_eq!(left["state"]["events"], json!([]));
    let after = user.sync_with(&caller, Some(next(&body)), include_leave());
    assert_eq!(after.as_object().unwrap().len(), 1);
    assert!(user.sync(&caller, None)["rooms"].get("leave").is_none());
    let initial = user.sync_with(&caller, None, include_leave());
    let left = &initial["rooms"]["leave"][room.id()];
    assert_eq!(types(&left["timeline"]["events"]).last(), Some(&"m.room.member"));
    let limit = json!({"room": {"include_leave": true, "timeline": {"limit": 0}}});
    let left = &user.sync_with(&caller, None, limit)["rooms"]["leave"][room.id()];
    assert_eq!(left["timeline"]["events"], json!([]));
    let state = left["state"]["events"].as_array().unwrap();
    let own: Vec<&Json> = state.iter().filter(|event| event["state_key"] == ALICE).collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["content"]["membership"], "leave");
}

#[test]
fn who_was_put_out_sees_it_in_an_initial_sync() {
    for membership in ["leave", "ban"] {
        let (user, caller, mut room) = start("r");
        room.join(&user);
        room.member(BOB, ALICE, membership);
        room.deliver(&user);
        let body = user.sync(&caller, None);
        let left = &body["rooms"]["leave"][room.id()];
        assert!(
            left["timeline"]["events"]
                .as_array()
                .unwrap()
                .iter()
                .any(|event| { event["state_key"] == ALICE && event["content"]["membership"] == membership })
        );
        assert!(body["rooms"].get("join").is_none());
    }
}

#[test]
fn leaving_and_joining_again_is_no_leave() {
    let (user, caller, mut room) = start("r");
    let before = user.sync(&caller, None);
    room.join(&user);
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    room.text(BOB, "meanwhile");
    room.join(&user);
    let body = user.sync(&caller, Some(next(&before)));
    assert!(body["rooms"].get("leave").is_none());
    let entry = &body["rooms"]["join"][room.id()];
    assert_eq!(bodies(&entry["timeline"]["events"]), ["meanwhile"]);
    assert_eq!(entry["timeline"]["limited"], true);
    assert_eq!(entry["summary"]["m.joined_member_count"], 2);
}

#[test]
fn a_rejoin_after_many_events_has_no_gap_inside_its_timeline() {
    let (user, caller, mut room) = start("r");
    room.join(&user);
    for number in 0..70 {
        room.text(BOB, &format!("first {number}"));
    }
    room.deliver(&user);
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    for number in 0..70 {
        room.text(BOB, &format!("away {number}"));
    }
    room.join(&user);
    let filter = json!({"room": {"timeline": {"limit": 50}}});
    let body = user.sync_with(&caller, None, filter);
    let entry = &body["rooms"]["join"][room.id()];
    let found = bodies(&entry["timeline"]["events"]);
    let expected: Vec<String> = (21..70).map(|number| format!("away {number}")).collect();
    assert_eq!(found, expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_token_of_another_user_reads_as_incremental_from_the_beginning() {
    let (user, caller, mut room) = start("r");
    room.member(BOB, ALICE, "invite");
    room.deliver(&user);
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    let body = user.sync(&caller, Some("s12345_99"));
    assert!(body["rooms"]["leave"][room.id()].is_object());
    room.join(&user);
    let body = user.sync(&caller, Some("s12345_99"));
    assert!(body["rooms"].get("leave").is_none());
    assert!(body["rooms"]["join"][room.id()].is_object());
}

#[test]
fn a_malformed_token_or_unknown_filter_is_refused() {
    let (user, caller, _) = start("r");
    for since in ["", "s", "s1", "s1_", "s1_x", "t1_2_3", "s1_2_3", "s-_1"] {
        let refused = user.try_sync(&caller, Some(since), None);
        assert_eq!(refusal(refused), (400, "M_INVALID_PARAM".to_owned()), "{since}");
    }
    let refused = user.try_sync(&caller, None, Some("unknown"));
    assert_eq!(refusal(refused), (400, "M_INVALID_PARAM".to_owned()));
    let refused = user.try_sync(&caller, None, Some("{\"room\":1}"));
    assert_eq!(refusal(refused), (400, "M_BAD_JSON".to_owned()));
}

#[test]
fn a_forgotten_room_is_only_told_to_devices_that_do_not_know_of_the_leave() {
    let (user, caller, mut room) = start("r");
    room.join(&user);
    let forget = || user.ask::<()>(UserCommand::ForgetRoom { room_id: room_id() });
    assert_eq!(refusal(forget()), (400, "M_UNKNOWN".to_owned()));
    let before = user.sync(&caller, None);
    room.member(ALICE, ALICE, "leave");
    room.deliver(&user);
    forget().unwrap();
    let initial = user.sync_with(&caller, None, include_leave());
    assert!(initial.get("rooms").is_none());
    let incremental = user.sync_with(&caller, Some(next(&before)), include_leave());
    assert!(incremental["rooms"]["leave"][room.id()].is_object());
    // An invite brings it back.
    room.member(BOB, ALICE, "invite");
    room.deliver(&user);
    assert!(user.sync(&caller, None)["rooms"]["invite"][room.id()].is_object());
}

fn room_id() -> ruma::OwnedRoomId {
    "!r:hub".try_into().unwrap()
}

#[test]
fn joined_rooms_are_those_that_were_not_left() {
    let (user, caller, mut room) = start("a");
    room.join(&user);
    let mut other = TestRoom::new("b");
    other.join(&user);
    other.member(ALICE, ALICE, "leave");
    other.deliver(&user);
    let rooms: Vec<String> = user.ask(UserCommand::JoinedRooms { caller }).unwrap();
    assert_eq!(rooms, [room.id()]);
}
