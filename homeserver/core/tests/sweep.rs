//! What Cron pokes.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

#[expect(dead_code, reason = "the tests of the UserSyncObject use the rest")]
#[path = "user/support.rs"]
mod support;

use futures_util::FutureExt as _;
use hubbub_core::{
    context::CallError,
    contract::{Address, Class},
    sweep::{self, Swept},
};
use hubbub_storage::directory::{Directory as _, Statement, owner_links, stuck};
use serde_json::Value as Json;
use support::World;

fn insert_rooms(world: &World, count: usize) {
    let rows = (0..count).map(|number| {
        Statement::new(
            "INSERT INTO rooms (room_id, version, creator, epoch, listed, joined_members, position) VALUES (?, '12', '@alice:hub', 1, 0, 0, 1)",
            vec![format!("!room{number:03}").into()],
        )
    });
    world.directory.batch(rows.collect()).now_or_never().unwrap().unwrap();
}

fn poke(world: &World) -> Swept {
    sweep::poke(&world.context).now_or_never().unwrap().unwrap()
}

fn poked(world: &World) -> Vec<Address> {
    let calls = world.objects.calls.take();
    assert!(calls.iter().all(|(_, command)| command == "Poke"));
    calls.into_iter().map(|(address, _)| address).collect()
}

fn room(number: usize) -> Address {
    Address::new(Class::Room, format!("!room{number:03}"))
}

#[test]
fn a_stuck_object_of_any_class_is_poked() {
    let world = World::new(1);
    let classes =
        [Class::Room, Class::User, Class::UserKeys, Class::Appservice, Class::Login, Class::Portal, Class::Gateway];
    for class in classes {
        let class = format!("{class:?}");
        let mark = stuck::mark(world.directory.as_ref(), &class, "name", 1);
        mark.now_or_never().unwrap().unwrap();
    }

    let swept = poke(&world);

    assert_eq!(swept, Swept { stuck: 7, in_turn: 0, silent: 0 });
    assert_eq!(poked(&world).len(), 7);
}

#[test]
fn all_objects_have_their_turn_and_then_it_starts_over() {
    let world = World::new(1);
    insert_rooms(&world, 12);

    let turns: Vec<_> = (0..4)
        .map(|_| {
            poke(&world);
            poked(&world)
        })
        .collect();

    let rooms = |range: std::ops::Range<usize>| range.map(room).collect::<Vec<_>>();
    assert_eq!(turns, [rooms(0..5), rooms(5..10), rooms(10..12), rooms(0..5)]);
}

#[test]
fn an_object_that_does_not_answer_stops_no_other() {
    let world = World::new(1);
    insert_rooms(&world, 3);
    *world.objects.answer.borrow_mut() =
        Box::new(|address, _| if *address == room(1) { Err(CallError("gone".to_owned())) } else { Ok(Ok(Json::Null)) });

    let swept = poke(&world);

    assert_eq!(swept, Swept { stuck: 0, in_turn: 3, silent: 1 });
    assert_eq!(poked(&world), [room(0), room(1), room(2)]);
}

#[test]
fn the_daily_sweep_forgets_links_that_expired() {
    let world = World::new(1);
    let put = owner_links::put(world.directory.as_ref(), "hash", 1_000_000);
    put.now_or_never().unwrap().unwrap();

    sweep::tidy(&world.context).now_or_never().unwrap().unwrap();

    assert!(world.d1("SELECT token_hash FROM owner_links").is_empty());
}

#[test]
fn the_daily_sweep_pokes_what_does_not_agree() {
    let world = World::new(1);
    insert_rooms(&world, 2);
    world
        .directory
        .batch(vec![
            Statement::new(
                "INSERT INTO memberships (user_id, room_id, membership, event_id, position) VALUES ('@a:hub', '!room001', 'join', '$e', 1)",
                vec![],
            ),
            Statement::new("INSERT INTO aliases (alias, room_id, creator, created_at) VALUES ('#a:hub', '!lost', '@a:hub', 1)", vec![]),
            Statement::new("INSERT INTO accounts (user_id, owner, created_at) VALUES ('@a:hub', 0, 1)", vec![]),
        ])
        .now_or_never()
        .unwrap()
        .unwrap();

    let found = sweep::tidy(&world.context).now_or_never().unwrap().unwrap();

    assert_eq!(found.len(), 3);
    assert_eq!(poked(&world), [Address::new(Class::Room, "!lost"), room(1), Address::new(Class::User, "@a:hub")]);
}
