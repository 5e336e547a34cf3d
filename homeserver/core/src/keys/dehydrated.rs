//! The dehydrated device, which receives while no real one can
//! ([MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)): one a user, with keys
//! like any other.

use hubbub_storage::keys::devices;
use ruma::UserId;
use serde_json::value::RawValue;

use super::{
    UserKeysObject,
    upload::{self, Upload},
};
use crate::{
    contract::keys::{Dehydrated, DehydratedDevice},
    error::{MatrixError, Result},
};

/// The most bytes of a dehydrated device's state.
const MAX_DATA_BYTES: usize = 256 * 1024;

/// Checks a dehydrated device's form. 400 `M_BAD_JSON` or `M_INVALID_PARAM`, 413 `M_TOO_LARGE`.
pub(crate) fn check<'a>(user_id: &UserId, device: &'a DehydratedDevice) -> Result<Upload<'a>> {
    if device.device_data.get().len() > MAX_DATA_BYTES {
        return Err(MatrixError::too_large("The dehydrated device is too large."));
    }
    upload::check(user_id, &device.device_id, device.display_name.clone(), &device.keys)
}

impl UserKeysObject {
    /// Stores the device and its keys. The former one was deleted by the user's object before.
    pub(super) fn put_dehydrated(&self, device: &DehydratedDevice, generation: i64) -> Result<()> {
        let upload = check(&self.user_id, device)?;
        self.change(|transaction, change| {
            change.must_be_of(generation)?;
            upload::store(transaction, change, &upload)?;
            devices::put_dehydrated(transaction, &device.device_id, device.device_data.get())?;
            Ok(())
        })
    }

    pub(super) fn get_dehydrated(&self) -> Result<Dehydrated> {
        let found = if self.exists() { devices::dehydrated(self.query())? } else { None };
        let (device_id, data) = found.ok_or_else(|| MatrixError::not_found("There is no dehydrated device."))?;
        Ok(Dehydrated { device_id, device_data: RawValue::from_string(data)? })
    }
}
