//! The newest events of each room, and the places of the older ones.

use crate::database::{DatabaseError, MAX_INTEGER, Query, Row, Transaction};

/// Whether an event notified when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// It does not count as unread.
    Silent = 0,
    /// It counts.
    Notify = 1,
    /// It counts and is highlighted.
    Highlight = 2,
}

impl Notify {
    fn from_integer(integer: i64) -> Self {
        match integer {
            0 => Self::Silent,
            1 => Self::Notify,
            _ => Self::Highlight,
        }
    }

    fn to_integer(self) -> i64 {
        match self {
            Self::Silent => 0,
            Self::Notify => 1,
            Self::Highlight => 2,
        }
    }
}

/// An event that is kept with its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// Its place in paging.
    pub order_key: i64,
    /// Its position in the room's stream; `None` for imported history.
    pub position: Option<i64>,
    /// When it came into the inbox.
    pub inbox_pos: i64,
    /// Whether it notified.
    pub notify: Notify,
    /// The root of its thread; `None`: the main timeline.
    pub thread: Option<String>,
    /// The event's id.
    pub event_id: String,
    /// The type.
    pub event_type: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// The sender.
    pub sender: String,
    /// The user's membership at the event.
    pub membership: Option<String>,
    /// The user's own device that sent it.
    pub device_id: Option<String>,
    /// The transaction id under which that device sent it.
    pub transaction_id: Option<String>,
    /// `origin_server_ts`.
    pub ts: i64,
    /// The event without `unsigned`.
    pub event: String,
    /// The members of `unsigned`, without the braces.
    pub unsigned: Option<String>,
}

impl KeptEvent {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            order_key: row.integer(0)?,
            position: row.optional_integer(1)?,
            inbox_pos: row.integer(2)?,
            notify: Notify::from_integer(row.integer(3)?),
            thread: row.optional_text(4)?,
            event_id: row.text(5)?,
            event_type: row.text(6)?,
            state_key: row.optional_text(7)?,
            sender: row.text(8)?,
            membership: row.optional_text(9)?,
            device_id: row.optional_text(10)?,
            transaction_id: row.optional_text(11)?,
            ts: row.integer(12)?,
            event: row.text(13)?,
            unsigned: row.optional_text(14)?,
        })
    }
}

/// The place of an event: what stays when its JSON goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in paging.
    pub order_key: i64,
    /// Its position in the room's stream.
    pub position: Option<i64>,
    /// When it came into the inbox.
    pub inbox_pos: i64,
    /// Whether it notified.
    pub notify: Notify,
    /// The root of its thread.
    pub thread: Option<String>,
    /// The event's id; empty once its JSON is gone.
    pub event_id: String,
}

impl Place {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            order_key: row.integer(0)?,
            position: row.optional_integer(1)?,
            inbox_pos: row.integer(2)?,
            notify: Notify::from_integer(row.integer(3)?),
            thread: row.optional_text(4)?,
            event_id: row.text(5)?,
        })
    }
}

/// Above every order_key.
pub const END: i64 = MAX_INTEGER;

/// A stretch of a room's timeline, read from its newest event.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The room.
    pub room_id: &'a str,
    /// Only events below this order_key.
    pub below: i64,
    /// Only events at or above this order_key.
    pub from: i64,
    /// At most so many.
    pub limit: usize,
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(MAX_INTEGER)
}

/// Kept events of a stretch, newest first.
pub fn list_kept(query: &dyn Query, stretch: Stretch<'_>) -> Result<Vec<KeptEvent>, DatabaseError> {
    query
        .query(
            "SELECT order_key, position, inbox_pos, notify, thread, event_id, event_type, state_key, sender, membership, device_id, transaction_id, ts, event, unsigned FROM timeline WHERE room_id = ? AND order_key < ? AND order_key >= ? AND event IS NOT NULL ORDER BY order_key DESC LIMIT ?",
            &[
                stretch.room_id.into(),
                stretch.below.into(),
                stretch.from.into(),
                bound(stretch.limit).into(),
            ],
        )?
        .iter()
        .map(KeptEvent::from_row)
        .collect()
}

/// Which notifying events of a room are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Notifying<'a> {
    /// The room.
    pub room_id: &'a str,
    /// From which order_key on.
    pub from: i64,
    /// Below which inbox position, and within it below which order_key.
    pub below: (i64, i64),
    /// How much they must have notified.
    pub least: Notify,
    /// At most so many.
    pub limit: usize,
}

/// Kept events that notified, newest first.
pub fn list_notifying(query: &dyn Query, wanted: Notifying<'_>) -> Result<Vec<KeptEvent>, DatabaseError> {
    let (inbox_pos, order_key) = wanted.below;
    query
        .query(
            "SELECT order_key, position, inbox_pos, notify, thread, event_id, event_type, state_key, sender, membership, device_id, transaction_id, ts, event, unsigned FROM timeline WHERE room_id = ? AND order_key >= ? AND event IS NOT NULL AND notify >= ? AND (inbox_pos < ? OR (inbox_pos = ? AND order_key < ?)) ORDER BY order_key DESC LIMIT ?",
            &[
                wanted.room_id.into(),
                wanted.from.into(),
                wanted.least.to_integer().into(),
                inbox_pos.into(),
                inbox_pos.into(),
                order_key.into(),
                bound(wanted.limit).into(),
            ],
        )?
        .iter()
        .map(KeptEvent::from_row)
        .collect()
}

