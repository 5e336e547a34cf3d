//! Sessions, the devices that they belong to, and stored filters.

use crate::database::{DatabaseError, Query, Transaction};

/// The device behind a session; `None` when there is no such session.
pub fn find_device(query: &dyn Query, secret_hash: &str) -> Result<Option<String>, DatabaseError> {
    query
        .query_one("SELECT device_id FROM sessions WHERE secret_hash = ?", &[secret_hash.into()])?
        .map(|row| row.text(0))
        .transpose()
}

/// Opens a session on a device: makes the device unless it exists, and ends its earlier session.
pub fn open(
    transaction: &dyn Transaction,
    secret_hash: &str,
    device_id: &str,
    display_name: Option<&str>,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM sessions WHERE device_id = ?", &[device_id.into()])?;
    transaction.execute(
        "INSERT INTO devices (device_id, display_name, created_at) VALUES (?, ?, ?) ON CONFLICT (device_id) DO NOTHING",
        &[device_id.into(), display_name.into(), now.into()],
    )?;
    transaction.execute(
        "INSERT INTO sessions (secret_hash, device_id, created_at) VALUES (?, ?, ?)",
        &[secret_hash.into(), device_id.into(), now.into()],
    )?;
    Ok(())
}

/// Ends a device's sessions and deletes the device.
pub fn delete_device(transaction: &dyn Transaction, device_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM sessions WHERE device_id = ?", &[device_id.into()])?;
    transaction.execute("DELETE FROM devices WHERE device_id = ?", &[device_id.into()])?;
    Ok(())
}

/// Ends all sessions and deletes all devices.
pub fn delete_all(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM sessions", &[])?;
    transaction.execute("DELETE FROM devices", &[])?;
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
