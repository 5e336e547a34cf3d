//! The device and key mirror: what a UserKeysObject that lost its storage is rebuilt from.

use super::{Directory, Statement};
use crate::{database::DatabaseError, keys::devices::Device};

/// A user's keys as D1 has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirroredKeys {
    /// The devices.
    pub devices: Vec<Device>,
    /// The cross-signing keys: (usage, key as JSON).
    pub cross_signing: Vec<(String, String)>,
}

/// The keys of a user.
pub async fn get(directory: &dyn Directory, user_id: &str) -> Result<MirroredKeys, DatabaseError> {
    let statements = vec![
        Statement::new("SELECT device_id, keys, display_name FROM device_keys WHERE user_id = ?", vec![user_id.into()]),
        Statement::new("SELECT usage, key FROM cross_signing_keys WHERE user_id = ?", vec![user_id.into()]),
    ];
    let results = directory.batch(statements).await?;
    let mut results = results.iter();
    let devices = results
        .next()
        .into_iter()
        .flatten()
        .map(|row| Ok(Device { device_id: row.text(0)?, keys: row.text(1)?, display_name: row.optional_text(2)? }));
    let devices = devices.collect::<Result<_, DatabaseError>>()?;
    let cross_signing = results.next().into_iter().flatten().map(|row| Ok((row.text(0)?, row.text(1)?)));
    Ok(MirroredKeys { devices, cross_signing: cross_signing.collect::<Result<_, DatabaseError>>()? })
}
