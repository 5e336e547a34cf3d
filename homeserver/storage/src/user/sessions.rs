//! Sessions, the devices that they belong to, and stored filters.

use crate::database::{DatabaseError, Query, Transaction};

/// A session that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its device.
    pub device_id: String,
    /// When its access token expires; `None`: never.
    pub expires_at: Option<i64>,
    /// Whether it was made by a refresh and never used: until it is, its predecessor lives on.
    pub pending: bool,
    /// When its device was last seen, coarsely.
    pub last_seen_ts: Option<i64>,
}

/// The session of an access token's secret, expired or not; `None` when there is none.
pub fn find(query: &dyn Query, secret_hash: &str) -> Result<Option<Session>, DatabaseError> {
    query
        .query_one(
            "SELECT s.device_id, s.expires_at, s.pending, d.last_seen_ts FROM sessions s JOIN devices d ON d.device_id = s.device_id WHERE s.secret_hash = ?",
            &[secret_hash.into()],
        )?
        .map(|row| {
            Ok(Session {
                device_id: row.text(0)?,
                expires_at: row.optional_integer(1)?,
                pending: row.flag(2)?,
                last_seen_ts: row.optional_integer(3)?,
            })
        })
        .transpose()
}

/// A session that a refresh token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshable {
    /// The hash of its access token's secret.
    pub secret_hash: String,
    /// Its device.
    pub device_id: String,
    /// Whether it was made by a refresh and never used.
    pub pending: bool,
}

/// The session of a refresh token's secret; `None` when there is none.
pub fn find_refreshable(query: &dyn Query, refresh_hash: &str) -> Result<Option<Refreshable>, DatabaseError> {
    query
        .query_one(
            "SELECT secret_hash, device_id, pending FROM sessions WHERE refresh_hash = ?",
            &[refresh_hash.into()],
        )?
        .map(|row| Ok(Refreshable { secret_hash: row.text(0)?, device_id: row.text(1)?, pending: row.flag(2)? }))
        .transpose()
}

/// What is stored of a new session.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// The hash of its access token's secret.
    pub secret_hash: &'a str,
    /// Its device.
    pub device_id: &'a str,
    /// When its access token expires; `None`: never.
    pub expires_at: Option<i64>,
    /// The hash of its refresh token's secret, if it has one.
    pub refresh_hash: Option<&'a str>,
}

/// Opens a session on a device: makes the device unless it exists (which keeps its name then), and
/// ends its earlier sessions.
pub fn open(
    transaction: &dyn Transaction,
    session: &NewSession<'_>,
    display_name: Option<&str>,
    address: Option<&str>,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM sessions WHERE device_id = ?", &[session.device_id.into()])?;
    transaction.execute(
        "INSERT INTO devices (device_id, display_name, created_at, last_seen_ts, last_seen_ip) VALUES (?, ?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET last_seen_ts = excluded.last_seen_ts, last_seen_ip = COALESCE(excluded.last_seen_ip, last_seen_ip)",
        &[session.device_id.into(), display_name.into(), now.into(), now.into(), address.into()],
    )?;
    insert(transaction, session, false, now)
}

/// Puts a session made by a refresh beside the one that was refreshed, in place of an earlier one
/// that was never used.
pub fn add_pending(transaction: &dyn Transaction, session: &NewSession<'_>, now: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM sessions WHERE device_id = ? AND pending = 1", &[session.device_id.into()])?;
    insert(transaction, session, true, now)
}

fn insert(
    transaction: &dyn Transaction,
    session: &NewSession<'_>,
    pending: bool,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO sessions (secret_hash, device_id, created_at, expires_at, refresh_hash, pending) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            session.secret_hash.into(),
            session.device_id.into(),
            now.into(),
            session.expires_at.into(),
            session.refresh_hash.into(),
            pending.into(),
        ],
    )?;
    Ok(())
}

/// A session made by a refresh is used for the first time: it stays as its device's only one.
pub fn confirm(transaction: &dyn Transaction, device_id: &str, secret_hash: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM sessions WHERE device_id = ? AND secret_hash <> ?",
        &[device_id.into(), secret_hash.into()],
    )?;
    transaction.execute("UPDATE sessions SET pending = 0 WHERE secret_hash = ?", &[secret_hash.into()])?;
    Ok(())
}

/// Deletes devices with all that lets them in. Ids without a device are passed over.
pub fn delete_devices(transaction: &dyn Transaction, device_ids: &[String]) -> Result<(), DatabaseError> {
    // One parameter however many devices.
    let ids = serde_json::to_string(device_ids).map_err(DatabaseError::new)?;
    for statement in [
        "DELETE FROM sessions WHERE device_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM grants WHERE device_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM to_device WHERE device_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM key_counts WHERE device_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM devices WHERE device_id IN (SELECT value FROM json_each(?))",
    ] {
        transaction.execute(statement, &[ids.as_str().into()])?;
    }
    Ok(())
}

/// Deletes all devices, but for one if `except` names it, with all that lets them in.
pub fn delete_all(transaction: &dyn Transaction, except: Option<&str>) -> Result<(), DatabaseError> {
    // No device id is empty.
    let except = except.unwrap_or_default();
    for statement in [
        "DELETE FROM sessions WHERE device_id <> ?",
        "DELETE FROM grants WHERE device_id <> ?",
        "DELETE FROM to_device WHERE device_id <> ?",
        "DELETE FROM key_counts WHERE device_id <> ?",
        "DELETE FROM devices WHERE device_id <> ?",
    ] {
        transaction.execute(statement, &[except.into()])?;
    }
    Ok(())
}

/// How many devices there are.
pub fn count_devices(query: &dyn Query) -> Result<i64, DatabaseError> {
    query.query_one("SELECT COUNT(*) FROM devices", &[])?.map_or(Ok(0), |row| row.integer(0))
}

/// Whether this device exists.
pub fn has_device(query: &dyn Query, device_id: &str) -> Result<bool, DatabaseError> {
    Ok(query.query_one("SELECT 1 FROM devices WHERE device_id = ?", &[device_id.into()])?.is_some())
}

/// The stored filter of this id.
pub fn get_filter(query: &dyn Query, filter_id: &str) -> Result<Option<String>, DatabaseError> {
    query
        .query_one("SELECT filter FROM filters WHERE filter_id = ?", &[filter_id.into()])?
        .map(|row| row.text(0))
        .transpose()
}

/// Stores a filter under its id, and drops the oldest beyond `most`.
pub fn put_filter(
    transaction: &dyn Transaction,
    filter_id: &str,
    filter: &str,
    now: i64,
    most: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO filters (filter_id, filter, created_at) VALUES (?, ?, ?) ON CONFLICT (filter_id) DO NOTHING",
        &[filter_id.into(), filter.into(), now.into()],
    )?;
    transaction.execute(
        "DELETE FROM filters WHERE filter_id IN (SELECT filter_id FROM filters ORDER BY created_at DESC, filter_id LIMIT -1 OFFSET ?)",
        &[most.into()],
    )?;
    Ok(())
}
