//! The ghosts of a login: who has one, under what name, and whose picture is owed.

use crate::database::{DatabaseError, Query, Transaction};

/// The step that adds pictures: `ghosts.picture` is the one that the ghost has or is to get,
/// `pictures` those that it has not got yet.
pub(super) const PICTURES: &[&str] = &[
    "ALTER TABLE ghosts ADD COLUMN picture TEXT",
    "CREATE TABLE pictures (
        remote_user TEXT PRIMARY KEY,
        url TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
];

/// Somebody of the workspace as Matrix knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GhostRow {
    /// The network's id.
    pub remote_user: String,
    /// The ghost's Matrix id.
    pub user_id: String,
    /// The name that was set last.
    pub name: String,
    /// Where the network has the picture; `None` while that is not known.
    pub picture: Option<String>,
    /// When the network was asked for it.
    pub refreshed_at: i64,
}

/// A ghost that was registered.
pub fn find(query: &dyn Query, remote_user: &str) -> Result<Option<GhostRow>, DatabaseError> {
    query
        .query_one(
            "SELECT remote_user, user_id, name, picture, refreshed_at FROM ghosts WHERE remote_user = ?",
            &[remote_user.into()],
        )?
        .map(|row| {
            Ok(GhostRow {
                remote_user: row.text(0)?,
                user_id: row.text(1)?,
                name: row.text(2)?,
                picture: row.optional_text(3)?,
                refreshed_at: row.integer(4)?,
            })
        })
        .transpose()
}

/// Whether there are at least `most` ghosts whose id begins with this and a tilde.
pub fn has_many(query: &dyn Query, beginning: &str, most: u32) -> Result<bool, DatabaseError> {
    // The byte after a tilde ends the range.
    let (from, to) = (format!("{beginning}~"), format!("{beginning}\u{7f}"));
    let sql = "SELECT 1 FROM ghosts WHERE remote_user >= ? AND remote_user < ? LIMIT 1 OFFSET ?";
    let last = i64::from(most).saturating_sub(1);
    Ok(query.query_one(sql, &[from.into(), to.into(), last.into()])?.is_some())
}

/// Writes a ghost's row.
pub fn put(transaction: &dyn Transaction, ghost: &GhostRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO ghosts (remote_user, user_id, name, picture, refreshed_at) VALUES (?, ?, ?, ?, ?)",
        &[
            (&ghost.remote_user).into(),
            (&ghost.user_id).into(),
            (&ghost.name).into(),
            ghost.picture.clone().into(),
            ghost.refreshed_at.into(),
        ],
    )?;
    Ok(())
}

/// Notes that a ghost is to get the picture at this URL.
pub fn owe_picture(transaction: &dyn Transaction, remote_user: &str, url: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO pictures (remote_user, url) VALUES (?, ?)",
        &[remote_user.into(), url.into()],
    )?;
    Ok(())
}

/// The pictures that are owed, as (remote user, URL).
pub fn list_pictures(query: &dyn Query) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = query.query("SELECT remote_user, url FROM pictures ORDER BY remote_user", &[])?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// A picture is owed no more; a newer one still is.
pub fn settle_picture(transaction: &dyn Transaction, remote_user: &str, url: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM pictures WHERE remote_user = ? AND url = ?", &[remote_user.into(), url.into()])?;
    Ok(())
}

/// Forgets where a picture is, so that the next look at the network brings it up again.
pub fn forget_picture(transaction: &dyn Transaction, remote_user: &str) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE ghosts SET picture = NULL WHERE remote_user = ?", &[remote_user.into()])?;
    Ok(())
}
