//! One-time keys and fallback keys.
//!
//! A one-time key that was claimed leaves its id behind for as long as its device exists, so that
//! uploading it again never brings it back.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{DatabaseError, Query, Transaction};

/// A key that can be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimableKey {
    /// `algorithm:name`.
    pub key_id: String,
    /// The key as it was uploaded, as JSON.
    pub key: String,
}

/// The one-time keys of a device that nobody claimed.
pub fn list(query: &dyn Query, device_id: &str) -> Result<Vec<ClaimableKey>, DatabaseError> {
    query
        .query(
            "SELECT key_id, key FROM one_time_keys WHERE device_id = ? ORDER BY algorithm, position",
            &[device_id.into()],
        )?
        .iter()
        .map(|row| Ok(ClaimableKey { key_id: row.text(0)?, key: row.text(1)? }))
        .collect()
}

/// How many one-time keys of a device nobody claimed, by algorithm.
pub fn counts(query: &dyn Query, device_id: &str) -> Result<BTreeMap<String, u64>, DatabaseError> {
    query
        .query(
            "SELECT algorithm, COUNT(*) FROM one_time_keys WHERE device_id = ? GROUP BY algorithm",
            &[device_id.into()],
        )?
        .iter()
        .map(|row| Ok((row.text(0)?, u64::try_from(row.integer(1)?).unwrap_or_default())))
        .collect()
}

/// Which of these key ids were claimed before.
pub fn used(query: &dyn Query, device_id: &str, key_ids: &[&str]) -> Result<BTreeSet<String>, DatabaseError> {
    // One parameter however many keys.
    let ids = serde_json::to_string(key_ids).map_err(DatabaseError::new)?;
    query
        .query(
            "SELECT u.key_id FROM json_each(?) j JOIN used_keys u ON u.device_id = ? AND u.key_id = j.value",
            &[ids.into(), device_id.into()],
        )?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Stores a one-time key. Those of lower positions are claimed first.
pub fn add(
    transaction: &dyn Transaction,
    device_id: &str,
    algorithm: &str,
    position: i64,
    key: &ClaimableKey,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO one_time_keys (device_id, algorithm, position, key_id, key) VALUES (?, ?, ?, ?, ?)",
        &[device_id.into(), algorithm.into(), position.into(), key.key_id.as_str().into(), key.key.as_str().into()],
    )?;
    Ok(())
}

/// Takes a device's oldest one-time key; nobody gets it again.
pub fn take(
    transaction: &dyn Transaction,
    device_id: &str,
    algorithm: &str,
) -> Result<Option<ClaimableKey>, DatabaseError> {
    let oldest = transaction.query_one(
        "SELECT position, key_id, key FROM one_time_keys WHERE device_id = ? AND algorithm = ? ORDER BY position LIMIT 1",
        &[device_id.into(), algorithm.into()],
    )?;
    let Some(row) = oldest else {
        return Ok(None);
    };
    let key = ClaimableKey { key_id: row.text(1)?, key: row.text(2)? };
    transaction.execute(
        "DELETE FROM one_time_keys WHERE device_id = ? AND algorithm = ? AND position = ?",
        &[device_id.into(), algorithm.into(), row.integer(0)?.into()],
    )?;
    transaction.execute(
        "INSERT INTO used_keys (device_id, key_id) VALUES (?, ?) ON CONFLICT (device_id, key_id) DO NOTHING",
        &[device_id.into(), key.key_id.as_str().into()],
    )?;
    Ok(Some(key))
}

/// The fallback key of an algorithm, and whether it was claimed.
pub fn fallback(
    query: &dyn Query,
    device_id: &str,
    algorithm: &str,
) -> Result<Option<(ClaimableKey, bool)>, DatabaseError> {
    query
        .query_one(
            "SELECT key_id, key, used FROM fallback_keys WHERE device_id = ? AND algorithm = ?",
            &[device_id.into(), algorithm.into()],
        )?
        .map(|row| Ok((ClaimableKey { key_id: row.text(0)?, key: row.text(1)? }, row.flag(2)?)))
        .transpose()
}

/// Stores the fallback key of an algorithm, claimed by nobody, in place of the one before.
pub fn put_fallback(
    transaction: &dyn Transaction,
    device_id: &str,
    algorithm: &str,
    key: &ClaimableKey,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO fallback_keys (device_id, algorithm, key_id, key, used) VALUES (?, ?, ?, ?, 0) ON CONFLICT (device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, key = excluded.key, used = 0",
        &[device_id.into(), algorithm.into(), key.key_id.as_str().into(), key.key.as_str().into()],
    )?;
    Ok(())
}

/// The fallback key of an algorithm was claimed.
pub fn use_fallback(transaction: &dyn Transaction, device_id: &str, algorithm: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE fallback_keys SET used = 1 WHERE device_id = ? AND algorithm = ?",
        &[device_id.into(), algorithm.into()],
    )?;
    Ok(())
}

/// The algorithms whose fallback key nobody claimed.
pub fn unused_fallbacks(query: &dyn Query, device_id: &str) -> Result<Vec<String>, DatabaseError> {
    query
        .query(
            "SELECT algorithm FROM fallback_keys WHERE device_id = ? AND used = 0 ORDER BY algorithm",
            &[device_id.into()],
        )?
        .iter()
        .map(|row| row.text(0))
        .collect()
}
