//! The state section of one room in one `/sync`: what the client has to know before the timeline.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_storage::user::{
    inbox::RoomRow,
    state::{self, StateEvent},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    View,
    body::{Events, State},
    timeline::Window,
};
use crate::{
    contract::user::StateAfter,
    error::{MatrixError, Result},
    filter::{self, Candidate},
    user::stored_event::{Extras, put_together, take_apart},
};

/// What a state section is made for.
pub(super) struct Wanted<'a> {
    /// Whether all of the state is wanted, not only what changed.
    pub whole: bool,
    /// Whether the summary goes with it, whose heroes a lazy client has to know.
    pub heroes: bool,
    /// The timeline that follows.
    pub window: &'a Window,
}

impl View<'_> {
    pub(super) fn state(&self, room: &RoomRow, wanted: &Wanted<'_>) -> Result<State> {
        let events = self.state_events(room, wanted)?;
        Ok(match self.state_after {
            StateAfter::No => State::Before(events),
            StateAfter::Stable => State::After(events),
            StateAfter::Unstable => State::UnstableAfter(events),
        })
    }

    /// The inbox keeps the newest state, so that before the timeline is that without what the
    /// timeline itself shows.
    fn state_events(&self, room: &RoomRow, wanted: &Wanted<'_>) -> Result<Events> {
        let lazy = filter::is_lazy(&self.filter.room.state);
        let mut rows = match (wanted.whole, lazy) {
            (true, true) => state::list_without_members(self.query, &room.room_id)?,
            (true, false) => self.all_state(room)?,
            (false, _) => self.changed_state(room, wanted.window)?,
        };
        if lazy {
            let known: BTreeSet<String> =
                rows.iter().filter(|row| row.event_type == "m.room.member").map(|row| row.state_key.clone()).collect();
            for user_id in self.members_that_matter(room, wanted)? {
                if !known.contains(&user_id) {
                    let member = state::get(self.query, &room.room_id, "m.room.member", &user_id)?;
                    rows.extend(member);
                }
            }
        }
        let mut events = Vec::new();
        for row in rows {
            if self.state_after != StateAfter::No || !wanted.window.event_ids.contains(&row.event_id) {
                events.extend(self.show_state(room, &row)?);
            }
        }
        Ok(Events { events })
    }

    /// The members that a lazy client needs: senders of the timeline, the heroes of a summary, and
    /// with the whole state oneself
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#lazy-loading-room-members)).
    fn members_that_matter(&self, room: &RoomRow, wanted: &Wanted<'_>) -> Result<BTreeSet<String>> {
        let mut members = wanted.window.senders.clone();
        if wanted.whole {
            members.insert(self.object.user_id.to_string());
        }
        if wanted.heroes {
            let heroes: Vec<String> = serde_json::from_str(&room.heroes)?;
            members.extend(heroes);
        }
        Ok(members)
    }

    /// What changed, unless all of it is in the timeline and nothing of that is wanted again.
    fn changed_state(&self, room: &RoomRow, window: &Window) -> Result<Vec<StateEvent>> {
        let since = self.since.unwrap_or(-1);
        let all_of_it = self.state_after != StateAfter::No;
        if room.state_pos <= since || !(all_of_it || window.limited || window.hides_state) {
            return Ok(Vec::new());
        }
        Ok(state::list_changed(self.query, &room.room_id, since)?)
    }

    /// All state with all members. A large room has more members than the inbox: they are asked
    /// for once, through [`super::UserSyncObject::sync_completely`].
    fn all_state(&self, room: &RoomRow) -> Result<Vec<StateEvent>> {
        let mut rows = state::list_changed(self.query, &room.room_id, -1)?;
        let present = |row: &&StateEvent| matches!(row.membership.as_deref(), Some("join" | "invite"));
        let held = rows.iter().filter(present).count();
        let there = usize::try_from(room.joined.saturating_add(room.invited)).unwrap_or_default();
        match self.other_members.get(&room.room_id) {
            Some(others) => {
                let known: BTreeSet<&str> = rows
                    .iter()
                    .filter(|row| row.event_type == "m.room.member")
                    .map(|row| row.state_key.as_str())
                    .collect();
                let lacking: BTreeMap<&str, &StateEvent> = others
                    .iter()
                    .map(|member| (member.state_key.as_str(), member))
                    .filter(|(user_id, _)| !known.contains(user_id))
                    .collect();
                let lacking: Vec<StateEvent> = lacking.into_values().cloned().collect();
                rows.extend(lacking);
            }
            None if room.membership == "join" && held < there => {
                self.wanted.borrow_mut().push(room.room_id.clone());
            }
            None => {}
        }
        Ok(rows)
    }

    fn show_state(&self, room: &RoomRow, row: &StateEvent) -> Result<Option<Box<RawValue>>> {
        let extras = Extras { now: self.now, ..Extras::default() };
        let shown = put_together(&row.event, row.unsigned.as_deref(), row.ts, extras)?;
        let candidate =
            Candidate { room_id: &room.room_id, event_type: &row.event_type, sender: &row.sender, event: &shown };
        let passes = filter::allows_event(&self.filter.room.state, candidate);
        Ok(passes.then_some(shown))
    }
}

/// A member event that a room answered with.
pub(super) fn member_of(event: &RawValue) -> Result<StateEvent> {
    #[derive(Deserialize)]
    struct Event {
        event_id: String,
        sender: String,
        state_key: String,
    }
    let parsed: Event = serde_json::from_str(event.get()).map_err(MatrixError::internal)?;
    let stored = take_apart(event)?;
    Ok(StateEvent {
        event_type: "m.room.member".to_owned(),
        state_key: parsed.state_key,
        changed_pos: 0,
        event_id: parsed.event_id,
        sender: parsed.sender,
        membership: None,
        ts: stored.ts,
        event: stored.event,
        unsigned: stored.unsigned,
    })
}
