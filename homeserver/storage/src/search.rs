//! The queries of the second D1, `SEARCH`: the full-text index ([`crate::directory::Directory`] over
//! another database, with the migrations of `migrations/search/`).
//!
//! Each room writes its own part in batches: [`admit`], then [`put_text`] and [`remove_text`], then
//! [`put_position`]. A batch that comes late (its room was restarted meanwhile) writes no text, so
//! what was redacted stays out.

use crate::{
    database::{DatabaseError, MAX_INTEGER, Row},
    directory::{Directory, Statement, run},
    room::{LIVE, MAX_INITIAL},
};

/// How many places each room has among the rowids of `texts`; the queries below spell it out.
const PLACES: i64 = 1 << 33;
/// The place of [`LIVE`]: initial events lie below it by themselves, imported ones count down from it.
const LIVE_PLACE: i64 = 1 << 32;
/// The last place: of rooms that may be searched to their end.
pub const LAST_PLACE: i64 = PLACES - 1;

/// The place of an event in its room's part of the index; `None` when it has none there.
pub fn place_of(order_key: i64) -> Option<i64> {
    if (0..MAX_INITIAL).contains(&order_key) {
        return Some(order_key);
    }
    let place = order_key.checked_sub(LIVE)?.checked_add(LIVE_PLACE)?;
    (MAX_INITIAL..PLACES).contains(&place).then_some(place)
}

/// The order_key of the event at a rowid.
fn order_key_of(id: i64) -> i64 {
    let place = id.rem_euclid(PLACES);
    if place < MAX_INITIAL { place } else { place - LIVE_PLACE + LIVE }
}

/// Which key of an event is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `content.body` of messages.
    Body,
    /// `content.name` of room names.
    Name,
    /// `content.topic` of room topics.
    Topic,
}

impl Field {
    /// The column.
    pub fn column(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Name => "name",
            Self::Topic => "topic",
        }
    }
}

/// What is indexed of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The event's place in paging.
    pub order_key: i64,
    /// Where the text stood.
    pub field: Field,
    /// The text.
    pub text: String,
    /// The sender.
    pub sender: String,
    /// `origin_server_ts`.
    pub ts: i64,
}

/// Gives a room its number unless it has one.
pub fn admit(room_id: &str) -> Statement {
    Statement::new("INSERT OR IGNORE INTO indexed_rooms (room_id, position) VALUES (?, 0)", vec![room_id.into()])
}

/// Indexes an event, in a batch that reaches `through`; replaces what was indexed of it.
pub fn put_text(room_id: &str, text: &Text, through: i64) -> Option<Statement> {
    let column = |field: Field| (field == text.field).then_some(text.text.as_str());
    Some(Statement::new(
        "INSERT OR REPLACE INTO texts (rowid, body, name, topic, sender, ts)
         SELECT number * 8589934592 + CAST(? AS INTEGER), ?, ?, ?, ?, CAST(? AS INTEGER)
         FROM indexed_rooms WHERE room_id = ? AND position < ?",
        vec![
            place_of(text.order_key)?.into(),
            column(Field::Body).into(),
            column(Field::Name).into(),
            column(Field::Topic).into(),
            (&text.sender).into(),
            text.ts.into(),
            room_id.into(),
            through.into(),
        ],
    ))
}

/// Takes an event out of the index.
pub fn remove_text(room_id: &str, order_key: i64) -> Option<Statement> {
    Some(Statement::new(
        "DELETE FROM texts WHERE rowid =
            (SELECT number * 8589934592 + CAST(? AS INTEGER) FROM indexed_rooms WHERE room_id = ?)",
        vec![place_of(order_key)?.into(), room_id.into()],
    ))
}

/// Notes that a room is indexed up to a position of its stream.
pub fn put_position(room_id: &str, position: i64) -> Statement {
    Statement::new(
        "UPDATE indexed_rooms SET position = ? WHERE room_id = ? AND position < ?",
        vec![position.into(), room_id.into(), position.into()],
    )
}

/// Up to which position a room is indexed; 0 when it is not.
pub async fn position(search: &dyn Directory, room_id: &str) -> Result<i64, DatabaseError> {
    let sql = "SELECT position FROM indexed_rooms WHERE room_id = ?";
    let rows = run(search, sql, vec![room_id.into()]).await?;
    rows.first().map_or(Ok(0), |row| row.integer(0))
}

