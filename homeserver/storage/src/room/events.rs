//! The event graph of a room.

use super::{LIVE, RoomRow, position_of};
use crate::database::{DatabaseError, Query, Row, Transaction};

/// One stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Its place in paging.
    pub order_key: i64,
    /// Its id.
    pub event_id: String,
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: Option<String>,
    /// The sender.
    pub sender: String,
    /// The signed event; pruned once redacted.
    pub pdu: String,
    /// The branch of the state before it.
    pub branch: i64,
    /// The seq of the state before it.
    pub state_before: i64,
    /// The order_key of the state event that it replaced.
    pub replaces: Option<i64>,
    /// Whether the rules rejected it.
    pub rejected: bool,
    /// The redaction that pruned it.
    pub redacted_by: Option<String>,
    /// The history visibility in force.
    pub visibility: String,
    /// `<device>|<transaction id>`.
    pub transaction_key: Option<String>,
}

impl EventRow {
    /// Its position in the stream; `None` for imported history.
    pub fn position(&self) -> Option<i64> {
        position_of(self.order_key)
    }

    /// Reads what `select_events!` selects.
    pub(super) fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            order_key: row.integer(0)?,
            event_id: row.text(1)?,
            event_type: row.text(2)?,
            state_key: row.optional_text(3)?,
            sender: row.text(4)?,
            pdu: row.text(5)?,
            branch: row.integer(6)?,
            state_before: row.integer(7)?,
            replaces: row.optional_integer(8)?,
            rejected: row.flag(9)?,
            redacted_by: row.optional_text(10)?,
            visibility: row.text(11)?,
            transaction_key: row.optional_text(12)?,
        })
    }
}

/// A statement that selects events as `e` from what a join yields.
macro_rules! select_events {
    ($($rest:expr),+) => {
        concat!(
            "SELECT e.order_key, e.event_id, e.type, e.state_key, e.sender, e.pdu, e.branch, e.state_before,
                e.replaces, e.rejected, e.redacted_by, e.visibility, e.transaction_key",
            $($rest),+
        )
    };
}
pub(super) use select_events;

pub(super) fn read_all(rows: Vec<Row>) -> Result<Vec<EventRow>, DatabaseError> {
    rows.iter().map(EventRow::read).collect()
}

/// Appends an event.
pub fn insert(transaction: &dyn Transaction, event: &EventRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO events (order_key, event_id, type, state_key, sender, pdu, branch,
            state_before, replaces, rejected, redacted_by, visibility, transaction_key)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            event.order_key.into(),
            (&event.event_id).into(),
            (&event.event_type).into(),
            event.state_key.clone().into(),
            (&event.sender).into(),
            (&event.pdu).into(),
            event.branch.into(),
            event.state_before.into(),
            event.replaces.into(),
            event.rejected.into(),
            event.redacted_by.clone().into(),
            (&event.visibility).into(),
            event.transaction_key.clone().into(),
        ],
    )?;
    Ok(())
}

/// Replaces an event by its pruned form.
pub fn redact(
    transaction: &dyn Transaction,
    order_key: i64,
    pdu: &str,
    redacted_by: &str,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE events SET pdu = ?, redacted_by = ? WHERE order_key = ?",
        &[pdu.into(), redacted_by.into(), order_key.into()],
    )?;
    Ok(())
}

/// The event with this id.
pub fn get(query: &dyn Query, event_id: &str) -> Result<Option<EventRow>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
                replaces, rejected, redacted_by, visibility, transaction_key
             FROM events WHERE event_id = ?",
            &[event_id.into()],
        )?
        .as_ref()
        .map(EventRow::read)
        .transpose()
}

/// The event at this order_key.
pub fn at(query: &dyn Query, order_key: i64) -> Result<Option<EventRow>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
                replaces, rejected, redacted_by, visibility, transaction_key
             FROM events WHERE order_key = ?",
            &[order_key.into()],
        )?
        .as_ref()
        .map(EventRow::read)
        .transpose()
}

/// The events at these order_keys; one statement.
pub fn at_all(query: &dyn Query, order_keys: &[i64]) -> Result<Vec<EventRow>, DatabaseError> {
    let keys = serde_json::to_string(order_keys).map_err(DatabaseError::new)?;
    read_all(
        query.query(
            select_events!(" FROM json_each(?) j CROSS JOIN events e ON e.order_key = j.value"),
            &[keys.into()],
        )?,
    )
}

/// The event of one entry of the current state.
pub fn current(query: &dyn Query, event_type: &str, state_key: &str) -> Result<Option<EventRow>, DatabaseError> {
    query
        .query_one(
            "SELECT e.order_key, e.event_id, e.type, e.state_key, e.sender, e.pdu, e.branch, e.state_before,
                e.replaces, e.rejected, e.redacted_by, e.visibility, e.transaction_key
             FROM current_state s JOIN events e ON e.order_key = s.event_key
             WHERE s.type = ? AND s.state_key = ?",
            &[event_type.into(), state_key.into()],
        )?
        .as_ref()
        .map(EventRow::read)
        .transpose()
}

/// The id of the event that a sender's transaction made.
pub fn find_by_transaction(
    query: &dyn Query,
    sender: &str,
    transaction_key: &str,
) -> Result<Option<EventRow>, DatabaseError> {
    query
        .query_one(
            "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
                replaces, rejected, redacted_by, visibility, transaction_key
             FROM events WHERE sender = ? AND transaction_key = ?",
            &[sender.into(), transaction_key.into()],
        )?
        .as_ref()
        .map(EventRow::read)
        .transpose()
}

/// At most `limit` events below `order_key`, newest first.
pub fn before(query: &dyn Query, order_key: i64, limit: u32) -> Result<Vec<EventRow>, DatabaseError> {
    read_all(query.query(
        "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
            replaces, rejected, redacted_by, visibility, transaction_key
         FROM events WHERE order_key < ? ORDER BY order_key DESC LIMIT ?",
        &[order_key.into(), limit.into()],
    )?)
}

/// At most `limit` events from `order_key` on, oldest first.
pub fn from(query: &dyn Query, order_key: i64, limit: u32) -> Result<Vec<EventRow>, DatabaseError> {
    read_all(query.query(
        "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
            replaces, rejected, redacted_by, visibility, transaction_key
         FROM events WHERE order_key >= ? ORDER BY order_key LIMIT ?",
        &[order_key.into(), limit.into()],
    )?)
}

/// At most `limit` events with a position in `(after, through]` of a room, in order.
pub fn in_stream(
    query: &dyn Query,
    room: &RoomRow,
    (after, through): (i64, i64),
    limit: u32,
) -> Result<Vec<EventRow>, DatabaseError> {
    // Initial events have their position as order_key, live ones LIVE + position.
    let mut events = between(query, after, through.min(room.initial), limit)?;
    let taken = u32::try_from(events.len()).unwrap_or(limit);
    events.extend(between(query, LIVE + after.max(room.initial), LIVE + through, limit.saturating_sub(taken))?);
    Ok(events)
}

/// At most `limit` events with an order_key in `(after, through]`, in order.
fn between(query: &dyn Query, after: i64, through: i64, limit: u32) -> Result<Vec<EventRow>, DatabaseError> {
    if after >= through || limit == 0 {
        return Ok(Vec::new());
    }
    read_all(query.query(
        "SELECT order_key, event_id, type, state_key, sender, pdu, branch, state_before,
            replaces, rejected, redacted_by, visibility, transaction_key
         FROM events WHERE order_key > ? AND order_key <= ? ORDER BY order_key LIMIT ?",
        &[after.into(), through.into(), limit.into()],
    )?)
}
