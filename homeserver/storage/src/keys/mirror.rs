//! The rows of D1 that a UserKeysObject writes, and is rebuilt from: device keys and cross-signing
//! keys with all their signatures. Never one-time keys: a copy of those could be handed out twice.

use crate::directory::Statement;

/// What stands for the cross-signing keys among what is not mirrored yet. No device id is empty.
pub const CROSS_SIGNING: &str = "";

/// The row of a device.
pub fn put_device(user_id: &str, device_id: &str, keys: &str, display_name: Option<&str>) -> Statement {
    Statement::new(
        "INSERT INTO device_keys (user_id, device_id, keys, display_name) VALUES (?, ?, ?, ?) ON CONFLICT (user_id, device_id) DO UPDATE SET keys = excluded.keys, display_name = excluded.display_name",
        vec![user_id.into(), device_id.into(), keys.into(), display_name.into()],
    )
}

/// A device has no keys any more.
pub fn delete_device(user_id: &str, device_id: &str) -> Statement {
    Statement::new(
        "DELETE FROM device_keys WHERE user_id = ? AND device_id = ?",
        vec![user_id.into(), device_id.into()],
    )
}

/// The row of a cross-signing key.
pub fn put_cross_signing(user_id: &str, usage: &str, key: &str) -> Statement {
    Statement::new(
        "INSERT INTO cross_signing_keys (user_id, usage, key) VALUES (?, ?, ?) ON CONFLICT (user_id, usage) DO UPDATE SET key = excluded.key",
        vec![user_id.into(), usage.into(), key.into()],
    )
}

/// The user has no such cross-signing key any more.
pub fn delete_cross_signing(user_id: &str, usage: &str) -> Statement {
    Statement::new("DELETE FROM cross_signing_keys WHERE user_id = ? AND usage = ?", vec![user_id.into(), usage.into()])
}
