//! What a RoomObject stores: the event graph, the state, its followers, receipts and typing.
//!
//! **Positions and order keys.** A room's stream is numbered by `position`, shared by events,
//! receipts and typing changes. Paging orders events by `order_key`: the initial events have their
//! position, live events [`LIVE`] + position, and imported history counts down from [`LIVE`]; so
//! imports lie between the room's making and its first live event.
//!
//! **State groups.** A state group is (branch, seq): for each key the newest delta of the branch
//! with `seq` at or below it, or else what the parent branch holds. A linear room has one branch
//! and one row a state change; a fork opens a branch, a resolution writes its difference.

pub mod erasures;
pub mod events;
pub mod followers;
pub mod listing;
mod rebuilding;
pub mod receipts;
pub mod relations;
pub mod search_step;
pub mod staged;
pub mod state;
pub mod times;

use crate::{
    database::{DatabaseError, Query, Transaction, Value},
    schema::Steps,
};

/// The order_key below the first live event.
pub const LIVE: i64 = 1 << 40;

/// The position that an order_key stands for; `None` for imported history.
pub fn position_of(order_key: i64) -> Option<i64> {
    if order_key > LIVE {
        Some(order_key - LIVE)
    } else if order_key < MAX_INITIAL {
        Some(order_key)
    } else {
        None
    }
}

/// Initial events have order_keys below this.
pub const MAX_INITIAL: i64 = 1 << 20;

/// The schema.
pub const SCHEMA: Steps = &[FIRST, erasures::STEP, relations::STEP, listing::STEP, search_step::STEP, rebuilding::STEP];

