//! A room as a follower sees it: it numbers events, keeps the state, and delivers contiguously.

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        delivery::{Cursor, DeliveredEvent, DeliveryAnswer, Receipt, RoomDelivery, RoomFacts, Snapshot},
        user::UserCommand,
    },
    error::Result,
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::{Value as Json, json, value::RawValue};

use crate::support::{ALICE, BOB, User};

/// What a live event's order_key lies above, as in a RoomObject.
const LIVE: i64 = 1 << 40;

pub struct TestRoom {
    pub room_id: OwnedRoomId,
    pub epoch: i64,
    pub position: i64,
    /// Every event, oldest first, as Alice gets it.
    pub events: Vec<DeliveredEvent>,
    pub receipts: Vec<(i64, Receipt)>,
    typing: Option<(i64, Vec<OwnedUserId>)>,
    /// What Alice's inbox holds, as far as the room knows.
    pub sent: Cursor,
    /// Whether the next delivery comes with a snapshot, of the events below this index.
    snapshot_below: Option<usize>,
    pub facts: RoomFacts,
    alice: String,
}

pub fn raw(value: &Json) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

impl TestRoom {
    /// A room that Bob made.
    pub fn new(name: &str) -> Self {
        let mut room = Self::nothing(name);
        room.state(BOB, "m.room.create", "", json!({"room_version": "12"}));
        room.member(BOB, BOB, "join");
        room.state(BOB, "m.room.power_levels", "", json!({"users": {}}));
        room.state(BOB, "m.room.join_rules", "", json!({"join_rule": "public"}));
        room
    }

    pub fn nothing(name: &str) -> Self {
        Self {
            room_id: OwnedRoomId::try_from(format!("!{name}:hub")).unwrap(),
            epoch: 7,
            position: 0,
            events: Vec::new(),
            receipts: Vec::new(),
            typing: None,
            sent: Cursor::default(),
            snapshot_below: None,
            facts: RoomFacts { room_version: "12".to_owned(), ..RoomFacts::default() },
            alice: "leave".to_owned(),
        }
    }

    pub fn id(&self) -> &str {
        self.room_id.as_str()
    }

    /// Appends an event and returns its id.
    pub fn append(&mut self, sender: &str, event_type: &str, state_key: Option<&str>, content: Json) -> OwnedEventId {
        self.position += 1;
        let event_id = format!("${}-{}", &self.id()[1..2], self.position);
        let mut event = json!({
            "type": event_type,
            "event_id": event_id,
            "sender": sender,
            "origin_server_ts": 999_000,
            "content": content,
        });
        if let Some(state_key) = state_key {
            event["state_key"] = state_key.into();
        }
        if event_type == "m.room.member" && state_key == Some(ALICE) {
            self.alice = event["content"]["membership"].as_str().unwrap().to_owned();
        }
        let event_id = OwnedEventId::try_from(event_id).unwrap();
        self.events.push(DeliveredEvent {
            event_id: event_id.clone(),
            position: Some(self.position),
            order_key: LIVE + self.position,
            event: raw(&event),
            is_state: state_key.is_some(),
            event_type: event_type.to_owned(),
            state_key: state_key.map(str::to_owned),
            sender: OwnedUserId::try_from(sender).unwrap(),
            membership: Some(self.alice.clone()),
            transaction: None,
            sender_member: None,
            redacted: None,
        });
        self.count();
        event_id
    }

    pub fn state(&mut self, sender: &str, event_type: &str, key: &str, content: Json) -> OwnedEventId {
        self.append(sender, event_type, Some(key), content)
    }

    pub fn text(&mut self, sender: &str, body: &str) -> OwnedEventId {
        self.append(sender, "m.room.message", None, json!({"msgtype": "m.text", "body": body}))
    }

    pub fn member(&mut self, sender: &str, target: &str, membership: &str) -> OwnedEventId {
        if target == ALICE && membership == "join" && self.alice != "join" {
            self.snapshot_below = Some(self.events.len());
        }
        let content = json!({"membership": membership, "displayname": &target[1..target.len() - 4]});
        self.state(sender, "m.room.member", target, content)
    }

    pub fn redact(&mut self, target: &OwnedEventId) -> OwnedEventId {
        let redaction = self.append(BOB, "m.room.redaction", None, json!({"redacts": target}));
        let at = self.events.iter().position(|event| event.event_id == *target).unwrap();
        let mut redacted: Json = serde_json::from_str(self.events[at].event.get()).unwrap();
        redacted["content"] = json!({});
        redacted["unsigned"] = json!({"redacted_because": {"event_id": redaction}});
        self.events[at].event = raw(&redacted);
        let redacted = self.events[at].clone();
        self.events.last_mut().unwrap().redacted = Some(Box::new(redacted));
        redaction
    }

    pub fn receipt(&mut self, user: &str, event_id: &OwnedEventId, thread: Option<&str>) {
        self.receipt_of_type(user, "m.read", event_id, thread);
    }

