//! The first `/sync` of an appservice's own user, from which on its rooms deliver to its inbox.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub const STEP: &[&str] = &[
    "ALTER TABLE account ADD COLUMN first_sync_at INTEGER",
    "ALTER TABLE account ADD COLUMN gathered INTEGER NOT NULL DEFAULT 0",
];

/// How far the account's inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSync {
    /// Whether an appservice registered the account: all others have an inbox from the beginning.
    pub of_appservice: bool,
    /// When it first synced, in milliseconds since the epoch.
    pub at: Option<i64>,
    /// Whether every room that it was in then follows it now.
    pub gathered: bool,
}

/// How far the account's inbox is; `None` without an account.
pub fn get(query: &dyn Query) -> Result<Option<FirstSync>, DatabaseError> {
    let row = query.query_one("SELECT appservice_id IS NOT NULL, first_sync_at, gathered FROM account", &[])?;
    row.map(|row| Ok(FirstSync { of_appservice: row.flag(0)?, at: row.optional_integer(1)?, gathered: row.flag(2)? }))
        .transpose()
}

/// Stores the intent, once.
pub fn begin(transaction: &dyn Transaction, now: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE account SET first_sync_at = ? WHERE first_sync_at IS NULL", &[now.into()])?;
    Ok(())
}

/// All rooms follow.
pub fn end(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE account SET gathered = 1", &[])?;
    Ok(())
}
