//! The timeline of one room in one `/sync`.

use std::collections::BTreeSet;

use hubbub_storage::user::{
    inbox::RoomRow,
    timeline::{self, KeptEvent, Stretch},
};
use serde_json::value::RawValue;

use super::{
    View, body,
    relations::{Passed, relation_of},
};
use crate::{
    error::Result,
    filter::{self, Candidate},
    room_token::RoomToken,
    user::{
        deliver::KEPT_EVENTS,
        stored_event::{Extras, put_together},
    },
};

/// How many events are returned unless the filter says otherwise.
const DEFAULT_LIMIT: usize = 10;

/// How many events are read at once, at least: a filter may pass over some.
const LEAST_PAGE: usize = 10;

/// The events that a client gets, oldest first, and what it does not get.
pub(super) struct Window {
    pub events: Vec<Box<RawValue>>,
    pub event_ids: BTreeSet<String>,
    pub senders: BTreeSet<String>,
    /// Whether events are missing before the first one.
    pub limited: bool,
    /// Whether the filter held a state event back.
    pub hides_state: bool,
    /// The order_key below which the client has nothing yet.
    start: i64,
}

impl Window {
    /// As the body shows it.
    pub fn into_body(self, room: &RoomRow) -> body::Timeline {
        let prev_batch = RoomToken { epoch: room.epoch, order_key: self.start, position: room.position };
        body::Timeline { events: self.events, limited: self.limited, prev_batch: prev_batch.to_string() }
    }
}

impl View<'_> {
    /// The newest events that came after `since`; `None`: however old.
    pub(super) fn timeline(&self, room: &RoomRow, since: Option<i64>) -> Result<Window> {
        let filter = &self.filter.room.timeline;
        let limit = filter::limit(filter, DEFAULT_LIMIT, KEPT_EVENTS);
        let mut reading = Reading {
            view: self,
            room,
            limit,
            passed: Passed::new(self.object.user_id.as_str()),
            window: Window {
                events: Vec::new(),
                event_ids: BTreeSet::new(),
                senders: BTreeSet::new(),
                limited: false,
                hides_state: false,
                start: timeline::END,
            },
        };
        let complete = reading.read(since)?;
        let mut window = reading.window;
        if !complete && !window.limited {
            window.limited = self.misses_older(room, since)?;
        }
        window.events.reverse();
        Ok(window)
    }

    /// Whether events that came after `since` are no longer kept, or (for `None`) the room has any
    /// before the oldest kept one.
    fn misses_older(&self, room: &RoomRow, since: Option<i64>) -> Result<bool> {
        let older = timeline::list_places(
            self.query,
            Stretch { room_id: &room.room_id, below: room.kept_from, from: -timeline::END, limit: 1 },
        )?;
        if let Some(older) = older.first() {
            return Ok(since.is_none_or(|since| older.inbox_pos > since));
        }
        if since.is_some() {
            return Ok(false);
        }
        // Nothing was ever let go of: the room's first event is the create event, or there is more.
        let oldest = timeline::first_from(self.query, &room.room_id, room.kept_from)?;
        let Some(oldest) = oldest else {
            return Ok(true);
        };
        let create = hubbub_storage::user::state::get(self.query, &room.room_id, "m.room.create", "")?;
        Ok(create.is_none_or(|create| create.event_id != oldest.event_id))
    }
}

/// One reading of kept events, newest first.
struct Reading<'a> {
    view: &'a View<'a>,
    room: &'a RoomRow,
    limit: usize,
    passed: Passed<'a>,
    window: Window,
}

impl Reading<'_> {
    /// Reads until `since` or the limit; whether one of them was reached before the kept events
    /// ended.
    fn read(&mut self, since: Option<i64>) -> Result<bool> {
        // One more than asked for shows whether there are more.
        let page = (self.limit + 1).max(LEAST_PAGE);
        let mut below = timeline::END;
        loop {
            let events = timeline::list_kept(
                self.view.query,
                Stretch { room_id: &self.room.room_id, below, from: self.room.kept_from, limit: page },
            )?;
            for event in &events {
                if below == timeline::END {
                    self.window.start = event.order_key + 1;
                }
                below = event.order_key;
                if since.is_some_and(|since| event.inbox_pos <= since) {
                    return Ok(true);
                }
                if !self.take(event)? {
                    self.window.limited = true;
                    return Ok(true);
                }
            }
            if events.len() < page {
                return Ok(false);
            }
        }
    }

    /// Takes an event if it passes; whether there was room for it.
    fn take(&mut self, event: &KeptEvent) -> Result<bool> {
        let ignored = event.state_key.is_none() && self.view.is_ignored(Some(&event.sender));
        let relation = relation_of(event);
        let relations = self.passed.bundle(event, relation.as_ref())?;
        let own_device = event.device_id.as_deref() == Some(self.view.device.as_str());
        let shown = put_together(
            &event.event,
            event.unsigned.as_deref(),
            event.ts,
            Extras {
                now: self.view.now,
                membership: event.membership.as_deref(),
                transaction_id: event.transaction_id.as_deref().filter(|_| own_device),
                relations: relations.as_deref(),
            },
        )?;
        if !ignored {
            self.passed.pass(event, relation, &shown);
        }
        let passes = filter::allows_event(
            &self.view.filter.room.timeline,
            Candidate {
                room_id: &self.room.room_id,
                event_type: &event.event_type,
                sender: &event.sender,
                event: &shown,
            },
        );
        if ignored || !passes {
            self.window.hides_state |= event.state_key.is_some();
            // A page backwards starts below what is returned, or the client would miss what only
            // this filter hides.
            if self.window.events.len() < self.limit {
                self.window.start = event.order_key;
            }
            return Ok(true);
        }
        if self.window.events.len() == self.limit {
            return Ok(false);
        }
        self.window.start = event.order_key;
        self.window.events.push(shown);
        self.window.event_ids.insert(event.event_id.clone());
        self.window.senders.insert(event.sender.clone());
        Ok(true)
    }
}
