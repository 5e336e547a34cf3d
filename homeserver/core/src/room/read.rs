//! Single events, state and members, as of what the reader may see.

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Query,
    room::{
        LIVE, MAX_INITIAL,
        events::{self, EventRow},
        state::{self, StateRow},
    },
};
use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Opened, RoomObject,
    paging::{hidden, unknown_event},
    view::Viewer,
};
use crate::{
    contract::room::{Actor, ExportPage, ExportedEvent, Profile},
    error::{MatrixError, Result},
    room_token::RoomToken,
};

/// The most events of a page of an export.
const MAX_EXPORT: u32 = 500;
/// How many state events are read by one statement.
const STRIDE: usize = 500;

impl RoomObject {
    /// One event; 404 `M_NOT_FOUND` for those that the reader may not see
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomideventeventid)).
    pub(super) fn event(&self, actor: &Actor, event_id: &EventId) -> Result<Box<RawValue>> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted_actor(query, actor).map_err(hidden)?;
        let row = events::get(query, event_id.as_str())?
            .filter(|row| !row.rejected && reader.may_see(row))
            .ok_or_else(unknown_event)?;
        self.shown(query, &opened, &[row], actor, &reader)?.pop().ok_or_else(unknown_event)
    }

    /// The whole state that the reader may see
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidstate)).
    pub(super) fn state(&self, reader: &UserId) -> Result<Vec<Box<RawValue>>> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted(query, reader)?;
        let rows = match reader.memberships.left_at() {
            Some(seq) => {
                let mut rows = state::all_but_members_at(query, opened.row.branch, seq)?;
                rows.extend(state::members_at(query, opened.row.branch, seq)?);
                rows
            }
            None => {
                let mut rows = state::current_but_members(query)?;
                rows.extend(state::current_members(query)?);
                rows
            }
        };
        self.state_shown(query, &opened, &rows)
    }

    /// One state event that the reader may see; 404 `M_NOT_FOUND` when there is none
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey)).
    pub(super) fn state_event(&self, reader: &UserId, event_type: &str, state_key: &str) -> Result<Box<RawValue>> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted(query, reader)?;
        let row = match reader.memberships.left_at() {
            Some(seq) => state::at(query, opened.row.branch, seq, event_type, state_key)?,
            None => state::current(query, event_type, state_key)?,
        };
        let rows: Vec<StateRow> = row.into_iter().collect();
        self.state_shown(query, &opened, &rows)?
            .pop()
            .ok_or_else(|| MatrixError::not_found("The room has no such state."))
    }

    /// Member events
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidmembers)).
    pub(super) fn members(
        &self,
        reader: &UserId,
        at: Option<&str>,
        membership: Option<&str>,
        not_membership: Option<&str>,
    ) -> Result<Vec<Box<RawValue>>> {
        let query = self.database.as_query();
        let (opened, reader) = self.admitted(query, reader)?;
        let left = reader.memberships.left_at();
        let asked =
            at.map(|token| token.parse::<RoomToken>()).transpose()?.map(|token| seq_at(token.position, &opened));
        let rows = match asked.into_iter().chain(left).min() {
            Some(seq) => state::members_at(query, opened.row.branch, seq)?,
            None => state::current_members(query)?,
        };
        let rows: Vec<StateRow> = rows
            .into_iter()
            .filter(|row| {
                let own = row.membership.as_deref();
                membership.is_none_or(|wanted| own == Some(wanted))
                    && not_membership.is_none_or(|unwanted| own != Some(unwanted))
            })
            .collect();
        self.state_shown(query, &opened, &rows)
    }

    /// The joined members; only for members
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3roomsroomidjoined_members)).
    pub(super) fn joined_members(&self, reader: &UserId) -> Result<BTreeMap<OwnedUserId, Profile>> {
        #[derive(Deserialize)]
        struct Member {
            content: Profile,
        }
        let query = self.database.as_query();
        let (_, reader) = self.admitted(query, reader)?;
        if reader.memberships.now() != "join" {
            return Err(MatrixError::forbidden("You are not in this room."));
        }
        let mut joined = BTreeMap::new();
        let mut members = state::current_members(query)?;
        members.retain(|row| row.membership.as_deref() == Some("join"));
        let keys: Vec<i64> = members.iter().map(|row| row.event_key).collect();
        for keys in keys.chunks(STRIDE) {
            for event in events::at_all(query, keys)? {
                // A name of another type than text is no name.
                let member = serde_json::from_str::<Member>(&event.pdu).map(|member| member.content);
                let user_id = event.state_key.unwrap_or_default();
                let user_id = OwnedUserId::try_from(user_id).map_err(MatrixError::internal)?;
                joined.insert(user_id, member.unwrap_or_default());
            }
        }
        Ok(joined)
    }

    /// State entries in client format, in order.
    pub(super) fn state_shown(
        &self,
        query: &dyn Query,
        opened: &Opened,
        rows: &[StateRow],
    ) -> Result<Vec<Box<RawValue>>> {
        let mut keys: Vec<i64> = rows.iter().map(|row| row.event_key).collect();
        keys.sort_unstable();
        let mut shown = Vec::with_capacity(keys.len());
        for keys in keys.chunks(STRIDE) {
            let rows = events::at_all(query, keys)?;
            let replaced: Vec<i64> = rows.iter().filter_map(|row| row.replaces).collect();
            let replaced = events::at_all(query, &replaced)?.into_iter().map(|row| (row.order_key, row)).collect();
            let viewer = Viewer { with_room_id: true, with_age: true, replaced: Some(&replaced), ..Viewer::default() };
            for row in &rows {
                shown.push(self.show(query, opened, &*self.state_unless_erased(query, opened, row)?, &viewer)?);
            }
        }
        Ok(shown)
    }

    /// All events above an order_key with what the room knows of them.
    pub(super) fn export(&self, after: i64, limit: u32) -> Result<ExportPage> {
        let query = self.database.as_query();
        self.opened(query)?;
        let limit = limit.min(MAX_EXPORT);
        let rows = events::from(query, after + 1, limit + 1)?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(ExportPage {
            more: rows.len() > wanted,
            events: rows.into_iter().take(wanted).map(|row| self.exported(query, row)).collect::<Result<_>>()?,
        })
    }

    fn exported(&self, query: &dyn Query, row: EventRow) -> Result<ExportedEvent> {
        let mut before = state::all_but_members_at(query, row.branch, row.state_before)?;
        before.extend(state::members_at(query, row.branch, row.state_before)?);
        let id = |id: String| OwnedEventId::try_from(id).map_err(MatrixError::internal);
        let mut state_before =
            self.events_of(query, &before)?.into_iter().map(|row| id(row.event_id)).collect::<Result<Vec<_>>>()?;
        state_before.sort();
        Ok(ExportedEvent {
            order_key: row.order_key,
            position: row.position(),
            event_id: id(row.event_id)?,
            pdu: row.pdu,
            transaction: row.transaction_key,
            rejected: row.rejected,
            visibility: row.visibility,
            redacted_by: row.redacted_by.map(id).transpose()?,
            state_before,
        })
    }
}

/// The seq of the state at a position of the stream.
fn seq_at(position: i64, opened: &Opened) -> i64 {
    if position <= opened.row.initial && position < MAX_INITIAL { position } else { LIVE + position }
}
