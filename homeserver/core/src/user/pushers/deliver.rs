//! Telling gateways: in order, one request of a pusher at a time, later and later while it fails.

use futures_util::future::join_all;
use http::{Method, Request, header};
use hubbub_storage::{
    database::transaction,
    user::pushers::{self, Pusher},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::notification::Target;
use crate::{
    context::{Egress, Random},
    error::{MatrixError, Result},
    user::UserSyncObject,
};

/// How long a gateway may take to answer.
const TIMEOUT_MS: u32 = 10_000;
/// The wait after the first failure; it doubles with each further one.
const FIRST_DELAY_MS: i64 = 1_000;
/// The longest wait.
const LONGEST_DELAY_MS: i64 = 60 * 60 * 1_000;

impl UserSyncObject {
    /// Tells all pushers what they were not told yet; returns when to try again those that fail.
    pub(in crate::user) async fn push_all(&self) -> Result<Option<i64>> {
        let all = pushers::count(self.query())?;
        if all == 0 {
            return Ok(None);
        }
        let alive = pushers::list(self.query())?;
        if alive.len() < all {
            transaction(self.database.as_ref(), |transaction| pushers::delete_dead(transaction))?;
        }
        let runs = alive.iter().map(|pusher| async move {
            let key = format!("push:{}:{}", pusher.app_id, pusher.pushkey);
            // Whoever holds it goes on until nothing is left.
            match self.in_flight.try_lock(&key) {
                Some(_held) => self.run_pusher(&pusher.app_id, &pusher.pushkey).await,
                None => Ok(None),
            }
        });
        let mut next = None;
        for run in join_all(runs).await {
            next = next.into_iter().chain(run?).min();
        }
        Ok(next)
    }

    /// Tells one pusher; returns when to try again. The caller holds its lock.
    async fn run_pusher(&self, app_id: &str, pushkey: &str) -> Result<Option<i64>> {
        loop {
            let query = self.query();
            let Some(pusher) = pushers::get(query, app_id, pushkey)? else {
                return Ok(None);
            };
            if pusher.retry_at > self.context.clock.now() {
                return Ok(Some(pusher.retry_at));
            }
            let target = Target::of(&pusher)?;
            let badge = self.badge(query)?;
            let next = self.next_push(query, &pusher)?;
            let body = match &next.event {
                Some(event) => target.event(query, &self.user_id, event, badge)?,
                None if badge != pusher.badge => target.badge(badge),
                None => return Ok(None),
            };
            let told = self.tell(&target.url, &body).await;
            self.context.failpoints.pass("user.after_push").await;
            match told {
                Ok(rejected) if rejected.iter().any(|rejected| rejected == pushkey) => {
                    tracing::info!(user.id = %self.user_id, "A gateway no longer knows a device: its pusher goes");
                    self.drop_pusher(app_id, pushkey)?;
                    self.forget_key(app_id, pushkey).await;
                    return Ok(None);
                }
                Ok(_) => {
                    let (cursor_pos, cursor_key) = next.cursor;
                    self.store(&Pusher { cursor_pos, cursor_key, badge, failures: 0, retry_at: 0, ..pusher })?;
                }
                Err(reason) => self.fail(pusher, &reason)?,
            }
        }
    }

    /// Sends one request; the push keys that the gateway rejected. The error is a reason for the
    /// log, without body, key or address.
    async fn tell(&self, url: &str, body: &Json) -> Result<Vec<String>, String> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            rejected: Vec<String>,
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|_| "the request could not be built".to_owned())?;
        let answer =
            self.context.http.send(request, Egress::Stranger, TIMEOUT_MS).await.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status().as_u16()));
        }
        let answer: Answer =
            serde_json::from_slice(answer.body()).map_err(|_| "its answer makes no sense".to_owned())?;
        Ok(answer.rejected)
    }

    fn fail(&self, pusher: Pusher, reason: &str) -> Result<()> {
        let failures = pusher.failures.saturating_add(1);
        tracing::warn!(user.id = %self.user_id, failures, "A push gateway was not told: {reason}");
        let retry_at = self.context.clock.now() + delay_ms(failures, self.context.random.as_ref());
        self.store(&Pusher { failures, retry_at, ..pusher })
    }

    fn store(&self, pusher: &Pusher) -> Result<()> {
        transaction(self.database.as_ref(), |transaction| {
            pushers::advance(transaction, pusher)?;
            Ok::<_, MatrixError>(())
        })
    }
}

/// How long to wait after so many failures in a row: up to a quarter less than the doubled time, so
/// that all the users of one gateway do not come back together.
fn delay_ms(failures: i64, random: &dyn Random) -> i64 {
    let doublings = u32::try_from((failures - 1).clamp(0, 20)).unwrap_or(20);
    let longest = (FIRST_DELAY_MS << doublings).min(LONGEST_DELAY_MS);
    let mut byte = [0];
    random.fill(&mut byte);
    let [byte] = byte;
    (longest - longest * i64::from(byte) / (4 * 255)).max(FIRST_DELAY_MS)
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
    fn waits_double_from_a_second_to_an_hour_and_stay_there() {
        let waits: Vec<_> = [1, 2, 3, 12, 13, 14, i64::MAX].map(|failures| delay_ms(failures, &Fixed(0))).into();
        assert_eq!(waits, [1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000, 3_600_000]);
        assert_eq!(delay_ms(13, &Fixed(255)), 2_700_000);
    }
}
