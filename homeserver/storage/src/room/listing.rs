//! When the room's row in D1 has to be written though no state event says so: the room was listed
//! in the public directory, or taken off it.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub const STEP: &[&str] = &["CREATE TABLE listing (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL
) STRICT"];

/// Notes that the row in D1 is to be written by whoever archives this position.
pub fn put(transaction: &dyn Transaction, position: i64) -> Result<(), DatabaseError> {
    transaction.execute("INSERT OR REPLACE INTO listing (only, position) VALUES (1, ?)", &[position.into()])?;
    Ok(())
}

/// Whether the listing changed in `(after, through]`.
pub fn changed(query: &dyn Query, after: i64, through: i64) -> Result<bool, DatabaseError> {
    let row = query
        .query_one("SELECT 1 FROM listing WHERE position > ? AND position <= ?", &[after.into(), through.into()])?;
    Ok(row.is_some())
}
