//! How far a portal has caught up with its channel, and up to where the owner has read.

use crate::database::{DatabaseError, Query, Transaction};

/// The third step of the schema.
pub(super) const STEP: &[&str] = &["CREATE TABLE care (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    caught_from TEXT,
    read TEXT,
    marked TEXT,
    mark_at INTEGER,
    read_only INTEGER NOT NULL
) STRICT"];

/// How far a portal has caught up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// The message up to which all history was read, by the network's id.
    pub caught_from: Option<String>,
    /// The place up to which the owner has read, here or at the network.
    pub read: Option<String>,
    /// The message up to which the network is to be told that the owner has read.
    pub marked: Option<String>,
    /// When it is told.
    pub mark_at: Option<i64>,
    /// Whether the channel is archived or gone.
    pub read_only: bool,
}

/// How far the portal has caught up.
pub fn get(query: &dyn Query) -> Result<Care, DatabaseError> {
    let row = query.query_one("SELECT caught_from, read, marked, mark_at, read_only FROM care", &[])?;
    let care = row.map(|row| {
        Ok::<_, DatabaseError>(Care {
            caught_from: row.optional_text(0)?,
            read: row.optional_text(1)?,
            marked: row.optional_text(2)?,
            mark_at: row.optional_integer(3)?,
            read_only: row.flag(4)?,
        })
    });
    Ok(care.transpose()?.unwrap_or_default())
}

/// Writes it: one row.
pub fn put(transaction: &dyn Transaction, care: &Care) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO care (only, caught_from, read, marked, mark_at, read_only) VALUES (1, ?, ?, ?, ?, ?)",
        &[
            care.caught_from.clone().into(),
            care.read.clone().into(),
            care.marked.clone().into(),
            care.mark_at.into(),
            care.read_only.into(),
        ],
    )?;
    Ok(())
}
