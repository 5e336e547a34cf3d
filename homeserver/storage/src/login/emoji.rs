//! Custom emoji that were seen, with the copies of their pictures; and the picture of the workspace's space.
//!
//! An emoji costs three rows when it is first seen (its own and two of indexes), and none after.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The step that adds this.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE emoji (
        key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        id TEXT,
        alias_of TEXT,
        url TEXT NOT NULL,
        mxc TEXT NOT NULL,
        seen_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX emoji_by_mxc ON emoji (mxc)",
    "CREATE INDEX emoji_by_seen_at ON emoji (seen_at)",
    "CREATE TABLE icon (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        url TEXT NOT NULL,
        mxc TEXT NOT NULL
    ) STRICT",
];

/// The most emoji that a login remembers.
const MOST: i64 = 2_000;

/// A custom emoji whose picture is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmojiRow {
    /// The key of a reaction with it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The network's id, if it has one beside the name.
    pub id: Option<String>,
    /// The key of the emoji whose picture it has, if that is another one.
    pub alias_of: Option<String>,
    /// Where the network has the picture.
    pub url: String,
    /// The copy of the picture.
    pub mxc: String,
    /// When it was first seen, in milliseconds since the epoch.
    pub seen_at: i64,
}

fn read(row: &Row) -> Result<EmojiRow, DatabaseError> {
    Ok(EmojiRow {
        key: row.text(0)?,
        name: row.text(1)?,
        id: row.optional_text(2)?,
        alias_of: row.optional_text(3)?,
        url: row.text(4)?,
        mxc: row.text(5)?,
        seen_at: row.integer(6)?,
    })
}

/// The emoji with this key.
pub fn find(query: &dyn Query, key: &str) -> Result<Option<EmojiRow>, DatabaseError> {
    let sql = "SELECT key, name, id, alias_of, url, mxc, seen_at FROM emoji WHERE key = ?";
    query.query_one(sql, &[key.into()])?.as_ref().map(read).transpose()
}

/// The emoji whose picture was copied to this address.
pub fn find_by_picture(query: &dyn Query, mxc: &str) -> Result<Option<EmojiRow>, DatabaseError> {
    let sql = "SELECT key, name, id, alias_of, url, mxc, seen_at FROM emoji WHERE mxc = ? ORDER BY key LIMIT 1";
    query.query_one(sql, &[mxc.into()])?.as_ref().map(read).transpose()
}

/// Remembers an emoji, instead of the one that was seen first when there are too many.
pub fn put(transaction: &dyn Transaction, emoji: &EmojiRow) -> Result<(), DatabaseError> {
    let count = transaction.as_query().query_one("SELECT count(*) FROM emoji", &[])?;
    if count.map(|row| row.integer(0)).transpose()?.unwrap_or(0) >= MOST {
        transaction
            .execute("DELETE FROM emoji WHERE key = (SELECT key FROM emoji ORDER BY seen_at, key LIMIT 1)", &[])?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO emoji (key, name, id, alias_of, url, mxc, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        &[
            (&emoji.key).into(),
            (&emoji.name).into(),
            emoji.id.clone().into(),
            emoji.alias_of.clone().into(),
            (&emoji.url).into(),
            (&emoji.mxc).into(),
            emoji.seen_at.into(),
        ],
    )?;
    Ok(())
}

/// Forgets the emoji with these keys (a JSON list), and their aliases.
pub fn forget(transaction: &dyn Transaction, keys: &str) -> Result<(), DatabaseError> {
    let sql = "DELETE FROM emoji WHERE key IN (SELECT value FROM json_each(?1))
               OR alias_of IN (SELECT value FROM json_each(?1))";
    transaction.execute(sql, &[keys.into()])?;
    Ok(())
}

/// The copy of a picture, if an emoji with the same one is remembered: aliases have one copy.
pub fn find_copy(query: &dyn Query, url: &str) -> Result<Option<String>, DatabaseError> {
    let row = query.query_one("SELECT mxc FROM emoji WHERE url = ? LIMIT 1", &[url.into()])?;
    row.map(|row| row.text(0)).transpose()
}

/// The picture that the space was given, as (the network's address, the copy's).
pub fn icon(query: &dyn Query) -> Result<Option<(String, String)>, DatabaseError> {
    let row = query.query_one("SELECT url, mxc FROM icon", &[])?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

/// Notes the picture that the space was given.
pub fn put_icon(transaction: &dyn Transaction, url: &str, mxc: &str) -> Result<(), DatabaseError> {
    transaction.execute("INSERT OR REPLACE INTO icon (only, url, mxc) VALUES (1, ?, ?)", &[url.into(), mxc.into()])?;
    Ok(())
}
