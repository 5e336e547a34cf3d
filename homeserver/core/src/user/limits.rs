//! How often a user may write: counted in memory, so that the limit itself costs nothing. An
//! eviction forgives all, and nobody is evicted while being busy.

use std::cell::Cell;

use super::UserSyncObject;
use crate::{
    contract::{
        account::AccountCommand,
        keys::OwnKeysCommand,
        people::{PeopleCommand, TagOperation},
        search::UserSearchCommand,
        to_device::ToDeviceCommand,
        uia::Guard,
        user::{Caller, PushRuleOperation, UserCommand},
    },
    error::{MatrixError, Result},
};

/// One more write is allowed every so many milliseconds …
const EVERY_MS: i64 = 100;
/// … and so many at once after a rest.
const AT_ONCE: i64 = 100;

/// The writes of one user, of all sessions together.
#[derive(Default)]
pub(super) struct Writes(Cell<i64>);

impl Writes {
    /// Counts one write; 429 `M_LIMIT_EXCEEDED` after too many.
    fn count(&self, now: i64) -> Result<()> {
        // The time at which everything that was allowed would have been spread evenly.
        let spread_until = self.0.get().max(now);
        let wait = spread_until - now - (AT_ONCE - 1) * EVERY_MS;
        if wait > 0 {
            return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "Too many requests; wait before you go on.")
                .with("retry_after_ms", wait));
        }
        self.0.set(spread_until + EVERY_MS);
        Ok(())
    }
}

impl UserSyncObject {
    /// Counts one write of a session that was checked. Appservices are not counted here: they
    /// carry what others write.
    pub(super) fn count_write(&self) -> Result<()> {
        if self.context.config.rate_limits { self.writes.count(self.context.clock.now()) } else { Ok(()) }
    }

    /// Counts a command by which a session writes. [`UserCommand::Authenticate`] counts those that
    /// other objects carry out.
    pub(super) fn limit(&self, command: &UserCommand) -> Result<()> {
        match writer(command) {
            Some(caller @ Caller::Session(_)) => {
                // First whether the session is there: a former one must not use the limit up.
                self.check(caller)?;
                self.count_write()
            }
            _ => Ok(()),
        }
    }
}

/// Who writes by a command, or costs as much as a write; `None`: nobody does, it is no client's, or it is counted
/// by [`UserCommand::Authenticate`] or where it is carried out. Whoever adds a command decides here.
fn writer(command: &UserCommand) -> Option<&Caller> {
    match command {
        UserCommand::CreateRoom { caller, .. }
        | UserCommand::PutFilter { caller, .. }
        | UserCommand::PutAccountData { caller, .. }
        | UserCommand::SetProfile { caller, .. }
        | UserCommand::Search(UserSearchCommand::Scope { caller }) => Some(caller),
        UserCommand::PushRules { caller, operation } => changes_rules(operation).then_some(caller),
        UserCommand::Account(command) => account_writer(command),
        UserCommand::People(command) => people_writer(command),
        UserCommand::ToDevice(command) => match command.as_ref() {
            ToDeviceCommand::Send { caller, .. } => Some(caller),
            // It deletes what was read, which is less than was written.
            ToDeviceCommand::ListDehydrated { .. } | ToDeviceCommand::Take { .. } => None,
        },
        UserCommand::Keys(command) => match command.as_ref() {
            OwnKeysCommand::Upload { caller, .. }
            | OwnKeysCommand::PutDehydrated { caller, .. }
            | OwnKeysCommand::DeleteDehydrated { caller }
            | OwnKeysCommand::SetCrossSigning { guard: Guard { caller, .. }, .. } => Some(caller),
        },
        UserCommand::CreateAccount { .. }
        | UserCommand::Login { .. }
        | UserCommand::SetPassword { .. }
        | UserCommand::Authenticate { .. }
        // It happens once a session.
        | UserCommand::Logout { .. }
        | UserCommand::Sync(_)
        | UserCommand::Deliver(_)
        | UserCommand::GetFilter { .. }
        | UserCommand::GetAccountData { .. }
        | UserCommand::JoinedRooms { .. }
        | UserCommand::Notifications(_)
        | UserCommand::GetProfile
        | UserCommand::ForgetRoom { .. }
        | UserCommand::SetFullyRead { .. }
        | UserCommand::ResolveToken { .. }
        | UserCommand::Place(_)
        | UserCommand::KeysNews(_)
        | UserCommand::DeviceLists(_)
        | UserCommand::Poke => None,
    }
}

fn changes_rules(operation: &PushRuleOperation) -> bool {
    match operation {
        PushRuleOperation::GetAll
        | PushRuleOperation::GetGlobal
        | PushRuleOperation::Get { .. }
        | PushRuleOperation::GetEnabled { .. }
        | PushRuleOperation::GetActions { .. } => false,
        PushRuleOperation::Put { .. }
        | PushRuleOperation::Delete { .. }
        | PushRuleOperation::SetEnabled { .. }
        | PushRuleOperation::SetActions { .. } => true,
    }
}

/// A challenge without a password is stored, so it counts like what it guards.
fn account_writer(command: &AccountCommand) -> Option<&Caller> {
    match command {
        AccountCommand::RenameDevice { caller, .. }
        | AccountCommand::PutDevice { caller, .. }
        | AccountCommand::DeleteDevice { guard: Guard { caller, .. }, .. }
        | AccountCommand::DeleteDevices { guard: Guard { caller, .. }, .. }
        | AccountCommand::ChangePassword { guard: Guard { caller, .. }, .. }
        | AccountCommand::Deactivate { guard: Guard { caller, .. }, .. }
        | AccountCommand::LoginToken { guard: Guard { caller, .. } }
        | AccountCommand::OpenIdToken { caller } => Some(caller),
        // Before login, where addresses are limited.
        AccountCommand::Refresh { .. }
        | AccountCommand::CheckOpenIdToken { .. }
        | AccountCommand::ListDevices { .. }
        | AccountCommand::GetDevice { .. } => None,
    }
}

fn people_writer(command: &PeopleCommand) -> Option<&Caller> {
    match command {
        PeopleCommand::SetPusher { caller, .. }
        | PeopleCommand::DeletePusher { caller, .. }
        | PeopleCommand::SetPresence { caller, .. }
        | PeopleCommand::SetProfileField { caller, .. } => Some(caller),
        PeopleCommand::Tags { caller, operation, .. } => match operation {
            TagOperation::Get => None,
            TagOperation::Put { .. } | TagOperation::Delete { .. } => Some(caller),
        },
        PeopleCommand::Pushers { .. }
        | PeopleCommand::DropPusher { .. }
        | PeopleCommand::GetPresence { .. }
        | PeopleCommand::ShowPresence { .. }
        | PeopleCommand::TakePresence { .. }
        | PeopleCommand::JoinedAmong { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_at_once_and_then_ten_a_second() {
        let writes = Writes::default();
        let allowed = |now: i64, attempts: u32| (0..attempts).filter(|_| writes.count(now).is_ok()).count();
        assert_eq!(allowed(1_000_000, 150), 100);
        let refusal = writes.count(1_000_000).unwrap_err();
        assert_eq!((refusal.status, refusal.extra["retry_after_ms"].as_i64()), (429, Some(100)));
        assert_eq!(allowed(1_000_100, 2), 1);
        assert_eq!(allowed(1_001_100, 20), 10);
        assert_eq!(allowed(2_000_000, 150), 100);
    }
}
