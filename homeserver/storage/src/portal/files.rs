//! Files on their way: from the network into this server's media, and from the room to the network.
//!
//! A file that comes in costs three rows beyond its message: its row here, the update when its bytes are there, and
//! the delete when the room shows it. One that goes out costs its row, which stays: it says which file of the
//! network's goes when the event does.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The fourth step of the schema.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE files (
        place TEXT NOT NULL,
        part INTEGER NOT NULL,
        file TEXT NOT NULL,
        mxc TEXT NOT NULL,
        uploader TEXT NOT NULL,
        since INTEGER NOT NULL,
        state TEXT NOT NULL,
        note TEXT,
        PRIMARY KEY (place, part)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE uploads (
        event_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        remote_file TEXT
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX uploads_by_file ON uploads (remote_file) WHERE remote_file IS NOT NULL",
];

/// A file of a remote message whose bytes are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Where the message stands in its channel.
    pub place: String,
    /// Which part of the message the file is.
    pub part: i64,
    /// The file as the network describes it, as JSON.
    pub file: String,
    /// The address that its bytes get.
    pub mxc: String,
    /// Who uploads them: the address was reserved for them alone.
    pub uploader: String,
    /// When its bytes were first wanted, in milliseconds since the epoch.
    pub since: i64,
    /// How far it is; the engine's own word.
    pub state: String,
    /// The event that says that it is still on its way.
    pub note: Option<String>,
}

fn file_row(row: &Row) -> Result<FileRow, DatabaseError> {
    Ok(FileRow {
        place: row.text(0)?,
        part: row.integer(1)?,
        file: row.text(2)?,
        mxc: row.text(3)?,
        uploader: row.text(4)?,
        since: row.integer(5)?,
        state: row.text(6)?,
        note: row.optional_text(7)?,
    })
}

/// All files on their way in, in the order of their messages.
pub fn list(query: &dyn Query) -> Result<Vec<FileRow>, DatabaseError> {
    query
        .query("SELECT place, part, file, mxc, uploader, since, state, note FROM files ORDER BY place, part", &[])?
        .iter()
        .map(file_row)
        .collect()
}

/// Writes a file's row.
pub fn put(transaction: &dyn Transaction, row: &FileRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO files (place, part, file, mxc, uploader, since, state, note)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            (&row.place).into(),
            row.part.into(),
            (&row.file).into(),
            (&row.mxc).into(),
            (&row.uploader).into(),
            row.since.into(),
            (&row.state).into(),
            row.note.clone().into(),
        ],
    )?;
    Ok(())
}

/// Forgets a file: the room shows it.
pub fn delete(transaction: &dyn Transaction, place: &str, part: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM files WHERE place = ? AND part = ?", &[place.into(), part.into()])?;
    Ok(())
}

/// A file of the room's that the network gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// The event.
    pub event_id: String,
    /// How far it is; the engine's own word.
    pub state: String,
    /// The network's id of the file, once its bytes are there.
    pub remote_file: Option<String>,
}

fn upload_row(row: &Row) -> Result<UploadRow, DatabaseError> {
    Ok(UploadRow { event_id: row.text(0)?, state: row.text(1)?, remote_file: row.optional_text(2)? })
}

/// The file of an event.
pub fn find_upload(query: &dyn Query, event_id: &str) -> Result<Option<UploadRow>, DatabaseError> {
    query
        .query_one("SELECT event_id, state, remote_file FROM uploads WHERE event_id = ?", &[event_id.into()])?
        .as_ref()
        .map(upload_row)
        .transpose()
}

/// The event whose file has this id at the network.
pub fn find_upload_of(query: &dyn Query, remote_file: &str) -> Result<Option<UploadRow>, DatabaseError> {
    query
        .query_one("SELECT event_id, state, remote_file FROM uploads WHERE remote_file = ?", &[remote_file.into()])?
        .as_ref()
        .map(upload_row)
        .transpose()
}

/// Writes how far the file of an event is.
pub fn put_upload(transaction: &dyn Transaction, row: &UploadRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO uploads (event_id, state, remote_file) VALUES (?, ?, ?)",
        &[(&row.event_id).into(), (&row.state).into(), row.remote_file.clone().into()],
    )?;
    Ok(())
}
