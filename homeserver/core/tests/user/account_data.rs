//! Account data, filters and read markers.

use hubbub_core::{
    contract::user::{Caller, SessionProof, UserCommand},
    error::Result,
};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, raw},
    support::{User, next, refusal, types},
};

fn put(user: &User, caller: &Caller, room: Option<&TestRoom>, event_type: &str, content: &Json) -> Result<()> {
    user.ask(UserCommand::PutAccountData {
        caller: caller.clone(),
        room_id: room.map(|room| room.room_id.clone()),
        event_type: event_type.to_owned(),
        content: raw(content),
    })
}

fn get(user: &User, caller: &Caller, room: Option<&TestRoom>, event_type: &str) -> Result<Json> {
    user.ask(UserCommand::GetAccountData {
        caller: caller.clone(),
        room_id: room.map(|room| room.room_id.clone()),
        event_type: event_type.to_owned(),
    })
}

#[test]
fn account_data_is_read_back_replaced_and_synced() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    for room in [None, Some(&room)] {
        assert_eq!(refusal(get(&user, &caller, room, "test.key")), (404, "M_NOT_FOUND".to_owned()));
        let before = user.sync(&caller, None);
        for value in ["first", "second"] {
            put(&user, &caller, room, "test.key", &json!({"value": value})).unwrap();
            assert_eq!(get(&user, &caller, room, "test.key").unwrap(), json!({"value": value}));
        }
        for since in [None, Some(next(&before))] {
            let body = user.sync(&caller, since);
            let events = match room {
                None => &body["account_data"]["events"],
                Some(room) => &body["rooms"]["join"][room.id()]["account_data"]["events"],
            };
            let expected = json!({"type": "test.key", "content": {"value": "second"}});
            let found = events.as_array().unwrap().iter().filter(|event| event["type"] == "test.key");
            assert_eq!(found.collect::<Vec<_>>(), [&expected]);
        }
    }
    let filter = json!({"account_data": {"not_types": ["test.*", "m.push_rules"]}});
    let body = user.sync_with(&caller, None, filter);
    assert_eq!(body["account_data"]["events"], json!([]));
}

#[test]
fn types_that_the_server_keeps_cannot_be_set() {
    let (user, caller) = User::with_device("A");
    let room = TestRoom::new("r");
    for event_type in ["m.push_rules", "m.fully_read"] {
        for room in [None, Some(&room)] {
            let refused = put(&user, &caller, room, event_type, &json!({}));
            assert_eq!(refusal(refused), (405, "M_BAD_JSON".to_owned()));
        }
    }
    assert!(get(&user, &caller, None, "m.push_rules").unwrap()["global"]["content"].is_array());
}

#[test]
fn impossible_account_data_is_refused() {
    let (user, caller) = User::with_device("A");
    let refused = put(&user, &caller, None, "t", &json!([]));
    assert_eq!(refusal(refused), (400, "M_BAD_JSON".to_owned()));
    let refused = put(&user, &caller, None, "t", &json!({"x": "y".repeat(300_000)}));
    assert_eq!(refusal(refused), (413, "M_TOO_LARGE".to_owned()));
    let refused = put(&user, &caller, None, &"t".repeat(300), &json!({}));
    assert_eq!(refusal(refused), (400, "M_INVALID_PARAM".to_owned()));
    for number in 0..1_000 {
        // At the pace that the limit of writes allows.
        user.world.clock.0.set(user.world.clock.0.get() + 100);
        put(&user, &caller, None, &number.to_string(), &json!({})).unwrap();
    }
    let refused = put(&user, &caller, None, "one more", &json!({}));
    assert_eq!(refusal(refused), (413, "M_TOO_LARGE".to_owned()));
    put(&user, &caller, None, "7", &json!({"replaced": true})).unwrap();
    let stranger = Caller::Session(SessionProof { secret: "x".repeat(24), address: None });
    assert_eq!(refusal(get(&user, &stranger, None, "7")), (401, "M_UNKNOWN_TOKEN".to_owned()));
}

#[test]
fn the_read_marker_is_account_data_of_the_room() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    let before = user.sync(&caller, None);
    let set = |event_id: &str| {
        user.ask::<()>(UserCommand::SetFullyRead {
            room_id: OwnedRoomId::try_from("!r:hub").unwrap(),
            event_id: OwnedEventId::try_from(event_id).unwrap(),
        })
    };
    set("$one").unwrap();
    let body = user.sync(&caller, Some(next(&before)));
    let events = &body["rooms"]["join"][room.id()]["account_data"]["events"];
    assert_eq!(*events, json!([{"type": "m.fully_read", "content": {"event_id": "$one"}}]));
    let revision = user.object.revision().unwrap();
    set("$one").unwrap();
    assert_eq!(user.object.revision().unwrap(), revision);
}

#[test]
fn a_filter_is_stored_under_an_id_and_used_by_it() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    let put = |filter: &Json| -> Result<String> {
        user.ask(UserCommand::PutFilter { caller: caller.clone(), filter: raw(filter) })
    };
    let get = |filter_id: &str| -> Result<Json> {
        user.ask(UserCommand::GetFilter { caller: caller.clone(), filter_id: filter_id.to_owned() })
    };
    let filter = json!({"room": {"timeline": {"limit": 1}}});
    let filter_id = put(&filter).unwrap();
    assert_eq!(put(&filter).unwrap(), filter_id);
    assert_eq!(get(&filter_id).unwrap(), filter);
    let body = user.try_sync(&caller, None, Some(&filter_id)).unwrap();
    let timeline = &body["rooms"]["join"][room.id()]["timeline"]["events"];
    assert_eq!(types(timeline), ["m.room.member"]);
    assert_eq!(refusal(get("unknown")), (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(refusal(put(&json!({"room": 1}))), (400, "M_BAD_JSON".to_owned()));
}
