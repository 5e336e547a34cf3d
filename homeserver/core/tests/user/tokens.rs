//! A `/sync` token of any age is an exact place in each room.

use hubbub_core::{
    contract::user::{Caller, UserCommand},
    error::Result,
    room_token::RoomToken,
};

use crate::{
    room::TestRoom,
    support::{BOB, User, next, refusal},
};

fn resolve(user: &User, caller: &Caller, room: &TestRoom, token: &str) -> Result<RoomToken> {
    let token: String = user.ask(UserCommand::ResolveToken {
        caller: caller.clone(),
        room_id: room.room_id.clone(),
        token: token.to_owned(),
    })?;
    token.parse()
}

#[test]
fn every_token_stands_exactly_between_what_was_told_and_what_was_not() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    let mut other = TestRoom::new("o");
    other.join(&user);
    let mut places = Vec::new();
    for number in 0..300 {
        let body = user.sync(&caller, None);
        places.push((next(&body).to_owned(), room.events.last().unwrap().order_key));
        for _ in 0..=number % 3 {
            room.text(BOB, "x");
        }
        if number % 4 == 0 {
            other.text(BOB, "y");
            other.deliver(&user);
        }
        room.deliver(&user);
    }
    for (token, last_told) in &places {
        let place = resolve(&user, &caller, &room, token).unwrap();
        assert_eq!(place.order_key, last_told + 1, "{token}");
        assert_eq!(place.epoch, room.epoch);
    }
    let statements = user.database.counts().statements;
    resolve(&user, &caller, &room, &places[3].0).unwrap();
    assert!(user.database.counts().statements - statements < 70, "found by halving");
}

#[test]
fn the_newest_token_stands_after_everything() {
    let (user, caller) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    let token = next(&user.sync(&caller, None)).to_owned();
    let place = resolve(&user, &caller, &room, &token).unwrap();
    assert_eq!(place.order_key, room.events.last().unwrap().order_key + 1);
    assert_eq!(place.position, room.position);
}

#[test]
fn a_room_token_stays_what_it_is_and_nonsense_is_refused() {
    let (user, caller) = User::with_device("A");
    let room = TestRoom::new("r");
    let token = RoomToken { epoch: 3, order_key: 2, position: 1 };
    assert_eq!(resolve(&user, &caller, &room, &token.to_string()).unwrap(), token);
    for nonsense in ["", "x", "t1", "s1", "17"] {
        let refused = resolve(&user, &caller, &room, nonsense);
        assert_eq!(refusal(refused), (400, "M_INVALID_PARAM".to_owned()), "{nonsense}");
    }
}

#[test]
fn in_a_room_that_the_inbox_does_not_know_a_token_stands_at_the_end() {
    let (user, caller) = User::with_device("A");
    let room = TestRoom::new("r");
    let token = next(&user.sync(&caller, None)).to_owned();
    let place = resolve(&user, &caller, &room, &token).unwrap();
    assert!(place.order_key > 1 << 50);
}
