//! `POST /_matrix/client/*/search` ([spec])
//!
//! Finds events by their words, in the rooms that the user is or was in. `com.hubbub.incomplete`
//! stands in the answer when the index was behind or a room did not answer.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3search

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{room::Profile, search::ShownContext},
    error::{MatrixError, Result},
    search::{self, GroupBy, Results, SearchResult},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, value::RawValue};

use crate::{answer::Outcome, call::Call, credentials::Claim, respond};

#[derive(Deserialize)]
struct Body {
    search_categories: Categories,
}

#[derive(Deserialize)]
struct Categories {
    room_events: Option<Map<String, Json>>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let Some(asked) = body.search_categories.room_events else {
        return respond::json(&serde_json::json!({"search_categories": {}}));
    };
    let request = search::Request {
        user_id: call.auth.user_id.clone(),
        caller: call.auth.caller.clone(),
        with_context: asked.contains_key("event_context"),
        fingerprint: fingerprint(asked.clone()),
        criteria: serde_json::from_value(Json::Object(asked)).map_err(MatrixError::bad_json)?,
        next_batch: call.query("next_batch").map(Into::into),
    };
    let results = search::search(&call.context, request).await?;
    respond::json(&Answer { search_categories: Found { room_events: results.into() } })
}

/// What must be the same on each page: all but how much is shown.
fn fingerprint(mut asked: Map<String, Json>) -> String {
    for key in ["event_context", "include_state", "groupings"] {
        asked.remove(key);
    }
    if let Some(filter) = asked.get_mut("filter").and_then(Json::as_object_mut) {
        filter.remove("limit");
    }
    Json::Object(asked).to_string()
}

#[derive(Serialize)]
struct Answer {
    search_categories: Found,
}

#[derive(Serialize)]
struct Found {
    room_events: RoomEvents,
}

#[derive(Serialize)]
struct RoomEvents {
    count: u64,
    results: Vec<Entry>,
    highlights: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<&'static str, BTreeMap<String, GroupEntry>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    state: BTreeMap<OwnedRoomId, Vec<Box<RawValue>>>,
    #[serde(rename = "com.hubbub.incomplete", skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

#[derive(Serialize)]
struct Entry {
    rank: f64,
    result: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<ContextEntry>,
}

#[derive(Serialize)]
struct ContextEntry {
    start: String,
    end: String,
    events_before: Vec<Box<RawValue>>,
    events_after: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    profile_info: BTreeMap<OwnedUserId, Profile>,
}

#[derive(Serialize)]
struct GroupEntry {
    results: Vec<OwnedEventId>,
    order: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

impl From<Results> for RoomEvents {
    fn from(found: Results) -> Self {
        let groups = found.groups.into_iter().map(|(by, groups)| {
            let name = match by {
                GroupBy::Room => "room_id",
                GroupBy::Sender => "sender",
            };
            let groups = groups.into_iter().map(|(value, group)| {
                (value, GroupEntry { results: group.results, order: group.order, next_batch: group.next_batch })
            });
            (name, groups.collect())
        });
        Self {
            count: found.count,
            results: found.results.into_iter().map(Entry::from).collect(),
            highlights: found.highlights,
            next_batch: found.next_batch,
            groups: groups.collect(),
            state: found.state,
            incomplete: found.incomplete,
        }
    }
}

impl From<SearchResult> for Entry {
    fn from(result: SearchResult) -> Self {
        Self { rank: result.rank, result: result.shown.event, context: result.shown.context.map(ContextEntry::from) }
    }
}

impl From<ShownContext> for ContextEntry {
    fn from(context: ShownContext) -> Self {
        Self {
            start: context.start,
            end: context.end,
            events_before: context.events_before,
            events_after: context.events_after,
            profile_info: context.profile_info,
        }
    }
}
