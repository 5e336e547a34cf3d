//! D1's copy of the map between messages and events, written in batches and seconds behind.
//!
//! Messages of the network come from the `mirror` table, one row a batch; messages from Matrix need
//! none: the outbound lane itself is read from where D1 has it.

use hubbub_core::error::Result;
use hubbub_storage::{
    directory::bridges,
    portal::{self as store, PortalRow},
};
use serde_json::json;

use super::{PortalObject, outbound::Progress};
use crate::failpoints;

/// Rows of the outbound lane that go to D1 at once.
const OUTBOUND_ROWS: i64 = 200;

impl PortalObject {
    /// Sends to D1 what it does not have.
    pub(super) async fn run_mirror(&self) {
        let Some(_guard) = self.mirror_lane.enter(self.now()) else { return };
        while self.row().is_ok_and(|row| self.owes_mirror(&row)) {
            let inbound = self.mirror_inbound().await;
            let outcome = match inbound {
                Ok(()) => self.mirror_outbound().await,
                error => error,
            };
            if let Err(error) = outcome {
                tracing::warn!(portal.id = %self.portal_id, "D1 takes no map: {error}");
                self.mirror_lane.fail(self.now());
                return;
            }
        }
        self.mirror_lane.succeed();
    }

    pub(super) fn owes_mirror(&self, row: &PortalRow) -> bool {
        self.has_mirror.get() || self.sending.done() > row.mirrored_through
    }

    async fn mirror_inbound(&self) -> Result<()> {
        let batches = store::list_mirror(self.database.as_query())?;
        let Some((through, _)) = batches.last() else {
            self.has_mirror.set(false);
            return Ok(());
        };
        let statements = batches.iter().map(|(_, rows)| bridges::put_messages(&self.portal_id, rows)).collect();
        self.context.directory.batch(statements).await?;
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_MIRROR).await;
        self.commit(false, |transaction| Ok(store::delete_mirror(transaction, *through)?))
    }

    async fn mirror_outbound(&self) -> Result<()> {
        let row = self.row()?;
        let done = self.sending.done();
        if done <= row.mirrored_through {
            return Ok(());
        }
        let query = self.database.as_query();
        let rows_done = store::list_done(query, row.mirrored_through, done, OUTBOUND_ROWS)?;
        let through = match rows_done.last() {
            Some((seq, ..)) if i64::try_from(rows_done.len()).unwrap_or(0) == OUTBOUND_ROWS => *seq,
            _ => done,
        };
        let mut rows = Vec::new();
        for (_, event_id, outcome) in &rows_done {
            for (_, remote_id) in Progress::read(Some(outcome)).parts() {
                rows.push(json!([remote_id, 0, event_id]));
            }
        }
        if !rows.is_empty() {
            let rows = serde_json::to_string(&rows)?;
            let statement = bridges::put_messages(&self.portal_id, &rows);
            self.context.directory.batch(vec![statement]).await?;
        }
        // A woken object need not look for waiting events before this place.
        self.write_quietly(|row| {
            row.mirrored_through = row.mirrored_through.max(through);
            row.sent_through = row.sent_through.max(through);
        })
    }
}
