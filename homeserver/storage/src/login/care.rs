//! When a login was looked after, and what the owner was told of it.

use crate::database::{DatabaseError, Query, Transaction};

/// The step that adds this.
pub(super) const STEP: &[&str] = &["CREATE TABLE care (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    checked_at INTEGER NOT NULL,
    tended_at INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    told_silent INTEGER NOT NULL
) STRICT"];

/// When a login was looked after. All times in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// When the network last said that the token works.
    pub checked_at: i64,
    /// When the channels' turns were last counted.
    pub tended_at: i64,
    /// Whether the network has things that it does not tell.
    pub silent: bool,
    /// Whether the owner knows that.
    pub told_silent: bool,
}

/// When the login was looked after.
pub fn get(query: &dyn Query) -> Result<Care, DatabaseError> {
    let row = query.query_one("SELECT checked_at, tended_at, silent, told_silent FROM care", &[])?;
    let care = row.map(|row| {
        Ok::<_, DatabaseError>(Care {
            checked_at: row.integer(0)?,
            tended_at: row.integer(1)?,
            silent: row.flag(2)?,
            told_silent: row.flag(3)?,
        })
    });
    Ok(care.transpose()?.unwrap_or_default())
}

/// Writes it: one row.
pub fn put(transaction: &dyn Transaction, care: &Care) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO care (only, checked_at, tended_at, silent, told_silent) VALUES (1, ?, ?, ?, ?)",
        &[care.checked_at.into(), care.tended_at.into(), care.silent.into(), care.told_silent.into()],
    )?;
    Ok(())
}

/// The channels with events since this bucket.
pub fn list_busy(query: &dyn Query, since: i64) -> Result<Vec<String>, DatabaseError> {
    query
        .query("SELECT DISTINCT channel FROM inbound WHERE bucket >= ?", &[since.into()])?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// The bucket of the newest event.
pub fn newest_bucket(query: &dyn Query) -> Result<Option<i64>, DatabaseError> {
    let row = query.query_one("SELECT bucket FROM inbound ORDER BY bucket DESC LIMIT 1", &[])?;
    row.map(|row| row.integer(0)).transpose()
}
