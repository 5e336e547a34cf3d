//! The part of the user's keys that needs to know sessions: which device uploads, whether it still
//! exists, and whether the user authenticated what replaces an identity. [`crate::keys`] keeps them.
//!
//! That a device is gone is noted in the transaction that deletes it and told until the
//! UserKeysObject has heard it. Uploads wait for that, and it waits for uploads: so no upload of a
//! deleted device comes after its end (nor one that a crash has outrun: it is of an earlier generation), and none of its successor under the same id is lost to it.

use hubbub_storage::{
    database::transaction,
    user::{
        devices,
        key_jobs::{self, KeyJob},
        sessions,
    },
};

use super::{UserSyncObject, account::MAX_DEVICE_BYTES, guard::Permission, token, uia};
use crate::{
    contract::{
        Address, call, encode,
        keys::{
            CrossSigningKeys, CrossSigningOutcome, DehydratedDevice, KeyCounts, KeysCommand, OwnKeysCommand, UploadKeys,
        },
        uia::{Guard, Guarded},
        user::Caller,
    },
    error::{MatrixError, Result},
    keys::dehydrated,
    object::ALARM_DELAY_MS,
};

impl UserSyncObject {
    pub(super) async fn handle_keys(&self, command: OwnKeysCommand) -> Result<Vec<u8>> {
        match command {
            OwnKeysCommand::Upload { caller, keys } => encode(&self.upload_keys(&caller, keys).await?),
            OwnKeysCommand::SetCrossSigning { guard, keys } => encode(&self.set_cross_signing(&guard, keys).await?),
            OwnKeysCommand::PutDehydrated { caller, device } => encode(&self.put_dehydrated(&caller, device).await?),
            OwnKeysCommand::DeleteDehydrated { caller } => encode(&self.delete_dehydrated(&caller).await?),
        }
    }

    async fn upload_keys(&self, caller: &Caller, keys: UploadKeys) -> Result<KeyCounts> {
        self.check(caller)?;
        let _held = self.in_flight.lock("keys").await;
        self.finish_key_jobs().await?;
        // After the wait: the device may have been deleted meanwhile.
        let device_id = self.calling_device(caller)?;
        let device = devices::get(self.query(), &device_id)?.ok_or_else(MatrixError::unknown_token)?;
        let generation = key_jobs::generation(self.query())?;
        let display_name = device.display_name;
        self.ask_keys(&KeysCommand::Upload { device_id, display_name, keys, generation }).await
    }

    async fn set_cross_signing(&self, guard: &Guard, keys: CrossSigningKeys) -> Result<Guarded<()>> {
        self.check(&guard.caller)?;
        let asked = KeysCommand::SetCrossSigning { keys: keys.clone(), authorised: false };
        if self.ask_keys::<CrossSigningOutcome>(&asked).await? == CrossSigningOutcome::Stored {
            return Ok(Guarded::Done(()));
        }
        // An appservice answers for the users that it made, who have no password.
        if self.is_own_appservice(&guard.caller)? {
            self.ask_keys::<CrossSigningOutcome>(&KeysCommand::SetCrossSigning { keys, authorised: true }).await?;
            return Ok(Guarded::Done(()));
        }
        // What is authenticated is the replacing by these very keys.
        let action = format!("set cross-signing keys {}", token::hash_secret(&serde_json::to_string(&keys)?));
        if let Permission::Challenged(body) = self.permission(guard, &action, uia::BY_PASSWORD)? {
            return Ok(Guarded::Challenge(body));
        }
        self.ask_keys::<CrossSigningOutcome>(&KeysCommand::SetCrossSigning { keys, authorised: true }).await?;
        Ok(Guarded::Done(()))
    }

