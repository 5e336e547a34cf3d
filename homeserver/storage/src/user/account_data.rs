//! Account data, global (room id `''`) and of rooms; push rules and read markers among it.

use crate::database::{DatabaseError, Query, Transaction};

/// One entry of account data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// The type.
    pub event_type: String,
    /// The content, a JSON object.
    pub content: String,
}

/// The content of one entry.
pub fn get(query: &dyn Query, room_id: &str, event_type: &str) -> Result<Option<String>, DatabaseError> {
    query
        .query_one(
            "SELECT content FROM account_data WHERE room_id = ? AND event_type = ?",
            &[room_id.into(), event_type.into()],
        )?
        .map(|row| row.text(0))
        .transpose()
}

/// What changed in one room (or globally) after an inbox position.
pub fn list_changed(query: &dyn Query, room_id: &str, since: i64) -> Result<Vec<AccountData>, DatabaseError> {
    query
        .query(
            "SELECT event_type, content FROM account_data WHERE room_id = ? AND changed_pos > ? ORDER BY event_type",
            &[room_id.into(), since.into()],
        )?
        .iter()
        .map(|row| Ok(AccountData { event_type: row.text(0)?, content: row.text(1)? }))
        .collect()
}

/// How many entries a room has.
pub fn count(query: &dyn Query, room_id: &str) -> Result<i64, DatabaseError> {
    query
        .query_one("SELECT COUNT(*) FROM account_data WHERE room_id = ?", &[room_id.into()])?
        .map_or(Ok(0), |row| row.integer(0))
}

/// Writes one entry.
pub fn put(
    transaction: &dyn Transaction,
    room_id: &str,
    event_type: &str,
    content: &str,
    changed_pos: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO account_data (room_id, event_type, changed_pos, content) VALUES (?, ?, ?, ?) ON CONFLICT (room_id, event_type) DO UPDATE SET changed_pos = excluded.changed_pos, content = excluded.content",
        &[
            room_id.into(),
            event_type.into(),
            changed_pos.into(),
            content.into(),
        ],
    )?;
    Ok(())
}
