//! To-device messages: those on their way from this user's devices, and those that wait for them.
//!
//! A request is one row of the outbox until every recipient has its part; a message is one row of its
//! device's queue until the device's next sync token says that it arrived.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A request that was not handed over yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number: grows with each request of the user, whatever the device.
    pub seq: i64,
    /// The type of all its messages.
    pub event_type: String,
    /// User → device (or `*`) → content, as JSON.
    pub messages: String,
}

/// What is remembered of former requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The number of the newest one.
    pub last_seq: i64,
    /// Marks of the newest ones, as a JSON list.
    pub recent: String,
}

/// What is remembered of former requests; `None` before the first.
pub fn get_sent(query: &dyn Query) -> Result<Option<Sent>, DatabaseError> {
    let row = query.query_one("SELECT last_seq, recent FROM to_device_sent", &[])?;
    row.map(|row| Ok(Sent { last_seq: row.integer(0)?, recent: row.text(1)? })).transpose()
}

/// Stores a request, and what is to be remembered of it.
pub fn add_outgoing(
    transaction: &dyn Transaction,
    outgoing: &Outgoing,
    recent: &str,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO to_device_outbox (seq, event_type, messages, created_at) VALUES (?, ?, ?, ?)",
        &[outgoing.seq.into(), (&outgoing.event_type).into(), (&outgoing.messages).into(), now.into()],
    )?;
    transaction.execute(
        "INSERT INTO to_device_sent (only, last_seq, recent) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET last_seq = excluded.last_seq, recent = excluded.recent",
        &[outgoing.seq.into(), recent.into()],
    )?;
    Ok(())
}

/// The requests after a number, oldest first: (number, bytes). At most `limit`.
pub fn list_outgoing_sizes(query: &dyn Query, after: i64, limit: u32) -> Result<Vec<(i64, i64)>, DatabaseError> {
    query
        .query(
            "SELECT seq, LENGTH(messages) FROM to_device_outbox WHERE seq > ? ORDER BY seq LIMIT ?",
            &[after.into(), limit.into()],
        )?
        .iter()
        .map(|row| Ok((row.integer(0)?, row.integer(1)?)))
        .collect()
}

/// The requests with numbers in `(after, through]`, oldest first.
pub fn list_outgoing(query: &dyn Query, after: i64, through: i64) -> Result<Vec<Outgoing>, DatabaseError> {
    query
        .query(
            "SELECT seq, event_type, messages FROM to_device_outbox WHERE seq > ? AND seq <= ? ORDER BY seq",
            &[after.into(), through.into()],
        )?
        .iter()
        .map(|row| Ok(Outgoing { seq: row.integer(0)?, event_type: row.text(1)?, messages: row.text(2)? }))
        .collect()
}

/// How many requests wait, and since when the oldest does.
pub fn outgoing_waiting(query: &dyn Query) -> Result<(i64, Option<i64>), DatabaseError> {
    let row = query.query_one("SELECT COUNT(*), MIN(created_at) FROM to_device_outbox", &[])?;
    row.map_or(Ok((0, None)), |row| Ok((row.integer(0)?, row.optional_integer(1)?)))
}

/// These requests have reached everybody.
pub fn end_outgoing(transaction: &dyn Transaction, numbers: &[i64]) -> Result<(), DatabaseError> {
    let numbers = serde_json::to_string(numbers).map_err(DatabaseError::new)?;
    transaction.execute(
        "DELETE FROM to_device_outbox WHERE seq IN (SELECT value FROM json_each(?))",
        &[numbers.as_str().into()],
    )?;
    Ok(())
}

/// The number of the newest request of this sender that was taken.
pub fn last_taken(query: &dyn Query, sender: &str) -> Result<i64, DatabaseError> {
    let row = query.query_one("SELECT seq FROM to_device_taken WHERE sender = ?", &[sender.into()])?;
    row.map_or(Ok(0), |row| row.integer(0))
}

