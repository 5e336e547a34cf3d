//! What a search asks a room: which hits the reader may see, and the hits themselves.
//!
//! The index only says where to look. Whether an event may be read is decided here, by the same
//! function as for `/event`.

use std::{borrow::Cow, collections::BTreeMap};

use hubbub_storage::{
    database::Query,
    room::{
        events::{self, EventRow},
        state,
    },
    search::Text,
};
use ruma::{OwnedEventId, OwnedUserId, UserId, api::client::filter::RoomEventFilter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Opened, RoomObject,
    index::text_of,
    paging::{Walk, parse_filter},
    visibility::Reader,
};
use crate::{
    contract::{
        encode,
        room::{Actor, Profile},
        search::{HitContext, RoomSearchCommand, Screened, ShowHits, ShownContext, ShownHit, ShownHits},
    },
    error::{MatrixError, Result},
    search::words::score,
};

/// The most hits of one command.
const MAX_HITS: usize = 500;
/// The most bytes of events around the hits of one command; those that would exceed it stay out.
const MAX_CONTEXT_BYTES: usize = 4_000_000;

impl RoomObject {
    /// Carries out what a search asks of a room.
    pub(super) async fn handle_search(&self, command: RoomSearchCommand) -> Result<Vec<u8>> {
        match command {
            RoomSearchCommand::Index { position, within_ms } => encode(&self.index_now(position, within_ms).await?),
            RoomSearchCommand::IndexAnew => encode(&self.index_anew().await?),
            RoomSearchCommand::Screen { reader, order_keys, filter, words } => {
                encode(&self.screen(&reader, &order_keys, &filter, &words)?)
            }
            RoomSearchCommand::Show(request) => encode(&self.show_hits(&request)?),
        }
    }

    /// Which hits the reader may see and the filter lets pass.
    fn screen(
        &self,
        reader: &UserId,
        order_keys: &[i64],
        filter: &RawValue,
        words: &[String],
    ) -> Result<Vec<Screened>> {
        let query = self.database.as_query();
        let Some((opened, reader)) = hide(self.admitted(query, reader))? else { return Ok(Vec::new()) };
        let filter = parse_filter(Some(filter))?;
        let walk = Walk { reader: &reader, filter: &filter, to: None, limit: 0 };
        let hits = self.unerased(query, &opened, &reader, self.hits(query, order_keys)?)?;
        let seen = hits.iter().filter(|(row, _)| self.passes(&walk, row));
        Ok(seen.map(|(row, text)| Screened { order_key: row.order_key, score: score(&text.text, words) }).collect())
    }

    /// The hits that the reader may see.
    fn show_hits(&self, request: &ShowHits) -> Result<ShownHits> {
        let query = self.database.as_query();
        let Some((opened, reader)) = hide(self.admitted_actor(query, &request.reader))? else {
            return Ok(ShownHits { hits: Vec::new(), state: Vec::new() });
        };
        let mut rows = self.unerased(query, &opened, &reader, self.hits(query, &request.order_keys)?)?;
        rows.retain(|(row, _)| reader.may_see(row));
        let mut around = Around::new(&reader, &request.reader);
        let mut hits = Vec::with_capacity(rows.len());
        for (row, _) in &rows {
            let event = self.shown(query, &opened, std::slice::from_ref(row), &request.reader, &reader)?.pop();
            let context = request.context.map(|wanted| self.surroundings(query, &opened, row, wanted, &mut around));
            hits.push(ShownHit {
                order_key: row.order_key,
                event_id: OwnedEventId::try_from(row.event_id.as_str()).map_err(MatrixError::internal)?,
                sender: OwnedUserId::try_from(row.sender.as_str()).map_err(MatrixError::internal)?,
                event: event.ok_or_else(|| MatrixError::internal("an event that is not shown"))?,
                context: context.transpose()?,
            });
        }
        let state = if request.state { self.state(&request.reader.user_id)? } else { Vec::new() };
        Ok(ShownHits { hits, state })
    }

