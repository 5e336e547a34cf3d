//! Whatever the order of deliveries, repetitions and syncs: each device sees each event once.

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        delivery::{Cursor, DeliveryAnswer, RoomDelivery},
        user::{Caller, UserCommand},
    },
    room_token::RoomToken,
};
use ruma::OwnedEventId;
use serde_json::{Value as Json, json};

use crate::{
    room::{TestRoom, send},
    support::{ALICE, BOB, Seeded, User, next},
};

const SEEDS: u64 = 1_000;
const STEPS: usize = 60;

/// A client: it knows what it was told, and pages backwards where a timeline is limited.
struct Device {
    caller: Caller,
    since: Option<String>,
    limit: u64,
    /// The events of each room, in the order in which the client has them.
    known: BTreeMap<String, Vec<String>>,
    topics: BTreeMap<String, Json>,
    receipts: BTreeMap<String, Json>,
    typing: BTreeMap<String, Json>,
    account_data: BTreeMap<String, Json>,
    counts: BTreeMap<String, Json>,
}

impl Device {
    fn new(caller: Caller, limit: u64) -> Self {
        Self {
            caller,
            since: None,
            limit,
            known: BTreeMap::new(),
            topics: BTreeMap::new(),
            receipts: BTreeMap::new(),
            typing: BTreeMap::new(),
            account_data: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    fn sync(&mut self, user: &User, rooms: &[TestRoom]) {
        let filter = json!({"room": {"timeline": {"limit": self.limit}}});
        let body = user.sync_with(&self.caller, self.since.as_deref(), filter);
        for event in body["account_data"]["events"].as_array().into_iter().flatten() {
            let event_type = event["type"].as_str().unwrap().to_owned();
            self.account_data.insert(event_type, event["content"].clone());
        }
        for room in rooms {
            let entry = &body["rooms"]["join"][room.id()];
            if entry.is_object() {
                self.take(room, entry);
            }
        }
        self.since = Some(next(&body).to_owned());
    }

    fn take(&mut self, room: &TestRoom, entry: &Json) {
        let known = self.known.entry(room.id().to_owned()).or_default();
        let timeline = &entry["timeline"];
        let token: RoomToken = timeline["prev_batch"].as_str().unwrap().parse().unwrap();
        let told: Vec<String> = ids(&timeline["events"]);
        // What `/messages` would return, backwards from the token down to what is known.
        let older = room.events.iter().filter(|event| event.order_key < token.order_key);
        let older: Vec<String> = older.map(|event| event.event_id.to_string()).collect();
        if timeline["limited"] == true {
            let missing = older.get(known.len()..).unwrap_or_else(|| panic!("doubled in {entry}"));
            known.extend(missing.iter().cloned());
        } else {
            assert!(older.len() <= known.len() || known.is_empty(), "a gap that is not told: {entry}");
        }
        known.extend(told);
        let events = entry["state"]["events"].as_array().unwrap().iter();
        for event in events.chain(timeline["events"].as_array().unwrap()) {
            if event["type"] == "m.room.topic" {
                self.topics.insert(room.id().to_owned(), event["content"]["topic"].clone());
            }
        }
        for event in entry["ephemeral"]["events"].as_array().unwrap() {
            let latest = if event["type"] == "m.typing" { &mut self.typing } else { &mut self.receipts };
            latest.insert(room.id().to_owned(), event["content"].clone());
        }
        self.counts.insert(room.id().to_owned(), entry["unread_notifications"].clone());
    }
}

fn ids(events: &Json) -> Vec<String> {
    let events = events.as_array().unwrap();
    events.iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

struct Story {
    random: Seeded,
    user: User,
    rooms: Vec<TestRoom>,
    devices: Vec<Device>,
    /// Deliveries that were sent before, to be sent again.
    sent: Vec<RoomDelivery>,
    tokens: Vec<(String, Vec<i64>)>,
    data: u64,
}

impl Story {
    fn new(seed: u64) -> Self {
        let random = Seeded::new(seed);
        let user = User::seeded(ALICE, seed);
        let first = user.make("A");
        let second = user.another_device("B");
        let limit = |random: &Seeded| u64::try_from(random.below(12)).unwrap();
        let devices = vec![Device::new(first, limit(&random)), Device::new(second, limit(&random))];
        let mut rooms = vec![TestRoom::new("x"), TestRoom::new("y")];
        for room in &mut rooms {
            room.join(&user);
        }
        Self { random, user, rooms, devices, sent: Vec::new(), tokens: Vec::new(), data: 0 }
    }

    fn step(&mut self) {
        let at = self.random.below(self.rooms.len());
        match self.random.below(12) {
            0..=3 => self.happen(at),
            4..=6 => self.deliver(at),
            7 => self.repeat(),
            8 => self.leap(at),
            9 => {
                self.data += 1;
                self.put_account_data();
            }
            _ => {
                let device = self.random.below(self.devices.len());
                self.devices[device].sync(&self.user, &self.rooms);
                self.note_token(device);
            }
        }
    }

    fn happen(&mut self, at: usize) {
        let events = 1 + self.random.below(8);
        let kind = self.random.below(8);
        let room = &mut self.rooms[at];
        let newest: OwnedEventId = room.events.last().unwrap().event_id.clone();
        match kind {
            0 => {
                let topic = room.position.to_string();
                room.state(BOB, "m.room.topic", "", json!({"topic": topic}));
            }
            1 => room.receipt(BOB, &newest, None),
            2 => room.receipt(ALICE, &newest, None),
            3 => room.typing(if room.position % 2 == 0 { &[BOB] } else { &[] }),
            4 => {
                room.text(ALICE, "mine");
            }
            _ => {
                for _ in 0..events {
                    room.text(BOB, "hello");
                }
            }
        }
    }

    /// Delivers the next batch; at times the answer is lost.
    fn deliver(&mut self, at: usize) {
        let most = 1 + self.random.below(5);
        let lost = self.random.below(4) == 0;
        let room = &mut self.rooms[at];
        if room.sent.position == room.position {
            return;
        }
        let delivery = room.next(most);
        let answer = send(&self.user, delivery.clone()).unwrap();
        if answer == DeliveryAnswer::Accepted {
            self.sent.push(delivery.clone());
        }
        if !lost {
            room.answered(&delivery, answer);
        }
    }

    /// Sends an old delivery again: it changes nothing.
    fn repeat(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let delivery = self.sent[self.random.below(self.sent.len())].clone();
        let revision = self.user.object.revision().unwrap();
        assert_eq!(send(&self.user, delivery).unwrap(), DeliveryAnswer::Accepted);
        assert_eq!(self.user.object.revision().unwrap(), revision);
    }

    /// A delivery from ahead of what the inbox holds: refused, and the room goes back.
    fn leap(&mut self, at: usize) {
        let room = &mut self.rooms[at];
        if room.sent.position + 1 >= room.position {
            return;
        }
        let held = room.sent;
        room.sent = Cursor { position: held.position + 1, ..held };
        let delivery = room.next(3);
        match send(&self.user, delivery.clone()).unwrap() {
            DeliveryAnswer::Refused(held) => room.sent = held,
            // The answer to an earlier delivery was lost, so this one did follow, or was old.
            DeliveryAnswer::Accepted => room.answered(&delivery, DeliveryAnswer::Accepted),
        }
    }

    fn put_account_data(&self) {
        let put = UserCommand::PutAccountData {
            caller: self.devices[0].caller.clone(),
            room_id: None,
            event_type: "test.count".to_owned(),
            content: crate::room::raw(&json!({"count": self.data})),
        };
        self.user.ask::<()>(put).unwrap();
    }

    /// Remembers how far a device was told of each room under its new token.
    fn note_token(&mut self, device: usize) {
        let device = &self.devices[device];
        let told = self.rooms.iter().map(|room| {
            let known = device.known.get(room.id()).map_or(0, Vec::len);
            room.events[known - 1].order_key
        });
        self.tokens.push((device.since.clone().unwrap(), told.collect()));
    }

    fn finish(&mut self) {
        for room in &mut self.rooms {
            while room.sent.position != room.position {
                let delivery = room.next(4);
                let answer = send(&self.user, delivery.clone()).unwrap();
                room.answered(&delivery, answer);
            }
        }
        for device in &mut self.devices {
            device.sync(&self.user, &self.rooms);
            let body = self.user.sync(&device.caller, device.since.as_deref());
            assert_eq!(body.as_object().unwrap().len(), 1, "everything was told: {body}");
        }
    }

    fn check(&self, seed: u64) {
        let [first, second] = &self.devices[..] else { panic!() };
        for room in &self.rooms {
            let expected: Vec<String> = room.events.iter().map(|event| event.event_id.to_string()).collect();
            for device in &self.devices {
                assert_eq!(device.known[room.id()], expected, "seed {seed}");
            }
            let topic = room.events.iter().rev().find(|event| event.event_type == "m.room.topic");
            let topic = topic.map(|event| {
                let event: Json = serde_json::from_str(event.event.get()).unwrap();
                event["content"]["topic"].clone()
            });
            for device in &self.devices {
                assert_eq!(device.topics.get(room.id()), topic.as_ref(), "seed {seed}");
            }
            assert_eq!(first.counts[room.id()], second.counts[room.id()], "seed {seed}");
            assert_eq!(first.counts[room.id()]["notification_count"], unread(room), "seed {seed}");
        }
        for device in &self.devices {
            let count = device.account_data.get("test.count").map(|data| data["count"].clone());
            assert_eq!(count, (self.data > 0).then(|| json!(self.data)), "seed {seed}");
        }
        for (token, told) in &self.tokens {
            for (room, last) in self.rooms.iter().zip(told) {
                let place: String = self
                    .user
                    .ask(UserCommand::ResolveToken {
                        caller: first.caller.clone(),
                        room_id: room.room_id.clone(),
                        token: token.clone(),
                    })
                    .unwrap();
                let place: RoomToken = place.parse().unwrap();
                let before = room.events.iter().rfind(|event| event.order_key < place.order_key);
                assert_eq!(before.unwrap().order_key, *last, "seed {seed}, {token}");
            }
        }
    }
}

/// How many messages of others came after Alice's join and her newest receipt.
fn unread(room: &TestRoom) -> Json {
    let own = room.receipts.iter().filter(|(_, receipt)| receipt.user_id == ALICE);
    let read = own.map(|(_, receipt)| receipt.event_position).max().unwrap_or_default();
    let joined = room
        .events
        .iter()
        .find(|event| event.state_key.as_deref() == Some(ALICE))
        .and_then(|event| event.position)
        .unwrap();
    let unread = room.events.iter().filter(|event| {
        event.event_type == "m.room.message" && event.sender != ALICE && event.position.unwrap() > read.max(joined)
    });
    json!(unread.count())
}

/// Tells a quarter of the stories, so that the test runner can tell them side by side.
fn tell(quarter: u64) {
    for seed in (0..SEEDS).filter(|seed| seed % 4 == quarter) {
        let mut story = Story::new(seed);
        for _ in 0..STEPS {
            story.step();
        }
        story.finish();
        story.check(seed);
    }
}

#[test]
fn no_order_of_deliveries_and_syncs_loses_or_doubles_anything_first_quarter() {
    tell(0);
}

#[test]
fn no_order_of_deliveries_and_syncs_loses_or_doubles_anything_second_quarter() {
    tell(1);
}

#[test]
fn no_order_of_deliveries_and_syncs_loses_or_doubles_anything_third_quarter() {
    tell(2);
}

#[test]
fn no_order_of_deliveries_and_syncs_loses_or_doubles_anything_fourth_quarter() {
    tell(3);
}
