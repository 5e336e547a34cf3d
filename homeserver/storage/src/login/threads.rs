//! Threads that are channels of their own at the network, and which channel each is in: learned when one is begun, or
//! asked for once. Also what turned out to be no thread of a bridged channel, so that it is not asked for again.
//!
//! A new thread costs one row. The oldest are forgotten, and asked for again.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub(super) const STEP: &[&str] = &["CREATE TABLE threads (
    place TEXT PRIMARY KEY,
    parent TEXT NOT NULL,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID"];

/// So many are remembered.
const MOST: i64 = 5_000;

/// A thread, or what is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRow {
    /// Sorts by age: the place that its first message would have.
    pub place: String,
    /// The channel that it is in; empty when it is no thread.
    pub parent: String,
    /// Its name.
    pub name: String,
}

/// What is known of a thread.
pub fn get(query: &dyn Query, place: &str) -> Result<Option<ThreadRow>, DatabaseError> {
    let row = query.query_one("SELECT place, parent, name FROM threads WHERE place = ?", &[place.into()])?;
    row.map(|row| Ok(ThreadRow { place: row.text(0)?, parent: row.text(1)?, name: row.text(2)? })).transpose()
}

/// Remembers a thread: one row, and the oldest go.
pub fn put(transaction: &dyn Transaction, row: &ThreadRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO threads (place, parent, name) VALUES (?, ?, ?)",
        &[(&row.place).into(), (&row.parent).into(), (&row.name).into()],
    )?;
    transaction.execute(
        "DELETE FROM threads WHERE place <= (SELECT place FROM threads ORDER BY place DESC LIMIT 1 OFFSET ?)",
        &[MOST.into()],
    )?;
    Ok(())
}
