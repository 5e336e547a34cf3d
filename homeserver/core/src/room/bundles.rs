//! Bundled aggregations: what is told of an event's children along with it
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#aggregations-of-child-events)).
//!
//! A page costs a constant number of statements, however many events it has. Nothing is bundled that
//! the reader could not read by itself. `/sync` does the same from the inbox
//! (`user/sync/relations.rs`), which holds all children of what it holds.

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Query,
    room::{
        LIVE,
        events::{self, EventRow},
        relations::{self, ANNOTATION, Aggregation, REPLACE},
    },
};
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::{Opened, RoomObject, relate::rel_type_of, view::Viewer, visibility::Reader};
use crate::{contract::room::Actor, error::Result};

/// The most references that are bundled with an event: the newest ones.
const MAX_REFERENCES: u32 = 100;

/// For each event id that has any, its `m.relations`.
pub(super) type Bundles = BTreeMap<String, Json>;

/// The events of a page that can have aggregations.
#[derive(Default)]
struct Parents<'a> {
    /// All of them.
    all: Vec<&'a str>,
    /// Senders of those that can be roots of threads.
    roots: BTreeMap<&'a str, &'a str>,
    /// Those that can be edited: redacted ones cannot.
    editable: Vec<&'a str>,
}

impl<'a> Parents<'a> {
    fn among(rows: &'a [EventRow]) -> Result<Self> {
        let mut parents = Self::default();
        for row in rows.iter().filter(|row| row.state_key.is_none()) {
            let rel_type = rel_type_of(row)?;
            // Edits and reactions have no children that count.
            if matches!(rel_type.as_deref(), Some(REPLACE | ANNOTATION)) {
                continue;
            }
            parents.all.push(&row.event_id);
            if rel_type.is_none() {
                parents.roots.insert(&row.event_id, &row.sender);
            }
            if row.redacted_by.is_none() {
                parents.editable.push(&row.event_id);
            }
        }
        Ok(parents)
    }
}

/// One reader's look at a room.
struct Look<'a> {
    query: &'a dyn Query,
    opened: &'a Opened,
    actor: &'a Actor,
    reader: &'a Reader<'a>,
}

impl RoomObject {
    /// Events as a reader gets them, with their bundled aggregations.
    pub(super) fn shown(
        &self,
        query: &dyn Query,
        opened: &Opened,
        rows: &[EventRow],
        actor: &Actor,
        reader: &Reader<'_>,
    ) -> Result<Vec<Box<RawValue>>> {
        let look = Look { query, opened, actor, reader };
        let bundles = self.bundles(&look, rows)?;
        rows.iter().map(|row| self.look_at(&look, row, bundles.get(&row.event_id))).collect()
    }

    /// The same, but only of those rows that are the root of a thread which the reader may see.
    pub(super) fn shown_threads(
        &self,
        query: &dyn Query,
        opened: &Opened,
        roots: &[EventRow],
        actor: &Actor,
        reader: &Reader<'_>,
    ) -> Result<Vec<Box<RawValue>>> {
        let look = Look { query, opened, actor, reader };
        let bundles = self.bundles(&look, roots)?;
        roots
            .iter()
            .filter_map(|row| Some((row, bundles.get(&row.event_id)?)))
            .filter(|(_, bundle)| bundle.get(relations::THREAD).is_some())
            .map(|(row, bundle)| self.look_at(&look, row, Some(bundle)))
            .collect()
    }

    fn look_at(&self, look: &Look<'_>, row: &EventRow, relations: Option<&Json>) -> Result<Box<RawValue>> {
        let viewer = Viewer {
            actor: Some(look.actor),
            membership: Some(look.reader.memberships.after(row.order_key)),
            with_room_id: true,
            with_age: true,
            relations,
            replaced: None,
        };
        let row = self.unless_erased(look.query, look.opened, row, look.reader)?;
        self.show(look.query, look.opened, &row, &viewer)
    }

