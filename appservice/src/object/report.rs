//! Telling Cron, through D1's `stuck`, of work that is too old, and when it is done.

use hubbub_storage::{appservice as store, database::DatabaseError, directory::stuck};

use super::AppserviceObject;

/// How old waiting work may be before Cron is told, in milliseconds.
const STUCK_MS: i64 = 60_000;

/// The class in D1's `stuck`, as contracts spell it.
const CLASS: &str = "Appservice";

impl AppserviceObject {
    /// Makes D1's note agree with the queue. A D1 that refuses is asked again by the next run.
    pub(super) async fn report(&self) -> Result<(), DatabaseError> {
        let database = self.database.as_query();
        let lanes = store::waiting_lanes(database)?;
        let oldest = lanes.iter().map(|lane| lane.since).min();
        let reported = store::is_reported(database)?;
        let directory = self.context.directory.as_ref();
        if let Some(since) = oldest.filter(|since| since + STUCK_MS <= self.now()) {
            // Noted here first, so that D1's row is removed in the end even after a crash between.
            if !reported {
                self.commit(None, |transaction| store::set_reported(transaction, since))?;
            }
            if let Err(error) = stuck::mark(directory, CLASS, &self.id, since).await {
                tracing::warn!(appservice.id = %self.id, "D1 was not told of a stuck queue: {error}");
            }
        } else if reported && stuck::clear(directory, CLASS, &self.id).await.is_ok() {
            self.commit(None, store::clear_reported)?;
        }
        Ok(())
    }
}
