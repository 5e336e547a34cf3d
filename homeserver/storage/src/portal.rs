//! What a PortalObject owns: one bridged channel, its two lanes and the map between both sides.
//!
//! A remote message costs three rows: its place in the lane, the delete once it is in the room, and
//! its row of the map. A Matrix message costs four: the row (two, for it is found by order and by
//! event id), the update when the network has it, and its row of the map. Everything else is
//! written once for a whole batch.
//!
//! What changes a message later is in [`changes`], how far a portal has caught up in [`care`],
//! files on their way are in [`files`].

pub mod care;
pub mod changes;
pub mod files;

use crate::{
    database::{DatabaseError, Query, Row, Transaction},
    schema::Steps,
};

/// The schema.
pub const STEPS: Steps = &[FIRST, changes::STEP, care::STEP, files::STEP];

const FIRST: &[&str] = &[
    "CREATE TABLE portal (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        login_id TEXT NOT NULL,
        owner TEXT NOT NULL,
        channel TEXT NOT NULL,
        kind TEXT NOT NULL,
        details TEXT,
        step TEXT NOT NULL,
        room_id TEXT,
        closed INTEGER NOT NULL,
        sent_through INTEGER NOT NULL,
        attempt_through INTEGER NOT NULL,
        attempt_since INTEGER NOT NULL,
        mirrored_through INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE inbound (
        place TEXT NOT NULL,
        generation INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (place, generation)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE messages (
        place TEXT NOT NULL,
        part INTEGER NOT NULL,
        remote_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (place, part)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE outbound (
        seq INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        body TEXT,
        outcome TEXT
    ) STRICT",
    "CREATE TABLE joined (
        user_id TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE notices (
        name TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE mirror (
        id INTEGER PRIMARY KEY,
        rows TEXT NOT NULL
    ) STRICT",
];

/// The portal itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalRow {
    /// The login.
    pub login_id: String,
    /// The Matrix user.
    pub owner: String,
    /// The channel's id.
    pub channel: String,
    /// What the channel is.
    pub kind: String,
    /// What the network said of the channel, as JSON.
    pub details: Option<String>,
    /// How far the making is.
    pub step: String,
    /// The room.
    pub room_id: Option<String>,
    /// Whether the owner ended it.
    pub closed: bool,
    /// Up to which place of the outbound lane everything is done.
    pub sent_through: i64,
    /// Up to which place a call may have been made whose outcome was not written down.
    pub attempt_through: i64,
    /// When the first of those calls may have been made.
    pub attempt_since: i64,
    /// Up to which place of the outbound lane D1 has the map.
    pub mirrored_through: i64,
}

/// The portal; `None` before it was opened.
pub fn get(query: &dyn Query) -> Result<Option<PortalRow>, DatabaseError> {
    let row = query.query_one(
        "SELECT login_id, owner, channel, kind, details, step, room_id, closed, sent_through,
            attempt_through, attempt_since, mirrored_through
         FROM portal",
        &[],
    )?;
    row.map(|row| {
        Ok(PortalRow {
            login_id: row.text(0)?,
            owner: row.text(1)?,
            channel: row.text(2)?,
            kind: row.text(3)?,
            details: row.optional_text(4)?,
            step: row.text(5)?,
            room_id: row.optional_text(6)?,
            closed: row.flag(7)?,
            sent_through: row.integer(8)?,
            attempt_through: row.integer(9)?,
            attempt_since: row.integer(10)?,
            mirrored_through: row.integer(11)?,
        })
    })
    .transpose()
}

/// Writes the portal, whole: one row.
pub fn put(transaction: &dyn Transaction, portal: &PortalRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO portal (only, login_id, owner, channel, kind, details, step, room_id,
            closed, sent_through, attempt_through, attempt_since, mirrored_through)
         VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            (&portal.login_id).into(),
            (&portal.owner).into(),
            (&portal.channel).into(),
            (&portal.kind).into(),
            portal.details.clone().into(),
            (&portal.step).into(),
            portal.room_id.clone().into(),
            portal.closed.into(),
            portal.sent_through.into(),
            portal.attempt_through.into(),
            portal.attempt_since.into(),
            portal.mirrored_through.into(),
        ],
    )?;
    Ok(())
}

/// A place in the inbound lane: where the remote message stands in its channel, and which of its
/// lives this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Sorts as the network orders its messages.
    pub place: String,
    /// Grows when a thing was removed and added again.
    pub generation: i64,
}