const FIRST: &[&str] = &[
    "CREATE TABLE room (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        room_id TEXT NOT NULL,
        version TEXT NOT NULL,
        creator TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        initial INTEGER NOT NULL,
        branch INTEGER NOT NULL,
        state_seq INTEGER NOT NULL,
        depth INTEGER NOT NULL,
        extremities TEXT NOT NULL,
        joined INTEGER NOT NULL,
        invited INTEGER NOT NULL,
        typing_position INTEGER NOT NULL,
        alarm_at INTEGER NOT NULL,
        listed INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE events (
        order_key INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        state_key TEXT,
        sender TEXT NOT NULL,
        pdu TEXT NOT NULL,
        branch INTEGER NOT NULL,
        state_before INTEGER NOT NULL,
        replaces INTEGER,
        rejected INTEGER NOT NULL,
        redacted_by TEXT,
        visibility TEXT NOT NULL,
        transaction_key TEXT
    ) STRICT",
    "CREATE UNIQUE INDEX events_by_id ON events (event_id)",
    "CREATE UNIQUE INDEX events_by_transaction ON events (sender, transaction_key) WHERE transaction_key IS NOT NULL",
    "CREATE TABLE branches (
        branch INTEGER PRIMARY KEY,
        parent INTEGER,
        parent_seq INTEGER
    ) STRICT",
    "CREATE TABLE state_deltas (
        branch INTEGER NOT NULL,
        type TEXT NOT NULL,
        state_key TEXT NOT NULL,
        seq INTEGER NOT NULL,
        event_key INTEGER NOT NULL,
        membership TEXT,
        PRIMARY KEY (branch, type, state_key, seq)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE current_state (
        type TEXT NOT NULL,
        state_key TEXT NOT NULL,
        event_key INTEGER NOT NULL,
        membership TEXT,
        PRIMARY KEY (type, state_key)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE followers (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        members INTEGER NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE follower_spans (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER,
        snapshot INTEGER NOT NULL,
        PRIMARY KEY (kind, id, first)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE receipts (
        user_id TEXT NOT NULL,
        receipt_type TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        event_position INTEGER NOT NULL,
        ts INTEGER NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (user_id, receipt_type, thread_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE typing (
        user_id TEXT PRIMARY KEY,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE forgotten (
        user_id TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID",
];

/// The room's one row: what each append reads and writes.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomRow {
    /// The room id.
    pub room_id: String,
    /// The room version.
    pub version: String,
    /// The creator.
    pub creator: String,
    /// The epoch: 1 at first, one more after each rebuild.
    pub epoch: i64,
    /// The last position given out.
    pub position: i64,
    /// The position of the last initial event.
    pub initial: i64,
    /// The branch of the current state.
    pub branch: i64,
    /// The seq of the current state.
    pub state_seq: i64,
    /// The greatest depth.
    pub depth: i64,
    /// The forward extremities' event ids.
    pub extremities: Vec<String>,
    /// Joined members.
    pub joined: i64,
    /// Invited members.
    pub invited: i64,
    /// The position of the last change of typing.
    pub typing_position: i64,
    /// When the armed alarm rings; 0: none armed.
    pub alarm_at: i64,
    /// Whether the room is in the public directory.
    pub listed: bool,
    /// Whether the room was rebuilt and not every follower told yet what it holds: until then no position is given
    /// out.
    pub rebuilding: bool,
}

/// Reads the room's row; `None` before the room was made.
pub fn get(query: &dyn Query) -> Result<Option<RoomRow>, DatabaseError> {
    let Some(row) = query.query_one(
        "SELECT room_id, version, creator, epoch, position, initial, branch, state_seq, depth,
            extremities, joined, invited, typing_position, alarm_at, listed, rebuilding FROM room",
        &[],
    )?
    else {
        return Ok(None);
    };
    Ok(Some(RoomRow {
        room_id: row.text(0)?,
        version: row.text(1)?,
        creator: row.text(2)?,
        epoch: row.integer(3)?,
        position: row.integer(4)?,
        initial: row.integer(5)?,
        branch: row.integer(6)?,
        state_seq: row.integer(7)?,
        depth: row.integer(8)?,
        extremities: serde_json::from_str(&row.text(9)?).map_err(DatabaseError::new)?,
        joined: row.integer(10)?,
        invited: row.integer(11)?,
        typing_position: row.integer(12)?,
        alarm_at: row.integer(13)?,
        listed: row.flag(14)?,
        rebuilding: row.flag(15)?,
    }))
}

/// Writes the room's row.
pub fn put(transaction: &dyn Transaction, room: &RoomRow) -> Result<(), DatabaseError> {
    let params: [Value; 16] = [
        (&room.room_id).into(),
        (&room.version).into(),
        (&room.creator).into(),
        room.epoch.into(),
        room.position.into(),
        room.initial.into(),
        room.branch.into(),
        room.state_seq.into(),
        room.depth.into(),
        serde_json::to_string(&room.extremities).map_err(DatabaseError::new)?.into(),
        room.joined.into(),
        room.invited.into(),
        room.typing_position.into(),
        room.alarm_at.into(),
        room.listed.into(),
        room.rebuilding.into(),
    ];
    transaction.execute(
        "INSERT OR REPLACE INTO room (only, room_id, version, creator, epoch, position, initial,
            branch, state_seq, depth, extremities, joined, invited, typing_position, alarm_at, listed, rebuilding)
         VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &params,
    )?;
    Ok(())
}

/// Empties every table but the erasures, before a rebuild.
pub fn wipe(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM room",
        "DELETE FROM events",
        "DELETE FROM branches",
        "DELETE FROM state_deltas",
        "DELETE FROM current_state",
        "DELETE FROM followers",
        "DELETE FROM follower_spans",
        "DELETE FROM receipts",
        "DELETE FROM typing",
        "DELETE FROM forgotten",
        "DELETE FROM listing",
    ]
    .into_iter()
    .chain(relations::WIPE)
    {
        transaction.execute(statement, &[])?;
    }
    Ok(())
}

/// Marks the room forgotten (or not) for a user.
pub fn set_forgotten(transaction: &dyn Transaction, user_id: &str, forgotten: bool) -> Result<(), DatabaseError> {
    let sql = if forgotten {
        "INSERT OR IGNORE INTO forgotten (user_id) VALUES (?)"
    } else {
        "DELETE FROM forgotten WHERE user_id = ?"
    };
    transaction.execute(sql, &[user_id.into()])?;
    Ok(())
}

/// Whether a user forgot the room.
pub fn is_forgotten(query: &dyn Query, user_id: &str) -> Result<bool, DatabaseError> {
    let row = query.query_one("SELECT 1 FROM forgotten WHERE user_id = ?", &[user_id.into()])?;
    Ok(row.is_some())
}
