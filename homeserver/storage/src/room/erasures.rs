//! Users who had what they said erased: whoever comes later is served redacted copies of it.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub(super) const STEP: &[&str] = &["CREATE TABLE erased_users (
        user_id TEXT PRIMARY KEY,
        order_key INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID"];

/// Who had what they said erased, and the order_key that readers must have been here before.
pub fn list(query: &dyn Query) -> Result<Vec<(String, i64)>, DatabaseError> {
    query
        .query("SELECT user_id, order_key FROM erased_users", &[])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.integer(1)?)))
        .collect()
}

/// Notes an erasure; the first one of a user counts.
pub fn put(transaction: &dyn Transaction, user_id: &str, order_key: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO erased_users (user_id, order_key) VALUES (?, ?) ON CONFLICT (user_id) DO NOTHING",
        &[user_id.into(), order_key.into()],
    )?;
    Ok(())
}
