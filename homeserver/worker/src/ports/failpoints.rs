//! Failpoints: places after a commit where a test delays or kills what is running.
//!
//! Armed by name through `POST /_hubbub/admin/v1/failpoints` ([`crate::admin`]), and only where the
//! variable `FAILPOINTS` is `on`. They live in the isolate's memory, which is every object's under
//! Miniflare: a panic or a kill disarms them all, so that a test never loops.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use futures_util::future::LocalBoxFuture;
use hubbub_core::context::Failpoints;
use serde::{Deserialize, Serialize};
use worker::Delay;

use crate::scope;

/// What happens at an armed failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Waits this many milliseconds, then goes on.
    Delay(u32),
    /// Panics: the isolate is reset, and every request in it is lost.
    Panic,
    /// Resets the object alone, and never goes on.
    Abort,
}

/// How a failpoint is armed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Armed {
    /// What happens.
    pub action: Action,
    /// How many passes are let through first.
    #[serde(default)]
    pub skip: u32,
    /// How often it happens then.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// All failpoints, as the admin endpoint shows them.
#[derive(Clone, Default, Serialize)]
pub struct Report {
    armed: BTreeMap<String, Armed>,
    /// How often each was passed.
    passed: BTreeMap<String, u64>,
    /// How often each did something.
    hit: BTreeMap<String, u64>,
}

thread_local! {
    static STATE: RefCell<Report> = RefCell::default();
}

/// Arms failpoints; those not named stay as they are.
pub fn arm(failpoints: BTreeMap<String, Armed>) {
    STATE.with_borrow_mut(|state| state.armed.extend(failpoints));
}

/// Disarms all.
pub fn disarm() {
    STATE.with_borrow_mut(|state| state.armed.clear());
}

/// What is armed, and what was passed and hit since the isolate started.
pub fn report() -> Report {
    STATE.with_borrow(Clone::clone)
}

/// Counts a pass and says what is to happen.
fn next(name: &str) -> Option<Action> {
    STATE.with_borrow_mut(|state| {
        *state.passed.entry(name.to_owned()).or_default() += 1;
        let armed = state.armed.get_mut(name)?;
        if armed.skip > 0 {
            armed.skip -= 1;
            return None;
        }
        let action = armed.action;
        armed.times = armed.times.saturating_sub(1);
        if armed.times == 0 {
            state.armed.remove(name);
        }
        *state.hit.entry(name.to_owned()).or_default() += 1;
        Some(action)
    })
}

/// Failpoints that can be armed.
pub struct ArmedFailpoints;

impl Failpoints for ArmedFailpoints {
    fn pass(&self, name: &'static str) -> LocalBoxFuture<'_, ()> {
        // Counted when passed, not when polled.
        let action = next(name);
        Box::pin(async move {
            match action {
                None => {}
                Some(Action::Delay(milliseconds)) => Delay::from(Duration::from_millis(milliseconds.into())).await,
                Some(Action::Panic) => panic_on_purpose(),
                Some(Action::Abort) => match scope::current().object {
                    Some(object) => {
                        object.abort();
                        std::future::pending::<()>().await;
                    }
                    // Outside of objects there is nothing to reset but everything.
                    None => panic_on_purpose(),
                },
            }
        })
    }
}

/// Panics because a test asked for it.
pub fn panic_on_purpose() {
    #[expect(clippy::panic, reason = "a test proves that the next request survives it")]
    {
        panic!("a test asked for this panic");
    }
}

/// No failpoints.
pub struct NoFailpoints;

impl Failpoints for NoFailpoints {
    fn pass(&self, _: &'static str) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