/// Notes the number of the newest request of this sender that was taken.
pub fn set_last_taken(transaction: &dyn Transaction, sender: &str, seq: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO to_device_taken (sender, seq) VALUES (?, ?) ON CONFLICT (sender) DO UPDATE SET seq = excluded.seq",
        &[sender.into(), seq.into()],
    )?;
    Ok(())
}

/// A message that waits for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its own inbox position.
    pub pos: i64,
    /// Who sent it.
    pub sender: String,
    /// The type.
    pub event_type: String,
    /// The content, as JSON.
    pub content: String,
}

impl Message {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { pos: row.integer(0)?, sender: row.text(1)?, event_type: row.text(2)?, content: row.text(3)? })
    }
}

/// Puts a message at the end of a device's queue.
pub fn put(transaction: &dyn Transaction, device_id: &str, message: &Message) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO to_device (device_id, pos, sender, event_type, content) VALUES (?, ?, ?, ?, ?)",
        &[
            device_id.into(),
            message.pos.into(),
            (&message.sender).into(),
            (&message.event_type).into(),
            (&message.content).into(),
        ],
    )?;
    Ok(())
}

/// The messages of a device after a position, oldest first. At most `limit`.
pub fn list(query: &dyn Query, device_id: &str, after: i64, limit: u32) -> Result<Vec<Message>, DatabaseError> {
    query
        .query(
            "SELECT pos, sender, event_type, content FROM to_device WHERE device_id = ? AND pos > ? ORDER BY pos LIMIT ?",
            &[device_id.into(), after.into(), limit.into()],
        )?
        .iter()
        .map(Message::from_row)
        .collect()
}

/// The oldest messages of all devices after a position: (device, message). At most `limit`. For a user with few devices.
pub fn list_of_all(query: &dyn Query, after: i64, limit: u32) -> Result<Vec<(String, Message)>, DatabaseError> {
    query
        .query(
            "SELECT pos, sender, event_type, content, device_id FROM to_device WHERE pos > ? ORDER BY pos LIMIT ?",
            &[after.into(), limit.into()],
        )?
        .iter()
        .map(|row| Ok((row.text(4)?, Message::from_row(row)?)))
        .collect()
}

/// How many messages wait for a device, and how many bytes their contents have.
pub fn size(query: &dyn Query, device_id: &str) -> Result<(i64, i64), DatabaseError> {
    let row = query.query_one(
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(content)), 0) FROM to_device WHERE device_id = ?",
        &[device_id.into()],
    )?;
    row.map_or(Ok((0, 0)), |row| Ok((row.integer(0)?, row.integer(1)?)))
}

/// The oldest messages of a device: (position, bytes). At most `limit`.
pub fn list_oldest(query: &dyn Query, device_id: &str, limit: u32) -> Result<Vec<(i64, i64)>, DatabaseError> {
    query
        .query(
            "SELECT pos, LENGTH(content) FROM to_device WHERE device_id = ? ORDER BY pos LIMIT ?",
            &[device_id.into(), limit.into()],
        )?
        .iter()
        .map(|row| Ok((row.integer(0)?, row.integer(1)?)))
        .collect()
}

/// Whether a message of a device lies at or before a position.
pub fn has_any_through(query: &dyn Query, device_id: &str, through: i64) -> Result<bool, DatabaseError> {
    let row = query.query_one(
        "SELECT 1 FROM to_device WHERE device_id = ? AND pos <= ? LIMIT 1",
        &[device_id.into(), through.into()],
    )?;
    Ok(row.is_some())
}

/// Deletes the messages of all devices through a position.
pub fn delete_all_through(transaction: &dyn Transaction, through: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM to_device WHERE pos <= ?", &[through.into()])?;
    Ok(())
}

/// Deletes the messages of a device through a position.
pub fn delete_through(transaction: &dyn Transaction, device_id: &str, through: i64) -> Result<(), DatabaseError> {
    transaction
        .execute("DELETE FROM to_device WHERE device_id = ? AND pos <= ?", &[device_id.into(), through.into()])?;
    Ok(())
}
