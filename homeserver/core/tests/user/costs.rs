//! What the inbox costs: few rows written, and reading that does not grow with what is stored.

use hubbub_storage::database::Database as _;
use serde_json::json;

use crate::{
    room::TestRoom,
    support::{BOB, User, next},
};

/// Rows written since the start, index entries not counted.
fn written(user: &User) -> i64 {
    let rows = user.database.as_query().query("SELECT total_changes()", &[]).unwrap();
    rows[0].integer(0).unwrap()
}

#[test]
fn a_message_writes_its_row_the_room_the_inbox_and_an_eviction() {
    let (user, _) = User::with_device("A");
    let mut room = TestRoom::new("r");
    room.join(&user);
    for number in 0..60 {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    let before = written(&user);
    room.text(BOB, "alone");
    room.deliver(&user);
    assert_eq!(written(&user) - before, 4);
    let before = written(&user);
    for number in 0..20 {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    assert_eq!(written(&user) - before, 20 + 20 + 2, "a batch shares the room and the inbox");
    let before = written(&user);
    let newest = room.events.last().unwrap().event_id.clone();
    room.receipt(BOB, &newest, None);
    room.deliver(&user);
    assert_eq!(written(&user) - before, 3);
}

/// Statements of a delivery, of the sync that shows it, and of an idle sync.
fn statements(rooms: usize, events: usize) -> [u64; 3] {
    let (user, caller) = User::with_device("A");
    let mut all: Vec<TestRoom> = (0..rooms).map(|number| TestRoom::new(&format!("r{number}"))).collect();
    for room in &mut all {
        room.join(&user);
    }
    let room = &mut all[0];
    for number in 0..events {
        room.text(BOB, &number.to_string());
    }
    room.deliver(&user);
    let body = user.sync_with(&caller, None, json!({"room": {"rooms": []}}));
    let count = || user.database.counts().statements;
    let start = count();
    room.text(BOB, "news");
    room.deliver(&user);
    let delivered = count();
    let body = user.sync(&caller, Some(next(&body)));
    let synced = count();
    user.sync(&caller, Some(next(&body)));
    [delivered - start, synced - delivered, count() - synced]
}

#[test]
fn costs_depend_neither_on_the_rooms_nor_on_the_events_before() {
    let few = statements(10, 100);
    assert_eq!(few, statements(300, 100));
    assert_eq!(few, statements(10, 5_000));
    let [delivery, sync, idle] = few;
    assert!(delivery <= 12 && sync <= 15 && idle <= 7, "{few:?}");
}
