//! Taking a room's delivery in: contiguous, durable, once.

use hubbub_core::{
    contract::delivery::{Cursor, DeliveredEvent, DeliveryAnswer, Receipt, RoomDelivery},
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};
use hubbub_storage::{
    appservice::{self as store, QueuedBatch, Route},
    schema,
};
use ruma::{OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value as Json, json,
    value::{RawValue, to_raw_value},
};
use std::collections::BTreeMap;

use super::{AppserviceObject, TRANSACTION_BYTES, TRANSACTION_EVENTS, encryption::Encryption};

/// A queued batch: what a transaction is made of.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Payload {
    /// Events in client format, with `room_id`.
    pub(super) events: Vec<Box<RawValue>>,
    /// `m.typing` and `m.receipt`, with `room_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ephemeral: Vec<Box<RawValue>>,
    /// What encryption needs.
    #[serde(default, skip_serializing_if = "Encryption::is_empty")]
    pub(super) encryption: Encryption,
}

/// What becomes of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on exactly where the appservice stands.
    Next,
    /// It was stored before.
    Known,
    /// Something lies between.
    Gap,
}

/// Judges a delivery by where the appservice stands. It takes no snapshot: under a new epoch it
/// keeps its position and goes on from there. An epoch only ever grows, so a late delivery of the
/// room that was rebuilt cannot continue the new one. A negative position is a probe, which only
/// asks what is held.
pub(super) fn judge(delivery: &RoomDelivery, held: Cursor) -> Verdict {
    let previous = delivery.previous;
    let continues = previous == held || (delivery.epoch > held.epoch && previous.position == held.position);
    if continues && delivery.through >= held.position {
        Verdict::Next
    } else if previous.position >= 0 && delivery.epoch == held.epoch && delivery.through <= held.position {
        Verdict::Known
    } else {
        Verdict::Gap
    }
}

impl AppserviceObject {
    /// Stores a delivery and the room's new cursor in one transaction.
    pub(super) async fn deliver(&self, delivery: RoomDelivery) -> Result<DeliveryAnswer> {
        let with_ephemeral = self.takes_ephemeral(&delivery).await;
        let mut payloads = self.payloads(&delivery, with_ephemeral)?;
        schema::migrate(self.database.as_ref(), store::SCHEMA)?;
        if let Some(last) = payloads.last_mut() {
            last.encryption = self.sharing_news(&delivery).await?;
        }

        // No await from here to the commit.
        let room_id = delivery.room_id.as_str();
        let database = self.database.as_query();
        let (epoch, position) = store::cursor(database, room_id)?.unwrap_or_default();
        let held = Cursor { epoch, position };
        match judge(&delivery, held) {
            Verdict::Known => return Ok(DeliveryAnswer::Accepted),
            Verdict::Gap => return Ok(DeliveryAnswer::Refused(held)),
            Verdict::Next => {}
        }
        let goes_nowhere = self.bridge.is_some() && store::route(database, room_id)? == Route::Nowhere;
        let batches = if goes_nowhere { Vec::new() } else { self.batches(room_id, payloads)? };
        let now = self.now();
        let alarm = (!batches.is_empty()).then_some(now + ALARM_DELAY_MS);
        self.commit(alarm, |transaction| {
            store::set_cursor(transaction, room_id, delivery.epoch, delivery.through)?;
            for batch in &batches {
                store::enqueue(transaction, self.lane_of(room_id), batch, now)?;
            }
            Ok(())
        })?;
        if !batches.is_empty() {
            self.queued.ring();
        }
        Ok(DeliveryAnswer::Accepted)
    }

