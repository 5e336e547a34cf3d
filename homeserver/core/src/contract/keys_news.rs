//! What a UserKeysObject tells its user's UserSyncObject.

use std::collections::BTreeMap;

use ruma::{OneTimeKeyAlgorithm, OwnedDeviceId};
use serde::{Deserialize, Serialize};

/// News of a user's keys. → the version that the user's object holds afterwards (`i64`).
/// Repeating is harmless: a version that is not newer is only acknowledged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysNews {
    /// Grows with each change in the UserKeysObject.
    pub version: i64,
    /// Whether device keys or cross-signing keys changed since the last acknowledged version, so
    /// that everyone who shares a room must hear.
    pub list_changed: bool,
    /// The counts of the devices where they changed.
    pub counts: Vec<DeviceKeyCounts>,
}

/// What is left of a device's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKeyCounts {
    /// The device.
    pub device_id: OwnedDeviceId,
    /// One-time keys that nobody claimed, by algorithm.
    pub one_time_keys: BTreeMap<OneTimeKeyAlgorithm, u64>,
    /// Algorithms whose fallback key nobody claimed.
    pub unused_fallback_keys: Vec<OneTimeKeyAlgorithm>,
}
