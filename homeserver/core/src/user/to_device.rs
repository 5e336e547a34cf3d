//! To-device messages ([spec](https://spec.matrix.org/v1.11/client-server-api/#send-to-device-messaging)):
//! from the sender's outbox into the queues of the recipients' devices.
//!
//! A request is one commit at its sender. Its number grows with each, and a recipient remembers the
//! newest number that it took of each sender: so handing over can be repeated, and every recipient
//! gets them in their order. The row goes when the last recipient has its part. `sync/to_device.rs` is
//! how a device gets what waits, and how its next token deletes it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use hubbub_storage::{
    database::{Transaction, transaction},
    user::{
        devices, inbox,
        to_device::{self, Message, Outgoing},
    },
};
use ruma::{OwnedUserId, UserId};
use serde_json::value::RawValue;

use super::{UserSyncObject, token};
use crate::{
    contract::{
        Address, call, encode,
        to_device::{ForDevices, ToDeviceCommand, ToDevicePart},
        user::{Caller, UserCommand},
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// The most bytes of a type or a transaction id.
const MAX_NAME_BYTES: usize = 255;
/// How many transactions of the user are remembered.
const REMEMBERED: usize = 256;
/// How many characters of a transaction's hash are enough to tell it.
const MARK_LENGTH: usize = 16;
/// The most requests that wait to be handed over.
const MOST_OUTGOING: i64 = 1_000;
/// How long a sender waits at most until what they sent has been handed over, in milliseconds.
const PATIENCE_MS: u32 = 1_000;
/// The most requests that are handed over together …
const BATCH: u32 = 100;
/// … and the most bytes of them.
const BATCH_BYTES: i64 = 1_000_000;
/// How many recipients are called at once.
const RECIPIENTS_AT_ONCE: usize = 6;
/// The most messages that wait for one device …
const MOST_WAITING: i64 = 20_000;
/// … and the most bytes of their contents.
const MOST_WAITING_BYTES: i64 = 32 * 1024 * 1024;
/// How many of the oldest messages are looked at together when a queue is too full.
const OLDEST_AT_ONCE: u32 = 100;

/// Messages and bytes that wait for each device, as far as that was asked: counting reads the whole
/// queue.
#[derive(Default)]
pub(super) struct Queues(RefCell<BTreeMap<String, (i64, i64)>>);

impl Queues {
    /// Something was deleted: count again.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Where a page of the outbox ends.
struct Page {
    after: i64,
    through: i64,
}

impl UserSyncObject {
    pub(super) async fn handle_to_device(&self, command: ToDeviceCommand) -> Result<Vec<u8>> {
        match command {
            ToDeviceCommand::Send { caller, event_type, transaction_id, messages } => {
                self.send_to_device(&caller, event_type, &transaction_id, &messages)?;
                self.hand_over_soon().await;
                encode(&())
            }
            ToDeviceCommand::ListDehydrated { caller, device_id, from, limit, delete_passed } => {
                encode(&self.dehydrated_events(&caller, &device_id, from.as_deref(), limit, delete_passed)?)
            }
            ToDeviceCommand::Take { sender, parts } => encode(&self.take_to_device(&sender, &parts)?),
        }
    }

    fn send_to_device(
        &self,
        caller: &Caller,
        event_type: String,
        transaction_id: &str,
        messages: &BTreeMap<OwnedUserId, ForDevices>,
    ) -> Result<()> {
        let device = self.check(caller)?.device;
        if event_type.len() > MAX_NAME_BYTES || transaction_id.len() > MAX_NAME_BYTES {
            return Err(MatrixError::invalid_param(format_args!(
                "A type and a transaction id may have at most {MAX_NAME_BYTES} bytes each."
            )));
        }
        if messages.values().all(BTreeMap::is_empty) {
            return Ok(());
        }
        // A device that was made anew under an old id starts anew.
        let made_at = devices::created_at(self.query(), &device)?;
        let whole = token::hash_secret(&serde_json::to_string(&(&device, made_at, &event_type, transaction_id))?);
        let mark = whole.get(..MARK_LENGTH).unwrap_or(&whole);
        let messages = serde_json::to_string(messages)?;
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let sent = to_device::get_sent(query)?.unwrap_or_default();
            let mut recent: Vec<String> = match sent.recent.as_str() {
                "" => Vec::new(),
                recent => serde_json::from_str(recent)?,
            };
            if recent.iter().any(|former| former == mark) {
                return Ok(());
            }
            if to_device::outgoing_waiting(query)?.0 >= MOST_OUTGOING {
                return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "Too many messages wait; try again later.")
                    .with("retry_after_ms", ALARM_DELAY_MS));
            }
            recent.push(mark.to_owned());
            let surplus = recent.len().saturating_sub(REMEMBERED);
            recent.drain(..surplus);
            let outgoing = Outgoing {
                // Numbers of an object that was lost are not used again.
                seq: now.max(sent.last_seq + 1),
                event_type: event_type.clone(),
                messages: messages.clone(),
            };
            to_device::add_outgoing(transaction, &outgoing, &serde_json::to_string(&recent)?, now)?;
            Ok(transaction.set_alarm(now + ALARM_DELAY_MS)?)
        })
    }

    /// Hands over what waits before the sender hears of it, unless that takes long: what a client sends next, to a room,
    /// may need the key that was in it, and not every client looks again at what it could not decrypt.
    async fn hand_over_soon(&self) {
        let handing = pin!(self.hand_over_to_device());
        if let Either::Left((Err(error), _)) = select(handing, self.context.clock.sleep(PATIENCE_MS)).await {
            tracing::debug!(user.id = %self.user_id, "Messages to devices wait: {error}");
        }
    }

    /// Hands over everything that waits. A recipient out of reach holds back only what is for them.
    pub(super) async fn hand_over_to_device(&self) -> Result<()> {
        let _held = self.in_flight.lock("to_device").await;
        let mut failed = BTreeMap::new();
        let mut after = 0;
        while let Some(page) = self.next_page(after)? {
            after = page.through;
            self.hand_over_page(&page, &mut failed).await?;
        }
        failed.into_values().next().map_or(Ok(()), Err)
    }

    fn next_page(&self, after: i64) -> Result<Option<Page>> {
        let mut bytes = 0;
        let mut through = None;
        for (seq, size) in to_device::list_outgoing_sizes(self.query(), after, BATCH)? {
            bytes += size;
            if through.is_some() && bytes > BATCH_BYTES {
                break;
            }
            through = Some(seq);
        }
        Ok(through.map(|through| Page { after, through }))
    }

    async fn hand_over_page(&self, page: &Page, failed: &mut BTreeMap<OwnedUserId, MatrixError>) -> Result<()> {
        let requests = to_device::list_outgoing(self.query(), page.after, page.through)?;
        let mut waits_for: BTreeMap<i64, BTreeSet<OwnedUserId>> = BTreeMap::new();
        let mut parts: BTreeMap<OwnedUserId, Vec<ToDevicePart>> = BTreeMap::new();
        for request in requests {
            let recipients: BTreeMap<OwnedUserId, ForDevices> = serde_json::from_str(&request.messages)?;
            waits_for.insert(request.seq, recipients.keys().cloned().collect());
            for (recipient, messages) in recipients {
                let part = ToDevicePart { seq: request.seq, event_type: request.event_type.clone(), messages };
                parts.entry(recipient).or_default().push(part);
            }
        }
        // Who missed something before must not get what comes after.
        parts.retain(|recipient, _| !failed.contains_key(recipient));
        let outcomes: Vec<(OwnedUserId, Result<()>)> = stream::iter(parts)
            .map(|(recipient, parts)| async move {
                let outcome = self.hand_to(&recipient, parts).await;
                (recipient, outcome)
            })
            .buffer_unordered(RECIPIENTS_AT_ONCE)
            .collect()
            .await;
        self.context.failpoints.pass("user.to_device_handed_over").await;
        failed.extend(outcomes.into_iter().filter_map(|(recipient, outcome)| Some((recipient, outcome.err()?))));
        let done: Vec<i64> = waits_for
            .into_iter()
            .filter(|(_, recipients)| !recipients.iter().any(|recipient| failed.contains_key(recipient)))
            .map(|(seq, _)| seq)
            .collect();
        if done.is_empty() {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| Ok(to_device::end_outgoing(transaction, &done)?))
    }

    async fn hand_to(&self, recipient: &UserId, parts: Vec<ToDevicePart>) -> Result<()> {
        if self.user_id == recipient {
            return self.take_to_device(recipient, &parts);
        }
        let take = ToDeviceCommand::Take { sender: self.user_id.clone(), parts };
        let command = UserCommand::ToDevice(Box::new(take));
        call(self.context.objects.as_ref(), Address::user(recipient), &command).await
    }

    fn take_to_device(&self, sender: &UserId, parts: &[ToDevicePart]) -> Result<()> {
        if !self.exists()? {
            return Ok(());
        }
        let lost = transaction(self.database.as_ref(), |transaction| {
            let query = transaction.as_query();
            let taken = to_device::last_taken(query, sender.as_str())?;
            let Some(newest) = parts.iter().map(|part| part.seq).max().filter(|newest| *newest > taken) else {
                return Ok(0);
            };
            let own: Vec<String> = devices::list(query)?.into_iter().map(|device| device.device_id).collect();
            let new = parts.iter().filter(|part| part.seq > taken);
            let arriving: Vec<(&str, &str, &RawValue)> = new.flat_map(|part| addressed(part, &own)).collect();
            // Nothing is kept of what is for nobody.
            if arriving.is_empty() {
                return Ok(0);
            }
            let count = u32::try_from(arriving.len()).map_err(MatrixError::internal)?;
            let first = inbox::advance_by(transaction, count)? - i64::from(count) + 1;
            let mut grown: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
            for (pos, (device_id, event_type, content)) in (first..).zip(arriving) {
                let message = Message {
                    pos,
                    sender: sender.to_string(),
                    event_type: event_type.to_owned(),
                    content: content.get().to_owned(),
                };
                let (messages, bytes) = grown.entry(device_id).or_default();
                *messages += 1;
                *bytes += i64::try_from(message.content.len()).map_err(MatrixError::internal)?;
                to_device::put(transaction, device_id, &message)?;
            }
            to_device::set_last_taken(transaction, sender.as_str(), newest)?;
            self.arm_for_appservice(transaction)?;
            let mut lost = 0;
            for (device_id, by) in grown {
                lost += self.trim_queue(transaction, device_id, by)?;
            }
            Ok::<i64, MatrixError>(lost)
        });
        if lost.is_err() {
            // What was counted was not stored.
            self.queues.forget();
        }
        let lost = lost?;
        if lost > 0 {
            tracing::warn!(user.id = %self.user_id, to_device.dropped = lost, "A device's queue is full: its oldest messages were dropped");
        }
        Ok(())
    }

    /// Drops the oldest messages of a queue that has grown too large; returns how many.
    fn trim_queue(&self, transaction: &dyn Transaction, device_id: &str, by: (i64, i64)) -> Result<i64> {
        let mut queues = self.queues.0.borrow_mut();
        let (mut messages, mut bytes) = match queues.get(device_id) {
            Some((messages, bytes)) => (messages + by.0, bytes + by.1),
            None => to_device::size(transaction.as_query(), device_id)?,
        };
        let mut lost = 0;
        while messages > MOST_WAITING || bytes > MOST_WAITING_BYTES {
            let oldest = to_device::list_oldest(transaction.as_query(), device_id, OLDEST_AT_ONCE)?;
            let mut through = None;
            for (pos, size) in oldest {
                if messages <= MOST_WAITING && bytes <= MOST_WAITING_BYTES {
                    break;
                }
                messages -= 1;
                bytes -= size;
                lost += 1;
                through = Some(pos);
            }
            let Some(through) = through else { break };
            to_device::delete_through(transaction, device_id, through)?;
        }
        queues.insert(device_id.to_owned(), (messages, bytes));
        Ok(lost)
    }

    /// The device has all its messages through this position.
    pub(super) fn delete_arrived(&self, device_id: &str, through: i64) -> Result<()> {
        transaction(self.database.as_ref(), |transaction| {
            Ok::<_, MatrixError>(to_device::delete_through(transaction, device_id, through)?)
        })?;
        self.queues.0.borrow_mut().remove(device_id);
        Ok(())
    }
}

/// The messages of a part, each with its device and type: for all devices where it says so.
fn addressed<'a>(part: &'a ToDevicePart, own: &'a [String]) -> Vec<(&'a str, &'a str, &'a RawValue)> {
    let event_type = part.event_type.as_str();
    let mut found = Vec::new();
    for (target, content) in &part.messages {
        let devices = own.iter().filter(|device| target == "*" || *device == target);
        found.extend(devices.map(|device| (device.as_str(), event_type, &**content)));
    }
    found
}
