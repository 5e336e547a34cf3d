//! Which event relates to which, and what a page of events has to know of its children.
//!
//! `relations` has one row a relating event, ordered as `/relations` pages. `aggregations` has one
//! row a parent that was edited or answered in a thread, so that a page needs one statement for all
//! its events however many children they have, and `/threads` has an index to page by.
//! [`super::times`] is made by the same schema step.

mod step;

pub use step::{STEP, WIPE};

use super::events::{self, EventRow, select_events};
use crate::database::{DatabaseError, Query, Row, Transaction, Value};

/// The relation of an edit to the message that it replaces.
pub const REPLACE: &str = "m.replace";
/// The relation of a reply in a thread to the thread's root.
pub const THREAD: &str = "m.thread";
/// The relation of an event to one that it refers to.
pub const REFERENCE: &str = "m.reference";
/// The relation of a reaction to what it is about.
pub const ANNOTATION: &str = "m.annotation";

/// One relating event.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationRow {
    /// The event that it relates to.
    pub parent: String,
    /// How.
    pub rel_type: String,
    /// Its own place.
    pub order_key: i64,
    /// Its type.
    pub event_type: String,
    /// Its sender.
    pub sender: String,
    /// `origin_server_ts`.
    pub ts: i64,
    /// The key of a reaction.
    pub annotation: Option<String>,
    /// Whether it counts in the parent's aggregation.
    pub valid: bool,
}

/// What is known of a parent's children.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    /// The parent.
    pub parent: String,
    /// The order_key of the edit in force.
    pub replacement: Option<i64>,
    /// How many replies its thread has.
    pub thread_count: i64,
    /// The order_key of the newest of them.
    pub thread_latest: Option<i64>,
}

fn list(ids: &[&str]) -> Result<Value, DatabaseError> {
    Ok(serde_json::to_string(ids).map_err(DatabaseError::new)?.into())
}

/// Stores a relation.
pub fn put(transaction: &dyn Transaction, relation: &RelationRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO relations (parent, rel_type, order_key, event_type, sender, ts, annotation, valid)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            (&relation.parent).into(),
            (&relation.rel_type).into(),
            relation.order_key.into(),
            (&relation.event_type).into(),
            (&relation.sender).into(),
            relation.ts.into(),
            relation.annotation.clone().into(),
            relation.valid.into(),
        ],
    )?;
    Ok(())
}

/// Takes a relation out; whether it was there and counted.
pub fn delete(
    transaction: &dyn Transaction,
    parent: &str,
    rel_type: &str,
    order_key: i64,
) -> Result<bool, DatabaseError> {
    let rows = transaction.execute(
        "DELETE FROM relations WHERE parent = ? AND rel_type = ? AND order_key = ? RETURNING valid",
        &[parent.into(), rel_type.into(), order_key.into()],
    )?;
    rows.first().map_or(Ok(false), |row| row.flag(0))
}

/// Whether a user has reacted to an event like this already.
pub fn has_annotation(
    query: &dyn Query,
    parent: &str,
    sender: &str,
    (event_type, key): (&str, &str),
) -> Result<bool, DatabaseError> {
    let row = query.query_one(
        "SELECT 1 FROM relations WHERE parent = ? AND rel_type = 'm.annotation' AND sender = ? AND event_type = ?
            AND annotation = ? LIMIT 1",
        &[parent.into(), sender.into(), event_type.into(), key.into()],
    )?;
    Ok(row.is_some())
}

/// What is known of one parent.
pub fn get_aggregation(query: &dyn Query, parent: &str) -> Result<Option<Aggregation>, DatabaseError> {
    Ok(aggregations(query, &[parent])?.pop())
}

/// What is known of these parents' children; one statement.
pub fn aggregations(query: &dyn Query, parents: &[&str]) -> Result<Vec<Aggregation>, DatabaseError> {
    let rows = query.query(
        "SELECT a.parent, a.replacement, a.thread_count, a.thread_latest
         FROM json_each(?) j CROSS JOIN aggregations a ON a.parent = j.value",
        &[list(parents)?],
    )?;
    rows.iter().map(aggregation).collect()
}

