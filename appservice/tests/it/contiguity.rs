//! Deliveries: nothing skipped, nothing twice, whatever is repeated, reordered or lost.

use std::collections::{BTreeMap, HashSet};

use hubbub_core::contract::delivery::{Cursor, DeliveryAnswer};
use hubbub_storage::schema;

use crate::support::{SeededRandom, World, bodies, deliver, delivery};

const ROOM: &str = "!a:hub.example";

fn refused(epoch: i64, position: i64) -> DeliveryAnswer {
    DeliveryAnswer::Refused(Cursor { epoch, position })
}

#[test]
fn a_delivery_that_continues_is_taken_and_one_that_was_taken_changes_nothing() {
    let world = World::with_irc();
    let object = world.open();

    assert_eq!(deliver(&object, delivery(ROOM, 5, (0, 0), 2)), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 5, (0, 0), 2)), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 2), 3)), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 1), 2)), DeliveryAnswer::Accepted);
    world.work_until_idle(&object, 5);

    let transactions = world.http.transactions();
    let all: Vec<_> = transactions.iter().flat_map(|(_, body)| bodies(body)).collect();
    assert_eq!(all, ["1", "2", "3"]);
}

#[test]
fn a_gap_is_refused_with_what_is_held() {
    let world = World::with_irc();
    let object = world.open();

    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 4), 6)), refused(0, 0));
    assert_eq!(deliver(&object, delivery(ROOM, 5, (0, 0), 4)), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 5), 6)), refused(5, 4));
    // Overlaps what is held and reaches beyond: taking it whole would repeat, so the room rewinds.
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 3), 6)), refused(5, 4));
}

#[test]
fn under_a_new_epoch_the_position_is_kept_and_no_snapshot_is_needed() {
    let world = World::with_irc();
    let object = world.open();
    deliver(&object, delivery(ROOM, 5, (0, 0), 4));

    assert_eq!(deliver(&object, delivery(ROOM, 6, (6, 9), 10)), refused(5, 4));
    assert_eq!(deliver(&object, delivery(ROOM, 6, (6, 4), 6)), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 6, (6, 6), 7)), DeliveryAnswer::Accepted);
    // Late deliveries of the room as it was before: neither continues the new one.
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 4), 5)), refused(6, 7));
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 7), 9)), refused(6, 7));
}

#[test]
fn a_probe_is_refused_with_what_is_held_under_every_epoch() {
    let world = World::with_irc();
    let object = world.open();
    let probe = |epoch| {
        let mut probe = delivery(ROOM, epoch, (-1, -1), 0);
        probe.events.clear();
        probe
    };
    assert_eq!(deliver(&object, probe(5)), refused(0, 0));
    deliver(&object, delivery(ROOM, 5, (0, 0), 4));
    assert_eq!(deliver(&object, probe(5)), refused(5, 4));
    assert_eq!(deliver(&object, probe(6)), refused(5, 4));
}

#[test]
fn a_delivery_without_events_moves_the_cursor_and_queues_nothing() {
    let world = World::with_irc();
    let object = world.open();
    let mut empty = delivery(ROOM, 5, (0, 0), 8);
    empty.events.clear();

    assert_eq!(deliver(&object, empty), DeliveryAnswer::Accepted);
    assert_eq!(deliver(&object, delivery(ROOM, 5, (5, 8), 9)), DeliveryAnswer::Accepted);
    world.work_until_idle(&object, 5);

    let transactions = world.http.transactions();
    assert_eq!(transactions.len(), 1);
    assert_eq!(bodies(&transactions[0].1), ["9"]);
}

#[test]
fn a_question_conjures_no_tables() {
    let world = World::new();
    let object = world.open();
    let _: hubbub_core::contract::appservice::QueueStatus =
        crate::support::command(&object, hubbub_core::contract::appservice::AppserviceCommand::Status).unwrap();
    world.work_until_idle(&object, 1);
    assert_eq!(schema::version(world.database.as_ref()).unwrap(), 0);
}

/// A room as it follows the protocol over a bad line.
struct Sender {
    room: String,
    epoch: i64,
    /// The newest position.
    newest: i64,
    /// What it believes the follower to hold.
    believed: (i64, i64),
    /// Deliveries that were sent before and may arrive again.
    old: Vec<hubbub_core::contract::delivery::RoomDelivery>,
}

#[test]
fn every_event_arrives_once_and_in_order_over_lost_repeated_and_reordered_deliveries() {
    for seed in 1..=60 {
        let random = SeededRandom::new(seed);
        let world = World::with_irc();
        let mut object = world.open();
        let mut senders: Vec<_> = (0..3)
            .map(|index| Sender {
                room: format!("!r{index}:hub.example"),
                epoch: 1,
                newest: 0,
                believed: (0, 0),
                old: Vec::new(),
            })
            .collect();
        for _ in 0..150 {
            let sender = &mut senders[usize::try_from(random.below(3)).unwrap()];
            match random.below(10) {
                0..=3 => sender.newest += i64::try_from(1 + random.below(3)).unwrap(),
                4 | 5 => send(&object, sender, &random),
                6 => {
                    // A delivery of the past arrives (again); its answer goes nowhere.
                    let count = u64::try_from(sender.old.len()).unwrap();
                    if count > 0 {
                        let again = usize::try_from(random.below(count)).unwrap();
                        deliver(&object, sender.old[again].clone());
                    }
                }
                7 => {
                    // The room is rebuilt: a new epoch, and it no longer knows its followers.
                    sender.epoch += 1;
                    sender.believed = (0, 0);
                    sender.old.clear();
                }
                8 => {
                    world.http.always.set((random.below(2) == 0).then_some(500));
                    crate::support::ready(futures_util::future::FutureExt::map(
                        hubbub_core::object::Object::work(&object),
                        |_| (),
                    ));
                    world.pass(i64::try_from(random.below(3_000)).unwrap());
                }
                _ => object = world.open(),
            }
        }
        world.http.always.set(None);
        for sender in &mut senders {
            while sender.believed != (sender.epoch, sender.newest) {
                send(&object, sender, &random);
            }
        }
        world.work_until_idle(&object, 50);

        // The appservice takes each transaction id once.
        let mut seen = HashSet::new();
        let mut received: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (id, body) in world.http.transactions() {
            if seen.insert(id) {
                for event in body["events"].as_array().unwrap() {
                    let room = event["room_id"].as_str().unwrap().to_owned();
                    let position = event["content"]["body"].as_str().unwrap().parse().unwrap();
                    received.entry(room).or_default().push(position);
                }
            }
        }
        for sender in &senders {
            let positions = received.remove(&sender.room).unwrap_or_default();
            assert_eq!(positions, (1..=sender.newest).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

fn send(object: &hubbub_appservice::object::AppserviceObject, sender: &mut Sender, random: &SeededRandom) {
    let batch = delivery(&sender.room, sender.epoch, sender.believed, sender.newest);
    sender.old.push(batch.clone());
    if random.below(5) == 0 {
        return; // Lost on the way.
    }
    let answer = deliver(object, batch);
    if random.below(5) == 0 {
        return; // The answer is lost.
    }
    sender.believed = match answer {
        DeliveryAnswer::Accepted => (sender.epoch, sender.newest),
        DeliveryAnswer::Refused(held) => (held.epoch, held.position),
    };
}
