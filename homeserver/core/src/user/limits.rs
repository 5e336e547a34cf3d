//! How often a user may write: counted in memory, so that the limit itself costs nothing. An
//! eviction forgives all, and nobody is evicted while being busy.

use std::cell::Cell;

use super::UserSyncObject;
use crate::{
    contract::{
        people::{PeopleCommand, TagOperation},
        to_device::ToDeviceCommand,
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

/// Who writes by a command; `None`: it writes nothing, or is no client's.
fn writer(command: &UserCommand) -> Option<&Caller> {
    match command {
        UserCommand::CreateRoom { caller, .. }
        | UserCommand::PutFilter { caller, .. }
        | UserCommand::PutAccountData { caller, .. }
        | UserCommand::SetProfile { caller, .. } => Some(caller),
        UserCommand::PushRules { caller, operation } => match operation {
            PushRuleOperation::GetAll
            | PushRuleOperation::GetGlobal
            | PushRuleOperation::Get { .. }
            | PushRuleOperation::GetEnabled { .. }
            | PushRuleOperation::GetActions { .. } => None,
            PushRuleOperation::Put { .. }
            | PushRuleOperation::Delete { .. }
            | PushRuleOperation::SetEnabled { .. }
            | PushRuleOperation::SetActions { .. } => Some(caller),
        },
        UserCommand::People(command) => match command.as_ref() {
            PeopleCommand::Tags { operation: TagOperation::Get, .. } => None,
            PeopleCommand::SetPusher { caller, .. }
            | PeopleCommand::DeletePusher { caller, .. }
            | PeopleCommand::Tags { caller, .. }
            | PeopleCommand::SetPresence { caller, .. }
            | PeopleCommand::SetProfileField { caller, .. } => Some(caller),
            _ => None,
        },
        UserCommand::ToDevice(command) => match command.as_ref() {
            ToDeviceCommand::Send { caller, .. } => Some(caller),
            // It deletes what was read, which is less than was written.
            ToDeviceCommand::ListDehydrated { .. } | ToDeviceCommand::Take { .. } => None,
        },
        _ => None,
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
