//! Devices as their owner sees them. [`super::sessions`] has what logs them in and out.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub device_id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// When it was last seen, coarsely.
    pub last_seen_ts: Option<i64>,
    /// The address that it was last seen at.
    pub last_seen_ip: Option<String>,
}

impl Device {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            device_id: row.text(0)?,
            display_name: row.optional_text(1)?,
            last_seen_ts: row.optional_integer(2)?,
            last_seen_ip: row.optional_text(3)?,
        })
    }
}

/// All devices, in the order of their ids.
pub fn list(query: &dyn Query) -> Result<Vec<Device>, DatabaseError> {
    query
        .query("SELECT device_id, display_name, last_seen_ts, last_seen_ip FROM devices ORDER BY device_id", &[])?
        .iter()
        .map(Device::from_row)
        .collect()
}

/// The device of this id.
pub fn get(query: &dyn Query, device_id: &str) -> Result<Option<Device>, DatabaseError> {
    query
        .query_one(
            "SELECT device_id, display_name, last_seen_ts, last_seen_ip FROM devices WHERE device_id = ?",
            &[device_id.into()],
        )?
        .as_ref()
        .map(Device::from_row)
        .transpose()
}

/// When the device of this id was made; `None` when there is none.
pub fn created_at(query: &dyn Query, device_id: &str) -> Result<Option<i64>, DatabaseError> {
    let row = query.query_one("SELECT created_at FROM devices WHERE device_id = ?", &[device_id.into()])?;
    row.map(|row| row.integer(0)).transpose()
}

/// Makes a device without a session.
pub fn add(
    transaction: &dyn Transaction,
    device_id: &str,
    display_name: Option<&str>,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO devices (device_id, display_name, created_at) VALUES (?, ?, ?) ON CONFLICT (device_id) DO NOTHING",
        &[device_id.into(), display_name.into(), now.into()],
    )?;
    Ok(())
}

/// Names a device.
pub fn rename(transaction: &dyn Transaction, device_id: &str, display_name: &str) -> Result<(), DatabaseError> {
    transaction
        .execute("UPDATE devices SET display_name = ? WHERE device_id = ?", &[display_name.into(), device_id.into()])?;
    Ok(())
}

/// Notes when and where a device was seen.
pub fn touch(
    transaction: &dyn Transaction,
    device_id: &str,
    now: i64,
    address: Option<&str>,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE devices SET last_seen_ts = ?, last_seen_ip = COALESCE(?, last_seen_ip) WHERE device_id = ?",
        &[now.into(), address.into(), device_id.into()],
    )?;
    Ok(())
}
