//! Bundled aggregations of the timelines of a `/sync`
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#aggregations-of-child-events)).
//!
//! They cost neither a row nor a statement nor a call. The inbox keeps the newest events of a room
//! without gaps, so whoever holds an event holds all of its children; and a timeline is read from the
//! newest event backwards, so the children have passed by before their parent comes. What the user
//! may not see was never delivered, a redaction has replaced what it took, and ignored users are left
//! out, as they are everywhere in a `/sync`.

use std::collections::BTreeMap;

use hubbub_storage::user::timeline::KeptEvent;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json, value::RawValue};

use crate::error::Result;

/// The most references that are bundled with an event: the newest ones.
const MAX_REFERENCES: usize = 100;

/// What an event says of its relation.
#[derive(Deserialize)]
pub(super) struct Relation {
    rel_type: String,
    event_id: String,
}

/// The relation of a kept event. Most have none, and those are not parsed.
pub(super) fn relation_of(event: &KeptEvent) -> Option<Relation> {
    #[derive(Deserialize)]
    struct Related {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.relates_to")]
        relates_to: Relation,
    }
    if !event.event.contains("\"m.relates_to\"") {
        return None;
    }
    serde_json::from_str::<Related>(&event.event).ok().map(|related| related.content.relates_to)
}

/// The children of events that are still to come.
pub(super) struct Passed<'a> {
    user_id: &'a str,
    children: BTreeMap<String, Children>,
}

#[derive(Default)]
struct Children {
    /// By sender and type: the edit that is in force if these are the parent's.
    edits: BTreeMap<(String, String), Edit>,
    thread: Option<Thread>,
    references: Vec<String>,
}

struct Edit {
    ts: i64,
    event_id: String,
    shown: Box<RawValue>,
}

struct Thread {
    latest: Box<RawValue>,
    count: u64,
    participated: bool,
}

impl<'a> Passed<'a> {
    pub fn new(user_id: &'a str) -> Self {
        Self { user_id, children: BTreeMap::new() }
    }

    /// Takes note of an event that passes by, as the client would see it.
    pub fn pass(&mut self, event: &KeptEvent, relation: Option<Relation>, shown: &RawValue) {
        let Some(relation) = relation else { return };
        let children = self.children.entry(relation.event_id).or_default();
        match relation.rel_type.as_str() {
            "m.replace" if replaces(event) => {
                let of = (event.sender.clone(), event.event_type.clone());
                let held = children.edits.get(&of);
                if held.is_none_or(|held| (held.ts, &held.event_id) < (event.ts, &event.event_id)) {
                    let edit = Edit { ts: event.ts, event_id: event.event_id.clone(), shown: shown.to_owned() };
                    children.edits.insert(of, edit);
                }
            }
            "m.thread" => {
                let own = event.sender == self.user_id;
                let thread = children.thread.get_or_insert_with(|| Thread {
                    latest: shown.to_owned(),
                    count: 0,
                    participated: false,
                });
                thread.count += 1;
                thread.participated |= own;
            }
            "m.reference" if children.references.len() < MAX_REFERENCES => {
                children.references.push(event.event_id.clone());
            }
            _ => {}
        }
    }

    /// The `m.relations` of an event, as JSON, if there is anything to say.
    pub fn bundle(&mut self, event: &KeptEvent, relation: Option<&Relation>) -> Result<Option<String>> {
        let Some(children) = self.children.remove(&event.event_id) else {
            return Ok(None);
        };
        let rel_type = relation.map(|relation| relation.rel_type.as_str());
        // State has no aggregations; edits and reactions have no children that count.
        if event.state_key.is_some() || matches!(rel_type, Some("m.replace" | "m.annotation")) {
            return Ok(None);
        }
        let mut bundle = Map::new();
        let edit = children.edits.get(&(event.sender.clone(), event.event_type.clone()));
        if let Some(edit) = edit.filter(|_| !is_redacted(event)) {
            bundle.insert("m.replace".to_owned(), serde_json::from_str(edit.shown.get())?);
        }
        if let Some(thread) = children.thread.filter(|_| rel_type.is_none()) {
            let latest: Json = serde_json::from_str(thread.latest.get())?;
            let participated = thread.participated || event.sender == self.user_id;
            let thread = json!({
                "latest_event": latest,
                "count": thread.count,
                "current_user_participated": participated,
            });
            bundle.insert("m.thread".to_owned(), thread);
        }
        if !children.references.is_empty() {
            let ids = children.references.iter().rev();
            let chunk: Vec<Json> = ids.map(|event_id| json!({"event_id": event_id})).collect();
            bundle.insert("m.reference".to_owned(), json!({"chunk": chunk}));
        }
        Ok(if bundle.is_empty() { None } else { Some(serde_json::to_string(&bundle)?) })
    }
}

/// Whether an edit has what one needs; that it is of the parent's sender and type comes later.
fn replaces(event: &KeptEvent) -> bool {
    #[derive(Deserialize)]
    struct Replacing {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.new_content")]
        new_content: Option<Map<String, Json>>,
    }
    let has_content = || {
        serde_json::from_str::<Replacing>(&event.event).is_ok_and(|replacing| replacing.content.new_content.is_some())
    };
    event.state_key.is_none() && (event.event_type == "m.room.encrypted" || has_content())
}

fn is_redacted(event: &KeptEvent) -> bool {
    event.unsigned.as_ref().is_some_and(|unsigned| unsigned.contains("\"redacted_because\""))
}
