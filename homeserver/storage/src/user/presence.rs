//! Presence: the user's own, that of room-mates, and the rooms through which it travels.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The user's own presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPresence {
    /// What a client asked for: `online`, `unavailable` or `offline`.
    pub chosen: String,
    /// The status message.
    pub status_msg: Option<String>,
    /// The device that asked for it: only another that asks for more has a say while this one is there.
    pub device: String,
    /// When a client was last seen; at most some minutes old while one is there.
    pub seen_at: i64,
    /// When the user was last active, likewise.
    pub active_at: i64,
    /// What others were last told.
    pub told: String,
    /// Grows with each change, so that an older one never wins.
    pub revision: i64,
}

/// The user's own presence; `None` while none was ever set.
pub fn get_own(query: &dyn Query) -> Result<Option<OwnPresence>, DatabaseError> {
    let row = query
        .query_one("SELECT chosen, status_msg, device, seen_at, active_at, told, revision FROM own_presence", &[])?;
    row.map(|row| {
        Ok(OwnPresence {
            chosen: row.text(0)?,
            status_msg: row.optional_text(1)?,
            device: row.text(2)?,
            seen_at: row.integer(3)?,
            active_at: row.integer(4)?,
            told: row.text(5)?,
            revision: row.integer(6)?,
        })
    })
    .transpose()
}

/// Writes the user's own presence.
pub fn put_own(transaction: &dyn Transaction, own: &OwnPresence) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO own_presence (only, chosen, status_msg, device, seen_at, active_at, told, revision) VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET chosen = excluded.chosen, status_msg = excluded.status_msg, device = excluded.device, seen_at = excluded.seen_at, active_at = excluded.active_at, told = excluded.told, revision = excluded.revision",
        &[
            (&own.chosen).into(),
            own.status_msg.as_ref().into(),
            (&own.device).into(),
            own.seen_at.into(),
            own.active_at.into(),
            (&own.told).into(),
            own.revision.into(),
        ],
    )?;
    Ok(())
}

/// The presence of a room-mate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatePresence {
    /// Whose.
    pub user_id: String,
    /// The inbox position of the change.
    pub changed_pos: i64,
    /// [`OwnPresence::revision`] of its user.
    pub revision: i64,
    /// `online`, `unavailable` or `offline`.
    pub presence: String,
    /// The status message.
    pub status_msg: Option<String>,
    /// When the user was last active.
    pub active_at: i64,
}

fn mate(row: &Row) -> Result<MatePresence, DatabaseError> {
    Ok(MatePresence {
        user_id: row.text(0)?,
        changed_pos: row.integer(1)?,
        revision: row.integer(2)?,
        presence: row.text(3)?,
        status_msg: row.optional_text(4)?,
        active_at: row.integer(5)?,
    })
}

/// The presence of a room-mate, if it is known.
pub fn get(query: &dyn Query, user_id: &str) -> Result<Option<MatePresence>, DatabaseError> {
    query
        .query_one(
            "SELECT user_id, changed_pos, revision, presence, status_msg, active_at FROM presence WHERE user_id = ?",
            &[user_id.into()],
        )?
        .as_ref()
        .map(mate)
        .transpose()
}

/// The presences that changed after an inbox position. There is one row a local human, so they are
/// read without an index.
pub fn list_changed(query: &dyn Query, since: i64) -> Result<Vec<MatePresence>, DatabaseError> {
    query
        .query(
            "SELECT user_id, changed_pos, revision, presence, status_msg, active_at FROM presence WHERE changed_pos > ? ORDER BY user_id",
            &[since.into()],
        )?
        .iter()
        .map(mate)
        .collect()
}

/// Writes the presence of a room-mate.
pub fn put(transaction: &dyn Transaction, mate: &MatePresence) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO presence (user_id, changed_pos, revision, presence, status_msg, active_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET changed_pos = excluded.changed_pos, revision = excluded.revision, presence = excluded.presence, status_msg = excluded.status_msg, active_at = excluded.active_at",
        &[
            (&mate.user_id).into(),
            mate.changed_pos.into(),
            mate.revision.into(),
            (&mate.presence).into(),
            mate.status_msg.as_ref().into(),
            mate.active_at.into(),
        ],
    )?;
    Ok(())
}

/// The rooms that the user shares with another local human.
pub fn list_rooms(query: &dyn Query) -> Result<Vec<String>, DatabaseError> {
    query.query("SELECT room_id FROM presence_rooms ORDER BY room_id", &[])?.iter().map(|row| row.text(0)).collect()
}

/// Whether the user shares this room with another local human.
pub fn has_room(query: &dyn Query, room_id: &str) -> Result<bool, DatabaseError> {
    Ok(query.query_one("SELECT 1 FROM presence_rooms WHERE room_id = ?", &[room_id.into()])?.is_some())
}

/// Notes that the user shares a room with another local human, or no longer does.
pub fn set_room(transaction: &dyn Transaction, room_id: &str, shared: bool) -> Result<(), DatabaseError> {
    if shared {
        transaction.execute(
            "INSERT INTO presence_rooms (room_id) VALUES (?) ON CONFLICT (room_id) DO NOTHING",
            &[room_id.into()],
        )?;
    } else {
        transaction.execute("DELETE FROM presence_rooms WHERE room_id = ?", &[room_id.into()])?;
        // Who shares no room with anybody has no room-mates.
        transaction.execute("DELETE FROM presence WHERE NOT EXISTS (SELECT 1 FROM presence_rooms)", &[])?;
    }
    Ok(())
}
