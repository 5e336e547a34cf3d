//! The profile, here, in D1 and in the rooms.

use std::{cell::Cell, rc::Rc};

use hubbub_core::{
    context::CallError,
    contract::{
        room::Profile,
        user::{Caller, UserCommand},
    },
    error::{MatrixError, Result},
};
use serde_json::Value as Json;

use crate::{
    room::TestRoom,
    support::{User, refusal},
};

fn set_name(user: &User, caller: &Caller, name: Option<&str>) -> Result<()> {
    user.ask(UserCommand::SetProfile {
        caller: caller.clone(),
        displayname: Some(name.map(str::to_owned)),
        avatar_url: None,
    })
}

#[test]
fn a_new_name_is_in_d1_and_told_to_the_joined_rooms() {
    let (user, caller) = User::with_device("A");
    let mut joined = TestRoom::new("joined");
    joined.join(&user);
    let mut left = TestRoom::new("left");
    left.join(&user);
    left.member(crate::support::ALICE, crate::support::ALICE, "leave");
    left.deliver(&user);
    set_name(&user, &caller, Some("Alice")).unwrap();
    let profile: Profile = user.ask(UserCommand::GetProfile).unwrap();
    assert_eq!(profile.displayname.as_deref(), Some("Alice"));
    let rows = user.world.d1("SELECT displayname, revision FROM profiles");
    assert_eq!(rows[0].text(0).unwrap(), "Alice");
    {
        let calls = user.world.objects.calls.borrow();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].0.name, joined.id());
        assert_eq!(calls[0].1["UpdateProfile"]["profile"]["displayname"], "Alice");
    }
    // The same again changes nothing.
    set_name(&user, &caller, Some("Alice")).unwrap();
    assert_eq!(user.world.objects.calls.borrow().len(), 1);
    set_name(&user, &caller, None).unwrap();
    let profile: Profile = user.ask(UserCommand::GetProfile).unwrap();
    assert_eq!(profile, Profile::default());
}

#[test]
fn a_room_out_of_reach_is_told_by_the_alarm() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    let up = Rc::new(Cell::new(false));
    let reachable = up.clone();
    *user.world.objects.answer.borrow_mut() =
        Box::new(move |_, _| if reachable.get() { Ok(Ok(Json::Null)) } else { Err(CallError("gone".to_owned())) });
    set_name(&user, &caller, Some("Alice")).unwrap();
    assert!(user.database.alarm().is_some());
    assert!(user.work().is_some());
    user.world.clock.0.set(user.world.clock.0.get() + 120_000);
    assert!(user.work().is_some());
    assert_eq!(user.world.d1("SELECT class, name FROM stuck").len(), 1);
    up.set(true);
    assert_eq!(user.work(), None);
    let calls = user.world.objects.calls.borrow().len();
    assert_eq!(user.work(), None);
    assert_eq!(user.world.objects.calls.borrow().len(), calls, "told once");
}

#[test]
fn a_room_that_refuses_is_not_asked_again() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    *user.world.objects.answer.borrow_mut() = Box::new(|_, _| Ok(Err(MatrixError::forbidden("You may not."))));
    set_name(&user, &caller, Some("Alice")).unwrap();
    assert_eq!(user.work(), None);
    assert_eq!(user.world.objects.calls.borrow().len(), 1);
}

#[test]
fn a_profile_without_a_session_or_of_impossible_size_is_refused() {
    let (user, caller) = User::with_device("A");
    assert_eq!(refusal(set_name(&user, &caller, Some(&"x".repeat(2_000)))).0, 400);
    let stranger = Caller::Session(hubbub_core::contract::user::SessionProof { secret: "x".repeat(24), address: None });
    assert_eq!(refusal(set_name(&user, &stranger, None)), (401, "M_UNKNOWN_TOKEN".to_owned()));
    assert_eq!(user.world.objects.calls.borrow().len(), 0);
}
