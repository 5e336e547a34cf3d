//! `/timestamp_to_event`: the event nearest to a time.

use std::cmp::Ordering;

use hubbub_storage::{
    database::{Query, transaction},
    room::{
        LIVE,
        times::{self, BLOCK, TimedEvent},
    },
};
use ruma::OwnedEventId;

use super::{RoomObject, visibility::Reader};
use crate::{
    contract::{relation::EventAtTime, room::Actor},
    error::{MatrixError, Result},
};

/// How many blocks one request reads at most: enough unless the times of thousands of events lie in
/// no order at all.
const MAX_BLOCKS: u32 = 64;

/// A search in one direction.
struct Search<'a> {
    query: &'a dyn Query,
    reader: &'a Reader<'a>,
    ts: i64,
    forwards: bool,
}

impl RoomObject {
    /// The visible event nearest to a time, the time itself included
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event)).
    pub(super) fn event_at_time(&self, actor: &Actor, ts: i64, forwards: bool) -> Result<EventAtTime> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, actor)?;
        let end = LIVE + opened.row.position + 1;
        let head = (end / BLOCK).saturating_mul(BLOCK);
        let mut last = times::last_block(query)?;
        if (last + 1).saturating_mul(BLOCK) < head {
            transaction(self.database.as_ref(), |transaction| times::sum_up(transaction, last, head))?;
            last = head / BLOCK - 1;
        }
        let search = Search { query, reader: &reader, ts, forwards };
        let tail = search.within(((last + 1).saturating_mul(BLOCK), end))?;
        let found = search.among_blocks(tail)?;
        let found = found.ok_or_else(|| MatrixError::not_found("There is no event on that side of this time."))?;
        Ok(EventAtTime {
            event_id: OwnedEventId::try_from(found.event.event_id).map_err(MatrixError::internal)?,
            origin_server_ts: found.ts,
        })
    }
}

impl Search<'_> {
    /// The better of `found` and what the summed up blocks hold.
    fn among_blocks(&self, mut found: Option<TimedEvent>) -> Result<Option<TimedEvent>> {
        for block in times::candidates(self.query, self.ts, self.forwards, MAX_BLOCKS)? {
            // The best that the block, and so any later one, can offer.
            let offer = if self.forwards { block.oldest.max(self.ts) } else { block.newest.min(self.ts) };
            if found.as_ref().is_some_and(|found| self.order(found.ts, offer) == Ordering::Less) {
                break;
            }
            let start = block.block.saturating_mul(BLOCK);
            found = [found, self.within((start, start + BLOCK))?].into_iter().flatten().min_by(|one, other| {
                let places = self.order(one.event.order_key, other.event.order_key);
                self.order(one.ts, other.ts).then(places)
            });
        }
        Ok(found)
    }

    fn within(&self, bounds: (i64, i64)) -> Result<Option<TimedEvent>> {
        let events = times::nearest(self.query, bounds, self.ts, self.forwards)?;
        Ok(events.into_iter().find(|timed| self.reader.may_see(&timed.event)))
    }

    /// Which of two comes first in the direction of the search.
    fn order(&self, one: i64, other: i64) -> Ordering {
        if self.forwards { one.cmp(&other) } else { other.cmp(&one) }
    }
}
