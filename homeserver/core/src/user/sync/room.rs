//! The entry of one room in one `/sync`.

use std::collections::BTreeMap;

use hubbub_storage::user::{account_data, inbox::RoomRow, receipts};
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::{
    View,
    body::{self, Events, Joined, Left, Summary},
    state::Wanted,
};
use crate::{
    error::Result,
    filter,
    user::unread::{Counts, MAIN, UnreadEvents},
};

impl View<'_> {
    /// A joined room; `None` when the client has nothing to learn of it.
    pub(super) fn joined_room(&self, room: &RoomRow) -> Result<Option<Joined>> {
        // Since a gap the client starts anew, whatever it knew before.
        let anew = self.is_new(room.gap_pos);
        let since = self.since.filter(|_| !anew);
        let mut window = self.timeline(room, since)?;
        window.limited |= anew && self.since.is_some();
        let shows_summary = anew || self.full_state || self.is_new(room.summary_pos);
        let wanted = Wanted { whole: anew || self.full_state, heroes: shows_summary, window: &window };
        let state = self.state(room, &wanted)?;
        let ephemeral = self.ephemeral(room, since)?;
        let account_data = self.room_account_data(room, since)?;
        let news = wanted.whole
            || shows_summary
            || self.is_new(room.unread_pos)
            || window.limited
            || !window.events.is_empty()
            || !state.is_empty()
            || !ephemeral.events.is_empty()
            || !account_data.events.is_empty();
        if !news {
            return Ok(None);
        }
        let (unread, threads) = self.unread(room)?;
        Ok(Some(Joined {
            summary: if shows_summary { Some(summary(room)?) } else { None },
            state,
            timeline: window.into_body(room),
            ephemeral,
            account_data,
            unread_notifications: unread,
            unread_thread_notifications: threads,
        }))
    }

    /// A left room.
    pub(super) fn left_room(&self, room: &RoomRow) -> Result<Left> {
        let anew = self.is_new(room.gap_pos);
        let since = self.since.filter(|_| !anew);
        let mut window = self.timeline(room, since)?;
        window.limited |= anew && self.since.is_some();
        let wanted = Wanted { whole: anew || self.full_state, heroes: false, window: &window };
        Ok(Left {
            state: self.state(room, &wanted)?,
            account_data: self.room_account_data(room, since)?,
            timeline: window.into_body(room),
        })
    }

    fn room_account_data(&self, room: &RoomRow, since: Option<i64>) -> Result<Events> {
        let filter = &self.filter.room.account_data;
        let events = account_data::list_changed(self.query, &room.room_id, since.unwrap_or(-1))?
            .iter()
            .filter(|data| filter::allows_senderless(filter, &room.room_id, &data.event_type))
            .map(|data| body::typed(&data.event_type, &data.content))
            .collect::<Result<_>>()?;
        Ok(Events { events })
    }

    /// Receipts and typing: what changed, or after a gap what there is.
    fn ephemeral(&self, room: &RoomRow, since: Option<i64>) -> Result<Events> {
        let filter = &self.filter.room.ephemeral;
        let allows = |event_type: &str| filter::allows_senderless(filter, &room.room_id, event_type);
        let mut events = Vec::new();
        if since.is_none_or(|since| room.receipts_pos > since) && allows("m.receipt") {
            events.extend(self.receipts(room, since)?);
        }
        let typing = room.typing.as_deref().unwrap_or("[]");
        let shows_typing = match since {
            Some(since) => room.typing_pos > since,
            None => typing != "[]",
        };
        if shows_typing && allows("m.typing") {
            let user_ids: Json = serde_json::from_str(typing)?;
            let content = json!({"user_ids": user_ids}).to_string();
            events.push(body::typed("m.typing", &content)?);
        }
        Ok(Events { events })
    }

    fn receipts(&self, room: &RoomRow, since: Option<i64>) -> Result<Option<Box<RawValue>>> {
        let rows = receipts::list_changed(self.query, &room.room_id, since.unwrap_or(-1))?;
        let mut content: BTreeMap<String, BTreeMap<String, Map<String, Json>>> = BTreeMap::new();
        for row in rows {
            let receipt = if row.thread_id.is_empty() {
                json!({"ts": row.ts})
            } else {
                json!({"ts": row.ts, "thread_id": row.thread_id})
            };
            let of_type = content.entry(row.event_id).or_default().entry(row.receipt_type).or_default();
            // One place for each user: an unthreaded receipt says more than a threaded one.
            let threaded = !row.thread_id.is_empty();
            if !(threaded && of_type.contains_key(&row.user_id)) {
                of_type.insert(row.user_id, receipt);
            }
        }
        if content.is_empty() {
            return Ok(None);
        }
        let content = serde_json::to_string(&content)?;
        body::typed("m.receipt", &content).map(Some)
    }

    /// The unread counts: of the whole room, or for a client that asks, of each thread.
    fn unread(&self, room: &RoomRow) -> Result<(Counts, BTreeMap<String, Counts>)> {
        let unread = UnreadEvents::parse(&room.unread)?;
        if !self.filter.room.timeline.unread_thread_notifications {
            return Ok((unread.total(), BTreeMap::new()));
        }
        let mut threads = unread.by_thread();
        let main = threads.remove(MAIN).unwrap_or_default();
        Ok((main, threads))
    }
}

fn summary(room: &RoomRow) -> Result<Summary> {
    Ok(Summary { heroes: serde_json::from_str(&room.heroes)?, joined: room.joined, invited: room.invited })
}
