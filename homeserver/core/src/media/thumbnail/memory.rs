//! How many bytes of files one isolate reads at once to draw thumbnails: its 128 MB are for everything, and what
//! WebAssembly once took it never gives back. So who comes when much is read waits.

use std::cell::RefCell;

use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// So many bytes at once; more than the largest file that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How often who waits looks again: requests of the platform cannot wake each other.
const LOOK_EVERY_MS: u32 = 200;
/// How long a request waits.
const MAX_WAIT_MS: i64 = 10_000;
/// A request that is gone after so long died: the platform ends one whose client left without telling it.
const GONE_AFTER_MS: i64 = 30_000;

thread_local! {
    static READING: RefCell<Reading> = const { RefCell::new(Reading { next: 0, shares: Vec::new() }) };
}

#[derive(Default)]
struct Reading {
    next: u64,
    shares: Vec<Share>,
}

struct Share {
    number: u64,
    bytes: u64,
    since: i64,
}

impl Reading {
    /// The number of a share of so many bytes, if there is room for it.
    fn take(&mut self, bytes: u64, now: i64) -> Option<u64> {
        self.shares.retain(|share| now - share.since < GONE_AFTER_MS);
        let taken: u64 = self.shares.iter().map(|share| share.bytes).sum();
        if taken + bytes > MAX_BYTES {
            return None;
        }
        self.next += 1;
        self.shares.push(Share { number: self.next, bytes, since: now });
        Some(self.next)
    }

    fn give_back(&mut self, number: u64) {
        self.shares.retain(|share| share.number != number);
    }
}

/// The right to hold a file in memory, until it is dropped.
pub(super) struct Room {
    number: u64,
    /// Whether it had to be waited for.
    pub waited: bool,
}

impl Drop for Room {
    fn drop(&mut self) {
        READING.with_borrow_mut(|reading| reading.give_back(self.number));
    }
}

/// Waits for room for a file of so many bytes; 429 `M_LIMIT_EXCEEDED` when there is none for long.
pub(super) async fn room(context: &Context, bytes: u64) -> Result<Room> {
    let since = context.clock.now();
    loop {
        let now = context.clock.now();
        if let Some(number) = READING.with_borrow_mut(|reading| reading.take(bytes, now)) {
            return Ok(Room { number, waited: now > since });
        }
        if now - since >= MAX_WAIT_MS {
            return Err(MatrixError::new(
                429,
                "M_LIMIT_EXCEEDED",
                "Too many thumbnails are being made; wait a moment.",
            )
            .with("retry_after_ms", 2_000));
        }
        context.clock.sleep(LOOK_EVERY_MS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn sixteen_mebibytes_are_read_at_once() {
        let mut reading = Reading::default();
        let large = reading.take(12 * MIB, 0).unwrap();
        assert_eq!(reading.take(5 * MIB, 0), None);
        let small = reading.take(4 * MIB, 0).unwrap();
        assert_eq!(reading.take(1, 0), None);
        reading.give_back(large);
        assert!(reading.take(12 * MIB, 0).is_some());
        reading.give_back(small);
        assert!(reading.take(4 * MIB, 0).is_some());
    }

    #[test]
    fn what_died_does_not_hold_its_share_for_ever() {
        let mut reading = Reading::default();
        let died = reading.take(12 * MIB, 0).unwrap();
        assert_eq!(reading.take(12 * MIB, GONE_AFTER_MS - 1), None);
        assert!(reading.take(12 * MIB, GONE_AFTER_MS).is_some());
        // It lives after all, and gives back only what is its own.
        reading.give_back(died);
        assert_eq!(reading.take(12 * MIB, GONE_AFTER_MS), None);
    }
}
