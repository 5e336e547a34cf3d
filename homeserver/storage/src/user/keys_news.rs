//! What the user's keys object told, and what others do not know of it yet.

use crate::database::{DatabaseError, Query, Transaction};

/// Where the news stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The version of the keys object.
    pub version: i64,
    /// Grows with each change of the device list, from whichever side.
    pub revision: i64,
    /// The revision that all rooms were told.
    pub told: i64,
    /// When the device list last changed.
    pub changed_at: i64,
}

/// Where the news stand; `None` before the first.
pub fn get(query: &dyn Query) -> Result<Option<News>, DatabaseError> {
    let row = query.query_one("SELECT version, revision, told, changed_at FROM keys_news", &[])?;
    row.map(|row| {
        Ok(News {
            version: row.integer(0)?,
            revision: row.integer(1)?,
            told: row.integer(2)?,
            changed_at: row.integer(3)?,
        })
    })
    .transpose()
}

/// Writes where the news stand.
pub fn put(transaction: &dyn Transaction, news: &News) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO keys_news (only, version, revision, told, changed_at) VALUES (1, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, revision = excluded.revision, told = excluded.told, changed_at = excluded.changed_at",
        &[news.version.into(), news.revision.into(), news.told.into(), news.changed_at.into()],
    )?;
    Ok(())
}

/// All rooms know a revision.
pub fn set_told(transaction: &dyn Transaction, revision: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE keys_news SET told = ?", &[revision.into()])?;
    Ok(())
}

/// What is left of a device's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The inbox position of the change.
    pub changed_pos: i64,
    /// One-time keys by algorithm, a JSON object.
    pub one_time_keys: String,
    /// Algorithms with an unused fallback key, a JSON list.
    pub fallback_keys: String,
}

/// What is left of a device's keys, as far as anything was ever told.
pub fn get_counts(query: &dyn Query, device_id: &str) -> Result<Option<Counts>, DatabaseError> {
    query
        .query_one(
            "SELECT changed_pos, one_time_keys, fallback_keys FROM key_counts WHERE device_id = ?",
            &[device_id.into()],
        )?
        .map(|row| {
            Ok(Counts { changed_pos: row.integer(0)?, one_time_keys: row.text(1)?, fallback_keys: row.text(2)? })
        })
        .transpose()
}

/// What is left of the keys of all devices, where it changed after an inbox position.
pub fn list_counts(query: &dyn Query, after: i64) -> Result<Vec<(String, Counts)>, DatabaseError> {
    query
        .query(
            "SELECT device_id, changed_pos, one_time_keys, fallback_keys FROM key_counts WHERE changed_pos > ?",
            &[after.into()],
        )?
        .iter()
        .map(|row| {
            let counts =
                Counts { changed_pos: row.integer(1)?, one_time_keys: row.text(2)?, fallback_keys: row.text(3)? };
            Ok((row.text(0)?, counts))
        })
        .collect()
}

/// Writes what is left of a device's keys.
pub fn put_counts(transaction: &dyn Transaction, device_id: &str, counts: &Counts) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO key_counts (device_id, changed_pos, one_time_keys, fallback_keys) VALUES (?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET changed_pos = excluded.changed_pos, one_time_keys = excluded.one_time_keys, fallback_keys = excluded.fallback_keys",
        &[
            device_id.into(),
            counts.changed_pos.into(),
            (&counts.one_time_keys).into(),
            (&counts.fallback_keys).into(),
        ],
    )?;
    Ok(())
}
