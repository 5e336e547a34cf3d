//! `/messages` and `/context`: pages of a room's events, by order_key.

use hubbub_storage::{
    database::Query,
    room::{
        LIVE,
        events::{self, EventRow},
        state,
    },
};
use ruma::{EventId, api::client::filter::RoomEventFilter};
use serde_json::value::RawValue;

use super::{Opened, RoomObject, visibility::Reader};
use crate::{
    contract::room::{Actor, ContextAnswer, Messages, MessagesAnswer},
    error::{MatrixError, Result},
    filter::{self, Candidate},
    room_token::RoomToken,
};

/// The most events of a page.
const MAX_LIMIT: u32 = 1_000;
/// How many stored events one request looks at, beyond its limit, to find those that pass.
const SCAN: u32 = 500;
/// How many are read at a time.
const STRIDE: u32 = 100;

/// One walk through the stored events.
pub(super) struct Walk<'a> {
    pub reader: &'a Reader<'a>,
    pub filter: &'a RoomEventFilter,
    /// Where the walk ends, exclusive.
    pub to: Option<i64>,
    pub limit: usize,
}

/// What a walk found.
pub(super) struct Found {
    pub rows: Vec<EventRow>,
    /// The order_key that the next page starts from; `None` when nothing is left.
    next: Option<i64>,
}

