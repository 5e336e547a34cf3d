//! What changes a bridged message: edits, deletions, threads and reactions.
//!
//! An edit or a deletion costs an update of the map for each part, a reply in a thread one row beyond the
//! message's own. No index leads from an event to its remote message: the outbound lane knows the events that
//! came from here, and of those that came from the network the time tells the place ([`list_between`]).

use super::{MappedMessage, Place};
use crate::database::{DatabaseError, Query, Row, Transaction};

/// The second step of the schema.
pub(super) const STEP: &[&str] = &[
    "ALTER TABLE inbound ADD COLUMN parked_until INTEGER",
    "ALTER TABLE messages ADD COLUMN sender TEXT",
    "ALTER TABLE messages ADD COLUMN edited INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE messages ADD COLUMN thread_root TEXT",
    "CREATE TABLE threads (
        root TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        event_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE reactions (
        place TEXT NOT NULL,
        person TEXT NOT NULL,
        key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        changed TEXT NOT NULL,
        sender TEXT NOT NULL,
        event_id TEXT,
        PRIMARY KEY (place, person, key)
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX reactions_by_event ON reactions (event_id) WHERE event_id IS NOT NULL",
];

/// `MappedMessage::edited` of a message that is gone: nothing is newer.
pub const DELETED: i64 = (1 << 53) - 1;

fn mapped(row: &Row) -> Result<MappedMessage, DatabaseError> {
    Ok(MappedMessage {
        place: row.text(0)?,
        part: row.integer(1)?,
        remote_id: row.text(2)?,
        event_id: row.text(3)?,
        sender: row.optional_text(4)?,
        edited: row.integer(5)?,
        thread_root: row.optional_text(6)?,
    })
}

/// Notes until when a queued event waits for the message that it is about.
pub fn park(transaction: &dyn Transaction, place: &Place, until: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE inbound SET parked_until = ? WHERE place = ? AND generation = ?",
        &[until.into(), (&place.place).into(), place.generation.into()],
    )?;
    Ok(())
}

/// The parts of the message at a place, in order; empty when it is not known.
pub fn list_parts(query: &dyn Query, place: &str) -> Result<Vec<MappedMessage>, DatabaseError> {
    query
        .query(
            "SELECT place, part, remote_id, event_id, sender, edited, thread_root
             FROM messages WHERE place = ? ORDER BY part",
            &[place.into()],
        )?
        .iter()
        .map(mapped)
        .collect()
}

/// Messages from one place on and before another, at most `limit`.
pub fn list_between(
    query: &dyn Query,
    from: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<MappedMessage>, DatabaseError> {
    query
        .query(
            "SELECT place, part, remote_id, event_id, sender, edited, thread_root
             FROM messages WHERE place >= ? AND place < ? ORDER BY place, part LIMIT ?",
            &[from.into(), before.into(), limit.into()],
        )?
        .iter()
        .map(mapped)
        .collect()
}

/// The newest message outside of threads, up to a place.
pub fn newest_until(query: &dyn Query, place: &str) -> Result<Option<MappedMessage>, DatabaseError> {
    query
        .query_one(
            "SELECT place, part, remote_id, event_id, sender, edited, thread_root
             FROM messages WHERE thread_root IS NULL AND place <= ? ORDER BY place DESC, part DESC LIMIT 1",
            &[place.into()],
        )?
        .as_ref()
        .map(mapped)
        .transpose()
}

/// The newest message outside of threads.
pub fn newest(query: &dyn Query) -> Result<Option<MappedMessage>, DatabaseError> {
    query
        .query_one(
            "SELECT place, part, remote_id, event_id, sender, edited, thread_root
             FROM messages WHERE thread_root IS NULL ORDER BY place DESC LIMIT 1",
            &[],
        )?
        .as_ref()
        .map(mapped)
        .transpose()
}

/// Notes an edit of all parts of a message, or with [`DELETED`] that it is gone.
pub fn mark_edited(transaction: &dyn Transaction, place: &str, edited: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE messages SET edited = ? WHERE place = ? AND edited < ?",
        &[edited.into(), place.into(), edited.into()],
    )?;
    Ok(())
}

