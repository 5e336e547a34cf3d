//! What an object's work is made of: lanes that run at most once at a time, the alarm that is armed
//! once for a burst, and the pauses after failures.

use std::cell::Cell;

use hubbub_core::object::ALARM_DELAY_MS;
use hubbub_storage::database::{DatabaseError, Transaction};

/// The longest pause after failures, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 300_000;

/// The object's alarm as far as this life of the object knows.
#[derive(Default)]
pub(crate) struct Alarm(Cell<i64>);

impl Alarm {
    /// Arms the safety net in the transaction that makes work, unless it is armed already: one row
    /// for a burst.
    pub(crate) fn arm(&self, transaction: &dyn Transaction, now: i64) -> Result<(), DatabaseError> {
        let at = now.saturating_add(ALARM_DELAY_MS);
        if self.0.get() > now && self.0.get() <= at {
            return Ok(());
        }
        transaction.set_alarm(at)?;
        self.0.set(at);
        Ok(())
    }

    /// Forgets what was armed: the transaction failed.
    pub(crate) fn forget(&self) {
        self.0.set(0);
    }

    /// What a run of the work returns, given when it wants to go on. The shell sets the alarm to
    /// that, so an earlier one that a command armed meanwhile must not be lost; without anything
    /// left to do the alarm stays as it is.
    pub(crate) fn settle(&self, next: Option<i64>, now: i64) -> Option<i64> {
        let next = next?;
        let armed = self.0.get();
        let at = if armed > now { armed.min(next) } else { next };
        self.0.set(at);
        Some(at)
    }
}

/// A lane: runs at most once at a time, and pauses longer with each failure in a row.
#[derive(Default)]
pub(crate) struct Lane {
    busy: Cell<bool>,
    failures: Cell<u32>,
    not_before: Cell<i64>,
    failing_since: Cell<i64>,
}

/// The right to run a lane; given back when dropped, also when the run is cut off.
pub(crate) struct LaneGuard<'a>(&'a Lane);

impl Drop for LaneGuard<'_> {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}

impl Lane {
    /// Enters the lane. `Err` says when to look again: it runs already, or pauses.
    pub(crate) fn enter(&self, now: i64) -> Result<LaneGuard<'_>, i64> {
        if self.busy.get() {
            // The run that is under way takes what was queued; the alarm is for its sudden death.
            return Err(now.saturating_add(ALARM_DELAY_MS));
        }
        if self.not_before.get() > now {
            return Err(self.not_before.get());
        }
        self.busy.set(true);
        Ok(LaneGuard(self))
    }

    /// Pauses after a failure and returns until when: 1 s, 2 s, 4 s … 5 minutes.
    pub(crate) fn fail(&self, now: i64) -> i64 {
        if self.failures.get() == 0 {
            self.failing_since.set(now);
        }
        let pause =
            1_000_i64.checked_shl(self.failures.get()).unwrap_or(LONGEST_PAUSE_MS).clamp(1_000, LONGEST_PAUSE_MS);
        self.failures.set(self.failures.get().saturating_add(1).min(20));
        self.wait_until(now.saturating_add(pause))
    }

    /// Pauses until then, without counting a failure.
    pub(crate) fn wait_until(&self, at: i64) -> i64 {
        self.not_before.set(at);
        at
    }

    /// Ends a row of failures.
    pub(crate) fn succeed(&self) {
        self.failures.set(0);
        self.not_before.set(0);
        self.failing_since.set(0);
    }

    /// Lets the lane run at once: what it waited for happened.
    pub(crate) fn hurry(&self) {
        self.not_before.set(0);
    }

    /// Whether a run is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Since when every run has failed; `None` when the last one succeeded.
    pub(crate) fn failing_since(&self) -> Option<i64> {
        (self.failures.get() > 0).then(|| self.failing_since.get())
    }
}

/// The earlier of two times to be woken at.
pub(crate) fn earlier(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (one, other) => one.or(other),
    }
}
