//! An answer: the results of one page, shown by their rooms, and the groups that they form.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::value::RawValue;

use super::{GroupBy, ROOMS_AT_ONCE, Search, Visible, ask, page::Page};
use crate::{
    contract::search::{RoomSearchCommand, ShowHits, ShownHit, ShownHits},
    error::{MatrixError, Result},
};

/// The answer to a search.
#[derive(Default)]
pub struct Results {
    /// How many there are in all: at least, when there are many.
    pub count: u64,
    /// This page, in the order that was asked for.
    pub results: Vec<SearchResult>,
    /// The next page; `None` when this one is not full.
    pub next_batch: Option<String>,
    /// The words to be highlighted.
    pub highlights: Vec<String>,
    /// The results by what they were to be grouped by.
    pub groups: BTreeMap<GroupBy, BTreeMap<String, Group>>,
    /// The state of the rooms of this page, if it was asked for.
    pub state: BTreeMap<OwnedRoomId, Vec<Box<RawValue>>>,
    /// Whether something may be missing: the index was behind, or a room did not answer.
    pub incomplete: bool,
}

/// One result.
pub struct SearchResult {
    /// How well it matches: more is better.
    pub rank: f64,
    /// The event and what surrounds it.
    pub shown: ShownHit,
}

/// Results that have something in common.
pub struct Group {
    /// Their events.
    pub results: Vec<OwnedEventId>,
    /// The place of the group among others, from 1.
    pub order: u64,
    /// The next page of this group alone.
    pub next_batch: Option<String>,
}

impl Search<'_> {
    /// The answer with these hits.
    pub(super) async fn results(&mut self, hits: &[Visible], count: u64) -> Result<Results> {
        let (mut shown, state) = self.shown(hits).await?;
        let mut results = Results { count, state, ..Results::default() };
        let is_full = hits.len() >= self.plan.limit;
        let after = hits.last().filter(|_| is_full).map(|hit| hit.place);
        let next =
            |group| after.map(|after| Page { after, count, group }.write(self.context, self.request)).transpose();
        for hit in hits {
            // Redacted since it was screened, or out of reach.
            let Some(shown) = shown.remove(&(hit.room_id.clone(), hit.order_key)) else { continue };
            for by in &self.plan.group_by {
                let value = match by {
                    GroupBy::Room => hit.room_id.clone(),
                    GroupBy::Sender => shown.sender.to_string(),
                };
                let groups = results.groups.entry(*by).or_default();
                let order = u64::try_from(groups.len()).unwrap_or(u64::MAX).saturating_add(1);
                let next_batch = next(Some((*by, value.clone())))?;
                let group = groups.entry(value).or_insert(Group { results: Vec::new(), order, next_batch });
                group.results.push(shown.event_id.clone());
            }
            // Millionths, far below 2^53.
            let rank = hit.score as f64 / 1e6;
            results.results.push(SearchResult { rank, shown });
        }
        results.next_batch = next(None)?;
        results.incomplete = !self.complete;
        Ok(results)
    }

    /// The hits as their rooms show them, by room and order_key, and the rooms' state.
    async fn shown(&mut self, hits: &[Visible]) -> Result<(Shown, BTreeMap<OwnedRoomId, Vec<Box<RawValue>>>)> {
        let mut by_room: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for hit in hits {
            by_room.entry(&hit.room_id).or_default().push(hit.order_key);
        }
        let asked = by_room.into_iter().map(|(room_id, order_keys)| {
            let command = RoomSearchCommand::Show(Box::new(ShowHits {
                reader: self.scope.actor.clone(),
                order_keys,
                context: self.plan.context,
                state: self.plan.state,
            }));
            ask::<ShownHits>(self.context, room_id, command)
        });
        let answers: Vec<(String, Option<ShownHits>)> =
            stream::iter(asked).buffer_unordered(ROOMS_AT_ONCE).collect().await;
        let (mut shown, mut states) = (Shown::new(), BTreeMap::new());
        for (room_id, answer) in answers {
            self.complete &= answer.is_some();
            let Some(answer) = answer else { continue };
            if self.plan.state && !answer.hits.is_empty() {
                let room_id = OwnedRoomId::try_from(room_id.as_str()).map_err(MatrixError::internal)?;
                states.insert(room_id, answer.state);
            }
            shown.extend(answer.hits.into_iter().map(|hit| ((room_id.clone(), hit.order_key), hit)));
        }
        Ok((shown, states))
    }
}

type Shown = BTreeMap<(String, i64), ShownHit>;