/// The number of a message's first part that is a file: an edit, which changes the words, does not move it.
pub const FILE_PARTS: i64 = 1_000;

/// Forgets the parts of a message's text from this one on: an edit made it shorter.
pub fn drop_parts(transaction: &dyn Transaction, place: &str, from: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM messages WHERE place = ? AND part >= ? AND part < ?",
        &[place.into(), from.into(), FILE_PARTS.into()],
    )?;
    Ok(())
}

/// Forgets one part of a message that stays.
pub fn drop_part(transaction: &dyn Transaction, place: &str, part: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM messages WHERE place = ? AND part = ?", &[place.into(), part.into()])?;
    Ok(())
}

/// The newest event of a thread, by the place of its root.
pub fn newest_reply(query: &dyn Query, root: &str) -> Result<Option<String>, DatabaseError> {
    query.query_one("SELECT event_id FROM threads WHERE root = ?", &[root.into()])?.map(|row| row.text(0)).transpose()
}

/// Notes a reply in a thread, unless a newer one is known.
pub fn put_reply(transaction: &dyn Transaction, root: &str, place: &str, event_id: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO threads (root, place, event_id) VALUES (?, ?, ?)
         ON CONFLICT (root) DO UPDATE SET place = excluded.place, event_id = excluded.event_id
         WHERE excluded.place > threads.place",
        &[root.into(), place.into(), event_id.into()],
    )?;
    Ok(())
}

/// A reaction that is there, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionRow {
    /// The place of the message.
    pub place: String,
    /// Who reacted: the network's id.
    pub person: String,
    /// With what: the network's key.
    pub key: String,
    /// How often it was added.
    pub generation: i64,
    /// The place of the last change: what stands before it comes late.
    pub changed: String,
    /// Who sent the event.
    pub sender: String,
    /// The event; `None` once the reaction was taken away.
    pub event_id: Option<String>,
}

fn reaction(row: &Row) -> Result<ReactionRow, DatabaseError> {
    Ok(ReactionRow {
        place: row.text(0)?,
        person: row.text(1)?,
        key: row.text(2)?,
        generation: row.integer(3)?,
        changed: row.text(4)?,
        sender: row.text(5)?,
        event_id: row.optional_text(6)?,
    })
}

/// The reactions to the message at a place, those that were taken away too.
pub fn list_reactions(query: &dyn Query, place: &str) -> Result<Vec<ReactionRow>, DatabaseError> {
    query
        .query(
            "SELECT place, person, key, generation, changed, sender, event_id
             FROM reactions WHERE place = ? ORDER BY person, key",
            &[place.into()],
        )?
        .iter()
        .map(reaction)
        .collect()
}

/// The reaction that an event is.
pub fn find_reaction(query: &dyn Query, event_id: &str) -> Result<Option<ReactionRow>, DatabaseError> {
    query
        .query_one(
            "SELECT place, person, key, generation, changed, sender, event_id
             FROM reactions WHERE event_id = ?",
            &[event_id.into()],
        )?
        .as_ref()
        .map(reaction)
        .transpose()
}

/// Writes a reaction.
pub fn put_reaction(transaction: &dyn Transaction, reaction: &ReactionRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO reactions (place, person, key, generation, changed, sender, event_id)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (place, person, key) DO UPDATE SET generation = excluded.generation,
            changed = excluded.changed, sender = excluded.sender, event_id = excluded.event_id",
        &[
            (&reaction.place).into(),
            (&reaction.person).into(),
            (&reaction.key).into(),
            reaction.generation.into(),
            (&reaction.changed).into(),
            (&reaction.sender).into(),
            reaction.event_id.clone().into(),
        ],
    )?;
    Ok(())
}
