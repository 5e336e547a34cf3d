//! The saga that makes a room.

use std::{cell::Cell, rc::Rc};

use hubbub_core::{
    context::CallError,
    contract::{
        delivery::{Cursor, RoomDelivery, RoomFacts},
        room::{Actor, CreateRoom, Profile},
        user::{Caller, CreateRoomSaga, UserCommand},
    },
    error::{MatrixError, Result},
};
use ruma::OwnedUserId;
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, raw, send},
    support::{ALICE, BOB, User, refusal},
};

fn intent(alias: Option<&str>) -> CreateRoomSaga {
    CreateRoomSaga {
        room: CreateRoom {
            room_id: "!new:hub".try_into().unwrap(),
            room_version: "12".to_owned(),
            create_event: raw(&json!({})),
            creator: Actor {
                user_id: OwnedUserId::try_from(ALICE).unwrap(),
                device: "A".to_owned(),
                ignored: Vec::new(),
            },
            profile: Profile::default(),
            events: Vec::new(),
            listed: false,
            canonical_alias: None,
        },
        alias: alias.map(str::to_owned),
        invites: [BOB, "@carol:hub"].map(|user| (OwnedUserId::try_from(user).unwrap(), Profile::default())).to_vec(),
        is_direct: true,
    }
}

fn create(user: &User, caller: &Caller, alias: Option<&str>) -> Result<()> {
    user.ask(UserCommand::CreateRoom { caller: caller.clone(), intent: Box::new(intent(alias)) })
}

/// What a RoomObject delivers to the creator before it answers.
fn first_delivery() -> RoomDelivery {
    let mut room = TestRoom::nothing("new");
    room.state(ALICE, "m.room.create", "", json!({}));
    room.member(ALICE, ALICE, "join");
    let delivery = room.next(10);
    assert_eq!(delivery.previous, Cursor::default());
    RoomDelivery { room: RoomFacts { joined: 1, ..delivery.room.clone() }, ..delivery }
}

/// Answers as a RoomObject whose delivery came first.
fn answer(command: &Json) -> Json {
    if command.get("Create").is_some() {
        json!({"epoch": 7, "position": 2})
    } else {
        json!({"event_id": "$invite", "position": 3})
    }
}

fn commands(user: &User) -> Vec<String> {
    let calls = user.world.objects.calls.borrow();
    calls
        .iter()
        .map(|(address, command)| {
            assert_eq!(address.name, "!new:hub");
            match &command["ChangeMembership"] {
                Json::Null => "Create".to_owned(),
                change => {
                    assert_eq!(change["extra"], json!({"is_direct": true}));
                    change["target"].as_str().unwrap().to_owned()
                }
            }
        })
        .collect()
}

#[test]
fn a_room_is_made_its_alias_taken_and_its_guests_invited() {
    let (user, caller) = User::with_device("A");
    send(&user, first_delivery()).unwrap();
    *user.world.objects.answer.borrow_mut() = Box::new(|_, command| Ok(Ok(answer(command))));
    create(&user, &caller, Some("#new:hub")).unwrap();
    assert_eq!(commands(&user), ["Create", BOB, "@carol:hub"]);
    let rows = user.world.d1("SELECT alias, room_id, creator FROM aliases");
    assert_eq!(rows[0].text(1).unwrap(), "!new:hub");
    assert_eq!(rows[0].text(2).unwrap(), ALICE);
    assert_eq!(user.work(), None);
    assert_eq!(commands(&user).len(), 3, "nothing is left to do");
}

#[test]
fn a_crash_at_any_step_is_resumed_by_the_alarm_without_repeating_what_is_done() {
    for broken_at in 0..3 {
        let (mut user, caller) = User::with_device("A");
        send(&user, first_delivery()).unwrap();
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        *user.world.objects.answer.borrow_mut() = Box::new(move |_, command| {
            let number = counted.replace(counted.get() + 1);
            if number == broken_at { Err(CallError("the process died".to_owned())) } else { Ok(Ok(answer(command))) }
        });
        assert_eq!(refusal(create(&user, &caller, Some("#new:hub"))).0, 500);
        assert!(user.database.take_alarm().is_some());
        user.reopen();
        assert_eq!(user.work(), None);
        let mut expected = vec!["Create", BOB, "@carol:hub"];
        expected.insert(broken_at, expected[broken_at]);
        assert_eq!(commands(&user), expected);
    }
}

#[test]
fn repeating_the_request_goes_on_with_the_same_room() {
    let (user, caller) = User::with_device("A");
    *user.world.objects.answer.borrow_mut() = Box::new(|_, command| Ok(Ok(answer(command))));
    // The room answered, but its delivery is late.
    assert_eq!(refusal(create(&user, &caller, None)).0, 500);
    send(&user, first_delivery()).unwrap();
    create(&user, &caller, None).unwrap();
    assert_eq!(commands(&user), ["Create", "Create", BOB, "@carol:hub"]);
}

#[test]
fn a_taken_alias_refuses_and_makes_no_room() {
    let (user, caller) = User::with_device("A");
    user.world.d1(
        "INSERT INTO aliases (alias, room_id, creator, created_at) VALUES ('#new:hub', '!other:hub', '@bob:hub', 1)",
    );
    let refused = create(&user, &caller, Some("#new:hub"));
    assert_eq!(refusal(refused), (400, "M_ROOM_IN_USE".to_owned()));
    assert!(commands(&user).is_empty());
    assert_eq!(user.work(), None);
    assert_eq!(user.world.d1("SELECT room_id FROM aliases")[0].text(0).unwrap(), "!other:hub");
}

#[test]
fn a_refused_room_frees_its_alias() {
    let (user, caller) = User::with_device("A");
    *user.world.objects.answer.borrow_mut() = Box::new(|_, _| Ok(Err(MatrixError::bad_json("This cannot be a room."))));
    let refused = create(&user, &caller, Some("#new:hub"));
    assert_eq!(refusal(refused), (400, "M_BAD_JSON".to_owned()));
    assert!(user.world.d1("SELECT alias FROM aliases").is_empty());
    assert_eq!(user.work(), None);
    assert_eq!(commands(&user).len(), 1);
}

#[test]
fn a_refused_invite_does_not_undo_the_room() {
    let (user, caller) = User::with_device("A");
    send(&user, first_delivery()).unwrap();
    *user.world.objects.answer.borrow_mut() = Box::new(|_, command| {
        if command["ChangeMembership"]["target"] == BOB {
            return Ok(Err(MatrixError::forbidden("Not him.")));
        }
        Ok(Ok(answer(command)))
    });
    create(&user, &caller, None).unwrap();
    assert_eq!(commands(&user), ["Create", BOB, "@carol:hub"]);
}

#[test]
fn only_a_session_or_an_appservice_of_the_user_makes_rooms() {
    let (user, _) = User::with_device("A");
    let stranger = Caller::Session(hubbub_core::contract::user::SessionProof { secret: "x".repeat(24), address: None });
    assert_eq!(refusal(create(&user, &stranger, None)), (401, "M_UNKNOWN_TOKEN".to_owned()));
}