    /// Makes the device here first, in place of the former one: whatever fails afterwards, no keys
    /// are kept of a device that does not exist.
    async fn put_dehydrated(&self, caller: &Caller, device: DehydratedDevice) -> Result<()> {
        self.check(caller)?;
        // Before a device is made for it.
        dehydrated::check(&self.user_id, &device)?;
        let too_long = |text: &str| text.len() > MAX_DEVICE_BYTES;
        if device.device_id.is_empty()
            || too_long(&device.device_id)
            || device.display_name.as_deref().is_some_and(too_long)
        {
            return Err(MatrixError::invalid_param(format_args!(
                "A device id or name may have at most {MAX_DEVICE_BYTES} bytes, and an id cannot be empty."
            )));
        }
        let _held = self.in_flight.lock("keys").await;
        self.check(caller)?;
        let now = self.context.clock.now();
        let former = key_jobs::dehydrated(self.query())?;
        let is_other = former.as_ref().is_none_or(|former| *former != device.device_id);
        if is_other && sessions::has_device(self.query(), &device.device_id)? {
            return Err(MatrixError::invalid_param("You have another device of this id."));
        }
        transaction(self.database.as_ref(), |transaction| {
            // With its keys, too: the new one has others, even under the same id.
            let former: Vec<String> = former.iter().cloned().collect();
            key_jobs::add_gone(transaction, &former, now)?;
            sessions::delete_devices(transaction, &former)?;
            devices::add(transaction, &device.device_id, device.display_name.as_deref(), now)?;
            key_jobs::set_dehydrated(transaction, Some(&device.device_id))?;
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        self.finish_key_jobs().await?;
        let generation = key_jobs::generation(self.query())?;
        self.ask_keys(&KeysCommand::PutDehydrated { device, generation }).await
    }

    async fn delete_dehydrated(&self, caller: &Caller) -> Result<String> {
        self.check(caller)?;
        let found = key_jobs::dehydrated(self.query())?;
        let device_id = found.ok_or_else(|| MatrixError::not_found("There is no dehydrated device."))?;
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            let ids = std::slice::from_ref(&device_id);
            key_jobs::add_gone(transaction, ids, now)?;
            sessions::delete_devices(transaction, ids)?;
            key_jobs::set_dehydrated(transaction, None)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        self.tell_keys_soon().await;
        Ok(device_id)
    }

    /// The device of a session. An appservice's user has none.
    fn calling_device(&self, caller: &Caller) -> Result<String> {
        let acting = self.check(caller)?;
        match caller {
            Caller::Session(_) | Caller::AppserviceDevice { .. } => Ok(acting.device),
            Caller::Appservice(_) => {
                Err(MatrixError::invalid_param("Keys belong to a device; log in, so that there is one."))
            }
        }
    }

    async fn ask_keys<R: serde::de::DeserializeOwned>(&self, command: &KeysCommand) -> Result<R> {
        call(self.context.objects.as_ref(), Address::user_keys(&self.user_id), command).await
    }

    /// Tells the UserKeysObject what is left to tell, before an answer that promises it. If it is
    /// out of reach, the alarm repeats that.
    pub(super) async fn tell_keys_soon(&self) {
        if let Err(error) = self.tell_keys().await {
            tracing::warn!(user.id = %self.user_id, "The keys of a device are not gone yet: {error}");
        }
    }

    /// Tells the UserKeysObject which devices are gone, and which have another name.
    pub(super) async fn tell_keys(&self) -> Result<()> {
        let _held = self.in_flight.lock("keys").await;
        self.finish_key_jobs().await
    }

    async fn finish_key_jobs(&self) -> Result<()> {
        let (jobs, generation) = (key_jobs::list(self.query())?, key_jobs::generation(self.query())?);
        let Some(first) = jobs.first() else {
            return Ok(());
        };
        if first.device_id == key_jobs::ACCOUNT {
            self.ask_keys::<()>(&KeysCommand::Close).await?;
        } else {
            let gone: Vec<_> = jobs.iter().filter(|job| job.gone).map(|job| job.device_id.clone()).collect();
            if !gone.is_empty() {
                self.ask_keys::<()>(&KeysCommand::DeleteDevices { device_ids: gone, generation }).await?;
            }
            for KeyJob { device_id, .. } in jobs.iter().filter(|job| !job.gone) {
                let display_name = devices::get(self.query(), device_id)?.and_then(|device| device.display_name);
                let device_id = device_id.clone();
                self.ask_keys::<()>(&KeysCommand::RenameDevice { device_id, display_name }).await?;
            }
        }
        self.context.failpoints.pass("user.keys_told").await;
        transaction(self.database.as_ref(), |transaction| {
            for job in &jobs {
                // What came meanwhile stays: a renamed device that was deleted since.
                key_jobs::end(transaction, job)?;
            }
            Ok(())
        })
    }
}
