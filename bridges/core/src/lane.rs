//! What an object's work is made of: lanes that run at most once at a time and pause after failures,
//! the alarm that is armed once for a burst, and the bell that starts a lane while others still run.
//!
//! The shell runs an object's work once at a time, so one run must not leave a lane idle because
//! another one waits for the network: [`run_lanes`] starts whatever has something to do.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    task::{Poll, Waker},
};

use futures_util::{
    StreamExt as _,
    future::{LocalBoxFuture, poll_fn, select},
    stream::FuturesUnordered,
};

use hubbub_core::object::ALARM_DELAY_MS;
use hubbub_storage::database::{DatabaseError, Transaction};

/// The longest pause after failures, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 300_000;

/// Tells a run of the work that there is something new to do.
#[derive(Default)]
struct Bell {
    rung: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.set(true);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    async fn heard(&self) {
        poll_fn(|task| {
            if self.rung.replace(false) {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The object's alarm as far as this life of the object knows, and the bell that rings with it.
#[derive(Default)]
pub(crate) struct Alarm {
    armed: Cell<i64>,
    bell: Bell,
}

/// Runs lanes side by side until none has anything to do now. `ready` names those that have and are
/// free; it is asked again whenever one ends or the alarm's bell rings.
pub(crate) async fn run_lanes<'a, K>(
    alarm: &Alarm,
    ready: impl Fn() -> Vec<K>,
    run: impl Fn(K) -> LocalBoxFuture<'a, ()>,
) {
    let mut running = FuturesUnordered::new();
    loop {
        running.extend(ready().into_iter().map(&run));
        if running.is_empty() {
            return;
        }
        select(running.next(), pin!(alarm.bell.heard())).await;
    }
}

impl Alarm {
    /// Arms the safety net in the transaction that makes work, unless it is armed already: one row
    /// for a burst.
    pub(crate) fn arm(&self, transaction: &dyn Transaction, now: i64) -> Result<(), DatabaseError> {
        self.bell.ring();
        let at = now.saturating_add(ALARM_DELAY_MS);
        if self.armed.get() > now && self.armed.get() <= at {
            return Ok(());
        }
        transaction.set_alarm(at)?;
        self.armed.set(at);
        Ok(())
    }

    /// Forgets what was armed: the transaction failed.
    pub(crate) fn forget(&self) {
        self.armed.set(0);
    }

    /// What a run of the work returns, given when it wants to go on. The shell sets the alarm to
    /// that, so an earlier one that a command armed meanwhile must not be lost; without anything
    /// left to do the alarm stays as it is.
    pub(crate) fn settle(&self, next: Option<i64>, now: i64) -> Option<i64> {
        let next = next?;
        let armed = self.armed.get();
        let at = if armed > now { armed.min(next) } else { next };
        self.armed.set(at);
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
    /// Enters the lane; `None` when it runs already or pauses.
    pub(crate) fn enter(&self, now: i64) -> Option<LaneGuard<'_>> {
        if !self.is_free(now) {
            return None;
        }
        self.busy.set(true);
        Some(LaneGuard(self))
    }

    /// Whether it can be entered.
    pub(crate) fn is_free(&self, now: i64) -> bool {
        !self.busy.get() && self.not_before.get() <= now
    }

    /// When to look again at a lane that has something to do and is not free: it pauses, or another
    /// run has it, whose sudden death the alarm is for.
    pub(crate) fn next(&self, now: i64) -> i64 {
        if self.busy.get() { now.saturating_add(ALARM_DELAY_MS) } else { self.not_before.get().max(now) }
    }

    /// Pauses after a failure: 1 s, 2 s, 4 s … 5 minutes.
    pub(crate) fn fail(&self, now: i64) {
        if self.failures.get() == 0 {
            self.failing_since.set(now);
        }
        let pause =
            1_000_i64.checked_shl(self.failures.get()).unwrap_or(LONGEST_PAUSE_MS).clamp(1_000, LONGEST_PAUSE_MS);
        self.failures.set(self.failures.get().saturating_add(1).min(20));
        self.wait_until(now.saturating_add(pause));
    }

    /// Pauses until then, without counting a failure.
    pub(crate) fn wait_until(&self, at: i64) {
        self.not_before.set(at);
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

    /// Since when every run has failed; `None` when the last one succeeded.
    pub(crate) fn failing_since(&self) -> Option<i64> {
        (self.failures.get() > 0).then(|| self.failing_since.get())
    }
}
