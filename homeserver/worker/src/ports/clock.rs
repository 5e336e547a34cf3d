//! The time.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use hubbub_core::context::Clock;
use worker::{Delay, js_sys::Date};

/// The platform's clock: it stands still between I/O.
pub struct PlatformClock;

impl Clock for PlatformClock {
    fn now(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, far below 2^53")]
        let now = Date::now() as i64;
        now
    }

    fn sleep(&self, milliseconds: u32) -> LocalBoxFuture<'_, ()> {
        Box::pin(Delay::from(Duration::from_millis(milliseconds.into())))
    }
}