    pub fn receipt_of_type(&mut self, user: &str, receipt_type: &str, event_id: &OwnedEventId, thread: Option<&str>) {
        self.position += 1;
        let event = self.events.iter().find(|event| event.event_id == *event_id).unwrap();
        let receipt = Receipt {
            user_id: OwnedUserId::try_from(user).unwrap(),
            receipt_type: receipt_type.to_owned(),
            thread_id: thread.map(str::to_owned),
            event_id: event_id.clone(),
            event_position: event.position.unwrap(),
            ts: 990_000 + self.position,
        };
        self.receipts.retain(|(_, other)| {
            (&other.user_id, &other.receipt_type, &other.thread_id)
                != (&receipt.user_id, &receipt.receipt_type, &receipt.thread_id)
        });
        self.receipts.push((self.position, receipt));
    }

    pub fn typing(&mut self, users: &[&str]) {
        self.position += 1;
        let users = users.iter().map(|user| OwnedUserId::try_from(*user).unwrap());
        self.typing = Some((self.position, users.collect()));
    }

    /// The room was rebuilt: a new epoch, and a snapshot of everything.
    pub fn rebuild(&mut self) {
        self.epoch += 1;
        self.snapshot_below = Some(self.events.len());
    }

    fn current(&self, below: usize) -> BTreeMap<(String, String), DeliveredEvent> {
        let state = self.events[..below].iter().filter(|event| event.is_state);
        state
            .map(|event| {
                let key = (event.event_type.clone(), event.state_key.clone().unwrap());
                (key, event.clone())
            })
            .collect()
    }

    fn count(&mut self) {
        let members: Vec<(String, String)> = self
            .current(self.events.len())
            .into_iter()
            .filter(|((event_type, _), _)| event_type == "m.room.member")
            .map(|((_, user), event)| {
                let event: Json = serde_json::from_str(event.event.get()).unwrap();
                (user, event["content"]["membership"].as_str().unwrap_or("leave").to_owned())
            })
            .collect();
        let with = |membership: &str| {
            let count = members.iter().filter(|(_, other)| other == membership).count();
            u64::try_from(count).unwrap()
        };
        self.facts.joined = with("join");
        self.facts.invited = with("invite");
        let heroes = members
            .iter()
            .filter(|(user, membership)| user != ALICE && membership == "join")
            .map(|(user, _)| OwnedUserId::try_from(user.as_str()).unwrap());
        self.facts.heroes = Some(heroes.take(5).collect());
    }

    /// Everything that waits, at most `most` events of it.
    pub fn next(&self, most: usize) -> RoomDelivery {
        let mut start = self.sent.position;
        let snapshot = self.snapshot_below.map(|below| {
            if self.epoch == self.sent.epoch || self.sent.epoch == 0 {
                start = self.events[below].position.unwrap() - 1;
            } else {
                start = self.position;
            }
            Snapshot {
                state: self.current(below).into_values().collect(),
                history: self.events[below.saturating_sub(50)..below].to_vec(),
                receipts: self.receipts.iter().map(|(_, receipt)| receipt.clone()).collect(),
                members: None,
            }
        });
        let waiting: Vec<DeliveredEvent> = self
            .events
            .iter()
            .filter(|event| event.position.unwrap() > start && self.concerns(event))
            .cloned()
            .collect();
        let events: Vec<DeliveredEvent> = waiting.iter().take(most).cloned().collect();
        let through = if events.len() < waiting.len() {
            events.last().map_or(start, |event| event.position.unwrap())
        } else {
            self.position
        };
        let in_range = |position: &i64| *position > start && *position <= through;
        RoomDelivery {
            room_id: self.room_id.clone(),
            epoch: self.epoch,
            previous: self.sent,
            through,
            snapshot,
            events,
            receipts: self
                .receipts
                .iter()
                .filter(|(position, _)| in_range(position))
                .map(|(_, receipt)| receipt.clone())
                .collect(),
            typing: self.typing.clone().filter(|(position, _)| in_range(position)).map(|(_, users)| users),
            room: self.facts.clone(),
        }
    }

    /// Whether Alice is told of an event: while joined, and what happens to herself.
    fn concerns(&self, event: &DeliveredEvent) -> bool {
        event.membership.as_deref() == Some("join") || event.state_key.as_deref() == Some(ALICE)
    }

    pub fn answered(&mut self, delivery: &RoomDelivery, answer: DeliveryAnswer) {
        match answer {
            DeliveryAnswer::Accepted => {
                self.sent = Cursor { epoch: delivery.epoch, position: delivery.through };
                self.snapshot_below = None;
            }
            DeliveryAnswer::Refused(held) => self.sent = held,
        }
    }

    /// Delivers everything.
    pub fn deliver(&mut self, user: &User) {
        while self.sent != (Cursor { epoch: self.epoch, position: self.position }) {
            let delivery = self.next(100);
            let answer = send(user, delivery.clone()).unwrap();
            assert_eq!(answer, DeliveryAnswer::Accepted);
            self.answered(&delivery, answer);
        }
    }

    /// Alice joins, and it is delivered.
    pub fn join(&mut self, user: &User) {
        self.member(ALICE, ALICE, "join");
        self.deliver(user);
    }
}

pub fn send(user: &User, delivery: RoomDelivery) -> Result<DeliveryAnswer> {
    user.ask(UserCommand::Deliver(Box::new(delivery)))
}