/// The same as of an order_key, for a reader who left there, and without some users' replies, for one who ignores
/// them. One statement, whose rows grow with the children.
pub fn aggregations_for(
    query: &dyn Query,
    parents: &[&str],
    at: i64,
    without: &[&str],
) -> Result<Vec<Aggregation>, DatabaseError> {
    let rows = query.query(
        "SELECT a.parent,
            (SELECT r.order_key FROM relations r JOIN events e ON e.order_key = r.order_key
                WHERE r.parent = a.parent AND r.rel_type = 'm.replace' AND r.valid = 1 AND r.order_key <= ?1
                ORDER BY r.ts DESC, e.event_id DESC LIMIT 1),
            (SELECT COUNT(*) FROM relations r
                WHERE r.parent = a.parent AND r.rel_type = 'm.thread' AND r.valid = 1 AND r.order_key <= ?1
                    AND r.sender NOT IN (SELECT value FROM json_each(?3))),
            (SELECT MAX(r.order_key) FROM relations r
                WHERE r.parent = a.parent AND r.rel_type = 'm.thread' AND r.valid = 1 AND r.order_key <= ?1
                    AND r.sender NOT IN (SELECT value FROM json_each(?3)))
         FROM json_each(?2) j CROSS JOIN aggregations a ON a.parent = j.value",
        &[at.into(), list(parents)?, list(without)?],
    )?;
    rows.iter().map(aggregation).collect()
}

fn aggregation(row: &Row) -> Result<Aggregation, DatabaseError> {
    Ok(Aggregation {
        parent: row.text(0)?,
        replacement: row.optional_integer(1)?,
        thread_count: row.integer(2)?,
        thread_latest: row.optional_integer(3)?,
    })
}

/// Says which edit of a parent is in force.
pub fn set_replacement(transaction: &dyn Transaction, parent: &str, order_key: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO aggregations (parent, replacement, thread_count, thread_latest) VALUES (?, ?, 0, NULL)
         ON CONFLICT (parent) DO UPDATE SET replacement = excluded.replacement",
        &[parent.into(), order_key.into()],
    )?;
    Ok(())
}

/// Looks for the edit in force anew, after one was redacted.
pub fn renew_replacement(transaction: &dyn Transaction, parent: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE aggregations SET replacement = (
            SELECT r.order_key FROM relations r JOIN events e ON e.order_key = r.order_key
            WHERE r.parent = ?1 AND r.rel_type = 'm.replace' AND r.valid = 1
            ORDER BY r.ts DESC, e.event_id DESC LIMIT 1)
         WHERE parent = ?1",
        &[parent.into()],
    )?;
    Ok(())
}

/// Counts one more reply in a thread; somebody's first makes them a participant.
pub fn add_reply(transaction: &dyn Transaction, root: &str, sender: &str, order_key: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO aggregations (parent, replacement, thread_count, thread_latest) VALUES (?, NULL, 1, ?)
         ON CONFLICT (parent) DO UPDATE SET thread_count = thread_count + 1,
            thread_latest = MAX(coalesce(thread_latest, excluded.thread_latest), excluded.thread_latest)",
        &[root.into(), order_key.into()],
    )?;
    transaction.execute(
        "INSERT OR IGNORE INTO thread_participants (root, user_id) VALUES (?, ?)",
        &[root.into(), sender.into()],
    )?;
    Ok(())
}

