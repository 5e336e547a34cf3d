//! Contiguous delivery: the event log is the outbox, and each follower has one cursor.
//!
//! At most one delivery a follower is in flight. Whoever holds a follower's lock goes on until the
//! follower has caught up, so a second caller may leave at once.

use std::borrow::Cow;

use futures_util::future::join_all;
use hubbub_storage::{
    database::Query,
    directory::stuck,
    room::{
        LIVE,
        events::{self, EventRow},
        followers::{self, ARCHIVE, FollowerRow, SEARCH, SpanRow, USER},
        receipts::{self, ReceiptRow},
        state::{self, StateRow},
    },
};
use ruma::{OwnedEventId, OwnedUserId, UserId, events::StateEventType};
use serde_json::value::RawValue;

use super::{
    Opened, RoomObject, initial::ARCHIVE_ID, rebuild::refuse_while_rebuilding, view::Viewer, visibility::Reader,
};
use crate::{
    contract::{
        Address, Class,
        appservice::AppserviceCommand,
        call,
        delivery::{Cursor, DeliveredEvent, DeliveryAnswer, Receipt, RoomDelivery, RoomFacts, Snapshot},
        user::UserCommand,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// The most events of one delivery.
const BATCH: u32 = 100;
/// The most bytes of events of one delivery.
const BATCH_BYTES: usize = 1_000_000;
/// The most events of a snapshot's history.
const HISTORY: usize = 50;
/// How many events are looked at to find them.
const HISTORY_SCAN: u32 = 250;
/// How many heroes a summary names.
const HEROES: u32 = 5;
/// After this many milliseconds undelivered work is reported to D1's `stuck`.
const STUCK_AFTER_MS: i64 = 60_000;
/// What a user who was invited or knocks is told of a room
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#stripped-state)).
const STRIPPED: [&str; 8] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
];

impl RoomObject {
    /// Delivers to everyone who waits; returns when to be woken again.
    pub(super) async fn deliver_all(&self) -> Result<Option<i64>> {
        if let Err(error) = self.go_on_rebuilding().await {
            self.report_stuck(true, self.context.clock.now()).await;
            return Err(error);
        }
        let typing_ends = self.end_expired_typing()?;
        let query = self.database.as_query();
        let Ok(opened) = self.opened_now() else {
            return Ok(None);
        };
        let due = self.context.clock.now() >= opened.row.alarm_at;
        let pending = self.pending(query, opened.row.position, due)?;
        let results = join_all(pending.iter().map(|follower| async move {
            let key = format!("{}:{}", follower.kind, follower.id);
            match self.in_flight.try_lock(&key) {
                Some(_held) => self.catch_up(&follower.kind, &follower.id).await,
                None => Ok(()),
            }
        }))
        .await;
        if due {
            self.store_cursors()?;
        }
        let now = self.context.clock.now();
        let failed = results.into_iter().find_map(Result::err);
        self.report_stuck(failed.is_some(), now).await;
        if let Some(error) = failed {
            tracing::warn!(room.id = %self.room_id, "A delivery failed and is tried again: {error}");
            return Ok(Some(now + ALARM_DELAY_MS));
        }
        if self.inboxes.take_found() {
            return Ok(Some(now));
        }
        // What waits for the alarm that the append armed: the archive, and the cursors.
        let armed = Some(opened.row.alarm_at).filter(|_| !due);
        Ok(typing_ends.into_iter().chain(armed).min())
    }

    /// Waits until a user's inbox and D1 hold everything up to `position`. D1 refusing writes does
    /// not hold the answer back: the archive catches up later.
    pub(super) async fn settle(&self, user_id: &UserId, position: i64) -> Result<()> {
        let archive = self.settle_follower(ARCHIVE, ARCHIVE_ID, position);
        let user = self.settle_follower(USER, user_id.as_str(), position);
        let (archived, delivered) = futures_util::future::join(archive, user).await;
        if let Err(error) = archived {
            tracing::warn!(room.id = %self.room_id, "The archive is behind: {error}");
        }
        delivered
    }

    pub(super) async fn settle_follower(&self, kind: &str, id: &str, position: i64) -> Result<()> {
        let follower = self.follower(self.database.as_query(), kind, id)?;
        if follower.is_none_or(|follower| follower.position >= position) {
            return Ok(());
        }
        let _held = self.in_flight.lock(&format!("{kind}:{id}")).await;
        self.catch_up(kind, id).await
    }

    /// Delivers to one follower until nothing is left. The caller holds its lock.
    async fn catch_up(&self, kind: &str, id: &str) -> Result<()> {
        if kind == ARCHIVE {
            return self.archive_all().await;
        }
        if kind == SEARCH {
            return self.index_until(None).await.map(|_| ());
        }
        let mut refusals = 0;
        while let Some(delivery) = self.next_delivery(kind, id)? {
            let (epoch, through) = (delivery.epoch, delivery.through);
            let answer = match kind {
                USER => {
                    let address = Address::new(Class::User, id);
                    let command = UserCommand::Deliver(Box::new(delivery));
                    call(self.context.objects.as_ref(), address, &command).await?
                }
                _ => {
                    let address = Address::new(Class::Appservice, id);
                    let command = AppserviceCommand::Deliver(Box::new(delivery));
                    call(self.context.objects.as_ref(), address, &command).await?
                }
            };
            self.context.failpoints.pass("room.after_delivery").await;
            let held = match answer {
                DeliveryAnswer::Accepted => Cursor { epoch, position: through },
                DeliveryAnswer::Refused(held) => {
                    refusals += 1;
                    if refusals > 3 {
                        return Err(MatrixError::internal("a follower keeps refusing"));
                    }
                    held
                }
            };
            self.advance(kind, id, held);
        }
        Ok(())
    }

    /// What a follower gets next; `None` when it has everything.
    pub(super) fn next_delivery(&self, kind: &str, id: &str) -> Result<Option<RoomDelivery>> {
        let query = self.database.as_query();
        let opened = self.opened_now()?;
        refuse_while_rebuilding(&opened.row)?;
        if self.has_come_to(kind, id, Cursor { epoch: opened.row.epoch, position: opened.row.position }) {
            return Ok(None);
        }
        let Some(follower) = self.follower(query, kind, id)? else {
            return Ok(None);
        };
        let spans = followers::spans(query, kind, id, follower.position)?;
        let Some(span) = spans.first().copied() else {
            return Ok(None);
        };
        let end = span.last.map_or(opened.row.position, |last| last.min(opened.row.position));
        let new_epoch = follower.epoch != 0 && follower.epoch != opened.row.epoch;
        if end <= follower.position && !new_epoch {
            return Ok(None);
        }
        let start = follower.position.max(span.first - 1);
        let found = events::in_stream(query, &opened.row, (start, end), BATCH)?;
        let full = found.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
        let count = found.len();
        let rows = limited(found);
        // Positions that are no events (receipts) belong to the batch that reaches the end.
        let through = match rows.last().and_then(EventRow::position) {
            Some(last) if full || rows.len() < count => last,
            _ => end,
        };
        let batch = Batch { follower: &follower, span, start, through, restart: new_epoch && kind == USER, rows };
        self.delivery(query, &opened, batch).map(Some)
    }

    fn delivery(&self, query: &dyn Query, opened: &Opened, batch: Batch<'_>) -> Result<RoomDelivery> {
        let follower = batch.follower;
        let user = (follower.kind == USER)
            .then(|| OwnedUserId::try_from(follower.id.as_str()).map_err(MatrixError::internal))
            .transpose()?;
        let reader = user.as_deref().map(|user| self.reader(query, opened, user)).transpose()?;
        let snapshot = match &reader {
            Some(reader) if batch.restart => {
                Some(self.snapshot(query, opened, reader, LIVE + opened.row.position + 1, None)?)
            }
            Some(reader) if batch.span.snapshot && batch.start == batch.span.first - 1 => {
                let first = batch.rows.first();
                // Who is followed late starts from all that was before, perhaps with no event after it.
                let below = first.map_or(LIVE + opened.row.position + 1, |row| row.order_key);
                let group = first.map(|row| (row.branch, row.state_before));
                Some(self.snapshot(query, opened, reader, below, group)?)
            }
            _ => None,
        };
        let through = if batch.restart { opened.row.position } else { batch.through };
        let rows = if batch.restart { Vec::new() } else { batch.rows };
        let members_changed = snapshot.is_some() || rows.iter().any(|row| row.event_type == "m.room.member");
        let joined = user.is_none() || batch.span.last.is_none() || batch.span.snapshot;
        let typed = opened.row.typing_position > batch.start && opened.row.typing_position <= through;
        Ok(RoomDelivery {
            room_id: self.room_id.clone(),
            epoch: opened.row.epoch,
            previous: Cursor { epoch: follower.epoch, position: follower.position },
            through,
            events: rows
                .iter()
                .map(|row| self.delivered(query, opened, row, reader.as_ref()))
                .collect::<Result<_>>()?,
            receipts: self.receipts_for(query, user.as_deref(), (batch.start, through), joined)?,
            typing: if joined && typed { Some(self.typing_now(query)?) } else { None },
            room: self.facts(query, opened, user.as_deref(), members_changed)?,
            snapshot,
        })
    }

    /// An event as a follower gets it.
    pub(super) fn delivered(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &EventRow,
        reader: Option<&Reader<'_>>,
    ) -> Result<DeliveredEvent> {
        let viewer = Viewer::default();
        let shown = match reader {
            Some(reader) => self.unless_erased(query, opened, row, reader)?,
            None => Cow::Borrowed(row),
        };
        let own = reader.is_some_and(|reader| reader.user_id.as_str() == row.sender);
        let sender_member = match reader {
            Some(_) if !own => self.member_shown(query, opened, &row.sender)?,
            _ => None,
        };
        let redacted = match row.event_type.as_str() {
            "m.room.redaction" => self.redacted_by_event(query, opened, row, reader)?,
            _ => None,
        };
        Ok(DeliveredEvent {
            event_id: OwnedEventId::try_from(row.event_id.as_str()).map_err(MatrixError::internal)?,
            position: row.position(),
            order_key: row.order_key,
            event: self.show(query, opened, &shown, &viewer)?,
            is_state: row.state_key.is_some(),
            event_type: row.event_type.clone(),
            state_key: row.state_key.clone(),
            sender: OwnedUserId::try_from(row.sender.as_str()).map_err(MatrixError::internal)?,
            membership: reader.map(|reader| reader.memberships.after(row.order_key).to_owned()),
            transaction: super::view::transaction_of(row)
                .filter(|_| own)
                .map(|(device, id)| (device.to_owned(), id.to_owned())),
            sender_member,
            redacted,
        })
    }

    fn member_shown(&self, query: &dyn Query, opened: &Opened, user_id: &str) -> Result<Option<Box<RawValue>>> {
        let row = events::current(query, "m.room.member", user_id)?;
        let viewer = Viewer::default();
        row.map(|row| self.show(query, opened, &row, &viewer)).transpose()
    }

    fn redacted_by_event(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &EventRow,
        reader: Option<&Reader<'_>>,
    ) -> Result<Option<Box<DeliveredEvent>>> {
        let Some(target) = self.pdu_in_room(row)?.redacts(&opened.rules) else {
            return Ok(None);
        };
        let target = events::get(query, target.as_str())?
            .filter(|target| target.redacted_by.as_deref() == Some(row.event_id.as_str()));
        target
            .filter(|target| target.event_type != "m.room.redaction")
            .map(|target| self.delivered(query, opened, &target, reader).map(Box::new))
            .transpose()
    }

    /// What a joiner starts from: the state of `group` (the current one when `None`) and the
    /// visible events below `below`.
    fn snapshot(
        &self,
        query: &dyn Query,
        opened: &Opened,
        reader: &Reader<'_>,
        below: i64,
        group: Option<(i64, i64)>,
    ) -> Result<Snapshot> {
        let mut history: Vec<EventRow> = events::before(query, below, HISTORY_SCAN)?
            .into_iter()
            .filter(|row| !row.rejected && reader.may_see(row))
            .take(HISTORY)
            .collect();
        history.reverse();
        let mut rows = match group {
            Some((branch, seq)) => state::all_but_members_at(query, branch, seq)?,
            None => state::current_but_members(query)?,
        };
        let mut members: Vec<String> = state::heroes(query, reader.user_id.as_str(), HEROES)?;
        members.push(reader.user_id.to_string());
        members.extend(history.iter().map(|row| row.sender.clone()));
        members.sort();
        members.dedup();
        for user_id in members {
            let row = match group {
                Some((branch, seq)) => state::at(query, branch, seq, "m.room.member", &user_id)?,
                None => state::current(query, "m.room.member", &user_id)?,
            };
            rows.extend(row);
        }
        let deliver = |row: &EventRow| self.delivered(query, opened, row, Some(reader));
        Ok(Snapshot {
            state: self.events_of(query, &rows)?.iter().map(deliver).collect::<Result<_>>()?,
            history: history.iter().map(deliver).collect::<Result<_>>()?,
            receipts: self.receipts_for(query, Some(reader.user_id), (0, opened.row.position), true)?,
            members: super::device_list::sharers(query)?,
        })
    }

    /// The events of state entries, in order.
    pub(super) fn events_of(&self, query: &dyn Query, rows: &[StateRow]) -> Result<Vec<EventRow>> {
        let keys: Vec<i64> = rows.iter().map(|row| row.event_key).collect();
        let mut found = events::at_all(query, &keys)?;
        found.sort_by_key(|row| row.order_key);
        Ok(found)
    }

    fn receipts_for(
        &self,
        query: &dyn Query,
        user: Option<&UserId>,
        (start, through): (i64, i64),
        joined: bool,
    ) -> Result<Vec<Receipt>> {
        if !joined {
            return Ok(Vec::new());
        }
        receipts::changed(query, start, through)?
            .into_iter()
            .filter(|row| row.receipt_type != "m.read.private" || user.is_some_and(|user| user.as_str() == row.user_id))
            .map(receipt)
            .collect()
    }

    fn typing_now(&self, query: &dyn Query) -> Result<Vec<OwnedUserId>> {
        let now = self.context.clock.now();
        receipts::typing(query)?
            .into_iter()
            .filter(|(_, expires_at)| *expires_at > now)
            .map(|(user_id, _)| OwnedUserId::try_from(user_id).map_err(MatrixError::internal))
            .collect()
    }

    fn facts(
        &self,
        query: &dyn Query,
        opened: &Opened,
        user: Option<&UserId>,
        members_changed: bool,
    ) -> Result<RoomFacts> {
        let levels = self.state_pdu(query, &StateEventType::RoomPowerLevels, "")?;
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let membership = match user {
            Some(user) => self.membership_of(query, opened, user)?,
            None => None,
        };
        let heroes = match user.filter(|_| members_changed) {
            Some(user) => Some(
                state::heroes(query, user.as_str(), HEROES)?
                    .into_iter()
                    .filter_map(|hero| OwnedUserId::try_from(hero).ok())
                    .collect(),
            ),
            None => None,
        };
        Ok(RoomFacts {
            joined: count(opened.row.joined),
            invited: count(opened.row.invited),
            heroes,
            room_version: opened.row.version.clone(),
            power_levels: levels.map(|levels| levels.fields.content),
            creators: self.privileged_creators(query, opened)?,
            company: if members_changed { Some(super::presence::has_company(query)?) } else { None },
            invite_state: match (user, membership.as_deref()) {
                (Some(user), Some("invite" | "knock")) => self.stripped_state(query, user)?,
                _ => Vec::new(),
            },
        })
    }

    fn stripped_state(&self, query: &dyn Query, user: &UserId) -> Result<Vec<Box<RawValue>>> {
        let mut rows = Vec::new();
        for event_type in STRIPPED {
            rows.extend(events::current(query, event_type, "")?);
        }
        let own = events::current(query, "m.room.member", user.as_str())?;
        // Who knocks is nobody's guest.
        if let Some(inviter) = own.as_ref().map(|own| own.sender.as_str()).filter(|inviter| *inviter != user.as_str()) {
            rows.extend(events::current(query, "m.room.member", inviter)?);
        }
        rows.extend(own);
        rows.sort_by_key(|row| row.order_key);
        rows.iter()
            .map(|row| {
                let pdu = self.pdu_in_room(row)?;
                Ok(serde_json::value::to_raw_value(&serde_json::json!({
                    "type": pdu.fields.event_type,
                    "state_key": pdu.fields.state_key,
                    "sender": pdu.fields.sender,
                    "content": pdu.fields.content,
                }))?)
            })
            .collect()
    }

    /// Tells D1's `stuck` about deliveries that fail for long, so that Cron pokes this object even
    /// if its alarm was lost.
    async fn report_stuck(&self, failing: bool, now: i64) {
        let directory = self.context.directory.as_ref();
        let since = self.failing_since.get();
        let reported = match (failing, since) {
            (true, None) => {
                self.failing_since.set(Some(now));
                Ok(())
            }
            (true, Some(since)) if now - since > STUCK_AFTER_MS => {
                stuck::mark(directory, "Room", self.room_id.as_str(), since).await
            }
            (false, Some(since)) => {
                self.failing_since.set(None);
                if now - since > STUCK_AFTER_MS {
                    stuck::clear(directory, "Room", self.room_id.as_str()).await
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        };
        if let Err(error) = reported {
            tracing::warn!(room.id = %self.room_id, "Could not report to D1: {error}");
        }
    }
}

/// What goes into one delivery.
struct Batch<'a> {
    follower: &'a FollowerRow,
    span: SpanRow,
    start: i64,
    through: i64,
    /// Whether the follower of a rebuilt room starts again from a snapshot.
    restart: bool,
    rows: Vec<EventRow>,
}

/// The first rows that together stay below the size limit of a delivery; at least one.
fn limited(rows: Vec<EventRow>) -> Vec<EventRow> {
    let mut bytes = 0;
    rows.into_iter()
        .enumerate()
        .take_while(|(index, row)| {
            bytes += row.pdu.len();
            *index == 0 || bytes <= BATCH_BYTES
        })
        .map(|(_, row)| row)
        .collect()
}

fn receipt(row: ReceiptRow) -> Result<Receipt> {
    Ok(Receipt {
        user_id: OwnedUserId::try_from(row.user_id).map_err(MatrixError::internal)?,
        receipt_type: row.receipt_type,
        thread_id: Some(row.thread_id).filter(|thread| !thread.is_empty()),
        event_id: OwnedEventId::try_from(row.event_id).map_err(MatrixError::internal)?,
        event_position: row.event_position,
        ts: row.ts,
    })
}
