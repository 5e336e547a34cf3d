//! Finding events by their time, without an index entry for every message.
//!
//! Order keys rise almost as time does, but not quite: bridged messages bring the time of their
//! network. So the smallest and largest time of each block of [`BLOCK`] order_keys is kept, and only
//! blocks that can hold the answer are read. A block is summed up when somebody first asks, once
//! the room has gone beyond it: a message costs nothing here, and each is read once. Imported
//! history, when it comes, will have to drop the blocks that it writes into.

use super::events::{EventRow, select_events};
use crate::database::{DatabaseError, Query, Row, Transaction};

/// How many order_keys a block spans.
pub const BLOCK: i64 = 256;

/// The table; a part of the step of [`super::relations`].
pub(super) const TABLE: &str = "CREATE TABLE time_blocks (
    block INTEGER PRIMARY KEY,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT";

/// A block of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number: order_key divided by [`BLOCK`].
    pub block: i64,
    /// The smallest `origin_server_ts` in it.
    pub oldest: i64,
    /// The largest.
    pub newest: i64,
}

fn block(row: &Row) -> Result<Block, DatabaseError> {
    Ok(Block { block: row.integer(0)?, oldest: row.integer(1)?, newest: row.integer(2)? })
}

/// The last block that was summed up; -1 when none was.
pub fn last_block(query: &dyn Query) -> Result<i64, DatabaseError> {
    let row = query.query_one("SELECT block FROM time_blocks ORDER BY block DESC LIMIT 1", &[])?;
    row.map_or(Ok(-1), |row| row.integer(0))
}

/// Sums up the blocks that lie after `last` and before the one of `head`.
pub fn sum_up(transaction: &dyn Transaction, last: i64, head: i64) -> Result<(), DatabaseError> {
    // SQL divides integers that are bound as doubles as doubles.
    transaction.execute(
        "INSERT INTO time_blocks (block, oldest, newest)
         SELECT order_key / 256, MIN(json_extract(pdu, '$.origin_server_ts')), MAX(json_extract(pdu, '$.origin_server_ts'))
         FROM events WHERE order_key >= ? AND order_key < ? GROUP BY order_key / 256",
        &[(last + 1).saturating_mul(BLOCK).into(), head.into()],
    )?;
    Ok(())
}

/// The blocks that may hold the event at or after (or, backwards, at or before) a time, those that
/// may hold the nearest first.
pub fn candidates(query: &dyn Query, ts: i64, forwards: bool, limit: u32) -> Result<Vec<Block>, DatabaseError> {
    let sql = if forwards {
        "SELECT block, oldest, newest FROM time_blocks WHERE newest >= ?1 ORDER BY MAX(oldest, ?1), block LIMIT ?2"
    } else {
        "SELECT block, oldest, newest FROM time_blocks WHERE oldest <= ?1
         ORDER BY MIN(newest, ?1) DESC, block DESC LIMIT ?2"
    };
    query.query(sql, &[ts.into(), limit.into()])?.iter().map(block).collect()
}

/// An event with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedEvent {
    /// The event.
    pub event: EventRow,
    /// `origin_server_ts`.
    pub ts: i64,
}

macro_rules! nearest_events {
    ($comparison:literal, $order:literal) => {
        select_events!(
            ", json_extract(e.pdu, '$.origin_server_ts') AS ts FROM events e
             WHERE e.order_key >= ? AND e.order_key < ? AND e.rejected = 0
                AND json_extract(e.pdu, '$.origin_server_ts') ",
            $comparison,
            " ? ORDER BY ts ",
            $order,
            ", e.order_key ",
            $order
        )
    };
}

/// The events with an order_key in `[from, below)` at or after (or, backwards, at or before) a time,
/// the nearest first; of those at the same time, the one that is next in that direction.
pub fn nearest(
    query: &dyn Query,
    (from, below): (i64, i64),
    ts: i64,
    forwards: bool,
) -> Result<Vec<TimedEvent>, DatabaseError> {
    let sql = if forwards { nearest_events!(">=", "ASC") } else { nearest_events!("<=", "DESC") };
    query
        .query(sql, &[from.into(), below.into(), ts.into()])?
        .iter()
        .map(|row| Ok(TimedEvent { event: EventRow::read(row)?, ts: row.integer(13)? }))
        .collect()
}
