//! Searching what was said ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-side-search)).
//!
//! The index in `SEARCH` tells where words stand; the rooms decide what the searcher may see of it
//! and show it. [`scope`] finds the rooms and waits for the index, [`words`] makes a query of what
//! was typed, [`page`] are the tokens from one page to the next, [`results`] puts an answer together.
//! How the index is filled: `room/index.rs`.

mod page;
mod rebuild;
mod results;
mod scope;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use hubbub_storage::search::{self, Field, Hit, Lookup, Place};
use ruma::{
    OwnedUserId,
    api::client::{
        filter::RoomEventFilter,
        search::search_events::v3::{Criteria, GroupingKey, OrderBy, SearchKeys},
    },
};
use serde_json::value::to_raw_value;

use self::{page::Page, scope::Scope};
pub use self::{
    rebuild::{Rebuilding, rebuild},
    results::{Group, Results, SearchResult},
};
use crate::{
    context::Context,
    contract::{
        Address, call,
        room::RoomCommand,
        search::{HitContext, RoomSearchCommand, Screened},
        user::Caller,
    },
    error::{MatrixError, Result},
};

/// How many results a page has when the request does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many results a page has at most.
const MAX_LIMIT: usize = 50;
/// How many events are shown on each side of a result at most.
const MAX_CONTEXT: u32 = 20;
/// The most bytes of a search term.
const MAX_TERM_BYTES: usize = 1_024;
/// How many hits are screened at a time.
const STRIDE: u32 = 500;
/// How often that is done to fill a page; by rank the best of so many of the newest come first.
const STRIDES: usize = 4;
/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 8;

/// A search.
pub struct Request {
    /// Who searches.
    pub user_id: OwnedUserId,
    /// The proof of it.
    pub caller: Caller,
    /// What for.
    pub criteria: Criteria,
    /// Whether the request asks for what surrounds each result.
    pub with_context: bool,
    /// Whatever must stay the same from page to page, as text.
    pub fingerprint: String,
    /// Which page; `None`: the first.
    pub next_batch: Option<String>,
}

/// A request as it was understood.
struct Plan {
    fields: BTreeSet<Field>,
    by_time: bool,
    limit: usize,
    group_by: Vec<GroupBy>,
    context: Option<HitContext>,
    state: bool,
}

/// What results are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    /// `room_id`.
    Room,
    /// `sender`.
    Sender,
}

/// Answers a search. 401 when the session is gone; 400 for what makes no sense, and for a page of
/// another search.
pub async fn search(context: &Context, request: Request) -> Result<Results> {
    let plan = Plan::of(&request)?;
    let page = request.next_batch.as_deref().map(|token| Page::read(context, &request, token)).transpose()?;
    let scope = Scope::of(context, &request, page.as_ref()).await?;
    let Some(term) = words::parse(&request.criteria.search_term) else { return Ok(Results::default()) };
    let indexed = scope.wait(context).await;
    let columns: Vec<&str> = plan.fields.iter().map(|field| field.column()).collect();
    let query = format!("{{{}}} : ({})", columns.join(" "), term.query);
    let words = &term.highlights;
    let mut found = Search { context, request: &request, plan: &plan, scope: &scope, words, complete: indexed };
    let (hits, visible) = found.visible(&query, page.as_ref()).await?;
    let count = page.as_ref().map_or(visible, |page| page.count);
    let mut results = found.results(&hits, count).await?;
    results.highlights = term.highlights;
    Ok(results)
}

impl Plan {
    fn of(request: &Request) -> Result<Self> {
        let criteria = &request.criteria;
        if criteria.search_term.len() > MAX_TERM_BYTES {
            return Err(MatrixError::invalid_param(format_args!(
                "A search term may have at most {MAX_TERM_BYTES} bytes."
            )));
        }
        let all = [SearchKeys::ContentBody, SearchKeys::ContentName, SearchKeys::ContentTopic];
        let keys = criteria.keys.as_deref().unwrap_or(&all);
        let side = |limit| u32::try_from(limit).unwrap_or(MAX_CONTEXT).min(MAX_CONTEXT);
        let around = &criteria.event_context;
        let limit = criteria.filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(Self {
            fields: keys.iter().map(field).collect::<Result<_>>()?,
            by_time: match criteria.order_by {
                Some(OrderBy::Recent) => true,
                Some(OrderBy::Rank) | None => false,
                Some(_) => return Err(MatrixError::invalid_param("order_by is either recent or rank.")),
            },
            limit: limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
            group_by: criteria
                .groupings
                .group_by
                .iter()
                .filter_map(|grouping| grouping.key.as_ref())
                .map(group_by)
                .collect::<Result<_>>()?,
            context: request.with_context.then(|| HitContext {
                before: side(around.before_limit),
                after: side(around.after_limit),
                profiles: around.include_profile,
            }),
            state: criteria.include_state == Some(true),
        })
    }
}

fn field(key: &SearchKeys) -> Result<Field> {
    match key {
        SearchKeys::ContentBody => Ok(Field::Body),
        SearchKeys::ContentName => Ok(Field::Name),
        SearchKeys::ContentTopic => Ok(Field::Topic),
        _ => Err(MatrixError::invalid_param("keys may be content.body, content.name and content.topic.")),
    }
}

