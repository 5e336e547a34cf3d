//! The time.

use hubbub_core::context::Clock;
use worker::js_sys::Date;

/// The platform's clock: it stands still between I/O.
pub struct PlatformClock;

impl Clock for PlatformClock {
    fn now(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, far below 2^53")]
        let now = Date::now() as i64;
        now
    }
}
