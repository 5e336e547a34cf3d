//! What the user's UserKeysObject has still to hear of devices: that they are gone, or have another
//! name. Also which device is the dehydrated one.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub const STEP: &[&str] = &[
    "CREATE TABLE key_jobs (
    device_id TEXT PRIMARY KEY,
    gone INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID",
    "CREATE TABLE key_state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        generation INTEGER NOT NULL,
        dehydrated TEXT
    ) STRICT",
];

/// What stands for the whole account, which was deactivated. No device id is empty.
pub const ACCOUNT: &str = "";

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyJob {
    /// The device, or [`ACCOUNT`].
    pub device_id: String,
    /// Whether it is gone; otherwise its name changed.
    pub gone: bool,
    /// Since when.
    pub created_at: i64,
}

/// What is to be told, the account first.
pub fn list(query: &dyn Query) -> Result<Vec<KeyJob>, DatabaseError> {
    query
        .query("SELECT device_id, gone, created_at FROM key_jobs ORDER BY device_id", &[])?
        .iter()
        .map(|row| Ok(KeyJob { device_id: row.text(0)?, gone: row.flag(1)?, created_at: row.integer(2)? }))
        .collect()
}

/// Notes what is to be told of some devices: that those which exist now are gone, all of them or
/// those that are named. To be called before they are deleted.
pub fn add_gone(transaction: &dyn Transaction, device_ids: &[String], now: i64) -> Result<(), DatabaseError> {
    // One parameter however many devices.
    let ids = serde_json::to_string(device_ids).map_err(DatabaseError::new)?;
    transaction.execute(
        "INSERT INTO key_jobs (device_id, gone, created_at) SELECT device_id, 1, ? FROM devices WHERE device_id IN (SELECT value FROM json_each(?)) ON CONFLICT (device_id) DO UPDATE SET gone = 1",
        &[now.into(), ids.into()],
    )?;
    next_generation(transaction)
}

/// The same for all devices but one, if `except` names it.
pub fn add_all_gone(transaction: &dyn Transaction, except: Option<&str>, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO key_jobs (device_id, gone, created_at) SELECT device_id, 1, ? FROM devices WHERE device_id <> ? ON CONFLICT (device_id) DO UPDATE SET gone = 1",
        &[now.into(), except.unwrap_or_default().into()],
    )?;
    next_generation(transaction)
}

/// The whole account is gone.
pub fn add_account_gone(transaction: &dyn Transaction, now: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM key_jobs", &[])?;
    transaction.execute(
        "INSERT INTO key_jobs (device_id, gone, created_at) VALUES (?, 1, ?)",
        &[ACCOUNT.into(), now.into()],
    )?;
    Ok(())
}

/// A device has another name. Noted anew while the name before is being told, it is told again.
pub fn add_renamed(transaction: &dyn Transaction, device_id: &str, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO key_jobs (device_id, gone, created_at) VALUES (?, 0, ?) ON CONFLICT (device_id) DO UPDATE SET created_at = key_jobs.created_at + 1",
        &[device_id.into(), now.into()],
    )?;
    Ok(())
}

/// It was told, unless it became something else meanwhile.
pub fn end(transaction: &dyn Transaction, job: &KeyJob) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM key_jobs WHERE device_id = ? AND gone = ? AND created_at = ?",
        &[job.device_id.as_str().into(), job.gone.into(), job.created_at.into()],
    )?;
    Ok(())
}

/// The dehydrated device.
pub fn dehydrated(query: &dyn Query) -> Result<Option<String>, DatabaseError> {
    let row = query.query_one("SELECT dehydrated FROM key_state", &[])?;
    Ok(row.map(|row| row.optional_text(0)).transpose()?.flatten())
}

/// Which device is the dehydrated one; `None`: none is.
pub fn set_dehydrated(transaction: &dyn Transaction, device_id: Option<&str>) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO key_state (only, generation, dehydrated) VALUES (1, 0, ?) ON CONFLICT (only) DO UPDATE SET dehydrated = excluded.dehydrated",
        &[device_id.into()],
    )?;
    Ok(())
}

/// Grows whenever a device goes, so that an upload that was sent before and arrives after is known.
pub fn generation(query: &dyn Query) -> Result<i64, DatabaseError> {
    query.query_one("SELECT generation FROM key_state", &[])?.map_or(Ok(0), |row| row.integer(0))
}

fn next_generation(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO key_state (only, generation, dehydrated) VALUES (1, 1, NULL) ON CONFLICT (only) DO UPDATE SET generation = key_state.generation + 1",
        &[],
    )?;
    Ok(())
}
