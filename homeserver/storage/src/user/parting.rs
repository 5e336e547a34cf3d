//! The rooms that a deactivated user has still to leave.

use crate::database::{DatabaseError, Query, Transaction};

/// A room to be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartingJob {
    /// The room.
    pub room_id: String,
    /// Whether the room is to be forgotten, too.
    pub forget: bool,
    /// Since when.
    pub created_at: i64,
}

/// The rooms to be left.
pub fn list(query: &dyn Query) -> Result<Vec<PartingJob>, DatabaseError> {
    query
        .query("SELECT room_id, forget, created_at FROM parting_jobs ORDER BY room_id", &[])?
        .iter()
        .map(|row| Ok(PartingJob { room_id: row.text(0)?, forget: row.flag(1)?, created_at: row.integer(2)? }))
        .collect()
}

/// Every room that the inbox has the user in, or has an invite or a knock of, and every room that
/// is being made, is to be left. With `forget`, those that were left before are listed too.
pub fn add_all(transaction: &dyn Transaction, forget: bool, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, forget, created_at) SELECT room_id, ?, ? FROM rooms WHERE membership IN ('join', 'invite', 'knock') OR (? AND NOT forgotten) ON CONFLICT (room_id) DO NOTHING",
        &[forget.into(), now.into(), forget.into()],
    )?;
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, forget, created_at) SELECT room_id, ?, ? FROM room_sagas WHERE true ON CONFLICT (room_id) DO NOTHING",
        &[forget.into(), now.into()],
    )?;
    Ok(())
}

/// A room that the inbox does not know is to be left.
pub fn add(transaction: &dyn Transaction, room_id: &str, forget: bool, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, forget, created_at) VALUES (?, ?, ?) ON CONFLICT (room_id) DO NOTHING",
        &[room_id.into(), forget.into(), now.into()],
    )?;
    Ok(())
}

/// A room was left.
pub fn end(transaction: &dyn Transaction, room_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM parting_jobs WHERE room_id = ?", &[room_id.into()])?;
    Ok(())
}

/// Forgets what a deactivated user kept here for themselves: filters, and with `everything` the
/// account data (push rules among them) too.
pub fn forget_settings(transaction: &dyn Transaction, everything: bool) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM filters", &[])?;
    transaction.execute("DELETE FROM profile_jobs", &[])?;
    if everything {
        transaction.execute("DELETE FROM account_data", &[])?;
    }
    Ok(())
}
