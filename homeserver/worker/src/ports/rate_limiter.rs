//! The platform's rate limiter by address, which stands before every object.

use futures_util::future::LocalBoxFuture;
use hubbub_api::{RateLimit, RateLimiter};

use crate::operations::{Counts, count};

/// The binding `LOGIN_LIMIT`.
pub struct PlatformLimiter(pub worker::RateLimiter);

impl RateLimiter for PlatformLimiter {
    fn allow<'a>(&'a self, limit: RateLimit, address: &'a str) -> LocalBoxFuture<'a, bool> {
        Box::pin(async move {
            count(Counts { rate_limit_checks: 1, ..Counts::default() });
            match self.0.limit(format!("{limit:?}:{address}")).await {
                Ok(outcome) => outcome.success,
                // The user's object still limits failed logins: better one limit than no login.
                Err(error) => {
                    tracing::warn!("The rate limiter failed: {error}");
                    true
                }
            }
        })
    }
}
