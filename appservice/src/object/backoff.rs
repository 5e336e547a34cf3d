//! Trying again: later and later, at most five minutes later, for ever.

use hubbub_core::context::Random;
use hubbub_storage::{
    appservice::{self as store, Lane},
    database::DatabaseError,
};

use super::AppserviceObject;

/// The wait after the first failure, in milliseconds; it doubles with each further one.
const FIRST_MS: i64 = 1_000;

/// The longest wait, in milliseconds.
const LONGEST_MS: i64 = 300_000;

/// How long to wait after so many failures in a row: up to a quarter less than the doubled time, so
/// that appservices that failed together do not come back together; 1 s at least, 5 min at most.
pub(super) fn delay_ms(failures: i64, random: &dyn Random) -> i64 {
    let doublings = u32::try_from((failures - 1).clamp(0, 20)).unwrap_or(20);
    let longest = (FIRST_MS << doublings).min(LONGEST_MS);
    let mut byte = [0];
    random.fill(&mut byte);
    let [byte] = byte;
    (longest - longest * i64::from(byte) / (4 * 255)).max(FIRST_MS)
}

impl AppserviceObject {
    /// Notes a failed attempt of a lane and arms the alarm for the next one.
    pub(super) fn fail(&self, lane: &str, state: &Lane) -> Result<(), DatabaseError> {
        let attempts = state.attempts.saturating_add(1);
        let at = self.now() + delay_ms(attempts, self.context.random.as_ref());
        let state = Lane { attempts, next_attempt_at: Some(at), transaction: state.transaction.clone() };
        self.commit(Some(at), |transaction| {
            // Unrouted meanwhile: nothing is left to try again.
            if store::last_id(transaction.as_query(), lane)? == 0 {
                return Ok(());
            }
            store::put_lane(transaction, lane, &state)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn waits_double_from_one_second_to_five_minutes_and_stay_there() {
        let waits: Vec<_> = (1..=11).map(|failures| delay_ms(failures, &Fixed(0))).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
        assert_eq!(delay_ms(i64::MAX, &Fixed(0)), 300_000);
    }

    #[test]
    fn jitter_shortens_a_wait_by_a_quarter_at_most_and_never_below_a_second() {
        assert_eq!(delay_ms(1, &Fixed(255)), 1_000);
        assert_eq!(delay_ms(3, &Fixed(255)), 3_000);
        assert_eq!(delay_ms(100, &Fixed(255)), 225_000);
    }
}
