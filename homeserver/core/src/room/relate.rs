//! Keeping account of relations as events come and are redacted
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#forming-relationships-between-events)).
//!
//! An event without `m.relates_to` costs nothing here. [`super::bundles`] shows what is kept.

use hubbub_storage::{
    database::{Query, Transaction},
    room::{
        events::{self, EventRow},
        relations::{self, ANNOTATION, REPLACE, RelationRow, THREAD},
    },
};
use ruma::canonical_json::{CanonicalJsonObject, CanonicalJsonValue};

use super::{RoomObject, append::New};
use crate::error::{MatrixError, Result};

/// The longest relation type, and the longest event id.
const MAX_NAME_BYTES: usize = 255;
/// The longest key of a reaction.
const MAX_KEY_BYTES: usize = 500;

/// What an event's content says of its relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relation<'a> {
    pub parent: &'a str,
    pub rel_type: &'a str,
    pub key: Option<&'a str>,
}

/// The relation of a content. A rich reply (`m.in_reply_to` alone) is none.
pub(super) fn relation_in(content: &CanonicalJsonObject) -> Option<Relation<'_>> {
    let relates_to = content.get("m.relates_to")?.as_object()?;
    let text = |key: &str| relates_to.get(key).and_then(CanonicalJsonValue::as_str);
    let named = |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len());
    let parent = text("event_id").filter(|id| named(id))?;
    let rel_type = text("rel_type").filter(|name| named(name))?;
    Some(Relation { parent, rel_type, key: text("key") })
}

/// The type of a stored event's relation.
pub(super) fn rel_type_of(row: &EventRow) -> Result<Option<String>> {
    let content = content_of(&row.pdu)?;
    Ok(content.as_ref().and_then(relation_in).map(|relation| relation.rel_type.to_owned()))
}

/// The content of an event that may have a relation.
fn content_of(pdu: &str) -> Result<Option<CanonicalJsonObject>> {
    if !pdu.contains("\"m.relates_to\"") {
        return Ok(None);
    }
    let mut pdu: CanonicalJsonObject = serde_json::from_str(pdu)?;
    Ok(match pdu.remove("content") {
        Some(CanonicalJsonValue::Object(content)) => Some(content),
        _ => None,
    })
}

impl RoomObject {
    /// Refuses what clients must not send: a relation to an event that is not in the room, the same
    /// reaction twice, a thread below an event that itself relates to another.
    pub(super) fn check_relation(&self, query: &dyn Query, new: &New<'_>) -> Result<()> {
        let Some(relation) = relation_in(&new.content) else {
            return Ok(());
        };
        let refuse = |errcode: &str, why: &str| Err(MatrixError::new(400, errcode, why));
        let Some(parent) = events::get(query, relation.parent)? else {
            return refuse("M_UNKNOWN", "The event that this one relates to is not in this room.");
        };
        if relation.rel_type == ANNOTATION {
            let Some(key) = relation.key.filter(|key| key.len() <= MAX_KEY_BYTES) else {
                return refuse("M_UNKNOWN", "An annotation needs a key of at most 500 bytes.");
            };
            // A client must not annotate an event with the same key twice.
            let sender = new.sender.as_str();
            if relations::has_annotation(query, relation.parent, sender, (new.event_type, key))? {
                return refuse("M_DUPLICATE_ANNOTATION", "You have reacted with this already.");
            }
        }
        // A thread's root must not itself relate to another event.
        if relation.rel_type == THREAD && rel_type_of(&parent)?.is_some() {
            return refuse("M_UNKNOWN", "A thread cannot start below an event that relates to another.");
        }
        Ok(())
    }

    /// Takes account of an event that was stored.
    pub(super) fn relate(
        &self,
        transaction: &dyn Transaction,
        event: &EventRow,
        content: &CanonicalJsonObject,
    ) -> Result<()> {
        let Some(relation) = relation_in(content).filter(|_| !event.rejected && event.redacted_by.is_none()) else {
            return Ok(());
        };
        let parent = events::get(transaction.as_query(), relation.parent)?;
        let valid = counts(event, content, relation, parent.as_ref())?;
        let ts = timestamp_of(event)?;
        relations::put(
            transaction,
            &RelationRow {
                parent: relation.parent.to_owned(),
                rel_type: relation.rel_type.to_owned(),
                order_key: event.order_key,
                event_type: event.event_type.clone(),
                sender: event.sender.clone(),
                ts,
                annotation: relation.key.filter(|_| relation.rel_type == ANNOTATION).map(ToOwned::to_owned),
                valid,
            },
        )?;
        match relation.rel_type {
            THREAD if valid => Ok(relations::add_reply(transaction, relation.parent, &event.sender, event.order_key)?),
            REPLACE if valid => replace(transaction, relation.parent, event, ts),
            _ => Ok(()),
        }
    }

