//! Pushers: one row each, which is also the whole queue of what it has to be told.
//!
//! What waits are the unread events of the inbox above the pusher's cursor: (inbox position, order
//! key). A pusher ends with its device: one whose device is gone, or was made anew since, is never
//! listed, and is deleted when it is met.

use super::{inbox::RoomRow, timeline::KeptEvent};
use crate::database::{DatabaseError, Query, Row, Transaction};

/// A pusher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pusher {
    /// The application.
    pub app_id: String,
    /// The key that stands for the device at its gateway.
    pub pushkey: String,
    /// The device that set it; `None`: an appservice did.
    pub device_id: Option<String>,
    /// The pusher as clients see it, a JSON object.
    pub settings: String,
    /// When it was last set, in milliseconds since the epoch.
    pub set_at: i64,
    /// The inbox position of the last event that was dealt with.
    pub cursor_pos: i64,
    /// That event's order key.
    pub cursor_key: i64,
    /// The badge that the gateway was last told; -1: none yet.
    pub badge: i64,
    /// How many attempts failed in a row.
    pub failures: i64,
    /// No attempt before this time.
    pub retry_at: i64,
}

macro_rules! select_pushers {
    ($rest:literal) => {
        concat!(
            "SELECT app_id, pushkey, device_id, settings, set_at, cursor_pos, cursor_key, badge, failures, retry_at FROM pushers WHERE (device_id IS NULL OR EXISTS (SELECT 1 FROM devices d WHERE d.device_id = pushers.device_id AND d.created_at <= pushers.set_at))",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Pusher, DatabaseError> {
    Ok(Pusher {
        app_id: row.text(0)?,
        pushkey: row.text(1)?,
        device_id: row.optional_text(2)?,
        settings: row.text(3)?,
        set_at: row.integer(4)?,
        cursor_pos: row.integer(5)?,
        cursor_key: row.integer(6)?,
        badge: row.integer(7)?,
        failures: row.integer(8)?,
        retry_at: row.integer(9)?,
    })
}

/// How many pushers there are, dead ones included.
pub fn count(query: &dyn Query) -> Result<usize, DatabaseError> {
    let count = query.query_one("SELECT COUNT(*) FROM pushers", &[])?.map_or(Ok(0), |row| row.integer(0))?;
    usize::try_from(count).map_err(DatabaseError::new)
}

/// All pushers.
pub fn list(query: &dyn Query) -> Result<Vec<Pusher>, DatabaseError> {
    query.query(select_pushers!(" ORDER BY app_id, pushkey"), &[])?.iter().map(from_row).collect()
}

/// One pusher.
pub fn get(query: &dyn Query, app_id: &str, pushkey: &str) -> Result<Option<Pusher>, DatabaseError> {
    query
        .query_one(select_pushers!(" AND app_id = ? AND pushkey = ?"), &[app_id.into(), pushkey.into()])?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Writes a pusher.
pub fn put(transaction: &dyn Transaction, pusher: &Pusher) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO pushers (app_id, pushkey, device_id, settings, set_at, cursor_pos, cursor_key, badge, failures, retry_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (app_id, pushkey) DO UPDATE SET device_id = excluded.device_id, settings = excluded.settings, set_at = excluded.set_at, cursor_pos = excluded.cursor_pos, cursor_key = excluded.cursor_key, badge = excluded.badge, failures = excluded.failures, retry_at = excluded.retry_at",
        &[
            (&pusher.app_id).into(),
            (&pusher.pushkey).into(),
            pusher.device_id.as_ref().into(),
            (&pusher.settings).into(),
            pusher.set_at.into(),
            pusher.cursor_pos.into(),
            pusher.cursor_key.into(),
            pusher.badge.into(),
            pusher.failures.into(),
            pusher.retry_at.into(),
        ],
    )?;
    Ok(())
}

/// Writes where a pusher stands, unless it was set anew or deleted meanwhile; whether it was there.
pub fn advance(transaction: &dyn Transaction, pusher: &Pusher) -> Result<bool, DatabaseError> {
    let rows = transaction.execute(
        "UPDATE pushers SET cursor_pos = ?, cursor_key = ?, badge = ?, failures = ?, retry_at = ? WHERE app_id = ? AND pushkey = ? AND set_at = ? RETURNING app_id",
        &[
            pusher.cursor_pos.into(),
            pusher.cursor_key.into(),
            pusher.badge.into(),
            pusher.failures.into(),
            pusher.retry_at.into(),
            (&pusher.app_id).into(),
            (&pusher.pushkey).into(),
            pusher.set_at.into(),
        ],
    )?;
    Ok(!rows.is_empty())
}

/// Deletes a pusher, if it is there.
pub fn delete(transaction: &dyn Transaction, app_id: &str, pushkey: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM pushers WHERE app_id = ? AND pushkey = ?", &[app_id.into(), pushkey.into()])?;
    Ok(())
}

/// Deletes the pushers whose device is gone.
pub fn delete_dead(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute(
        "DELETE FROM pushers WHERE device_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.device_id = pushers.device_id AND d.created_at <= pushers.set_at)",
        &[],
    )?;
    Ok(())
}

/// The rooms that may have something to tell: changed at or after an inbox position, with unread
/// events or an invite.
pub fn list_telling_rooms(query: &dyn Query, from: i64) -> Result<Vec<RoomRow>, DatabaseError> {
    let rooms = super::inbox::list_changed_rooms(query, from - 1)?;
    Ok(rooms.into_iter().filter(|room| room.unread != "{}" || room.membership == "invite").collect())
}

/// The first kept event of a room that notified when it came, above a cursor and an order key.
pub fn first_notifying(
    query: &dyn Query,
    room: &RoomRow,
    cursor: (i64, i64),
    above: i64,
) -> Result<Option<KeptEvent>, DatabaseError> {
    super::timeline::first_notifying(query, &room.room_id, room.kept_from.max(above + 1), cursor)
}

/// The unread events of each joined room, as [`RoomRow::unread`] has them.
pub fn list_unread(query: &dyn Query) -> Result<Vec<String>, DatabaseError> {
    query
        .query("SELECT unread FROM rooms WHERE membership = 'join' AND unread != '{}'", &[])?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Who sent each invite that waits for an answer.
pub fn list_inviters(query: &dyn Query) -> Result<Vec<Option<String>>, DatabaseError> {
    query
        .query("SELECT inviter FROM rooms WHERE membership = 'invite'", &[])?
        .iter()
        .map(|row| row.optional_text(0))
        .collect()
}
