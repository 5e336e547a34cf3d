//! What a UserKeysObject stores: one user's device keys, cross-signing keys, one-time and fallback
//! keys, and key backups.
//!
//! One row, [`State`], says how far others know what is here; it is written with every change, so
//! telling them costs no rows of its own. The tables are `WITHOUT ROWID`: each row written is billed
//! once.

pub mod backup;
pub mod cross_signing;
pub mod devices;
pub mod mirror;
pub mod one_time;

use std::collections::BTreeMap;

use crate::{
    database::{DatabaseError, Query, Transaction},
    schema::Steps,
};

/// The schema.
pub const SCHEMA: Steps = &[FIRST];

const FIRST: &[&str] = &[
    "CREATE TABLE state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        version INTEGER NOT NULL,
        told INTEGER NOT NULL,
        list_version INTEGER NOT NULL,
        counts TEXT NOT NULL,
        unmirrored TEXT NOT NULL,
        waiting_since INTEGER,
        closed INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        next_position INTEGER NOT NULL,
        next_backup INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE devices (
        device_id TEXT PRIMARY KEY,
        keys TEXT NOT NULL,
        display_name TEXT
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE one_time_keys (
        device_id TEXT NOT NULL,
        algorithm TEXT NOT NULL,
        position INTEGER NOT NULL,
        key_id TEXT NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (device_id, algorithm, position)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE used_keys (
        device_id TEXT NOT NULL,
        key_id TEXT NOT NULL,
        PRIMARY KEY (device_id, key_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE fallback_keys (
        device_id TEXT NOT NULL,
        algorithm TEXT NOT NULL,
        key_id TEXT NOT NULL,
        key TEXT NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (device_id, algorithm)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE cross_signing_keys (
        usage TEXT PRIMARY KEY,
        key TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE signatures (
        target TEXT NOT NULL,
        signer TEXT NOT NULL,
        key_id TEXT NOT NULL,
        signature TEXT NOT NULL,
        PRIMARY KEY (target, signer, key_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE backups (
        version INTEGER PRIMARY KEY,
        algorithm TEXT NOT NULL,
        auth_data TEXT NOT NULL,
        etag INTEGER NOT NULL,
        sessions INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE backup_sessions (
        version INTEGER NOT NULL,
        room_id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        first_message_index INTEGER NOT NULL,
        forwarded_count INTEGER NOT NULL,
        is_verified INTEGER NOT NULL,
        session_data TEXT NOT NULL,
        PRIMARY KEY (version, room_id, session_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE dehydrated (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        device_id TEXT NOT NULL,
        device_data TEXT NOT NULL
    ) STRICT",
];

/// How far others know what is here, and the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Grows with each change that somebody must hear of.
    pub version: i64,
    /// The newest version that the user's UserSyncObject holds.
    pub told: i64,
    /// The version at which device keys or cross-signing keys changed last.
    pub list_version: i64,
    /// The devices whose counts the UserSyncObject does not know, with the version of the change.
    pub counts: BTreeMap<String, i64>,
    /// What D1 does not hold yet, with the version of the change: device ids, and
    /// [`mirror::CROSS_SIGNING`].
    pub unmirrored: BTreeMap<String, i64>,
    /// Since when one of these waits.
    pub waiting_since: Option<i64>,
    /// Whether the account was deactivated: nothing is taken any more.
    pub closed: bool,
    /// The generation of the user's devices that was heard of: an upload of an earlier one comes too
    /// late.
    pub generation: i64,
    /// The position of the next one-time key.
    pub next_position: i64,
    /// The version of the next backup.
    pub next_backup: i64,
}

impl State {
    /// Whether the UserSyncObject has something to hear.
    pub fn has_news(&self) -> bool {
        self.list_version > self.told || !self.counts.is_empty()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        !self.has_news() && self.unmirrored.is_empty()
    }
}

/// The row; the first one when nothing was written yet.
pub fn get(query: &dyn Query) -> Result<State, DatabaseError> {
    let row = query.query_one(
        "SELECT version, told, list_version, counts, unmirrored, waiting_since, closed, next_position, next_backup, generation FROM state",
        &[],
    )?;
    let Some(row) = row else {
        return Ok(State { next_backup: 1, ..State::default() });
    };
    Ok(State {
        version: row.integer(0)?,
        told: row.integer(1)?,
        list_version: row.integer(2)?,
        counts: serde_json::from_str(&row.text(3)?).map_err(DatabaseError::new)?,
        unmirrored: serde_json::from_str(&row.text(4)?).map_err(DatabaseError::new)?,
        waiting_since: row.optional_integer(5)?,
        closed: row.flag(6)?,
        next_position: row.integer(7)?,
        next_backup: row.integer(8)?,
        generation: row.integer(9)?,
    })
}

/// Stores the row.
pub fn put(transaction: &dyn Transaction, state: &State) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO state (only, version, told, list_version, counts, unmirrored, waiting_since, closed, next_position, next_backup, generation) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, told = excluded.told, list_version = excluded.list_version, counts = excluded.counts, unmirrored = excluded.unmirrored, waiting_since = excluded.waiting_since, closed = excluded.closed, next_position = excluded.next_position, next_backup = excluded.next_backup, generation = excluded.generation",
        &[
            state.version.into(),
            state.told.into(),
            state.list_version.into(),
            serde_json::to_string(&state.counts).map_err(DatabaseError::new)?.into(),
            serde_json::to_string(&state.unmirrored).map_err(DatabaseError::new)?.into(),
            state.waiting_since.into(),
            state.closed.into(),
            state.next_position.into(),
            state.next_backup.into(),
            state.generation.into(),
        ],
    )?;
    Ok(())
}

/// Forgets all keys and backups.
pub fn forget_everything(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM devices",
        "DELETE FROM one_time_keys",
        "DELETE FROM used_keys",
        "DELETE FROM fallback_keys",
        "DELETE FROM cross_signing_keys",
        "DELETE FROM signatures",
        "DELETE FROM backups",
        "DELETE FROM backup_sessions",
        "DELETE FROM dehydrated",
    ] {
        transaction.execute(statement, &[])?;
    }
    Ok(())
}
