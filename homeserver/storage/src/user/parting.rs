//! The rooms that a deactivated user has still to leave.

use crate::database::{DatabaseError, Query, Transaction};

/// A room to be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartingJob {
    /// The room.
    pub room_id: String,
    /// Whether what the user said there is to be erased, and the room forgotten.
    pub erase: bool,
    /// Since when.
    pub created_at: i64,
}

/// The rooms to be left.
pub fn list(query: &dyn Query) -> Result<Vec<PartingJob>, DatabaseError> {
    query
        .query("SELECT room_id, erase, created_at FROM parting_jobs ORDER BY room_id", &[])?
        .iter()
        .map(|row| Ok(PartingJob { room_id: row.text(0)?, erase: row.flag(1)?, created_at: row.integer(2)? }))
        .collect()
}

/// Every room that the inbox has the user in, or has an invite or a knock of, and every room that
/// is being made, is to be left. With `erase`, those that were left before are listed too.
pub fn add_all(transaction: &dyn Transaction, erase: bool, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, erase, created_at) SELECT room_id, ?, ? FROM rooms WHERE membership IN ('join', 'invite', 'knock') OR ? ON CONFLICT (room_id) DO NOTHING",
        &[erase.into(), now.into(), erase.into()],
    )?;
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, erase, created_at) SELECT room_id, ?, ? FROM room_sagas WHERE true ON CONFLICT (room_id) DO NOTHING",
        &[erase.into(), now.into()],
    )?;
    Ok(())
}

/// A room that the inbox does not know is to be left.
pub fn add(transaction: &dyn Transaction, room_id: &str, erase: bool, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO parting_jobs (room_id, erase, created_at) VALUES (?, ?, ?) ON CONFLICT (room_id) DO NOTHING",
        &[room_id.into(), erase.into(), now.into()],
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
