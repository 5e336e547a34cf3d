//! Devices of an appservice's own users, which need no login
//! ([MSC4190](https://github.com/matrix-org/matrix-spec-proposals/pull/4190)), and acting as one of them
//! ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)). Users that it only shares by its
//! namespaces keep their devices to themselves.

use hubbub_storage::{
    database::transaction,
    user::{devices, sessions},
};

use super::{
    Acting, UserSyncObject,
    account::{MAX_DEVICE_BYTES, MAX_DEVICES},
};
use crate::{
    contract::{
        uia::{Guard, Guarded},
        user::Caller,
    },
    error::{MatrixError, Result},
};

impl UserSyncObject {
    /// An appservice acts as a device of its own user. 400 `M_EXCLUSIVE` when there is no such device, as other
    /// servers say.
    pub(super) fn acting_device(&self, caller: &Caller, device_id: &str) -> Result<Acting> {
        self.must_be_own(caller)?;
        if devices::created_at(self.query(), device_id)?.is_none() {
            return Err(MatrixError::new(400, "M_EXCLUSIVE", "This user has no such device to act as."));
        }
        Ok(Acting { device: device_id.to_owned() })
    }

    fn must_be_own(&self, caller: &Caller) -> Result<()> {
        if !self.is_own_appservice(caller)? {
            return Err(MatrixError::forbidden("The appservice has not registered this user."));
        }
        self.must_be_active(caller)
    }

    /// Makes a device, or names the one that there is.
    pub(super) async fn put_device(
        &self,
        caller: &Caller,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<bool> {
        self.must_be_own(caller)?;
        if sessions::has_device(self.query(), device_id)? {
            self.rename_device(caller, device_id, display_name).await?;
            return Ok(false);
        }
        let too_long = |text: &str| text.len() > MAX_DEVICE_BYTES;
        if device_id.is_empty() || too_long(device_id) || display_name.is_some_and(too_long) {
            return Err(MatrixError::invalid_param(format_args!(
                "A device's id and name may have at most {MAX_DEVICE_BYTES} bytes, and the id one at least."
            )));
        }
        if sessions::count_devices(self.query())? >= MAX_DEVICES {
            return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "There are too many devices; delete some of them."));
        }
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| devices::add(transaction, device_id, display_name, now))?;
        Ok(true)
    }

    /// Deletes devices once the user has authenticated that, or at once where an appservice may.
    pub(super) fn delete_guarded(&self, guard: &Guard, action: &str, device_ids: &[String]) -> Result<Guarded<()>> {
        if guard.trusted && self.is_own_appservice(&guard.caller)? {
            self.check(&guard.caller)?;
            return self.delete_devices(device_ids).map(Guarded::Done);
        }
        self.guarded(guard, action, || self.delete_devices(device_ids))
    }
}
