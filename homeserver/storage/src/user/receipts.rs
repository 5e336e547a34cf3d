//! The latest receipts of each room's members.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose it is.
    pub user_id: String,
    /// `m.read` or `m.read.private`.
    pub receipt_type: String,
    /// Empty: unthreaded; `main` or a thread root's id.
    pub thread_id: String,
    /// The event read.
    pub event_id: String,
    /// The event's position.
    pub event_position: i64,
    /// When, in milliseconds since the epoch.
    pub ts: i64,
}

impl Receipt {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user_id: row.text(0)?,
            receipt_type: row.text(1)?,
            thread_id: row.text(2)?,
            event_id: row.text(3)?,
            event_position: row.integer(4)?,
            ts: row.integer(5)?,
        })
    }
}

/// A room's receipts that changed after an inbox position.
pub fn list_changed(query: &dyn Query, room_id: &str, since: i64) -> Result<Vec<Receipt>, DatabaseError> {
    query
        .query(
            "SELECT user_id, receipt_type, thread_id, event_id, event_position, ts FROM receipts WHERE room_id = ? AND changed_pos > ? ORDER BY changed_pos, thread_id",
            &[room_id.into(), since.into()],
        )?
        .iter()
        .map(Receipt::from_row)
        .collect()
}

/// A user's own receipts in a room.
pub fn list_of_user(query: &dyn Query, room_id: &str, user_id: &str) -> Result<Vec<Receipt>, DatabaseError> {
    query
        .query(
            "SELECT user_id, receipt_type, thread_id, event_id, event_position, ts FROM receipts WHERE room_id = ? AND user_id = ?",
            &[room_id.into(), user_id.into()],
        )?
        .iter()
        .map(Receipt::from_row)
        .collect()
}

/// Writes a receipt; whether it said anything new.
pub fn put(
    transaction: &dyn Transaction,
    room_id: &str,
    receipt: &Receipt,
    changed_pos: i64,
) -> Result<bool, DatabaseError> {
    let changed = transaction.execute(
        "INSERT INTO receipts (room_id, user_id, receipt_type, thread_id, changed_pos, event_id, event_position, ts) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room_id, user_id, receipt_type, thread_id) DO UPDATE SET changed_pos = excluded.changed_pos, event_id = excluded.event_id, event_position = excluded.event_position, ts = excluded.ts WHERE event_id <> excluded.event_id OR ts <> excluded.ts RETURNING 1",
        &[
            room_id.into(),
            (&receipt.user_id).into(),
            (&receipt.receipt_type).into(),
            (&receipt.thread_id).into(),
            changed_pos.into(),
            (&receipt.event_id).into(),
            receipt.event_position.into(),
            receipt.ts.into(),
        ],
    )?;
    Ok(!changed.is_empty())
}