/// Counts one reply less, after its relation was taken out.
pub fn remove_reply(transaction: &dyn Transaction, root: &str, sender: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE aggregations SET thread_count = MAX(thread_count - 1, 0), thread_latest = (
            SELECT MAX(order_key) FROM relations WHERE parent = ?1 AND rel_type = 'm.thread' AND valid = 1)
         WHERE parent = ?1",
        &[root.into()],
    )?;
    transaction.execute(
        "DELETE FROM thread_participants WHERE root = ?1 AND user_id = ?2 AND NOT EXISTS (
            SELECT 1 FROM relations WHERE parent = ?1 AND rel_type = 'm.thread' AND valid = 1 AND sender = ?2)",
        &[root.into(), sender.into()],
    )?;
    Ok(())
}

/// In which of these threads a user has replied; one statement.
pub fn participated(query: &dyn Query, user_id: &str, roots: &[&str]) -> Result<Vec<String>, DatabaseError> {
    let rows = query.query(
        "SELECT p.root FROM json_each(?) j CROSS JOIN thread_participants p ON p.root = j.value AND p.user_id = ?",
        &[list(roots)?, user_id.into()],
    )?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// A reference to an event.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceRow {
    /// What is referred to.
    pub parent: String,
    /// The id of what refers to it.
    pub event_id: String,
    /// Who sent that.
    pub sender: String,
    /// Its place.
    pub order_key: i64,
    /// The history visibility in force there.
    pub visibility: String,
}

/// The newest references to each of these events, at most `most` each, oldest first; one statement.
pub fn references(query: &dyn Query, parents: &[&str], most: u32) -> Result<Vec<ReferenceRow>, DatabaseError> {
    let rows = query.query(
        "SELECT r.parent, e.event_id, e.sender, e.order_key, e.visibility
         FROM json_each(?) j
            CROSS JOIN relations r ON r.parent = j.value AND r.rel_type = 'm.reference' AND r.order_key > coalesce((
                SELECT older.order_key FROM relations older
                WHERE older.parent = j.value AND older.rel_type = 'm.reference'
                ORDER BY older.order_key DESC LIMIT 1 OFFSET ?), -1)
            CROSS JOIN events e ON e.order_key = r.order_key
         ORDER BY e.order_key",
        &[list(parents)?, most.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(ReferenceRow {
                parent: row.text(0)?,
                event_id: row.text(1)?,
                sender: row.text(2)?,
                order_key: row.integer(3)?,
                visibility: row.text(4)?,
            })
        })
        .collect()
}

/// Which children are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Children<'a> {
    /// Of which event.
    pub parent: &'a str,
    /// Only these relations.
    pub rel_type: Option<&'a str>,
    /// Only these types.
    pub event_type: Option<&'a str>,
    /// Children of children down to this level; 1: only the event's own.
    pub depth: u32,
}

macro_rules! select_children {
    ($condition:literal, $order:literal) => {
        select_events!(
            " FROM relations r CROSS JOIN events e ON e.order_key = r.order_key WHERE ",
            $condition,
            " AND (? IS NULL OR r.event_type = ?) AND r.order_key >= ? AND r.order_key < ? ORDER BY r.order_key ",
            $order,
            " LIMIT ?"
        )
    };
}

/// The most descendants that a page of children of children is chosen from.
const MAX_DESCENDANTS: i64 = 10_000;

/// A parent's children, their children and so on, at most so many, taken in the order of the page. What relates to an
/// event comes after it, so nothing is missed by looking only below the page's upper bound.
macro_rules! select_descendants {
    ($floor:literal, $order:literal) => {
        select_events!(
            " FROM (WITH RECURSIVE related (order_key, rel_type, event_type, depth) AS (
                SELECT order_key, rel_type, event_type, 1 FROM relations
                WHERE parent = ?1 AND order_key < ?6 AND order_key >= ",
            $floor,
            " UNION ALL
                SELECT child.order_key, child.rel_type, child.event_type, related.depth + 1
                FROM related CROSS JOIN events middle ON middle.order_key = related.order_key
                    CROSS JOIN relations child ON child.parent = middle.event_id
                WHERE related.depth < ?2 AND child.order_key < ?6
                ORDER BY 1 ",
            $order,
            " LIMIT ?8
            ) SELECT order_key, rel_type, event_type FROM related) r
            CROSS JOIN events e ON e.order_key = r.order_key
            WHERE (?3 IS NULL OR r.rel_type = ?3) AND (?4 IS NULL OR r.event_type = ?4) AND r.order_key >= ?5
            ORDER BY r.order_key ",
            $order,
            " LIMIT ?7"
        )
    };
}

