//! Receipts and typing of a room.

use crate::database::{DatabaseError, Query, Transaction};

/// A user's latest receipt of one type and thread.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptRow {
    /// Whose it is.
    pub user_id: String,
    /// `m.read` or `m.read.private`.
    pub receipt_type: String,
    /// `''` when unthreaded.
    pub thread_id: String,
    /// The event read.
    pub event_id: String,
    /// The event's position.
    pub event_position: i64,
    /// When.
    pub ts: i64,
    /// The position of the change.
    pub position: i64,
}

/// Sets a receipt.
pub fn put(transaction: &dyn Transaction, receipt: &ReceiptRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO receipts (user_id, receipt_type, thread_id, event_id, event_position, ts, position)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id, receipt_type, thread_id) DO UPDATE SET event_id = excluded.event_id,
            event_position = excluded.event_position, ts = excluded.ts, position = excluded.position",
        &[
            (&receipt.user_id).into(),
            (&receipt.receipt_type).into(),
            (&receipt.thread_id).into(),
            (&receipt.event_id).into(),
            receipt.event_position.into(),
            receipt.ts.into(),
            receipt.position.into(),
        ],
    )?;
    Ok(())
}

/// The receipts that changed in `(after, through]`. A room has few readers (local users), so this
/// needs no index.
pub fn changed(query: &dyn Query, after: i64, through: i64) -> Result<Vec<ReceiptRow>, DatabaseError> {
    let rows = query.query(
        "SELECT user_id, receipt_type, thread_id, event_id, event_position, ts, position
         FROM receipts WHERE position > ? AND position <= ? ORDER BY position",
        &[after.into(), through.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(ReceiptRow {
                user_id: row.text(0)?,
                receipt_type: row.text(1)?,
                thread_id: row.text(2)?,
                event_id: row.text(3)?,
                event_position: row.integer(4)?,
                ts: row.integer(5)?,
                position: row.integer(6)?,
            })
        })
        .collect()
}

/// One receipt.
pub fn get(
    query: &dyn Query,
    user_id: &str,
    receipt_type: &str,
    thread_id: &str,
) -> Result<Option<ReceiptRow>, DatabaseError> {
    let row = query.query_one(
        "SELECT event_id, event_position, ts, position FROM receipts
         WHERE user_id = ? AND receipt_type = ? AND thread_id = ?",
        &[user_id.into(), receipt_type.into(), thread_id.into()],
    )?;
    row.map(|row| {
        Ok(ReceiptRow {
            user_id: user_id.to_owned(),
            receipt_type: receipt_type.to_owned(),
            thread_id: thread_id.to_owned(),
            event_id: row.text(0)?,
            event_position: row.integer(1)?,
            ts: row.integer(2)?,
            position: row.integer(3)?,
        })
    })
    .transpose()
}

/// Who types and until when.
pub fn typing(query: &dyn Query) -> Result<Vec<(String, i64)>, DatabaseError> {
    let rows = query.query("SELECT user_id, expires_at FROM typing ORDER BY user_id", &[])?;
    rows.iter().map(|row| Ok((row.text(0)?, row.integer(1)?))).collect()
}

/// Starts typing until `expires_at`, or stops.
pub fn set_typing(transaction: &dyn Transaction, user_id: &str, expires_at: Option<i64>) -> Result<(), DatabaseError> {
    match expires_at {
        Some(expires_at) => transaction.execute(
            "INSERT INTO typing (user_id, expires_at) VALUES (?, ?)
             ON CONFLICT (user_id) DO UPDATE SET expires_at = excluded.expires_at",
            &[user_id.into(), expires_at.into()],
        )?,
        None => transaction.execute("DELETE FROM typing WHERE user_id = ?", &[user_id.into()])?,
    };
    Ok(())
}

/// Ends the typing that expired by `now`.
pub fn expire_typing(transaction: &dyn Transaction, now: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM typing WHERE expires_at <= ?", &[now.into()])?;
    Ok(())
}
