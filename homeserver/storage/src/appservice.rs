//! What an AppserviceObject owns: a cursor a room, and the queue of what it has to hand over.
//!
//! The queue is made of *lanes*, each in strict order with one batch in flight. An appservice that
//! is reached over HTTP has the one lane [`HTTP_LANE`]; a bundled one has a lane a room, so that a
//! portal that fails stops no other. A lane has a row of its own only while a transaction is fixed
//! or an attempt has failed.

use crate::{
    database::{DatabaseError, Query, Row, Transaction},
    schema::{self, Steps},
};

/// The lane of everything that goes over HTTP. Room ids are never empty.
pub const HTTP_LANE: &str = "";

/// The schema.
pub const SCHEMA: Steps = &[&[
    "CREATE TABLE cursors (
        room_id TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE queue (
        lane TEXT NOT NULL,
        id INTEGER NOT NULL,
        room_id TEXT NOT NULL,
        payload TEXT NOT NULL,
        events INTEGER NOT NULL,
        queued_at INTEGER NOT NULL,
        PRIMARY KEY (lane, id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE lanes (
        lane TEXT PRIMARY KEY,
        attempts INTEGER NOT NULL,
        next_attempt_at INTEGER,
        transaction_id TEXT,
        through INTEGER
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE routes (
        room_id TEXT PRIMARY KEY,
        target TEXT
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE reported (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        since INTEGER NOT NULL
    ) STRICT",
]];

/// Whether anything was ever stored here: reading the tables before that would fail.
pub fn exists(database: &dyn Query) -> Result<bool, DatabaseError> {
    Ok(schema::version(database)? > 0)
}

/// Where the appservice stands in a room, as (epoch, position); `None` before the first delivery.
pub fn cursor(database: &dyn Query, room_id: &str) -> Result<Option<(i64, i64)>, DatabaseError> {
    database
        .query_one("SELECT epoch, position FROM cursors WHERE room_id = ?", &[room_id.into()])?
        .map(|row| Ok((row.integer(0)?, row.integer(1)?)))
        .transpose()
}

/// Moves the cursor of a room.
pub fn set_cursor(
    transaction: &dyn Transaction,
    room_id: &str,
    epoch: i64,
    position: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO cursors (room_id, epoch, position) VALUES (?, ?, ?) ON CONFLICT (room_id) DO UPDATE SET epoch = excluded.epoch, position = excluded.position",
        &[room_id.into(), epoch.into(), position.into()],
    )?;
    Ok(())
}

/// A batch that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedBatch {
    /// Its place in the lane.
    pub id: i64,
    /// The room that it is from.
    pub room_id: String,
    /// The batch, as JSON.
    pub payload: String,
    /// How many events it holds.
    pub events: i64,
}

/// The highest id in a lane; 0 when the lane is empty.
pub fn last_id(database: &dyn Query, lane: &str) -> Result<i64, DatabaseError> {
    let row = database.query_one("SELECT id FROM queue WHERE lane = ? ORDER BY id DESC LIMIT 1", &[lane.into()])?;
    Ok(row.map(|row| row.integer(0)).transpose()?.unwrap_or(0))
}

/// Puts a batch at the end of a lane. `batch.id` must lie above [`last_id`].
pub fn enqueue(
    transaction: &dyn Transaction,
    lane: &str,
    batch: &QueuedBatch,
    queued_at: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO queue (lane, id, room_id, payload, events, queued_at) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            lane.into(),
            batch.id.into(),
            (&batch.room_id).into(),
            (&batch.payload).into(),
            batch.events.into(),
            queued_at.into(),
        ],
    )?;
    Ok(())
}

/// The id of the last of the first batches of a lane that hold at most `events` events and `bytes`
/// bytes of payload together, but at least one batch; `None` when the lane is empty.
pub fn head_through(database: &dyn Query, lane: &str, events: i64, bytes: i64) -> Result<Option<i64>, DatabaseError> {
    // Each batch counts as an event at least, so that a hundred rows bound the search. Only sizes
    // are read: the payloads of a long queue would not fit into an isolate's memory.
    let rows = database.query(
        "SELECT id, max(events, 1), octet_length(payload) FROM queue WHERE lane = ? ORDER BY id LIMIT 100",
        &[lane.into()],
    )?;
    let mut through = None;
    let (mut all_events, mut all_bytes) = (0, 0);
    for row in &rows {
        all_events += row.integer(1)?;
        all_bytes += row.integer(2)?;
        if through.is_some() && (all_events > events || all_bytes > bytes) {
            break;
        }
        through = Some(row.integer(0)?);
    }
    Ok(through)
}

/// The batches of a lane up to `through`, in order.
pub fn batches(database: &dyn Query, lane: &str, through: i64) -> Result<Vec<QueuedBatch>, DatabaseError> {
    database
        .query(
            "SELECT id, room_id, payload, events FROM queue WHERE lane = ? AND id <= ? ORDER BY id",
            &[lane.into(), through.into()],
        )?
        .iter()
        .map(batch)
        .collect()
}

fn batch(row: &Row) -> Result<QueuedBatch, DatabaseError> {
    Ok(QueuedBatch { id: row.integer(0)?, room_id: row.text(1)?, payload: row.text(2)?, events: row.integer(3)? })
}

