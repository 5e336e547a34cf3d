//! Rooms that the user is replacing by others, which goes on after a crash.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The schema step.
pub const STEP: &[&str] = &["CREATE TABLE upgrade_sagas (
    old_room TEXT PRIMARY KEY,
    intent TEXT NOT NULL,
    step INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID"];

/// A room that is being replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRow {
    /// The room.
    pub old_room: String,
    /// The intent, as JSON.
    pub intent: String,
    /// How many steps are done.
    pub step: i64,
    /// When it was asked for.
    pub created_at: i64,
}

impl UpgradeRow {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { old_room: row.text(0)?, intent: row.text(1)?, step: row.integer(2)?, created_at: row.integer(3)? })
    }
}

/// The replacing of a room; `None` when it is done (or was never asked for).
pub fn get(query: &dyn Query, old_room: &str) -> Result<Option<UpgradeRow>, DatabaseError> {
    query
        .query_one(
            "SELECT old_room, intent, step, created_at FROM upgrade_sagas WHERE old_room = ?",
            &[old_room.into()],
        )?
        .as_ref()
        .map(UpgradeRow::from_row)
        .transpose()
}

/// The rooms that are being replaced, oldest first: (room id, asked for at).
pub fn list(query: &dyn Query) -> Result<Vec<(String, i64)>, DatabaseError> {
    query
        .query("SELECT old_room, created_at FROM upgrade_sagas ORDER BY created_at", &[])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.integer(1)?)))
        .collect()
}

/// Stores an intent; does nothing when the room is being replaced already.
pub fn start(transaction: &dyn Transaction, old_room: &str, intent: &str, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO upgrade_sagas (old_room, intent, step, created_at) VALUES (?, ?, 0, ?) ON CONFLICT (old_room) DO NOTHING",
        &[old_room.into(), intent.into(), now.into()],
    )?;
    Ok(())
}

/// Notes that so many steps are done.
pub fn set_step(transaction: &dyn Transaction, old_room: &str, step: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE upgrade_sagas SET step = ? WHERE old_room = ?", &[step.into(), old_room.into()])?;
    Ok(())
}

/// The room is replaced, or that was refused for good.
pub fn end(transaction: &dyn Transaction, old_room: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM upgrade_sagas WHERE old_room = ?", &[old_room.into()])?;
    Ok(())
}