    fn bundles(&self, look: &Look<'_>, rows: &[EventRow]) -> Result<Bundles> {
        let parents = Parents::among(rows)?;
        if parents.all.is_empty() {
            return Ok(Bundles::new());
        }
        // Who left sees the aggregations as of then, and nobody counts whom they ignore.
        let ignored: Vec<&str> = look.reader.ignored.iter().map(|user_id| user_id.as_str()).collect();
        let known = match look.reader.memberships.left_at() {
            None if ignored.is_empty() => relations::aggregations(look.query, &parents.all)?,
            left_at => {
                let at = left_at.unwrap_or(LIVE + look.opened.row.position);
                relations::aggregations_for(look.query, &parents.all, at, &ignored)?
            }
        };
        let mut found: BTreeMap<String, Map<String, Json>> = BTreeMap::new();
        let mut add = |parent: &str, rel_type: &str, value: Json| {
            found.entry(parent.to_owned()).or_default().insert(rel_type.to_owned(), value);
        };
        let children = self.visible_children(look, &known)?;
        for one in &known {
            let edit = one.replacement.and_then(|order_key| children.get(&order_key));
            if let Some(edit) = edit.filter(|_| parents.editable.contains(&one.parent.as_str())) {
                add(&one.parent, REPLACE, json_of(&self.look_at(look, edit, None)?)?);
            }
        }
        for (root, thread) in self.threads_of(look, &parents, &known, &children)? {
            add(&root, relations::THREAD, thread);
        }
        for (parent, references) in references_to(look, &parents)? {
            add(&parent, relations::REFERENCE, json!({"chunk": references}));
        }
        Ok(found.into_iter().map(|(parent, bundle)| (parent, Json::Object(bundle))).collect())
    }

    /// The edits and newest replies that the reader may see, by order_key.
    fn visible_children(&self, look: &Look<'_>, known: &[Aggregation]) -> Result<BTreeMap<i64, EventRow>> {
        let keys: Vec<i64> = known.iter().flat_map(|one| [one.replacement, one.thread_latest]).flatten().collect();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = events::at_all(look.query, &keys)?;
        let readable = rows.into_iter().filter(|row| !row.rejected && look.reader.may_see(row));
        Ok(readable.map(|row| (row.order_key, row)).collect())
    }

    fn threads_of(
        &self,
        look: &Look<'_>,
        parents: &Parents<'_>,
        known: &[Aggregation],
        children: &BTreeMap<i64, EventRow>,
    ) -> Result<Vec<(String, Json)>> {
        let mut threads = Vec::new();
        for one in known {
            let latest = one.thread_latest.and_then(|order_key| children.get(&order_key));
            let sender = parents.roots.get(one.parent.as_str());
            threads.extend(latest.zip(sender).map(|(latest, sender)| (one, latest, *sender)));
        }
        if threads.is_empty() {
            return Ok(Vec::new());
        }
        let user_id = look.reader.user_id.as_str();
        let roots: Vec<&str> = threads.iter().map(|(one, ..)| one.parent.as_str()).collect();
        let participated = relations::participated(look.query, user_id, &roots)?;
        // The newest replies have aggregations of their own: they may have been edited.
        let latest: Vec<EventRow> = threads.iter().map(|(_, latest, _)| (*latest).clone()).collect();
        let bundles = self.bundles(look, &latest)?;
        threads
            .into_iter()
            .map(|(one, latest, sender)| {
                let event = self.look_at(look, latest, bundles.get(&latest.event_id))?;
                let thread = json!({
                    "latest_event": json_of(&event)?,
                    "count": one.thread_count,
                    "current_user_participated": sender == user_id || participated.contains(&one.parent),
                });
                Ok((one.parent.clone(), thread))
            })
            .collect()
    }
}

fn references_to(look: &Look<'_>, parents: &Parents<'_>) -> Result<BTreeMap<String, Vec<Json>>> {
    let mut references: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for row in relations::references(look.query, &parents.all, MAX_REFERENCES)? {
        let readable = look.reader.memberships.may_see(row.order_key, &row.visibility);
        if readable && !look.reader.ignores(&row.sender) {
            references.entry(row.parent).or_default().push(json!({"event_id": row.event_id}));
        }
    }
    Ok(references)
}

fn json_of(event: &RawValue) -> Result<Json> {
    Ok(serde_json::from_str(event.get())?)
}
