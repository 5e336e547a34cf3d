//! Where a login's channels stand at a network that puts them under headings, and the spaces made of those.

use crate::database::{DatabaseError, Query, Transaction};

/// The step that adds this.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE places (
        channel TEXT PRIMARY KEY,
        path TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE spaces (
        place TEXT PRIMARY KEY,
        room_id TEXT NOT NULL,
        name TEXT NOT NULL,
        parent TEXT,
        rank TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE holds (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        until INTEGER NOT NULL
    ) STRICT",
];

/// A heading as a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceRow {
    /// The network's id of the heading.
    pub place: String,
    /// The room.
    pub room_id: String,
    /// The name that the network gave it last.
    pub name: String,
    /// The room of the space in which it is listed; `None` when in none.
    pub parent: Option<String>,
    /// By what it is ordered there.
    pub rank: String,
}

/// The headings over each channel that has a portal, the outermost first, as JSON.
pub fn list(query: &dyn Query) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = query.query("SELECT channel, path FROM places ORDER BY channel", &[])?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// Writes the headings over a channel: one row.
pub fn put(transaction: &dyn Transaction, channel: &str, path: &str) -> Result<(), DatabaseError> {
    transaction
        .execute("INSERT OR REPLACE INTO places (channel, path) VALUES (?, ?)", &[channel.into(), path.into()])?;
    Ok(())
}

/// The space of a heading.
pub fn find_space(query: &dyn Query, place: &str) -> Result<Option<SpaceRow>, DatabaseError> {
    query
        .query_one("SELECT place, room_id, name, parent, rank FROM spaces WHERE place = ?", &[place.into()])?
        .map(|row| {
            Ok(SpaceRow {
                place: row.text(0)?,
                room_id: row.text(1)?,
                name: row.text(2)?,
                parent: row.optional_text(3)?,
                rank: row.text(4)?,
            })
        })
        .transpose()
}

/// Writes a space: one row.
pub fn put_space(transaction: &dyn Transaction, space: &SpaceRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO spaces (place, room_id, name, parent, rank) VALUES (?, ?, ?, ?, ?)",
        &[
            (&space.place).into(),
            (&space.room_id).into(),
            (&space.name).into(),
            space.parent.clone().into(),
            (&space.rank).into(),
        ],
    )?;
    Ok(())
}

/// Until when the network wants no call at all, in milliseconds since the epoch.
pub fn held_until(query: &dyn Query) -> Result<i64, DatabaseError> {
    Ok(query.query_one("SELECT until FROM holds", &[])?.map(|row| row.integer(0)).transpose()?.unwrap_or(0))
}

/// Writes that: one row.
pub fn put_hold(transaction: &dyn Transaction, until: i64) -> Result<(), DatabaseError> {
    transaction.execute("INSERT OR REPLACE INTO holds (only, until) VALUES (1, ?)", &[until.into()])?;
    Ok(())
}
