//! Devices, and the commands that are about the account itself
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#device-management)).
//!
//! `guard` authenticates what deletes, `refresh` renews sessions, `grants` gives short-lived tokens,
//! `deactivate` ends the account.

use hubbub_storage::{
    database::transaction,
    user::{self, account::Account, devices, key_jobs, sessions},
};

use super::{UserSyncObject, account::MAX_DEVICE_BYTES, token};
use crate::{
    contract::{
        account::{AccountCommand, Device},
        encode,
        uia::{Guard, Guarded},
        user::Caller,
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

impl UserSyncObject {
    pub(super) async fn handle_account_command(&self, command: AccountCommand) -> Result<Vec<u8>> {
        match command {
            AccountCommand::ListDevices { caller } => encode(&self.list_devices(&caller)?),
            AccountCommand::GetDevice { caller, device_id } => encode(&self.get_device(&caller, &device_id)?),
            AccountCommand::RenameDevice { caller, device_id, display_name } => {
                encode(&self.rename_device(&caller, &device_id, display_name.as_deref()).await?)
            }
            AccountCommand::PutDevice { caller, device_id, display_name } => {
                encode(&self.put_device(&caller, &device_id, display_name.as_deref()).await?)
            }
            AccountCommand::DeleteDevice { guard, device_id } => {
                self.get_device(&guard.caller, &device_id)?;
                let action = format!("delete device {device_id}");
                let outcome = self.delete_guarded(&guard, &action, &[device_id])?;
                self.tell_keys_soon().await;
                encode(&outcome)
            }
            AccountCommand::DeleteDevices { guard, device_ids } => {
                let action = delete_devices_action(&device_ids)?;
                let outcome = self.delete_guarded(&guard, &action, &device_ids)?;
                self.tell_keys_soon().await;
                encode(&outcome)
            }
            AccountCommand::ChangePassword { guard, new_password, logout_devices } => {
                let outcome = self.change_password(&guard, &new_password, logout_devices)?;
                self.tell_keys_soon().await;
                encode(&outcome)
            }
            AccountCommand::Deactivate { guard, erase } => encode(&self.deactivate(&guard, erase).await?),
            AccountCommand::Refresh { secret } => encode(&self.refresh(&secret)?),
            AccountCommand::LoginToken { guard } => encode(&self.login_token(&guard)?),
            AccountCommand::OpenIdToken { caller } => encode(&self.openid_token(&caller)?),
            AccountCommand::CheckOpenIdToken { secret } => encode(&self.check_openid_token(&secret)?),
        }
    }

    fn list_devices(&self, caller: &Caller) -> Result<Vec<Device>> {
        self.check(caller)?;
        Ok(devices::list(self.query())?.into_iter().map(shown).collect())
    }

    fn get_device(&self, caller: &Caller, device_id: &str) -> Result<Device> {
        self.check(caller)?;
        let device = devices::get(self.query(), device_id)?;
        device.map(shown).ok_or_else(|| MatrixError::not_found("You have no such device."))
    }

    pub(super) async fn rename_device(
        &self,
        caller: &Caller,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<()> {
        let device = self.get_device(caller, device_id)?;
        let Some(display_name) = display_name else {
            return Ok(());
        };
        if display_name.len() > MAX_DEVICE_BYTES {
            return Err(MatrixError::invalid_param(format_args!(
                "A device's name may have at most {MAX_DEVICE_BYTES} bytes."
            )));
        }
        if device.display_name.as_deref() != Some(display_name) {
            let now = self.context.clock.now();
            transaction(self.database.as_ref(), |transaction| {
                devices::rename(transaction, device_id, display_name)?;
                key_jobs::add_renamed(transaction, device_id, now)?;
                transaction.set_alarm(now + ALARM_DELAY_MS)
            })?;
            self.tell_keys_soon().await;
        }
        Ok(())
    }

    pub(super) fn delete_devices(&self, device_ids: &[String]) -> Result<()> {
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            key_jobs::add_gone(transaction, device_ids, now)?;
            sessions::delete_devices(transaction, device_ids)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        self.queues.forget();
        Ok(())
    }

    fn change_password(&self, guard: &Guard, new_password: &str, logout_devices: bool) -> Result<Guarded<()>> {
        // An appservice answers for the users that it made; others' passwords are not its to change.
        if self.is_own_appservice(&guard.caller)? {
            self.check(&guard.caller)?;
            self.replace_password(&guard.caller, new_password, logout_devices)?;
            return Ok(Guarded::Done(()));
        }
        self.guarded(guard, "change password", || self.replace_password(&guard.caller, new_password, logout_devices))
    }

    fn replace_password(&self, caller: &Caller, new_password: &str, logout_devices: bool) -> Result<()> {
        let device = self.check(caller)?.device;
        let account = self.account()?.ok_or_else(MatrixError::unknown_token)?;
        let account = Account { password_hash: Some(self.hash(new_password)?), failures: 0, ..account };
        transaction(self.database.as_ref(), |transaction| {
            user::account::put(transaction, &account)?;
            if logout_devices {
                let now = self.context.clock.now();
                key_jobs::add_all_gone(transaction, Some(&device), now)?;
                sessions::delete_all(transaction, Some(&device))?;
                self.queues.forget();
                transaction.set_alarm(now + ALARM_DELAY_MS)?;
            }
            Ok(())
        })
    }

    /// Whether an appservice asks for a user whom it registered itself.
    pub(super) fn is_own_appservice(&self, caller: &Caller) -> Result<bool> {
        let Some(id) = caller.appservice() else {
            return Ok(false);
        };
        Ok(self.account()?.is_some_and(|account| account.appservice_id.as_deref() == Some(id)))
    }
}

/// What an authentication for the deletion of several devices is good for: these, in any order.
fn delete_devices_action(device_ids: &[String]) -> Result<String> {
    let mut sorted: Vec<&String> = device_ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    Ok(format!("delete devices {}", token::hash_secret(&serde_json::to_string(&sorted)?)))
}

fn shown(device: devices::Device) -> Device {
    Device {
        device_id: device.device_id,
        display_name: device.display_name,
        last_seen_ts: device.last_seen_ts,
        last_seen_ip: device.last_seen_ip,
    }
}