fn group_by(key: &GroupingKey) -> Result<GroupBy> {
    match key {
        GroupingKey::RoomId => Ok(GroupBy::Room),
        GroupingKey::Sender => Ok(GroupBy::Sender),
        _ => Err(MatrixError::invalid_param("Results can be grouped by room_id and sender.")),
    }
}

/// A search that is being answered.
struct Search<'a> {
    context: &'a Context,
    request: &'a Request,
    plan: &'a Plan,
    scope: &'a Scope,
    /// What is searched for.
    words: &'a [String],
    /// Whether nothing can be missing from the answer.
    complete: bool,
}

/// A hit that the searcher may see.
struct Visible {
    room_id: String,
    order_key: i64,
    /// How well it matches, in millionths.
    score: i64,
    /// Its place in the order that was asked for.
    place: Place,
}

impl Search<'_> {
    /// The hits of this page, which the searcher may see, and how many there are in all as far as
    /// was looked. Hits that the searcher may not see are not counted: they must leave no trace.
    async fn visible(&mut self, query: &str, page: Option<&Page>) -> Result<(Vec<Visible>, u64)> {
        let filter = &self.request.criteria.filter;
        let senders = self.scope.senders(filter, page);
        let mut lookup = Lookup {
            query,
            rooms: &self.scope.lookup_rooms(),
            senders: senders.as_ref().map(|senders| senders.iter().map(String::as_str).collect()),
            not_senders: filter
                .not_senders
                .iter()
                .chain(&self.scope.actor.ignored)
                .map(|sender| sender.as_str())
                .collect(),
            after: page.map(|page| page.after).filter(|_| self.plan.by_time),
            limit: STRIDE,
        };
        let mut visible = Vec::new();
        for _ in 0..STRIDES {
            let hits = search::find(self.context.search.as_ref(), &lookup).await?;
            let last = hits.last().map(|hit| hit.place);
            let exhausted = hits.len() < usize::try_from(STRIDE).unwrap_or(usize::MAX);
            visible.extend(self.screened(hits).await?);
            if exhausted || (self.plan.by_time && visible.len() >= self.plan.limit) {
                break;
            }
            lookup.after = last;
        }
        let count = u64::try_from(visible.len()).unwrap_or(u64::MAX);
        if !self.plan.by_time {
            visible.sort_by_key(|hit| std::cmp::Reverse((hit.place.value, hit.place.id)));
            let after = page.map(|page| (page.after.value, page.after.id));
            visible.retain(|hit| after.is_none_or(|after| (hit.place.value, hit.place.id) < after));
        }
        visible.truncate(self.plan.limit);
        Ok((visible, count))
    }

    /// Those of the hits that the searcher may see and the filter lets pass.
    async fn screened(&mut self, hits: Vec<Hit>) -> Result<Vec<Visible>> {
        let filter = to_raw_value(&self.screening_filter())?;
        let mut by_room: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for hit in &hits {
            by_room.entry(&hit.room_id).or_default().push(hit.order_key);
        }
        let reader = &self.request.user_id;
        let asked = by_room.into_iter().map(|(room_id, order_keys)| {
            let (reader, filter, words) = (reader.clone(), filter.clone(), self.words.to_vec());
            let command = RoomSearchCommand::Screen { reader, order_keys, filter, words };
            ask::<Vec<Screened>>(self.context, room_id, command)
        });
        let answers: Vec<(String, Option<Vec<Screened>>)> =
            stream::iter(asked).buffer_unordered(ROOMS_AT_ONCE).collect().await;
        let mut scores = BTreeMap::new();
        for (room_id, seen) in answers {
            self.complete &= seen.is_some();
            scores.extend(seen.into_iter().flatten().map(|seen| ((room_id.clone(), seen.order_key), seen.score)));
        }
        let visible = hits.into_iter().filter_map(|hit| {
            let score = *scores.get(&(hit.room_id.clone(), hit.order_key))?;
            let value = if self.plan.by_time { hit.place.value } else { score };
            let place = Place { value, id: hit.place.id };
            Some(Visible { room_id: hit.room_id, order_key: hit.order_key, score, place })
        });
        Ok(visible.collect())
    }

    /// The request's filter as a room applies it.
    fn screening_filter(&self) -> RoomEventFilter {
        let mut filter = self.request.criteria.filter.clone();
        filter.rooms = None;
        filter.not_rooms.clear();
        filter.limit = None;
        filter.not_senders.extend(self.scope.actor.ignored.iter().cloned());
        filter
    }
}

/// Asks a room; `None` when it does not answer, which must not fail the others.
async fn ask<R: serde::de::DeserializeOwned>(
    context: &Context,
    room_id: &str,
    command: RoomSearchCommand,
) -> (String, Option<R>) {
    let address = Address::new(crate::contract::Class::Room, room_id);
    let answer: Result<R> = call(context.objects.as_ref(), address, &RoomCommand::Search(command)).await;
    if let Err(error) = &answer {
        tracing::warn!(room.id = %room_id, "A room was left out of a search: {error}");
    }
    (room_id.to_owned(), answer.ok())
}
