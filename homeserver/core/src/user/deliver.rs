//! Taking a room's delivery into the inbox: one transaction, and few rows written.
//!
//! The answer tells the room where the inbox stands, so nothing is skipped and nothing applied
//! twice. A message costs its timeline row, the room's row and index entry, the eviction of the
//! oldest kept event and the inbox's position; a batch shares all but the first and the third.

mod events;
mod sharing;
mod snapshot;

use std::collections::BTreeMap;

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    user::{
        inbox::{self, RoomRow},
        presence, receipts, state, timeline,
    },
};
use ruma::OwnedUserId;
use serde_json::value::RawValue;

use super::{
    UserSyncObject,
    notify::Notifications,
    unread::{Read, UnreadEvents},
};
use crate::{
    contract::delivery::{Cursor, DeliveryAnswer, Receipt, RoomDelivery, RoomFacts},
    error::{MatrixError, Result},
};

/// How many events of a room are kept with their JSON.
pub(super) const KEPT_EVENTS: usize = 50;

impl UserSyncObject {
    /// Takes a delivery if it follows on what the inbox holds of the room.
    pub(super) fn deliver(&self, delivery: &RoomDelivery) -> Result<DeliveryAnswer> {
        if !self.exists()? {
            return Err(MatrixError::not_found("There is no such user."));
        }
        transaction(self.database.as_ref(), |transaction| {
            let room_id = delivery.room_id.as_str();
            let room = inbox::get_room(transaction.as_query(), room_id)?.unwrap_or_else(|| RoomRow::new(room_id));
            let held = Cursor { epoch: room.epoch, position: room.position };
            // What came before is held already: an answer was lost on its way.
            if delivery.epoch == held.epoch && delivery.through <= held.position {
                return Ok(DeliveryAnswer::Accepted);
            }
            if delivery.previous != held {
                return Ok(DeliveryAnswer::Refused(held));
            }
            let unread = UnreadEvents::parse(&room.unread)?;
            let inbox_pos = inbox::get(transaction.as_query())?.position + 1;
            Taking {
                object: self,
                transaction,
                delivery,
                inbox_pos,
                room,
                unread,
                notifications: None,
                members_seen: BTreeMap::new(),
                changed: false,
            }
            .take()?;
            Ok(DeliveryAnswer::Accepted)
        })
    }
}

/// One delivery on its way into the inbox.
struct Taking<'a> {
    object: &'a UserSyncObject,
    transaction: &'a dyn Transaction,
    delivery: &'a RoomDelivery,
    /// The position that everything new gets.
    inbox_pos: i64,
    room: RoomRow,
    unread: UnreadEvents,
    /// Made when the first event is judged.
    notifications: Option<Notifications>,
    /// The id of each sender's member event that was looked at.
    members_seen: BTreeMap<OwnedUserId, String>,
    /// Whether a `/sync` can see anything of it.
    changed: bool,
}