    /// Takes a redacted event out of the account; `event` is as it was before.
    pub(super) fn unrelate(&self, transaction: &dyn Transaction, event: &EventRow) -> Result<()> {
        let content = content_of(&event.pdu)?;
        let Some(relation) = content.as_ref().and_then(relation_in) else {
            return Ok(());
        };
        let counted = relations::delete(transaction, relation.parent, relation.rel_type, event.order_key)?;
        match relation.rel_type {
            THREAD if counted => Ok(relations::remove_reply(transaction, relation.parent, &event.sender)?),
            REPLACE if counted => Ok(relations::renew_replacement(transaction, relation.parent)?),
            _ => Ok(()),
        }
    }
}

/// Puts an edit in force unless a later one is: by time, then by event id
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-side-aggregation-of-mreplace-relationships)).
fn replace(transaction: &dyn Transaction, parent: &str, edit: &EventRow, ts: i64) -> Result<()> {
    let query = transaction.as_query();
    let held = relations::get_aggregation(query, parent)?.and_then(|held| held.replacement);
    let held = held.map(|order_key| events::at(query, order_key)).transpose()?.flatten();
    if let Some(held) = held
        && (timestamp_of(&held)?, &held.event_id) > (ts, &edit.event_id)
    {
        return Ok(());
    }
    Ok(relations::set_replacement(transaction, parent, edit.order_key)?)
}

/// Whether an event counts in its parent's aggregation. The schema step of the storage says the
/// same in SQL, for older rooms.
fn counts(
    event: &EventRow,
    content: &CanonicalJsonObject,
    relation: Relation<'_>,
    parent: Option<&EventRow>,
) -> Result<bool> {
    match relation.rel_type {
        // The replacement and the original must have the same sender and type, neither may have a
        // state key, the original must not itself be a replacement, and (unless encrypted) the
        // replacement must have an m.new_content.
        REPLACE => {
            let Some(parent) = parent else { return Ok(false) };
            let new_content = content.get("m.new_content").and_then(CanonicalJsonValue::as_object);
            Ok(event.sender == parent.sender
                && event.event_type == parent.event_type
                && event.state_key.is_none()
                && parent.state_key.is_none()
                && (new_content.is_some() || event.event_type == "m.room.encrypted")
                && rel_type_of(parent)?.as_deref() != Some(REPLACE))
        }
        THREAD => Ok(parent.map(rel_type_of).transpose()?.flatten().is_none()),
        _ => Ok(true),
    }
}

fn timestamp_of(event: &EventRow) -> Result<i64> {
    #[derive(serde::Deserialize)]
    struct Timed {
        origin_server_ts: i64,
    }
    let timed: Timed = serde_json::from_str(&event.pdu)?;
    Ok(timed.origin_server_ts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(value: serde_json::Value) -> CanonicalJsonObject {
        match CanonicalJsonValue::try_from(value) {
            Ok(CanonicalJsonValue::Object(object)) => object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_relation_needs_a_type_and_an_event() {
        let whole = content(json!({"m.relates_to": {"rel_type": "m.thread", "event_id": "$a", "key": "x"}}));
        let expected = Relation { parent: "$a", rel_type: "m.thread", key: Some("x") };
        assert_eq!(relation_in(&whole), Some(expected));
        for none in [
            json!({}),
            json!({"m.relates_to": "$a"}),
            json!({"m.relates_to": {"m.in_reply_to": {"event_id": "$a"}}}),
            json!({"m.relates_to": {"rel_type": "m.thread"}}),
            json!({"m.relates_to": {"rel_type": 7, "event_id": "$a"}}),
            json!({"m.relates_to": {"rel_type": "", "event_id": "$a"}}),
            json!({"m.relates_to": {"rel_type": "x".repeat(256), "event_id": "$a"}}),
        ] {
            assert_eq!(relation_in(&content(none.clone())), None, "{none}");
        }
    }
}
