//! A room rebuilt from the archive is the room that was.

use hubbub_core::contract::room::{
    ExportPage, ExportedEvent, MembershipAction, Messages, MessagesAnswer, Rebuilt, RoomCommand, SendEvent, Sent,
};
use hubbub_storage::database::Query as _;
use serde_json::json;

use crate::support::{TestRoom, actor, send, user};

fn busy_room() -> TestRoom {
    let room = TestRoom::new();
    room.member("bob", MembershipAction::Join, "bob").unwrap();
    for number in 0..120 {
        room.text("bob", &number.to_string()).unwrap();
    }
    let spam = room.text("bob", "spam").unwrap();
    room.ask::<Sent>(RoomCommand::Send(Box::new(SendEvent {
        redacts: Some(spam.event_id),
        ..send("alice", "m.room.redaction", None, json!({}))
    })))
    .unwrap();
    room.set_state("alice", "m.room.topic", json!({"topic": "t"})).unwrap();
    room.member("alice", MembershipAction::Invite, "carol").unwrap();
    room.ask::<()>(RoomCommand::SetReceipt {
        user_id: user("alice"),
        receipt_type: "m.read".to_owned(),
        thread_id: None,
        event_id: transaction(&room).event_id,
    })
    .unwrap();
    room.work();
    room
}

fn transaction(room: &TestRoom) -> Sent {
    room.ask(RoomCommand::Send(Box::new(SendEvent {
        transaction_id: Some("t1".to_owned()),
        ..send("bob", "m.room.message", None, json!({"body": "x"}))
    })))
    .unwrap()
}

fn export(room: &TestRoom) -> ExportPage {
    room.ask(RoomCommand::Export { after: 0, limit: 500 }).unwrap()
}

fn oldest_page(room: &TestRoom, from: Option<String>) -> MessagesAnswer {
    room.ask(RoomCommand::Messages(Box::new(Messages {
        reader: actor("alice"),
        from,
        to: None,
        backwards: true,
        limit: 20,
        filter: None,
    })))
    .unwrap()
}

#[test]
fn events_state_paging_and_transaction_ids_are_the_same_after_a_rebuild() {
    let room = busy_room();
    let before = export(&room);
    let first_page = oldest_page(&room, None);
    let second_page = oldest_page(&room, first_page.end.clone());
    let sent = transaction(&room);

    let rebuilt: Rebuilt = room.ask(RoomCommand::Rebuild).unwrap();

    assert_eq!(rebuilt.epoch, 2);
    assert_eq!(export(&room).events, before.events);
    assert_eq!(transaction(&room), sent);
    let raw = |page: MessagesAnswer| -> Vec<String> { page.chunk.iter().map(|event| event.get().to_owned()).collect() };
    assert_eq!(raw(oldest_page(&room, first_page.end)), raw(second_page));
}

#[test]
fn followers_go_on_without_a_gap_after_a_rebuild() {
    let room = busy_room();
    room.ask::<Rebuilt>(RoomCommand::Rebuild).unwrap();
    room.inboxes.deliveries.borrow_mut().clear();
    room.text("alice", "after").unwrap();
    room.work();
    for member in ["alice", "bob"] {
        let deliveries = room.inboxes.deliveries.borrow();
        let first = &deliveries[user(member).as_str()][0];
        let snapshot = first.snapshot.as_ref().unwrap();
        assert_eq!(first.epoch, 2);
        assert_eq!(snapshot.history.len(), 50);
        assert!(snapshot.receipts.iter().any(|receipt| receipt.user_id == user("alice")));
        let all: String = snapshot
            .history
            .iter()
            .chain(deliveries[user(member).as_str()].iter().flat_map(|one| &one.events))
            .map(|event| event.event.get())
            .collect();
        assert!(all.contains("after"));
    }
}

#[test]
fn a_lost_object_is_rebuilt_from_nothing() {
    use hubbub_core::object::Object as _;
    let room = busy_room();
    let before = export(&room);
    let page = oldest_page(&room, None);
    let first: serde_json::Value = serde_json::from_str(page.chunk[0].get()).unwrap();
    let room_id = first["room_id"].as_str().unwrap();
    let database = std::rc::Rc::new(hubbub_storage::native::NativeDatabase::in_memory().unwrap());
    let object = hubbub_core::room::RoomObject::open(room_id, database.clone(), room.context.clone()).unwrap();
    let lost = TestRoom { object, database, ..room };
    lost.ask::<Rebuilt>(RoomCommand::Rebuild).unwrap();
    assert_eq!(export(&lost).events, before.events);
}

#[test]
fn a_long_room_is_rebuilt_a_page_at_a_time() {
    let room = TestRoom::new();
    for number in 0..1_100 {
        room.text("alice", &number.to_string()).unwrap();
    }
    room.work();
    let all = || {
        let mut events: Vec<ExportedEvent> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.order_key);
            let page: ExportPage = room.ask(RoomCommand::Export { after, limit: 500 }).unwrap();
            events.extend(page.events);
            if !page.more {
                return events;
            }
        }
    };
    let before = all();
    let rebuilt: Rebuilt = room.ask(RoomCommand::Rebuild).unwrap();
    assert!(rebuilt.events > 1_100);
    assert_eq!(all(), before);
    let staged = room.database.query("SELECT 1 FROM sqlite_master WHERE name = 'staged'", &[]).unwrap();
    assert!(staged.is_empty(), "the stage is left");
}

#[test]
fn a_room_that_the_archive_lacks_cannot_be_rebuilt_and_keeps_what_it_has() {
    let room = busy_room();
    room.text("alice", "not archived").unwrap();
    room.directory.refuse.set(true);
    assert!(room.ask::<Rebuilt>(RoomCommand::Rebuild).is_err());
    let all = serde_json::to_string(&export(&room)).unwrap();
    assert!(all.contains("not archived"));
}
