//! What proves who somebody is, besides the password: user-interactive authentications that are
//! under way, and short-lived tokens for one purpose.
//!
//! Also the schema step that brought these, refreshable sessions, the traces of devices, and the
//! deactivation of accounts.

use crate::database::{DatabaseError, Query, Transaction};

/// The schema step.
pub(super) const STEP: &[&str] = &[
    "ALTER TABLE account ADD COLUMN deactivated_at INTEGER",
    "ALTER TABLE account ADD COLUMN erased INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE devices ADD COLUMN last_seen_ts INTEGER",
    "ALTER TABLE devices ADD COLUMN last_seen_ip TEXT",
    "ALTER TABLE sessions ADD COLUMN expires_at INTEGER",
    "ALTER TABLE sessions ADD COLUMN refresh_hash TEXT",
    "ALTER TABLE sessions ADD COLUMN pending INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX sessions_by_device ON sessions (device_id)",
    "CREATE INDEX sessions_by_refresh ON sessions (refresh_hash) WHERE refresh_hash IS NOT NULL",
    "CREATE TABLE grants (
        secret_hash TEXT PRIMARY KEY,
        purpose TEXT NOT NULL,
        device_id TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE uia_sessions (
        session_id TEXT PRIMARY KEY,
        action TEXT NOT NULL,
        completed TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE parting_jobs (
        room_id TEXT PRIMARY KEY,
        erase INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
];

/// A user-interactive authentication that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiaRow {
    /// Its random id.
    pub session_id: String,
    /// What it is for.
    pub action: String,
    /// The stages that were completed, as a JSON array.
    pub completed: String,
    /// Until when it may be completed.
    pub expires_at: i64,
}

/// The authentication of this id, expired or not.
pub fn get_uia(query: &dyn Query, session_id: &str) -> Result<Option<UiaRow>, DatabaseError> {
    query
        .query_one(
            "SELECT session_id, action, completed, expires_at FROM uia_sessions WHERE session_id = ?",
            &[session_id.into()],
        )?
        .map(|row| {
            Ok(UiaRow {
                session_id: row.text(0)?,
                action: row.text(1)?,
                completed: row.text(2)?,
                expires_at: row.integer(3)?,
            })
        })
        .transpose()
}

/// Stores an authentication; forgets those that expired, and the oldest beyond `most`.
pub fn put_uia(transaction: &dyn Transaction, uia: &UiaRow, now: i64, most: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM uia_sessions WHERE expires_at <= ?", &[now.into()])?;
    transaction.execute(
        "INSERT INTO uia_sessions (session_id, action, completed, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (session_id) DO UPDATE SET completed = excluded.completed",
        &[
            uia.session_id.as_str().into(),
            uia.action.as_str().into(),
            uia.completed.as_str().into(),
            uia.expires_at.into(),
        ],
    )?;
    transaction.execute(
        "DELETE FROM uia_sessions WHERE session_id IN (SELECT session_id FROM uia_sessions ORDER BY expires_at DESC, session_id LIMIT -1 OFFSET ?)",
        &[most.into()],
    )?;
    Ok(())
}

/// Ends an authentication, so that it authorises nothing a second time.
pub fn end_uia(transaction: &dyn Transaction, session_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM uia_sessions WHERE session_id = ?", &[session_id.into()])?;
    Ok(())
}

/// A short-lived token for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The hash of its secret.
    pub secret_hash: &'a str,
    /// What it is good for.
    pub purpose: &'a str,
    /// The device that asked for it; they end together.
    pub device_id: &'a str,
    /// Until when.
    pub expires_at: i64,
}

/// Stores a token; forgets those that expired, and of the others the first to expire beyond `most`.
pub fn put_grant(transaction: &dyn Transaction, grant: &Grant<'_>, now: i64, most: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM grants WHERE expires_at <= ?", &[now.into()])?;
    transaction.execute(
        "INSERT INTO grants (secret_hash, purpose, device_id, expires_at) VALUES (?, ?, ?, ?)",
        &[grant.secret_hash.into(), grant.purpose.into(), grant.device_id.into(), grant.expires_at.into()],
    )?;
    transaction.execute(
        "DELETE FROM grants WHERE secret_hash IN (SELECT secret_hash FROM grants WHERE purpose = ? ORDER BY expires_at DESC, secret_hash LIMIT -1 OFFSET ?)",
        &[grant.purpose.into(), most.into()],
    )?;
    Ok(())
}

/// Whether a token is good for a purpose.
pub fn has_grant(query: &dyn Query, secret_hash: &str, purpose: &str, now: i64) -> Result<bool, DatabaseError> {
    let found = query.query_one(
        "SELECT 1 FROM grants WHERE secret_hash = ? AND purpose = ? AND expires_at > ?",
        &[secret_hash.into(), purpose.into(), now.into()],
    )?;
    Ok(found.is_some())
}

/// Uses a token up; false when it was not good for the purpose.
pub fn take_grant(
    transaction: &dyn Transaction,
    secret_hash: &str,
    purpose: &str,
    now: i64,
) -> Result<bool, DatabaseError> {
    let taken = transaction.execute(
        "DELETE FROM grants WHERE secret_hash = ? AND purpose = ? AND expires_at > ? RETURNING secret_hash",
        &[secret_hash.into(), purpose.into(), now.into()],
    )?;
    Ok(!taken.is_empty())
}

/// Ends everything that is under way and every token.
pub fn delete_all(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM uia_sessions", &[])?;
    transaction.execute("DELETE FROM grants", &[])?;
    Ok(())
}