/// Forgets all that is about the room, which is gone. What was sent stays known, so that it is not sent again.
pub fn forget_room(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM inbound",
        "DELETE FROM messages",
        "DELETE FROM threads",
        "DELETE FROM reactions",
        "DELETE FROM joined",
        "DELETE FROM notices",
        "DELETE FROM mirror",
        "DELETE FROM care",
        "DELETE FROM files",
    ] {
        transaction.execute(statement, &[])?;
    }
    Ok(())
}

/// Queues a remote event; false when it waits already.
pub fn insert_inbound(transaction: &dyn Transaction, place: &Place, body: &str) -> Result<bool, DatabaseError> {
    let inserted = transaction.execute(
        "INSERT INTO inbound (place, generation, body) VALUES (?, ?, ?)
         ON CONFLICT (place, generation) DO NOTHING RETURNING 1",
        &[(&place.place).into(), place.generation.into(), body.into()],
    )?;
    Ok(!inserted.is_empty())
}

/// The places of all queued remote events, smallest first, and until when those wait that were parked.
pub fn list_inbound(query: &dyn Query) -> Result<Vec<(Place, Option<i64>)>, DatabaseError> {
    query
        .query("SELECT place, generation, parked_until FROM inbound ORDER BY place, generation", &[])?
        .iter()
        .map(|row| Ok((Place { place: row.text(0)?, generation: row.integer(1)? }, row.optional_integer(2)?)))
        .collect()
}

/// A queued remote event.
pub fn inbound_body(query: &dyn Query, place: &Place) -> Result<Option<String>, DatabaseError> {
    query
        .query_one(
            "SELECT body FROM inbound WHERE place = ? AND generation = ?",
            &[(&place.place).into(), place.generation.into()],
        )?
        .map(|row| row.text(0))
        .transpose()
}

/// Takes a remote event out of the lane.
pub fn delete_inbound(transaction: &dyn Transaction, place: &Place) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM inbound WHERE place = ? AND generation = ?",
        &[(&place.place).into(), place.generation.into()],
    )?;
    Ok(())
}

/// Which event shows which part of which remote message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedMessage {
    /// Where the remote message stands in its channel.
    pub place: String,
    /// Which part of it.
    pub part: i64,
    /// The network's id of the message.
    pub remote_id: String,
    /// The event.
    pub event_id: String,
    /// Who sent the event; `None` when that is not known any more, or a human did.
    pub sender: Option<String>,
    /// Which edit it shows, by the network's count; 0: none, [`changes::DELETED`]: it is gone.
    pub edited: i64,
    /// The first message of its thread, by the network's id.
    pub thread_root: Option<String>,
}

/// Writes a row of the map.
pub fn put_message(transaction: &dyn Transaction, message: &MappedMessage) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO messages (place, part, remote_id, event_id, sender, edited, thread_root)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (place, part) DO NOTHING",
        &[
            (&message.place).into(),
            message.part.into(),
            (&message.remote_id).into(),
            (&message.event_id).into(),
            message.sender.clone().into(),
            message.edited.into(),
            message.thread_root.clone().into(),
        ],
    )?;
    Ok(())
}

/// The event that shows the first part of the remote message at this place.
pub fn find_event(query: &dyn Query, place: &str) -> Result<Option<String>, DatabaseError> {
    query
        .query_one("SELECT event_id FROM messages WHERE place = ? AND part = 0", &[place.into()])?
        .map(|row| row.text(0))
        .transpose()
}

/// A Matrix event on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundRow {
    /// Its place in the lane.
    pub seq: i64,
    /// The event.
    pub event_id: String,
    /// The event in client format; `None` once it is done.
    pub body: Option<String>,
    /// The remote message that it became, or `!` and why it became none; `None` while it waits.
    pub outcome: Option<String>,
}

fn outbound_row(row: &Row) -> Result<OutboundRow, DatabaseError> {
    Ok(OutboundRow {
        seq: row.integer(0)?,
        event_id: row.text(1)?,
        body: row.optional_text(2)?,
        outcome: row.optional_text(3)?,
    })
}

/// Queues a Matrix event; `None` when it was queued before, at any time.
pub fn insert_outbound(
    transaction: &dyn Transaction,
    event_id: &str,
    body: &str,
) -> Result<Option<i64>, DatabaseError> {
    let inserted = transaction.execute(
        "INSERT INTO outbound (event_id, body) VALUES (?, ?)
         ON CONFLICT (event_id) DO NOTHING RETURNING seq",
        &[event_id.into(), body.into()],
    )?;
    inserted.first().map(|row| row.integer(0)).transpose()
}

