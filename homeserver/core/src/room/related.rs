//! `/relations` and `/threads`: pages of an event's children, and of the room's threads.

use hubbub_storage::room::{
    LIVE,
    events::{self, EventRow},
    relations::{self, Children},
};

use super::{
    RoomObject,
    paging::{hidden, unknown_event},
};
use crate::{
    contract::encode,
    contract::relation::{GetRelated, GetThreads, RelatedEvents, RelationCommand, Threads},
    error::Result,
    room_token::RoomToken,
};

/// The most events of a page.
const MAX_LIMIT: u32 = 100;
/// How many stored events one request looks at to find those that the reader may see.
const SCAN: usize = 500;
/// How many are read at a time.
const STRIDE: u32 = 100;
/// How many levels of children of children are looked at.
const DEPTH: u32 = 3;

/// Where the next page starts, and what was found for this one.
struct Page {
    rows: Vec<EventRow>,
    next: Option<i64>,
}

impl RoomObject {
    pub(super) fn handle_relation(&self, command: &RelationCommand) -> Result<Vec<u8>> {
        match command {
            RelationCommand::Related(request) => encode(&self.related(request)?),
            RelationCommand::Threads(request) => encode(&self.threads(request)?),
            RelationCommand::AtTime { reader, ts, forwards } => encode(&self.event_at_time(reader, *ts, *forwards)?),
        }
    }

    /// The events that relate to one
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidrelationseventid)).
    fn related(&self, request: &GetRelated) -> Result<RelatedEvents> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, &request.reader).map_err(hidden)?;
        events::get(query, request.event_id.as_str())?
            .filter(|row| !row.rejected && reader.may_see(row))
            .ok_or_else(unknown_event)?;
        let place = |token: &Option<String>| -> Result<Option<i64>> {
            token.as_ref().map(|token| Ok(token.parse::<RoomToken>()?.order_key)).transpose()
        };
        let (from, to) = (place(&request.from)?, place(&request.to)?);
        let newest = LIVE + opened.row.position + 1;
        let bounds = match request.backwards {
            true => (to.unwrap_or(0), from.unwrap_or(newest)),
            false => (from.unwrap_or(0), to.unwrap_or(newest)),
        };
        let wanted = Children {
            parent: request.event_id.as_str(),
            rel_type: request.rel_type.as_deref(),
            event_type: request.event_type.as_deref(),
            depth: if request.recurse { DEPTH } else { 1 },
        };
        let page = page(
            bounds,
            request.backwards,
            request.limit,
            |bounds| Ok(relations::children(query, wanted, bounds, request.backwards, STRIDE)?),
            |row| reader.may_see(row),
        )?;
        Ok(RelatedEvents {
            chunk: self.shown(query, &opened, &page.rows, &request.reader, &reader)?,
            next_batch: page.next.map(|order_key| self.token(&opened, order_key)),
            recursion_depth: request.recurse.then_some(DEPTH),
        })
    }

    /// The room's threads
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1roomsroomidthreads)).
    fn threads(&self, request: &GetThreads) -> Result<Threads> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, &request.reader)?;
        let from = request.from.as_ref().map(|token| token.parse::<RoomToken>()).transpose()?;
        let mut below = from.map_or(LIVE + opened.row.position + 1, |token| token.order_key);
        let limit = usize::try_from(request.limit.min(MAX_LIMIT)).unwrap_or(0);
        let (mut roots, mut scanned, mut more) = (Vec::new(), 0, true);
        'pages: while more {
            let stride = relations::threads(query, reader.user_id.as_str(), below, STRIDE)?;
            more = stride.len() == usize::try_from(STRIDE).unwrap_or(usize::MAX);
            for thread in stride {
                let wanted = !request.participated || thread.participated;
                let shown = wanted && !thread.root.rejected && reader.may_see(&thread.root);
                if scanned >= SCAN || (shown && roots.len() >= limit) {
                    more = true;
                    break 'pages;
                }
                scanned += 1;
                below = thread.latest;
                roots.extend(shown.then_some(thread.root));
            }
        }
        Ok(Threads {
            chunk: self.shown_threads(query, &opened, &roots, &request.reader, &reader)?,
            next_batch: more.then(|| self.token(&opened, below)),
        })
    }
}

/// Reads stride by stride until one event more than asked for is found, the end is reached, or
/// enough was looked at.
fn page(
    (mut from, mut below): (i64, i64),
    backwards: bool,
    limit: u32,
    read: impl Fn((i64, i64)) -> Result<Vec<EventRow>>,
    may_see: impl Fn(&EventRow) -> bool,
) -> Result<Page> {
    let limit = usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(0);
    let (mut rows, mut scanned) = (Vec::new(), 0);
    loop {
        let stride = read((from, below))?;
        let exhausted = stride.len() < usize::try_from(STRIDE).unwrap_or(usize::MAX);
        for row in stride {
            let visible = may_see(&row);
            if scanned >= SCAN || (visible && rows.len() >= limit) {
                return Ok(Page { rows, next: Some(if backwards { below } else { from }) });
            }
            scanned += 1;
            match backwards {
                true => below = row.order_key,
                false => from = row.order_key + 1,
            }
            rows.extend(visible.then_some(row));
        }
        if exhausted {
            return Ok(Page { rows, next: None });
        }
    }
}
