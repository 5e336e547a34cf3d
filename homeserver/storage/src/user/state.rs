//! The latest state of each room: all of it but members, and the members that were delivered.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A state event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEvent {
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// When it changed in the inbox; 0 for a member of whom only a message made us aware.
    pub changed_pos: i64,
    /// The event's id.
    pub event_id: String,
    /// The sender.
    pub sender: String,
    /// The membership of a member event.
    pub membership: Option<String>,
    /// `origin_server_ts`.
    pub ts: i64,
    /// The event without `unsigned`.
    pub event: String,
    /// The members of `unsigned`, without the braces.
    pub unsigned: Option<String>,
}

impl StateEvent {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            event_type: row.text(0)?,
            state_key: row.text(1)?,
            changed_pos: row.integer(2)?,
            event_id: row.text(3)?,
            sender: row.text(4)?,
            membership: row.optional_text(5)?,
            ts: row.integer(6)?,
            event: row.text(7)?,
            unsigned: row.optional_text(8)?,
        })
    }
}

macro_rules! select_state {
    ($rest:literal) => {
        concat!(
            "SELECT event_type, state_key, changed_pos, event_id, sender, membership, ts, event, unsigned FROM state ",
            $rest
        )
    };
}

/// The state of a room that changed after an inbox position; -1: all of it.
pub fn list_changed(query: &dyn Query, room_id: &str, since: i64) -> Result<Vec<StateEvent>, DatabaseError> {
    query
        .query(
            select_state!("WHERE room_id = ? AND changed_pos > ? ORDER BY event_type, state_key"),
            &[room_id.into(), since.into()],
        )?
        .iter()
        .map(StateEvent::from_row)
        .collect()
}

/// The state of a room that is not about members, without a look at those.
pub fn list_without_members(query: &dyn Query, room_id: &str) -> Result<Vec<StateEvent>, DatabaseError> {
    let below = query.query(select_state!("WHERE room_id = ? AND event_type < 'm.room.member'"), &[room_id.into()])?;
    let above = query.query(select_state!("WHERE room_id = ? AND event_type > 'm.room.member'"), &[room_id.into()])?;
    below.iter().chain(&above).map(StateEvent::from_row).collect()
}

/// One state event.
pub fn get(
    query: &dyn Query,
    room_id: &str,
    event_type: &str,
    state_key: &str,
) -> Result<Option<StateEvent>, DatabaseError> {
    query
        .query_one(
            select_state!("WHERE room_id = ? AND event_type = ? AND state_key = ?"),
            &[room_id.into(), event_type.into(), state_key.into()],
        )?
        .as_ref()
        .map(StateEvent::from_row)
        .transpose()
}

/// The ids of a room's state: (type, state key, event id).
pub fn list_ids(query: &dyn Query, room_id: &str) -> Result<Vec<(String, String, String)>, DatabaseError> {
    query
        .query("SELECT event_type, state_key, event_id FROM state WHERE room_id = ?", &[room_id.into()])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)))
        .collect()
}

/// Writes one state event.
pub fn put(transaction: &dyn Transaction, room_id: &str, state: &StateEvent) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO state (room_id, event_type, state_key, changed_pos, event_id, sender, membership, ts, event, unsigned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room_id, event_type, state_key) DO UPDATE SET changed_pos = excluded.changed_pos, event_id = excluded.event_id, sender = excluded.sender, membership = excluded.membership, ts = excluded.ts, event = excluded.event, unsigned = excluded.unsigned",
        &[
            room_id.into(),
            (&state.event_type).into(),
            (&state.state_key).into(),
            state.changed_pos.into(),
            (&state.event_id).into(),
            (&state.sender).into(),
            state.membership.as_ref().into(),
            state.ts.into(),
            (&state.event).into(),
            state.unsigned.as_ref().into(),
        ],
    )?;
    Ok(())
}

/// Removes one state event.
pub fn delete(
    transaction: &dyn Transaction,
    room_id: &str,
    event_type: &str,
    state_key: &str,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM state WHERE room_id = ? AND event_type = ? AND state_key = ?",
        &[room_id.into(), event_type.into(), state_key.into()],
    )?;
    Ok(())
}