impl RoomObject {
    /// A page of events that the reader may see
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidmessages)).
    pub(super) fn messages(&self, request: &Messages) -> Result<MessagesAnswer> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, &request.reader)?;
        let filter = parse_filter(request.filter.as_deref())?;
        let newest = LIVE + opened.row.position + 1;
        let start = match &request.from {
            Some(token) => token.parse::<RoomToken>()?.order_key,
            None if request.backwards => newest,
            None => 0,
        };
        let to = match &request.to {
            Some(token) => Some(token.parse::<RoomToken>()?.order_key),
            None => None,
        };
        let asked = filter.limit.and_then(|limit| u32::try_from(limit).ok());
        let limit = request.limit.min(asked.unwrap_or(MAX_LIMIT)).min(MAX_LIMIT);
        let walk = Walk { reader: &reader, filter: &filter, to, limit: usize::try_from(limit).unwrap_or(0) };
        let found = if request.backwards {
            self.walk_back(query, start, &walk)?
        } else {
            self.walk_forward(query, start, &walk)?
        };
        let token = |order_key| self.token(&opened, order_key);
        Ok(MessagesAnswer {
            start: request.from.clone().unwrap_or_else(|| token(start)),
            end: found.next.map(token),
            state: self.lazy_members(query, &opened, &filter, (&found.rows, &reader))?,
            chunk: self.shown(query, &opened, &found.rows, &request.reader, &reader)?,
        })
    }

    /// An event and what surrounds it
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidcontexteventid)).
    pub(super) fn event_context(
        &self,
        actor: &Actor,
        event_id: &EventId,
        limit: u32,
        filter: Option<&RawValue>,
    ) -> Result<ContextAnswer> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, actor).map_err(hidden)?;
        let filter = parse_filter(filter)?;
        let event = events::get(query, event_id.as_str())?
            .filter(|row| !row.rejected && reader.may_see(row))
            .ok_or_else(unknown_event)?;
        let limit = usize::try_from(limit.min(MAX_LIMIT)).unwrap_or(0);
        let walk = |limit| Walk { reader: &reader, filter: &filter, to: None, limit };
        let before = self.walk_back(query, event.order_key, &walk(limit / 2))?;
        let after = self.walk_forward(query, event.order_key + 1, &walk(limit - limit / 2))?;
        let first = before.rows.last().unwrap_or(&event).order_key;
        let last = after.rows.last().unwrap_or(&event);
        let state = self.state_around(query, &opened, &filter, (&before.rows, &event, &after.rows))?;
        let show = |rows: &[EventRow]| self.shown(query, &opened, rows, actor, &reader);
        Ok(ContextAnswer {
            start: self.token(&opened, first),
            end: self.token(&opened, last.order_key + 1),
            state,
            events_before: show(&before.rows)?,
            events_after: show(&after.rows)?,
            event: show(std::slice::from_ref(&event))?.pop().ok_or_else(unknown_event)?,
        })
    }

    /// The token that pages on from an order_key, as of now.
    pub(super) fn token(&self, opened: &Opened, order_key: i64) -> String {
        RoomToken { epoch: opened.row.epoch, order_key, position: opened.row.position }.to_string()
    }

    pub(super) fn walk_back(&self, query: &dyn Query, start: i64, walk: &Walk<'_>) -> Result<Found> {
        self.walk(start, walk, |from| events::before(query, from, STRIDE), |row| row.order_key)
    }

    pub(super) fn walk_forward(&self, query: &dyn Query, start: i64, walk: &Walk<'_>) -> Result<Found> {
        self.walk(start, walk, |from| events::from(query, from, STRIDE), |row| row.order_key + 1)
    }

    /// Reads stride by stride until the page is full, the end is reached or enough was looked at.
    fn walk(
        &self,
        start: i64,
        walk: &Walk<'_>,
        read: impl Fn(i64) -> Result<Vec<EventRow>, hubbub_storage::database::DatabaseError>,
        resume: impl Fn(&EventRow) -> i64,
    ) -> Result<Found> {
        let mut rows = Vec::new();
        let mut next = start;
        let mut scanned = 0;
        loop {
            if rows.len() >= walk.limit || scanned >= SCAN {
                return Ok(Found { rows, next: Some(next) });
            }
            let stride = read(next)?;
            let exhausted = stride.is_empty();
            for row in stride {
                let beyond = match walk.to {
                    Some(to) if resume(&row) == row.order_key => row.order_key < to,
                    Some(to) => row.order_key >= to,
                    None => false,
                };
                if beyond {
                    return Ok(Found { rows, next: None });
                }
                scanned += 1;
                next = resume(&row);
                if self.passes(walk, &row) {
                    rows.push(row);
                }
                if rows.len() >= walk.limit {
                    break;
                }
            }
            if exhausted {
                let next = (!rows.is_empty()).then_some(next);
                return Ok(Found { rows, next });
            }
        }
    }

    pub(super) fn passes(&self, walk: &Walk<'_>, row: &EventRow) -> bool {
        !row.rejected
            && walk.reader.may_see(row)
            && RawValue::from_string(row.pdu.clone()).is_ok_and(|event| {
                filter::allows_event(
                    walk.filter,
                    Candidate {
                        room_id: self.room_id.as_str(),
                        event_type: &row.event_type,
                        sender: &row.sender,
                        event: &event,
                    },
                )
            })
    }

    /// The senders' member events: now, or as a former member last saw them.
    fn lazy_members(
        &self,
        query: &dyn Query,
        opened: &Opened,
        filter: &RoomEventFilter,
        (rows, reader): (&[EventRow], &Reader<'_>),
    ) -> Result<Vec<Box<RawValue>>> {
        if !filter::is_lazy(filter) {
            return Ok(Vec::new());
        }
        let mut senders: Vec<&str> = rows.iter().map(|row| row.sender.as_str()).collect();
        senders.sort_unstable();
        senders.dedup();
        let mut members = Vec::new();
        for sender in senders {
            members.extend(match reader.memberships.left_at() {
                Some(seq) => state::at(query, opened.row.branch, seq, "m.room.member", sender)?,
                None => state::current(query, "m.room.member", sender)?,
            });
        }
        self.state_shown(query, opened, &members)
    }

    fn state_around(
        &self,
        query: &dyn Query,
        opened: &Opened,
        filter: &RoomEventFilter,
        (before, event, after): (&[EventRow], &EventRow, &[EventRow]),
    ) -> Result<Vec<Box<RawValue>>> {
        let last = after.last().unwrap_or(event);
        let seq = match last.state_key {
            Some(_) => last.order_key,
            None => last.state_before,
        };
        let mut rows = state::all_but_members_at(query, last.branch, seq)?;
        if filter::is_lazy(filter) {
            let mut senders: Vec<&str> =
                before.iter().chain([event]).chain(after).map(|row| row.sender.as_str()).collect();
            senders.sort_unstable();
            senders.dedup();
            for sender in senders {
                rows.extend(state::at(query, last.branch, seq, "m.room.member", sender)?);
            }
        } else {
            rows.extend(state::members_at(query, last.branch, seq)?);
        }
        self.state_shown(query, opened, &rows)
    }
}

pub(super) fn parse_filter(filter: Option<&RawValue>) -> Result<RoomEventFilter> {
    filter.map_or_else(|| Ok(RoomEventFilter::default()), |filter| filter::parse_room_event_filter(filter.get()))
}

/// A room that the reader may not look into hides its events, too.
pub(super) fn hidden(error: MatrixError) -> MatrixError {
    match error.status {
        403 => unknown_event(),
        _ => error,
    }
}

pub(super) fn unknown_event() -> MatrixError {
    MatrixError::not_found("There is no such event, or you may not see it.")
}