/// Up to which position each of these rooms is indexed; those that are not are missing.
pub async fn positions(search: &dyn Directory, room_ids: &[&str]) -> Result<Vec<(String, i64)>, DatabaseError> {
    let ids = serde_json::to_string(room_ids).map_err(DatabaseError::new)?;
    let sql = "SELECT r.room_id, r.position FROM json_each(?) j JOIN indexed_rooms r ON r.room_id = j.value";
    let rows = run(search, sql, vec![ids.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.integer(1)?))).collect()
}

/// Forgets how far a room is indexed, so that it is indexed again from its start.
pub async fn forget_position(search: &dyn Directory, room_id: &str) -> Result<(), DatabaseError> {
    let sql = "UPDATE indexed_rooms SET position = 0 WHERE room_id = ? AND position > 0";
    run(search, sql, vec![room_id.into()]).await?;
    Ok(())
}

/// Empties the index. Its rooms must be told to fill it again.
pub async fn empty(search: &dyn Directory) -> Result<(), DatabaseError> {
    let statements = ["INSERT INTO texts (texts) VALUES ('delete-all')", "DELETE FROM indexed_rooms"];
    search.batch(statements.map(|sql| Statement::new(sql, vec![])).into()).await?;
    Ok(())
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Lookup<'a> {
    /// An FTS5 query that holds nothing of a stranger's but quoted strings.
    pub query: &'a str,
    /// The rooms, each with the last place in it that may be found.
    pub rooms: &'a [(&'a str, i64)],
    /// Only by these senders.
    pub senders: Option<Vec<&'a str>>,
    /// Not by these.
    pub not_senders: Vec<&'a str>,
    /// Only what comes after the hit with these values; `None`: from the start.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Where a hit stands in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is sorted by, descending: here its time.
    pub value: i64,
    /// Its rowid, for hits of one value.
    pub id: i64,
}

/// An event that matches. Whether the reader may see it is for its room to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its place in the order of time.
    pub place: Place,
    /// The room.
    pub room_id: String,
    /// Its place in the room's paging.
    pub order_key: i64,
}

/// The newest hits. How well they match is not asked of the index: its measure rests on how often
/// everybody on the server uses a word.
pub async fn find(search: &dyn Directory, lookup: &Lookup<'_>) -> Result<Vec<Hit>, DatabaseError> {
    let json = |list: &[&str]| serde_json::to_string(list).map_err(DatabaseError::new);
    let after = lookup.after.unwrap_or(Place { value: MAX_INTEGER, id: 0 });
    let rows = run(
        search,
        "WITH mine AS MATERIALIZED (
            SELECT r.number, r.room_id, j.value ->> 1 AS last
            FROM json_each(?) j JOIN indexed_rooms r ON r.room_id = j.value ->> 0
         )
         SELECT texts.rowid AS id, mine.room_id AS room_id, texts.ts AS ts
         FROM texts CROSS JOIN mine ON mine.number = texts.rowid / 8589934592
         WHERE texts MATCH ? AND texts.rowid % 8589934592 <= mine.last
            AND (texts.ts, texts.rowid) < (?, ?)
            AND (? = 0 OR texts.sender IN (SELECT value FROM json_each(?)))
            AND texts.sender NOT IN (SELECT value FROM json_each(?))
         ORDER BY texts.ts DESC, texts.rowid DESC LIMIT ?",
        vec![
            serde_json::to_string(lookup.rooms).map_err(DatabaseError::new)?.into(),
            lookup.query.into(),
            after.value.into(),
            after.id.into(),
            lookup.senders.is_some().into(),
            json(lookup.senders.as_deref().unwrap_or_default())?.into(),
            json(&lookup.not_senders)?.into(),
            lookup.limit.into(),
        ],
    )
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Hit, DatabaseError> {
    let id = row.integer(0)?;
    Ok(Hit { place: Place { value: row.integer(2)?, id }, room_id: row.text(1)?, order_key: order_key_of(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_one_place_and_every_place_one_event() {
        for order_key in [1, MAX_INITIAL - 1, LIVE - 1_000_000, LIVE - 1, LIVE, LIVE + 1, LIVE + 4_000_000_000] {
            let place = place_of(order_key).unwrap();
            assert_eq!(order_key_of(7 * PLACES + place), order_key);
        }
        assert_eq!(place_of(MAX_INITIAL), None);
        assert_eq!(place_of(-1), None);
        assert_eq!(place_of(LIVE + PLACES), None);
    }
}
