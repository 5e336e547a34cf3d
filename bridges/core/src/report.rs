//! Telling Cron, through D1's `stuck`, of work that has failed for a minute, and when it is done.

use std::cell::Cell;

use hubbub_core::context::Context;
use hubbub_storage::directory::stuck;

/// How long work may fail before Cron is told, in milliseconds.
const STUCK_MS: i64 = 60_000;

/// What D1 may say of an object.
#[derive(Default)]
pub(crate) struct Report {
    /// D1 may hold a note: this life wrote one, or Cron's poke came for one.
    noted: Cell<bool>,
}

impl Report {
    /// Cron poked: there may be a note of an earlier life.
    pub(crate) fn poked(&self) {
        self.noted.set(true);
    }

    /// Makes D1's note agree with the lanes. A D1 that refuses is asked again by the next run.
    pub(crate) async fn update(&self, context: &Context, class: &str, name: &str, failing_since: Option<i64>) {
        let now = context.clock.now();
        let directory = context.directory.as_ref();
        let stuck_since = failing_since.filter(|since| now.saturating_sub(*since) >= STUCK_MS);
        let outcome = match stuck_since {
            Some(since) => {
                self.noted.set(true);
                stuck::mark(directory, class, name, since).await
            }
            None if failing_since.is_none() && self.noted.replace(false) => {
                let cleared = stuck::clear(directory, class, name).await;
                self.noted.set(cleared.is_err());
                cleared
            }
            None => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::warn!("D1 was not told of the stuck {class} {name}: {error}");
        }
    }
}