/// The oldest kept event at or above an order_key that notified when it came and lies above a
/// cursor (inbox position, order_key).
pub fn first_notifying(
    query: &dyn Query,
    room_id: &str,
    from: i64,
    cursor: (i64, i64),
) -> Result<Option<KeptEvent>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key, position, inbox_pos, notify, thread, event_id, event_type, state_key, sender, membership, device_id, transaction_id, ts, event, unsigned FROM timeline WHERE room_id = ? AND order_key >= ? AND event IS NOT NULL AND notify > 0 AND (inbox_pos > ? OR (inbox_pos = ? AND order_key > ?)) ORDER BY order_key LIMIT 1",
            &[room_id.into(), from.into(), cursor.0.into(), cursor.0.into(), cursor.1.into()],
        )?
        .as_ref()
        .map(KeptEvent::from_row)
        .transpose()
}

/// The places of a stretch, newest first, kept or not.
pub fn list_places(query: &dyn Query, stretch: Stretch<'_>) -> Result<Vec<Place>, DatabaseError> {
    query
        .query(
            "SELECT order_key, position, inbox_pos, notify, thread, event_id FROM timeline WHERE room_id = ? AND order_key < ? AND order_key >= ? ORDER BY order_key DESC LIMIT ?",
            &[
                stretch.room_id.into(),
                stretch.below.into(),
                stretch.from.into(),
                bound(stretch.limit).into(),
            ],
        )?
        .iter()
        .map(Place::from_row)
        .collect()
}

/// The order_key of the `nth` newest place at or above an order_key (1 is the newest).
pub fn nth_newest(query: &dyn Query, room_id: &str, from: i64, nth: usize) -> Result<Option<i64>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key FROM timeline WHERE room_id = ? AND order_key >= ? ORDER BY order_key DESC LIMIT 1 OFFSET ?",
            &[room_id.into(), from.into(), bound(nth.saturating_sub(1)).into()],
        )?
        .map(|row| row.integer(0))
        .transpose()
}

/// The oldest place at or above an order_key.
pub fn first_from(query: &dyn Query, room_id: &str, from: i64) -> Result<Option<Place>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key, position, inbox_pos, notify, thread, event_id FROM timeline WHERE room_id = ? AND order_key >= ? ORDER BY order_key LIMIT 1",
            &[room_id.into(), from.into()],
        )?
        .as_ref()
        .map(Place::from_row)
        .transpose()
}

/// Where a sync token stands in a room: the order_key of the first event that came after this
/// inbox position, or the one above the newest event. `None` when the inbox has no event of it.
///
/// Inbox positions never fall as order_keys rise, so it is found by halving.
pub fn find_place_after(query: &dyn Query, room_id: &str, inbox_pos: i64) -> Result<Option<i64>, DatabaseError> {
    let newest = list_places(query, Stretch { room_id, below: END, from: -END, limit: 1 })?;
    let (Some(newest), Some(oldest)) = (newest.first(), first_from(query, room_id, -END)?) else {
        return Ok(None);
    };
    if newest.inbox_pos <= inbox_pos {
        return Ok(Some(newest.order_key + 1));
    }
    // Invariant: whatever lies below `low` came before, whatever lies at or above `high` after.
    let (mut low, mut high) = (oldest.order_key, newest.order_key);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(query, room_id, middle)? {
            Some(place) if place.inbox_pos <= inbox_pos => low = place.order_key + 1,
            _ => high = middle,
        }
    }
    Ok(first_from(query, room_id, high)?.map(|place| place.order_key))
}

/// Writes an event with its JSON.
pub fn put(transaction: &dyn Transaction, room_id: &str, event: &KeptEvent) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO timeline (room_id, order_key, position, inbox_pos, notify, thread, event_id, event_type, state_key, sender, membership, device_id, transaction_id, ts, event, unsigned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room_id, order_key) DO UPDATE SET position = excluded.position, inbox_pos = excluded.inbox_pos, notify = excluded.notify, thread = excluded.thread, event_id = excluded.event_id, event_type = excluded.event_type, state_key = excluded.state_key, sender = excluded.sender, membership = excluded.membership, device_id = excluded.device_id, transaction_id = excluded.transaction_id, ts = excluded.ts, event = excluded.event, unsigned = excluded.unsigned",
        &[
            room_id.into(),
            event.order_key.into(),
            event.position.into(),
            event.inbox_pos.into(),
            event.notify.to_integer().into(),
            event.thread.as_ref().into(),
            (&event.event_id).into(),
            (&event.event_type).into(),
            event.state_key.as_ref().into(),
            (&event.sender).into(),
            event.membership.as_ref().into(),
            event.device_id.as_ref().into(),
            event.transaction_id.as_ref().into(),
            event.ts.into(),
            (&event.event).into(),
            event.unsigned.as_ref().into(),
        ],
    )?;
    Ok(())
}

/// Replaces the JSON of a kept event: it was redacted, and notifies no more.
pub fn replace_event(
    transaction: &dyn Transaction,
    room_id: &str,
    order_key: i64,
    event: &str,
    unsigned: Option<&str>,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE timeline SET event = ?, unsigned = ?, notify = 0 WHERE room_id = ? AND order_key = ? AND event IS NOT NULL",
        &[event.into(), unsigned.into(), room_id.into(), order_key.into()],
    )?;
    Ok(())
}

/// Lets go of the JSON of the events in `[from, below)`; their places stay.
pub fn evict(transaction: &dyn Transaction, room_id: &str, from: i64, below: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE timeline SET event = NULL, unsigned = NULL, event_id = '', event_type = '', state_key = NULL, sender = '', membership = NULL, device_id = NULL, transaction_id = NULL WHERE room_id = ? AND order_key >= ? AND order_key < ? AND event IS NOT NULL",
        &[room_id.into(), from.into(), below.into()],
    )?;
    Ok(())
}

/// Forgets all events at or above an order_key, places included.
pub fn delete_from(transaction: &dyn Transaction, room_id: &str, from: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM timeline WHERE room_id = ? AND order_key >= ?", &[room_id.into(), from.into()])?;
    Ok(())
}