/// At most `limit` children with an order_key in `[from, below)`, from the end that `backwards`
/// names. Children of children are chosen from the [`MAX_DESCENDANTS`] nearest to that end.
pub fn children(
    query: &dyn Query,
    wanted: Children<'_>,
    (from, below): (i64, i64),
    backwards: bool,
    limit: u32,
) -> Result<Vec<EventRow>, DatabaseError> {
    if wanted.depth > 1 {
        return descendants(query, wanted, (from, below), backwards, limit);
    }
    let parent: Value = wanted.parent.into();
    let event_type: Value = wanted.event_type.into();
    let (sql, mut params) = match (wanted.rel_type, backwards) {
        (Some(rel_type), true) => {
            (select_children!("r.parent = ? AND r.rel_type = ?", "DESC"), vec![parent, rel_type.into()])
        }
        (Some(rel_type), false) => {
            (select_children!("r.parent = ? AND r.rel_type = ?", "ASC"), vec![parent, rel_type.into()])
        }
        (None, true) => (select_children!("r.parent = ?", "DESC"), vec![parent]),
        (None, false) => (select_children!("r.parent = ?", "ASC"), vec![parent]),
    };
    params.extend([event_type.clone(), event_type, from.into(), below.into(), limit.into()]);
    events::read_all(query.query(sql, &params)?)
}

fn descendants(
    query: &dyn Query,
    wanted: Children<'_>,
    (from, below): (i64, i64),
    backwards: bool,
    limit: u32,
) -> Result<Vec<EventRow>, DatabaseError> {
    // Forwards, children before the page count only for what relates to them: of those the newest.
    let (sql, most) = if backwards {
        (select_descendants!("0", "DESC"), MAX_DESCENDANTS)
    } else {
        let sql = select_descendants!(
            "coalesce((SELECT older.order_key FROM relations older WHERE older.parent = ?1 AND older.order_key < ?5
                ORDER BY older.order_key DESC LIMIT 1 OFFSET ?8 / 2), 0)",
            "ASC"
        );
        (sql, 2 * MAX_DESCENDANTS)
    };
    let params = [
        wanted.parent.into(),
        wanted.depth.into(),
        wanted.rel_type.into(),
        wanted.event_type.into(),
        from.into(),
        below.into(),
        limit.into(),
        most.into(),
    ];
    events::read_all(query.query(sql, &params)?)
}

/// A thread: its root, and the place of its newest reply.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadRow {
    /// The root.
    pub root: EventRow,
    /// The order_key of the newest reply.
    pub latest: i64,
    /// Whether the user replied in it or began it.
    pub participated: bool,
}

/// At most `limit` threads whose newest reply lies below an order_key, newest first.
pub fn threads(query: &dyn Query, user_id: &str, below: i64, limit: u32) -> Result<Vec<ThreadRow>, DatabaseError> {
    let rows = query.query(
        select_events!(
            ", a.thread_latest, e.sender = ?1 OR EXISTS (
                SELECT 1 FROM thread_participants p WHERE p.root = a.parent AND p.user_id = ?1)
             FROM aggregations a INDEXED BY threads_by_latest CROSS JOIN events e ON e.event_id = a.parent
             WHERE a.thread_latest IS NOT NULL AND a.thread_latest < ?2 ORDER BY a.thread_latest DESC LIMIT ?3"
        ),
        &[user_id.into(), below.into(), limit.into()],
    )?;
    rows.iter()
        .map(|row| Ok(ThreadRow { root: EventRow::read(row)?, latest: row.integer(13)?, participated: row.flag(14)? }))
        .collect()
}
