//! Backups of room keys, which only the user's clients can read.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// One version of the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its number.
    pub version: i64,
    /// The algorithm.
    pub algorithm: String,
    /// `auth_data`, as JSON.
    pub auth_data: String,
    /// Grows with each change of its sessions.
    pub etag: i64,
    /// How many sessions it holds.
    pub sessions: i64,
    /// How many bytes of session data.
    pub bytes: i64,
}

impl Backup {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            version: row.integer(0)?,
            algorithm: row.text(1)?,
            auth_data: row.text(2)?,
            etag: row.integer(3)?,
            sessions: row.integer(4)?,
            bytes: row.integer(5)?,
        })
    }
}

/// The version of this number.
pub fn get(query: &dyn Query, version: i64) -> Result<Option<Backup>, DatabaseError> {
    query
        .query_one(
            "SELECT version, algorithm, auth_data, etag, sessions, bytes FROM backups WHERE version = ?",
            &[version.into()],
        )?
        .as_ref()
        .map(Backup::from_row)
        .transpose()
}

/// The newest version.
pub fn latest(query: &dyn Query) -> Result<Option<Backup>, DatabaseError> {
    query
        .query_one(
            "SELECT version, algorithm, auth_data, etag, sessions, bytes FROM backups ORDER BY version DESC LIMIT 1",
            &[],
        )?
        .as_ref()
        .map(Backup::from_row)
        .transpose()
}

/// How many versions there are.
pub fn count(query: &dyn Query) -> Result<i64, DatabaseError> {
    query.query_one("SELECT COUNT(*) FROM backups", &[])?.map_or(Ok(0), |row| row.integer(0))
}

/// Stores a version.
pub fn put(transaction: &dyn Transaction, backup: &Backup) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO backups (version, algorithm, auth_data, etag, sessions, bytes) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (version) DO UPDATE SET auth_data = excluded.auth_data, etag = excluded.etag, sessions = excluded.sessions, bytes = excluded.bytes",
        &[
            backup.version.into(),
            backup.algorithm.as_str().into(),
            backup.auth_data.as_str().into(),
            backup.etag.into(),
            backup.sessions.into(),
            backup.bytes.into(),
        ],
    )?;
    Ok(())
}

/// Deletes a version with all its sessions.
pub fn delete(transaction: &dyn Transaction, version: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM backups WHERE version = ?", &[version.into()])?;
    transaction.execute("DELETE FROM backup_sessions WHERE version = ?", &[version.into()])?;
    Ok(())
}

/// A session of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The room.
    pub room_id: String,
    /// The session.
    pub session_id: String,
    /// From which message on it decrypts.
    pub first_message_index: i64,
    /// How often it was forwarded.
    pub forwarded_count: i64,
    /// Whether the device that made the backup had verified where it came from.
    pub is_verified: bool,
    /// The encrypted key, as JSON.
    pub session_data: String,
}

impl Session {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            room_id: row.text(0)?,
            session_id: row.text(1)?,
            first_message_index: row.integer(2)?,
            forwarded_count: row.integer(3)?,
            is_verified: row.flag(4)?,
            session_data: row.text(5)?,
        })
    }
}

/// At most `limit` sessions of a version that follow the one given, in order; only those of a room,
/// or a single one, when these are named.
pub fn sessions_after(
    query: &dyn Query,
    version: i64,
    after: (&str, &str),
    limit: u32,
) -> Result<Vec<Session>, DatabaseError> {
    query
        .query(
            "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_sessions WHERE version = ? AND (room_id, session_id) > (?, ?) ORDER BY room_id, session_id LIMIT ?",
            &[version.into(), after.0.into(), after.1.into(), limit.into()],
        )?
        .iter()
        .map(Session::from_row)
        .collect()
}

/// The session of this id.
pub fn session(
    query: &dyn Query,
    version: i64,
    room_id: &str,
    session_id: &str,
) -> Result<Option<Session>, DatabaseError> {
    query
        .query_one(
            "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_sessions WHERE version = ? AND room_id = ? AND session_id = ?",
            &[version.into(), room_id.into(), session_id.into()],
        )?
        .as_ref()
        .map(Session::from_row)
        .transpose()
}

/// The sessions that are there among these: (room id, session id).
pub fn sessions(query: &dyn Query, version: i64, ids: &[(&str, &str)]) -> Result<Vec<Session>, DatabaseError> {
    // One parameter however many sessions.
    let ids = serde_json::to_string(ids).map_err(DatabaseError::new)?;
    query
        .query(
            "SELECT s.room_id, s.session_id, s.first_message_index, s.forwarded_count, s.is_verified, s.session_data FROM json_each(?) j JOIN backup_sessions s ON s.version = ? AND s.room_id = json_extract(j.value, '$[0]') AND s.session_id = json_extract(j.value, '$[1]')",
            &[ids.into(), version.into()],
        )?
        .iter()
        .map(Session::from_row)
        .collect()
}

/// Stores a session.
pub fn put_session(transaction: &dyn Transaction, version: i64, session: &Session) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO backup_sessions (version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (version, room_id, session_id) DO UPDATE SET first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count, is_verified = excluded.is_verified, session_data = excluded.session_data",
        &[
            version.into(),
            session.room_id.as_str().into(),
            session.session_id.as_str().into(),
            session.first_message_index.into(),
            session.forwarded_count.into(),
            session.is_verified.into(),
            session.session_data.as_str().into(),
        ],
    )?;
    Ok(())
}

/// Deletes the sessions of a version, or of one of its rooms, or a single one. Returns how many
/// there were, and how many bytes of session data.
pub fn delete_sessions(
    transaction: &dyn Transaction,
    version: i64,
    room_id: Option<&str>,
    session_id: Option<&str>,
) -> Result<(i64, i64), DatabaseError> {
    let deleted = match (room_id, session_id) {
        (None, _) => transaction.execute(
            "DELETE FROM backup_sessions WHERE version = ? RETURNING octet_length(session_data)",
            &[version.into()],
        )?,
        (Some(room_id), None) => transaction.execute(
            "DELETE FROM backup_sessions WHERE version = ? AND room_id = ? RETURNING octet_length(session_data)",
            &[version.into(), room_id.into()],
        )?,
        (Some(room_id), Some(session_id)) => transaction.execute(
            "DELETE FROM backup_sessions WHERE version = ? AND room_id = ? AND session_id = ? RETURNING octet_length(session_data)",
            &[version.into(), room_id.into(), session_id.into()],
        )?,
    };
    let bytes = deleted.iter().map(|row| row.integer(0)).sum::<Result<i64, _>>()?;
    Ok((i64::try_from(deleted.len()).map_err(DatabaseError::new)?, bytes))
}
