//! Limits that all of a login's objects share, since the network counts their calls together: who is told to wait tells
//! the login, which tells all portals.

use hubbub_core::{
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::{database::transaction, login::places};

use super::LoginObject;
use crate::contract::PortalCommand;

/// Refused calls of all objects after which everything waits: a tenth of what networks ban an address for.
const MOST_REFUSED: u32 = 1_000;

/// In this time, in milliseconds, which is also how long it waits then.
const REFUSED_MS: i64 = 600_000;

impl LoginObject {
    /// A portal tells what its calls came to; returns until when no call may be made.
    pub(super) fn take_limits(&self, hold_until: i64, refused: u32) -> Result<i64> {
        let now = self.now();
        let (since, count) = self.refused.get();
        let fresh = since > now.saturating_sub(REFUSED_MS);
        let count = if fresh { count.saturating_add(refused) } else { refused };
        self.refused.set((if fresh { since } else { now }, count));
        let mut until = hold_until.min(now.saturating_add(86_400_000));
        if count >= MOST_REFUSED {
            self.refused.set((now, 0));
            until = until.max(now.saturating_add(REFUSED_MS));
            tracing::warn!(login.id = %self.login_id, "{count} calls were refused: all wait");
        }
        if until > now.max(self.held_until.get()) {
            self.hold(until)?;
        }
        Ok(self.held_until.get())
    }

    fn hold(&self, until: i64) -> Result<()> {
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            places::put_hold(transaction, until)?;
            self.alarm.arm(transaction, now)?;
            Ok::<(), MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        self.held_until.set(until);
        self.network.hold(until);
        self.owes_hold.set(true);
        Ok(())
    }

    /// What the login's own calls came to.
    pub(super) fn share_own_limits(&self) {
        if self.row.borrow().is_none() {
            return;
        }
        let (until, refused) = (self.network.held_until(), self.network.take_refused());
        if until <= self.now().max(self.held_until.get()) && refused == 0 {
            return;
        }
        if let Err(error) = self.take_limits(until, refused) {
            tracing::warn!(login.id = %self.login_id, "A limit was not shared: {error}");
        }
    }

    /// Tells all portals to wait.
    pub(super) async fn pay_hold(&self) -> Result<()> {
        if !self.owes_hold.replace(false) {
            return Ok(());
        }
        let command = PortalCommand::Hold { until: self.held_until.get() };
        for portal in self.bridged_channels() {
            let Some(portal_id) = portal.portal_id else { continue };
            let address = Address::new(Class::Portal, portal_id);
            match call::<()>(self.context.objects.as_ref(), address, &command).await {
                Err(error) if error.status != 404 => {
                    self.owes_hold.set(true);
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
