//! With whom the user shares rooms, and when whose device list last changed.
//!
//! A shared room is one row with its members, bridged rooms are none. Its positions are those of the
//! user's own joining and leaving: then all members begin or cease to share it, and none of them
//! costs a row. Of a left room the members as of then stay.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A room that the user is, or was, in with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRoom {
    /// The room.
    pub room_id: String,
    /// The inbox position at which the user joined.
    pub joined_pos: i64,
    /// The inbox position at which the user left; `None`: has not.
    pub left_pos: Option<i64>,
    /// The other joined members, a JSON list; `None`: not known yet.
    pub members: Option<String>,
}

impl SharedRoom {
    /// Whether the user is joined.
    pub fn is_joined(&self) -> bool {
        self.left_pos.is_none()
    }

    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            room_id: row.text(0)?,
            joined_pos: row.integer(1)?,
            left_pos: row.optional_integer(2)?,
            members: row.optional_text(3)?,
        })
    }
}

/// A room, if it is shared.
pub fn get_room(query: &dyn Query, room_id: &str) -> Result<Option<SharedRoom>, DatabaseError> {
    query
        .query_one(
            "SELECT room_id, joined_pos, left_pos, members FROM shared_rooms WHERE room_id = ?",
            &[room_id.into()],
        )?
        .as_ref()
        .map(SharedRoom::from_row)
        .transpose()
}

/// All rooms, left ones too.
pub fn list_rooms(query: &dyn Query) -> Result<Vec<SharedRoom>, DatabaseError> {
    query
        .query("SELECT room_id, joined_pos, left_pos, members FROM shared_rooms ORDER BY room_id", &[])?
        .iter()
        .map(SharedRoom::from_row)
        .collect()
}

/// The joined rooms whose members are not known yet.
pub fn list_unknown(query: &dyn Query) -> Result<Vec<String>, DatabaseError> {
    query.query("SELECT room_id FROM shared_rooms WHERE members IS NULL", &[])?.iter().map(|row| row.text(0)).collect()
}

/// Writes a room.
pub fn put_room(transaction: &dyn Transaction, room: &SharedRoom) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO shared_rooms (room_id, joined_pos, left_pos, members) VALUES (?, ?, ?, ?) ON CONFLICT (room_id) DO UPDATE SET joined_pos = excluded.joined_pos, left_pos = excluded.left_pos, members = excluded.members",
        &[(&room.room_id).into(), room.joined_pos.into(), room.left_pos.into(), room.members.as_ref().into()],
    )?;
    Ok(())
}

/// The room is none through which anybody is known.
pub fn delete_room(transaction: &dyn Transaction, room_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM shared_rooms WHERE room_id = ?", &[room_id.into()])?;
    Ok(())
}

/// A user whose device list changed, or who came to share a room with the user or ceased to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange {
    /// Who.
    pub user_id: String,
    /// The inbox position of the newest change.
    pub changed_pos: i64,
    /// The newest revision that their object told; 0: none.
    pub revision: i64,
}

/// The change of one user.
pub fn get(query: &dyn Query, user_id: &str) -> Result<Option<ListChange>, DatabaseError> {
    query
        .query_one("SELECT user_id, changed_pos, revision FROM device_lists WHERE user_id = ?", &[user_id.into()])?
        .as_ref()
        .map(change)
        .transpose()
}

fn change(row: &Row) -> Result<ListChange, DatabaseError> {
    Ok(ListChange { user_id: row.text(0)?, changed_pos: row.integer(1)?, revision: row.integer(2)? })
}

/// The changes after an inbox position.
pub fn list_changed(query: &dyn Query, since: i64) -> Result<Vec<ListChange>, DatabaseError> {
    query
        .query(
            "SELECT user_id, changed_pos, revision FROM device_lists WHERE changed_pos > ? ORDER BY user_id",
            &[since.into()],
        )?
        .iter()
        .map(change)
        .collect()
}

/// Notes a change; an earlier position or revision than the one held does not replace it.
pub fn put(transaction: &dyn Transaction, change: &ListChange) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO device_lists (user_id, changed_pos, revision) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET changed_pos = MAX(changed_pos, excluded.changed_pos), revision = MAX(revision, excluded.revision)",
        &[(&change.user_id).into(), change.changed_pos.into(), change.revision.into()],
    )?;
    Ok(())
}

/// The position of the newest change of any kind; 0 when there is none.
pub fn newest(query: &dyn Query) -> Result<i64, DatabaseError> {
    let row = query.query_one(
        "SELECT max(
            coalesce((SELECT max(changed_pos) FROM device_lists), 0),
            coalesce((SELECT max(joined_pos) FROM shared_rooms), 0),
            coalesce((SELECT max(left_pos) FROM shared_rooms WHERE left_pos IS NOT NULL), 0)
        )",
        &[],
    )?;
    row.map_or(Ok(0), |row| row.integer(0))
}
