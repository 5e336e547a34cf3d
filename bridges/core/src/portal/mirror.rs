//! D1's copy of the map between messages and events, written in batches and seconds behind.
//!
//! Messages of the network come from the `mirror` table, one row a batch; messages from Matrix need
//! none: the outbound lane itself is read from where D1 has it.

use hubbub_core::error::Result;
use hubbub_storage::{directory::bridges, portal as store};
use serde_json::json;

use super::{PortalObject, outbound::Progress};
use crate::{failpoints, network::Network};

/// Rows of the outbound lane that go to D1 at once.
const OUTBOUND_ROWS: i64 = 200;

impl<N: Network> PortalObject<N> {
    /// Sends to D1 what it does not have; returns when to try again.
    pub(super) async fn run_mirror(&self) -> Option<i64> {
        if !self.owes_mirror() {
            return None;
        }
        let _guard = match self.mirror_lane.enter(self.now()) {
            Ok(guard) => guard,
            Err(at) => return Some(at),
        };
        while self.owes_mirror() {
            let inbound = self.mirror_inbound().await;
            let outcome = match inbound {
                Ok(()) => self.mirror_outbound().await,
                error => error,
            };
            if let Err(error) = outcome {
                tracing::warn!(portal.id = %self.portal_id, "D1 takes no map: {error}");
                return Some(self.mirror_lane.fail(self.now()));
            }
        }
        self.mirror_lane.succeed();
        None
    }

    fn owes_mirror(&self) -> bool {
        let outbound = self.row().is_ok_and(|row| row.sent_through > row.mirrored_through);
        self.has_mirror.get() || outbound
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
        if row.sent_through <= row.mirrored_through {
            return Ok(());
        }
        let done = store::list_done(self.database.as_query(), row.mirrored_through, row.sent_through, OUTBOUND_ROWS)?;
        let through = match done.last() {
            Some((seq, ..)) if i64::try_from(done.len()).unwrap_or(0) == OUTBOUND_ROWS => *seq,
            _ => row.sent_through,
        };
        let mut rows = Vec::new();
        for (_, event_id, outcome) in &done {
            for (_, remote_id) in Progress::read(Some(outcome)).parts() {
                rows.push(json!([remote_id, 0, event_id]));
            }
        }
        if !rows.is_empty() {
            let rows = serde_json::to_string(&rows)?;
            let statement = bridges::put_messages(&self.portal_id, &rows);
            self.context.directory.batch(vec![statement]).await?;
        }
        self.write(|row| row.mirrored_through = row.mirrored_through.max(through))
    }
}
