//! Rates that a network allows: buckets of calls that fill with time.
//!
//! They live in memory: after an eviction a bucket is full, and the network's own 429 has the last
//! word.

use std::{cell::RefCell, collections::HashMap};

/// Buckets by name.
#[derive(Default)]
pub(crate) struct Buckets(RefCell<HashMap<String, Bucket>>);

/// Thousandths of calls, so that all arithmetic is on integers.
struct Bucket {
    milli_calls: i64,
    filled_at: i64,
    blocked_until: i64,
}

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Calls in `per_ms` milliseconds.
    pub calls: i64,
    /// The time for that many.
    pub per_ms: i64,
    /// Calls at once.
    pub burst: i64,
}

impl Rate {
    /// So many a second, and a second's worth at once.
    pub(crate) fn per_second(calls: i64) -> Self {
        let calls = calls.max(1);
        Self { calls, per_ms: 1_000, burst: calls }
    }

    /// So many a minute.
    pub(crate) fn per_minute(calls: u32, burst: u32) -> Self {
        Self { calls: i64::from(calls.max(1)), per_ms: 60_000, burst: i64::from(burst.max(1)) }
    }
}

impl Buckets {
    /// Takes a call, or says when to ask again.
    pub(crate) fn take(&self, name: &str, rate: Rate, now: i64) -> Result<(), i64> {
        let mut buckets = self.0.borrow_mut();
        let full = rate.burst.saturating_mul(1_000);
        let bucket =
            buckets.entry(name.to_owned()).or_insert(Bucket { milli_calls: full, filled_at: now, blocked_until: 0 });
        if bucket.blocked_until > now {
            return Err(bucket.blocked_until);
        }
        let passed = now.saturating_sub(bucket.filled_at).clamp(0, 3_600_000);
        let gained = passed.saturating_mul(rate.calls).saturating_mul(1_000) / rate.per_ms.max(1);
        if gained > 0 {
            bucket.milli_calls = bucket.milli_calls.saturating_add(gained).min(full);
            bucket.filled_at = now;
        }
        if bucket.milli_calls >= 1_000 {
            bucket.milli_calls = bucket.milli_calls.saturating_sub(1_000);
            return Ok(());
        }
        // Wait for a fifth of the bucket rather than for each single call: an alarm is a row.
        let wanted = (full / 5).max(1_000).saturating_sub(bucket.milli_calls);
        let wait =
            wanted.saturating_mul(rate.per_ms).saturating_add(rate.calls.saturating_mul(1_000).saturating_sub(1))
                / rate.calls.saturating_mul(1_000).max(1);
        Err(now.saturating_add(wait.max(1)))
    }

    /// The network said to wait until then.
    pub(crate) fn block(&self, name: &str, until: i64, now: i64) {
        let mut buckets = self.0.borrow_mut();
        let bucket =
            buckets.entry(name.to_owned()).or_insert(Bucket { milli_calls: 1_000, filled_at: now, blocked_until: 0 });
        bucket.blocked_until = bucket.blocked_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_means_one_a_second() {
        let buckets = Buckets::default();
        let rate = Rate::per_second(1);
        assert_eq!(buckets.take("a", rate, 0), Ok(()));
        assert_eq!(buckets.take("a", rate, 0), Err(1_000));
        assert_eq!(buckets.take("a", rate, 999), Err(1_000));
        assert_eq!(buckets.take("a", rate, 1_000), Ok(()));
        assert_eq!(buckets.take("b", rate, 1_000), Ok(()));
    }

    #[test]
    fn fifty_a_second_go_in_groups() {
        let buckets = Buckets::default();
        let rate = Rate::per_second(50);
        let mut now = 0;
        let mut waits = 0;
        for _ in 0..500 {
            while let Err(at) = buckets.take("a", rate, now) {
                now = at;
                waits += 1;
            }
        }
        assert!((9_000..=9_300).contains(&now), "{now}");
        assert!(waits <= 46, "{waits}");
    }

    #[test]
    fn a_block_holds() {
        let buckets = Buckets::default();
        buckets.block("a", 5_000, 0);
        assert_eq!(buckets.take("a", Rate::per_second(1), 4_999), Err(5_000));
        assert_eq!(buckets.take("a", Rate::per_second(1), 5_000), Ok(()));
    }
}