impl Taking<'_> {
    fn take(mut self) -> Result<()> {
        let unread_before = self.unread.clone();
        let new_epoch = self.room.epoch != 0 && self.room.epoch != self.delivery.epoch;
        if new_epoch || self.delivery.snapshot.is_some() {
            self.start_anew(new_epoch)?;
        }
        for event in &self.delivery.events {
            self.take_event(event)?;
        }
        if self.room.membership == "join" {
            self.store_receipts(&self.delivery.receipts)?;
        }
        self.take_typing()?;
        self.take_facts(&self.delivery.room)?;
        self.take_company()?;
        self.take_sharing()?;
        if self.room.membership == "join" && self.room.membership_pos == self.inbox_pos {
            let object = self.object;
            self.changed |= object.carry_over_on_join(self.transaction, &self.delivery.room_id, self.inbox_pos)?;
        }
        if self.room.membership != "join" {
            self.unread = UnreadEvents::default();
        }
        if self.unread != unread_before {
            self.room.unread = self.unread.to_text()?;
            self.room.unread_pos = self.inbox_pos;
            self.changed = true;
            self.object.queue_push(self.transaction)?;
        }
        if self.room.membership == "invite" && self.room.membership_pos == self.inbox_pos {
            self.object.queue_push(self.transaction)?;
        }
        self.evict()?;
        self.room.epoch = self.delivery.epoch;
        self.room.position = self.delivery.through;
        if self.changed {
            self.room.changed_pos = self.inbox_pos;
            inbox::advance(self.transaction)?;
        }
        inbox::put_room(self.transaction, &self.room)?;
        Ok(())
    }

    fn query(&self) -> &dyn Query {
        self.transaction.as_query()
    }

    fn store_receipts(&mut self, receipts: &[Receipt]) -> Result<()> {
        for receipt in receipts {
            let row = receipts::Receipt {
                user_id: receipt.user_id.to_string(),
                receipt_type: receipt.receipt_type.clone(),
                thread_id: receipt.thread_id.clone().unwrap_or_default(),
                event_id: receipt.event_id.to_string(),
                event_position: receipt.event_position,
                ts: receipt.ts,
            };
            if !receipts::put(self.transaction, &self.room.room_id, &row, self.inbox_pos)? {
                continue;
            }
            self.room.receipts_pos = self.inbox_pos;
            self.changed = true;
            if receipt.user_id == self.object.user_id {
                let read = Read {
                    room_id: self.delivery.room_id.as_str(),
                    user_id: self.object.user_id.as_str(),
                    position: receipt.event_position,
                    thread: receipt.thread_id.as_deref(),
                };
                self.unread.read(self.transaction.as_query(), read)?;
            }
        }
        Ok(())
    }

    fn take_typing(&mut self) -> Result<()> {
        let Some(typing) = &self.delivery.typing else {
            return Ok(());
        };
        if self.room.membership != "join" {
            return Ok(());
        }
        let typing = serde_json::to_string(typing)?;
        if self.room.typing.as_deref().unwrap_or("[]") != typing {
            self.room.typing = Some(typing);
            self.room.typing_pos = self.inbox_pos;
            self.changed = true;
        }
        Ok(())
    }

    fn take_facts(&mut self, facts: &RoomFacts) -> Result<()> {
        let joined = i64::try_from(facts.joined).map_err(MatrixError::internal)?;
        let invited = i64::try_from(facts.invited).map_err(MatrixError::internal)?;
        let heroes = match &facts.heroes {
            Some(heroes) => serde_json::to_string(heroes)?,
            None => self.room.heroes.clone(),
        };
        let held = (self.room.joined, self.room.invited, &self.room.heroes);
        if held != (joined, invited, &heroes) {
            self.room.joined = joined;
            self.room.invited = invited;
            self.room.heroes = heroes;
            if self.room.membership == "join" {
                self.room.summary_pos = self.inbox_pos;
                self.changed = true;
            }
        }
        if matches!(self.room.membership.as_str(), "invite" | "knock") {
            self.take_invite_state(&facts.invite_state)?;
        }
        Ok(())
    }

    /// Notes whether presence travels through the room. Who joins shows theirs, and asks for that of
    /// the others, once this is committed.
    fn take_company(&self) -> Result<()> {
        let Some(company) = self.delivery.room.company else {
            return Ok(());
        };
        let shared = company && self.room.membership == "join";
        if presence::has_room(self.query(), &self.room.room_id)? != shared {
            presence::set_room(self.transaction, &self.room.room_id, shared)?;
        }
        if shared && self.room.membership_pos == self.inbox_pos {
            self.object.presence.add([self.room.room_id.clone()]);
            self.object.idle.set(false);
        }
        Ok(())
    }

    /// Keeps what an invited user is told of the room; the invite itself is always among it.
    fn take_invite_state(&mut self, invite_state: &[Box<RawValue>]) -> Result<()> {
        if invite_state.is_empty() && self.room.invite_state.is_some() {
            return Ok(());
        }
        let mut events: Vec<&RawValue> = invite_state.iter().map(AsRef::as_ref).collect();
        let own = self.object.user_id.as_str();
        let held = state::get(self.query(), &self.room.room_id, "m.room.member", own)?;
        let stripped = held.map(|own| events::stripped(&own.event)).transpose()?;
        if !events.iter().any(|event| events::is_member(event, own)) {
            events.extend(stripped.as_deref());
        }
        let text = serde_json::to_string(&events)?;
        if self.room.invite_state.as_ref() != Some(&text) {
            self.room.invite_state = Some(text);
            self.room.membership_pos = self.inbox_pos;
            self.changed = true;
        }
        Ok(())
    }

    /// Lets go of the JSON of all but the newest events.
    fn evict(&mut self) -> Result<()> {
        let (room_id, from) = (&self.room.room_id, self.room.kept_from);
        let Some(oldest) = timeline::nth_newest(self.query(), room_id, from, KEPT_EVENTS)? else {
            return Ok(());
        };
        if oldest > from {
            timeline::evict(self.transaction, room_id, from, oldest)?;
            self.room.kept_from = oldest;
        }
        Ok(())
    }
}
