//! Who follows a room, how far each has come, and which spans of the stream each gets.
//!
//! A follower has one cursor, and spans `[first, last]` of positions that concern it (`last` is
//! `NULL` while it goes on). An invite is a span of one; a join opens one, a leave closes it.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The kind of a follower that is a local user.
pub const USER: &str = "user";
/// The kind of a follower that is an appservice.
pub const APPSERVICE: &str = "appservice";
/// The kind of the follower that is D1's archive.
pub const ARCHIVE: &str = "archive";
/// The kind of the follower that is the full-text index.
pub const SEARCH: &str = "search";

/// A follower.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowerRow {
    /// [`USER`], [`APPSERVICE`], [`ARCHIVE`] or [`SEARCH`].
    pub kind: String,
    /// The user id or appservice id.
    pub id: String,
    /// The epoch of what it holds.
    pub epoch: i64,
    /// The last position it holds.
    pub position: i64,
    /// For an appservice: how many joined members interest it.
    pub members: i64,
}

/// A span of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanRow {
    /// The first position.
    pub first: i64,
    /// The last position; `None`: goes on.
    pub last: Option<i64>,
    /// Whether it begins with a snapshot (a join).
    pub snapshot: bool,
}

fn read(row: &Row) -> Result<FollowerRow, DatabaseError> {
    Ok(FollowerRow {
        kind: row.text(0)?,
        id: row.text(1)?,
        epoch: row.integer(2)?,
        position: row.integer(3)?,
        members: row.integer(4)?,
    })
}

/// All followers.
pub fn list(query: &dyn Query) -> Result<Vec<FollowerRow>, DatabaseError> {
    let rows = query.query("SELECT kind, id, epoch, position, members FROM followers", &[])?;
    rows.iter().map(read).collect()
}

/// One follower.
pub fn get(query: &dyn Query, kind: &str, id: &str) -> Result<Option<FollowerRow>, DatabaseError> {
    query
        .query_one(
            "SELECT kind, id, epoch, position, members FROM followers WHERE kind = ? AND id = ?",
            &[kind.into(), id.into()],
        )?
        .as_ref()
        .map(read)
        .transpose()
}

/// The followers for which something waits: an open or unfinished span above their cursor.
pub fn pending(query: &dyn Query, head: i64) -> Result<Vec<FollowerRow>, DatabaseError> {
    let rows = query.query(
        "SELECT f.kind, f.id, f.epoch, f.position, f.members FROM followers f
         WHERE f.position < ? AND EXISTS (
            SELECT 1 FROM follower_spans s WHERE s.kind = f.kind AND s.id = f.id
            AND (s.last IS NULL OR s.last > f.position))",
        &[head.into()],
    )?;
    rows.iter().map(read).collect()
}

/// The local users who are joined, at most so many.
pub fn list_joined_users(query: &dyn Query, most: u32) -> Result<Vec<String>, DatabaseError> {
    query
        .query("SELECT id FROM follower_spans WHERE kind = ? AND last IS NULL LIMIT ?", &[USER.into(), most.into()])?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Whether a follower goes on following: its newest span is open.
pub fn follows(query: &dyn Query, kind: &str, id: &str) -> Result<bool, DatabaseError> {
    let row = query.query_one(
        "SELECT 1 FROM follower_spans WHERE kind = ? AND id = ? AND last IS NULL LIMIT 1",
        &[kind.into(), id.into()],
    )?;
    Ok(row.is_some())
}

/// Writes a follower.
pub fn put(transaction: &dyn Transaction, follower: &FollowerRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO followers (kind, id, epoch, position, members) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (kind, id) DO UPDATE SET epoch = excluded.epoch,
            position = excluded.position, members = excluded.members",
        &[
            (&follower.kind).into(),
            (&follower.id).into(),
            follower.epoch.into(),
            follower.position.into(),
            follower.members.into(),
        ],
    )?;
    Ok(())
}

/// A follower's spans that end above `position`, in order.
pub fn spans(query: &dyn Query, kind: &str, id: &str, position: i64) -> Result<Vec<SpanRow>, DatabaseError> {
    let rows = query.query(
        "SELECT first, last, snapshot FROM follower_spans
         WHERE kind = ? AND id = ? AND (last IS NULL OR last > ?) ORDER BY first",
        &[kind.into(), id.into(), position.into()],
    )?;
    rows.iter()
        .map(|row| Ok(SpanRow { first: row.integer(0)?, last: row.optional_integer(1)?, snapshot: row.flag(2)? }))
        .collect()
}

/// Opens a span.
pub fn open_span(transaction: &dyn Transaction, kind: &str, id: &str, span: SpanRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO follower_spans (kind, id, first, last, snapshot)
         VALUES (?, ?, ?, ?, ?)",
        &[kind.into(), id.into(), span.first.into(), span.last.into(), span.snapshot.into()],
    )?;
    Ok(())
}

/// Closes the open span, if there is one, at `last`.
pub fn close_span(transaction: &dyn Transaction, kind: &str, id: &str, last: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE follower_spans SET last = ? WHERE kind = ? AND id = ? AND last IS NULL",
        &[last.into(), kind.into(), id.into()],
    )?;
    Ok(())
}

/// Moves a follower's cursor and drops the spans that lie wholly behind it.
pub fn advance(
    transaction: &dyn Transaction,
    kind: &str,
    id: &str,
    epoch: i64,
    position: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "UPDATE followers SET epoch = ?, position = ? WHERE kind = ? AND id = ?",
        &[epoch.into(), position.into(), kind.into(), id.into()],
    )?;
    transaction.execute(
        "DELETE FROM follower_spans WHERE kind = ? AND id = ? AND last IS NOT NULL AND last <= ?",
        &[kind.into(), id.into(), position.into()],
    )?;
    Ok(())
}