/// The places of what waits in the outbound lane, in order.
pub fn list_outbound(query: &dyn Query, after: i64) -> Result<Vec<i64>, DatabaseError> {
    query
        .query("SELECT seq FROM outbound WHERE seq > ? AND body IS NOT NULL ORDER BY seq", &[after.into()])?
        .iter()
        .map(|row| row.integer(0))
        .collect()
}

/// A row of the outbound lane.
pub fn get_outbound(query: &dyn Query, seq: i64) -> Result<Option<OutboundRow>, DatabaseError> {
    query
        .query_one("SELECT seq, event_id, body, outcome FROM outbound WHERE seq = ?", &[seq.into()])?
        .as_ref()
        .map(outbound_row)
        .transpose()
}

/// The row of an event, done or not.
pub fn find_outbound(query: &dyn Query, event_id: &str) -> Result<Option<OutboundRow>, DatabaseError> {
    query
        .query_one("SELECT seq, event_id, body, outcome FROM outbound WHERE event_id = ?", &[event_id.into()])?
        .as_ref()
        .map(outbound_row)
        .transpose()
}

/// Notes what became of a Matrix event so far: which of its parts the network has, or why it cannot
/// be sent, before that is shown in the room.
pub fn note_outbound(transaction: &dyn Transaction, seq: i64, outcome: &str) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE outbound SET outcome = ? WHERE seq = ?", &[outcome.into(), seq.into()])?;
    Ok(())
}

/// Ends a Matrix event's wait: its text goes, its id stays known.
pub fn finish_outbound(transaction: &dyn Transaction, seq: i64, outcome: &str) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE outbound SET body = NULL, outcome = ? WHERE seq = ?", &[outcome.into(), seq.into()])?;
    Ok(())
}

/// Up to `limit` rows of the outbound lane above `after` that are done, as (place, event id,
/// outcome), for D1.
pub fn list_done(
    query: &dyn Query,
    after: i64,
    through: i64,
    limit: i64,
) -> Result<Vec<(i64, String, String)>, DatabaseError> {
    query
        .query(
            "SELECT seq, event_id, outcome FROM outbound
             WHERE seq > ? AND seq <= ? AND body IS NULL AND outcome IS NOT NULL
             ORDER BY seq LIMIT ?",
            &[after.into(), through.into(), limit.into()],
        )?
        .iter()
        .map(|row| Ok((row.integer(0)?, row.text(1)?, row.text(2)?)))
        .collect()
}

/// The ghosts that are in the room.
pub fn list_joined(query: &dyn Query) -> Result<Vec<String>, DatabaseError> {
    query.query("SELECT user_id FROM joined", &[])?.iter().map(|row| row.text(0)).collect()
}

/// Remembers that a ghost is in the room.
pub fn put_joined(transaction: &dyn Transaction, user_id: &str) -> Result<(), DatabaseError> {
    transaction
        .execute("INSERT INTO joined (user_id) VALUES (?) ON CONFLICT (user_id) DO NOTHING", &[user_id.into()])?;
    Ok(())
}

/// Forgets that a ghost is in the room.
pub fn delete_joined(transaction: &dyn Transaction, user_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM joined WHERE user_id = ?", &[user_id.into()])?;
    Ok(())
}

/// Whether a one-time notice was shown.
pub fn was_noticed(query: &dyn Query, name: &str) -> Result<bool, DatabaseError> {
    let row = query.query_one("SELECT 1 FROM notices WHERE name = ?", &[name.into()])?;
    Ok(row.is_some())
}

/// Remembers that a one-time notice was shown.
pub fn put_noticed(transaction: &dyn Transaction, name: &str) -> Result<(), DatabaseError> {
    transaction.execute("INSERT INTO notices (name) VALUES (?) ON CONFLICT (name) DO NOTHING", &[name.into()])?;
    Ok(())
}

/// Queues rows of the map (a JSON array of `[remote id, part, event id]`) for D1.
pub fn insert_mirror(transaction: &dyn Transaction, rows: &str) -> Result<(), DatabaseError> {
    transaction.execute("INSERT INTO mirror (rows) VALUES (?)", &[rows.into()])?;
    Ok(())
}

/// Up to 50 batches that D1 does not have yet.
pub fn list_mirror(query: &dyn Query) -> Result<Vec<(i64, String)>, DatabaseError> {
    query
        .query("SELECT id, rows FROM mirror ORDER BY id LIMIT 50", &[])?
        .iter()
        .map(|row| Ok((row.integer(0)?, row.text(1)?)))
        .collect()
}

/// Forgets batches that D1 has.
pub fn delete_mirror(transaction: &dyn Transaction, through: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM mirror WHERE id <= ?", &[through.into()])?;
    Ok(())
}