    /// Without what the reader would get pruned: a hit would tell of words that are gone.
    fn unerased(
        &self,
        query: &dyn Query,
        opened: &Opened,
        reader: &Reader<'_>,
        hits: Vec<(EventRow, Text)>,
    ) -> Result<Vec<(EventRow, Text)>> {
        let mut left = Vec::with_capacity(hits.len());
        for (row, text) in hits {
            let is_whole = matches!(self.unless_erased(query, opened, &row, reader)?, Cow::Borrowed(_));
            if is_whole {
                left.push((row, text));
            }
        }
        Ok(left)
    }

    /// The stored events at these places that still say something, and what. The index may be behind.
    fn hits(&self, query: &dyn Query, order_keys: &[i64]) -> Result<Vec<(EventRow, Text)>> {
        let asked = order_keys.get(..MAX_HITS).unwrap_or(order_keys);
        let mut hits = Vec::with_capacity(asked.len());
        for row in events::at_all(query, asked)? {
            if let Some(text) = text_of(&row)? {
                hits.push((row, text));
            }
        }
        Ok(hits)
    }

    fn surroundings(
        &self,
        query: &dyn Query,
        opened: &Opened,
        hit: &EventRow,
        wanted: HitContext,
        around: &mut Around<'_>,
    ) -> Result<ShownContext> {
        let walk = |limit: u32| Walk {
            reader: around.reader,
            filter: &around.filter,
            to: None,
            limit: usize::try_from(limit).unwrap_or(0),
        };
        let before = self.walk_back(query, hit.order_key, &walk(wanted.before))?.rows;
        let after = self.walk_forward(query, hit.order_key + 1, &walk(wanted.after))?.rows;
        let (before, after) = (around.affordable(before), around.affordable(after));
        let first = before.last().unwrap_or(hit).order_key;
        let last = after.last().unwrap_or(hit);
        let everyone = before.iter().chain([hit]).chain(&after);
        let profile_info = if wanted.profiles { self.profiles_at(query, last, everyone)? } else { BTreeMap::new() };
        let show = |rows: &[EventRow]| self.shown(query, opened, rows, around.actor, around.reader);
        Ok(ShownContext {
            start: self.token(opened, first),
            end: self.token(opened, last.order_key + 1),
            events_before: show(&before)?,
            events_after: show(&after)?,
            profile_info,
        })
    }

    /// Name and avatar of the senders of `rows` at the event `at`.
    fn profiles_at<'a>(
        &self,
        query: &dyn Query,
        at: &EventRow,
        rows: impl Iterator<Item = &'a EventRow>,
    ) -> Result<BTreeMap<OwnedUserId, Profile>> {
        #[derive(Deserialize)]
        struct Member {
            content: Profile,
        }
        let mut profiles = BTreeMap::new();
        for row in rows {
            let Ok(sender) = OwnedUserId::try_from(row.sender.as_str()) else { continue };
            if profiles.contains_key(&sender) {
                continue;
            }
            let member = state::at(query, at.branch, at.state_before, "m.room.member", &row.sender)?;
            let Some(member) = member else { continue };
            let Some(event) = events::at(query, member.event_key)? else { continue };
            // A name of another type than text is no name.
            let member = serde_json::from_str::<Member>(&event.pdu).map(|member| member.content);
            profiles.insert(sender, member.unwrap_or_default());
        }
        Ok(profiles)
    }
}

/// A room that is closed to the reader has no hits.
fn hide<T>(admitted: Result<T>) -> Result<Option<T>> {
    match admitted {
        Ok(admitted) => Ok(Some(admitted)),
        Err(error) if error.status == 403 => Ok(None),
        Err(error) => Err(error),
    }
}

/// For whom surroundings are shown, and how many bytes of them are left.
struct Around<'a> {
    reader: &'a Reader<'a>,
    actor: &'a Actor,
    filter: RoomEventFilter,
    bytes_left: usize,
}

impl<'a> Around<'a> {
    fn new(reader: &'a Reader<'a>, actor: &'a Actor) -> Self {
        Self { reader, actor, filter: RoomEventFilter::default(), bytes_left: MAX_CONTEXT_BYTES }
    }

    /// The first events that there is room for.
    fn affordable(&mut self, rows: Vec<EventRow>) -> Vec<EventRow> {
        rows.into_iter()
            .map_while(|row| {
                self.bytes_left = self.bytes_left.checked_sub(row.pdu.len())?;
                Some(row)
            })
            .collect()
    }
}
