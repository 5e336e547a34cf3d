//! Device keys, and the dehydrated device.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A device that has keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub device_id: String,
    /// The signed object, as JSON.
    pub keys: String,
    /// The device's name.
    pub display_name: Option<String>,
}

impl Device {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { device_id: row.text(0)?, keys: row.text(1)?, display_name: row.optional_text(2)? })
    }
}

/// All devices that have keys, in the order of their ids.
pub fn list(query: &dyn Query) -> Result<Vec<Device>, DatabaseError> {
    query
        .query("SELECT device_id, keys, display_name FROM devices ORDER BY device_id", &[])?
        .iter()
        .map(Device::from_row)
        .collect()
}

/// The device of this id, if it has keys.
pub fn get(query: &dyn Query, device_id: &str) -> Result<Option<Device>, DatabaseError> {
    query
        .query_one("SELECT device_id, keys, display_name FROM devices WHERE device_id = ?", &[device_id.into()])?
        .as_ref()
        .map(Device::from_row)
        .transpose()
}

/// Stores a device's keys.
pub fn put(transaction: &dyn Transaction, device: &Device) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO devices (device_id, keys, display_name) VALUES (?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET keys = excluded.keys, display_name = excluded.display_name",
        &[device.device_id.as_str().into(), device.keys.as_str().into(), device.display_name.as_ref().into()],
    )?;
    Ok(())
}

/// Deletes all keys of a device.
pub fn delete(transaction: &dyn Transaction, device_id: &str) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM devices WHERE device_id = ?",
        "DELETE FROM one_time_keys WHERE device_id = ?",
        "DELETE FROM used_keys WHERE device_id = ?",
        "DELETE FROM fallback_keys WHERE device_id = ?",
        "DELETE FROM signatures WHERE target = ?",
        "DELETE FROM dehydrated WHERE device_id = ?",
    ] {
        transaction.execute(statement, &[device_id.into()])?;
    }
    Ok(())
}

/// The dehydrated device: its id, and its encrypted state as JSON.
pub fn dehydrated(query: &dyn Query) -> Result<Option<(String, String)>, DatabaseError> {
    query
        .query_one("SELECT device_id, device_data FROM dehydrated", &[])?
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .transpose()
}

/// Stores the dehydrated device.
pub fn put_dehydrated(transaction: &dyn Transaction, device_id: &str, device_data: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO dehydrated (only, device_id, device_data) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET device_id = excluded.device_id, device_data = excluded.device_data",
        &[device_id.into(), device_data.into()],
    )?;
    Ok(())
}