/// What is known of a lane beyond its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// Failed attempts of its first batch.
    pub attempts: i64,
    /// Not before this time, in milliseconds since the epoch.
    pub next_attempt_at: Option<i64>,
    /// The transaction that is fixed: its id, and the id of its last batch.
    pub transaction: Option<(String, i64)>,
}

/// A lane's state; the default when nothing is known of it.
pub fn lane(database: &dyn Query, lane: &str) -> Result<Lane, DatabaseError> {
    let row = database.query_one(
        "SELECT attempts, next_attempt_at, transaction_id, through FROM lanes WHERE lane = ?",
        &[lane.into()],
    )?;
    let Some(row) = row else {
        return Ok(Lane::default());
    };
    Ok(Lane {
        attempts: row.integer(0)?,
        next_attempt_at: row.optional_integer(1)?,
        transaction: row.optional_text(2)?.zip(row.optional_integer(3)?),
    })
}

/// Stores a lane's state.
pub fn put_lane(transaction: &dyn Transaction, lane: &str, state: &Lane) -> Result<(), DatabaseError> {
    let (id, through) = state.transaction.clone().unzip();
    transaction.execute(
        "INSERT INTO lanes (lane, attempts, next_attempt_at, transaction_id, through) VALUES (?, ?, ?, ?, ?) ON CONFLICT (lane) DO UPDATE SET attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, transaction_id = excluded.transaction_id, through = excluded.through",
        &[
            lane.into(),
            state.attempts.into(),
            state.next_attempt_at.into(),
            id.into(),
            through.into(),
        ],
    )?;
    Ok(())
}

/// Removes what was handed over: the batches of a lane up to `through`, and the lane's state.
pub fn finish(transaction: &dyn Transaction, lane: &str, through: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM queue WHERE lane = ? AND id <= ?", &[lane.into(), through.into()])?;
    transaction.execute("DELETE FROM lanes WHERE lane = ?", &[lane.into()])?;
    Ok(())
}

/// A lane with batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingLane {
    /// Which.
    pub lane: String,
    /// Since when its first batch waits.
    pub since: i64,
    /// Not before this time; `None`: at once.
    pub next_attempt_at: Option<i64>,
    /// Failed attempts of its first batch.
    pub attempts: i64,
}

/// All lanes with batches, by name. Jumps from lane to lane, so that a long queue costs no more
/// than a short one.
pub fn waiting_lanes(database: &dyn Query) -> Result<Vec<WaitingLane>, DatabaseError> {
    database
        .query(
            "WITH RECURSIVE found (lane) AS (
                SELECT min(lane) FROM queue
                UNION ALL
                SELECT (SELECT min(lane) FROM queue WHERE lane > found.lane) FROM found WHERE found.lane IS NOT NULL
            )
            SELECT found.lane,
                (SELECT queued_at FROM queue WHERE lane = found.lane ORDER BY id LIMIT 1),
                lanes.next_attempt_at,
                coalesce(lanes.attempts, 0)
            FROM found LEFT JOIN lanes ON lanes.lane = found.lane
            WHERE found.lane IS NOT NULL",
            &[],
        )?
        .iter()
        .map(|row| {
            Ok(WaitingLane {
                lane: row.text(0)?,
                since: row.integer(1)?,
                next_attempt_at: row.optional_integer(2)?,
                attempts: row.integer(3)?,
            })
        })
        .collect()
}

/// How many batches wait.
pub fn queue_length(database: &dyn Query) -> Result<i64, DatabaseError> {
    let row = database.query_one("SELECT count(*) FROM queue", &[])?;
    Ok(row.map(|row| row.integer(0)).transpose()?.unwrap_or(0))
}

/// Where the events of a room go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Nobody has said.
    Unknown,
    /// To this portal.
    To(String),
    /// Nowhere any more.
    Nowhere,
}

/// The route of a room.
pub fn route(database: &dyn Query, room_id: &str) -> Result<Route, DatabaseError> {
    let row = database.query_one("SELECT target FROM routes WHERE room_id = ?", &[room_id.into()])?;
    let Some(row) = row else {
        return Ok(Route::Unknown);
    };
    Ok(row.optional_text(0)?.map_or(Route::Nowhere, Route::To))
}

/// Sets the route of a room; `None`: nowhere.
pub fn set_route(transaction: &dyn Transaction, room_id: &str, target: Option<&str>) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO routes (room_id, target) VALUES (?, ?) ON CONFLICT (room_id) DO UPDATE SET target = excluded.target",
        &[room_id.into(), target.into()],
    )?;
    Ok(())
}

/// Drops everything that waits, in all lanes. The cursors stay.
pub fn clear_queue(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM queue", &[])?;
    transaction.execute("DELETE FROM lanes", &[])?;
    Ok(())
}

/// Whether D1's `stuck` was told of this object.
pub fn is_reported(database: &dyn Query) -> Result<bool, DatabaseError> {
    Ok(database.query_one("SELECT 1 FROM reported", &[])?.is_some())
}

/// Notes that D1's `stuck` is about to be told.
pub fn set_reported(transaction: &dyn Transaction, since: i64) -> Result<(), DatabaseError> {
    transaction
        .execute("INSERT INTO reported (only, since) VALUES (1, ?) ON CONFLICT (only) DO NOTHING", &[since.into()])?;
    Ok(())
}

/// Forgets that D1's `stuck` was told.
pub fn clear_reported(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM reported", &[])?;
    Ok(())
}