    /// The lane of a room's events.
    fn lane_of<'a>(&self, room_id: &'a str) -> &'a str {
        if self.bridge.is_some() { room_id } else { store::HTTP_LANE }
    }

    pub(super) fn batches(&self, room_id: &str, payloads: Vec<Payload>) -> Result<Vec<QueuedBatch>> {
        let last = store::last_id(self.database.as_query(), self.lane_of(room_id))?;
        let mut id = last.max(self.last_id.get());
        let mut batches = Vec::with_capacity(payloads.len());
        for payload in payloads {
            id += 1;
            batches.push(QueuedBatch {
                id,
                room_id: room_id.to_owned(),
                events: i64::try_from(payload.events.len() + payload.encryption.to_device.len()).unwrap_or(i64::MAX),
                payload: serde_json::to_string(&payload)?,
            });
        }
        self.last_id.set(id);
        Ok(batches)
    }

    /// Whether typing and receipts of this delivery are wanted. When that cannot be found out they
    /// are dropped: they are worth no delay of events.
    async fn takes_ephemeral(&self, delivery: &RoomDelivery) -> bool {
        if delivery.receipts.is_empty() && delivery.typing.is_none() {
            return false;
        }
        self.context.appservices.list().await.is_ok_and(|list| {
            list.iter().any(|appservice| appservice.id() == self.id && appservice.receives_ephemeral())
        })
    }

    /// The delivery as it is queued, in pieces that fit into a transaction each.
    fn payloads(&self, delivery: &RoomDelivery, with_ephemeral: bool) -> Result<Vec<Payload>> {
        let mut payloads = vec![Payload::default()];
        let mut bytes = 0;
        for event in &delivery.events {
            if let Some(bridge) = &self.bridge
                && !bridge.wants(&self.id, event)
            {
                continue;
            }
            let event = self.for_appservice(&delivery.room_id, event)?;
            let size = i64::try_from(event.get().len()).unwrap_or(i64::MAX);
            let full = payloads.last().is_some_and(|payload| {
                i64::try_from(payload.events.len()).unwrap_or(i64::MAX) >= TRANSACTION_EVENTS
                    || (!payload.events.is_empty() && bytes + size > TRANSACTION_BYTES)
            });
            if full {
                payloads.push(Payload::default());
                bytes = 0;
            }
            bytes += size;
            if let Some(payload) = payloads.last_mut() {
                payload.events.push(event);
            }
        }
        if with_ephemeral && let Some(payload) = payloads.last_mut() {
            payload.ephemeral = ephemeral(delivery)?;
            if let Some(bridge) = &self.bridge {
                payload.ephemeral.retain(|event| bridge.wants_ephemeral(&self.id, event));
            }
        }
        payloads.retain(|payload| !payload.events.is_empty() || !payload.ephemeral.is_empty());
        Ok(payloads)
    }

    /// The event as an appservice gets it: with its room, and with the transaction id if the
    /// appservice itself sent it.
    fn for_appservice(&self, room_id: &RoomId, event: &DeliveredEvent) -> Result<Box<RawValue>> {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(event.event.get())?;
        fields.insert("room_id".to_owned(), to_raw_value(room_id)?);
        if let Some((device, transaction_id)) = &event.transaction
            && device.strip_prefix("appservice:") == Some(&self.id)
        {
            let mut unsigned: Map<String, Json> = match fields.get("unsigned") {
                Some(unsigned) => serde_json::from_str(unsigned.get())?,
                None => Map::new(),
            };
            unsigned.insert("transaction_id".to_owned(), json!(transaction_id));
            fields.insert("unsigned".to_owned(), to_raw_value(&unsigned)?);
        }
        Ok(to_raw_value(&fields)?)
    }
}

/// Typing and public receipts as events
/// ([spec](https://spec.matrix.org/v1.13/application-service-api/#pushing-ephemeral-data)).
fn ephemeral(delivery: &RoomDelivery) -> Result<Vec<Box<RawValue>>, MatrixError> {
    let mut events = Vec::new();
    if let Some(users) = &delivery.typing {
        events.push(typing(&delivery.room_id, users)?);
    }
    let mut content: BTreeMap<&str, BTreeMap<&str, Map<String, Json>>> = BTreeMap::new();
    for receipt in &delivery.receipts {
        // A private receipt is for its own user's devices only.
        if receipt.receipt_type == "m.read" {
            content
                .entry(receipt.event_id.as_str())
                .or_default()
                .entry(&receipt.receipt_type)
                .or_default()
                .insert(receipt.user_id.to_string(), receipt_data(receipt));
        }
    }
    if !content.is_empty() {
        events.push(to_raw_value(&json!({
            "type": "m.receipt", "room_id": delivery.room_id, "content": content,
        }))?);
    }
    Ok(events)
}

fn typing(room_id: &RoomId, users: &[OwnedUserId]) -> Result<Box<RawValue>, MatrixError> {
    Ok(to_raw_value(&json!({
        "type": "m.typing", "room_id": room_id, "content": { "user_ids": users },
    }))?)
}

fn receipt_data(receipt: &Receipt) -> Json {
    match &receipt.thread_id {
        Some(thread_id) => json!({ "ts": receipt.ts, "thread_id": thread_id }),
        None => json!({ "ts": receipt.ts }),
    }
}
