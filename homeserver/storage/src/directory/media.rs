//! Media ids, the bytes they share, and the keys under which these lie in R2.
//!
//! Bytes cannot be renamed in R2, and their hash is known when they are stored. So each upload goes to
//! a key of its own that is noted first ([`begin`]); [`finish`] either makes it the key of its
//! hash or finds that the bytes are there already. Whatever a crash leaves behind is in
//! `unowned_blobs`, for Cron to delete ([`doom`]).

use super::{Directory, Statement, run};
use crate::{
    blobs::Stored,
    database::{DatabaseError, Row, Value},
};

/// How exact `used_at` is, in milliseconds: a use is written down once a day.
const USE_GRANULARITY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is known of a media id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Who uploaded it, or may.
    pub uploader: String,
    /// Until when its bytes may be uploaded, for one that was reserved.
    pub expires_at: Option<i64>,
    /// Its media type as the uploader told it.
    pub content_type: Option<String>,
    /// Its file name as the uploader told it.
    pub file_name: Option<String>,
    /// Its bytes; `None` until they are uploaded.
    pub blob: Option<Blob>,
}

/// Bytes in R2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Hex SHA-256.
    pub hash: String,
    /// Where they are.
    pub r2_key: String,
    /// How many.
    pub size: u64,
}

/// What an uploader tells about bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The media type.
    pub content_type: Option<String>,
    /// The file name.
    pub file_name: Option<String>,
    /// The address that the bytes were copied from.
    pub remote_source: Option<String>,
}

/// An upload whose bytes are stored.
pub struct Finished<'a> {
    /// The media id.
    pub media_id: &'a str,
    /// Who uploads.
    pub uploader: &'a str,
    /// Whether the id was reserved, and so has a row already.
    pub reserved: bool,
    /// What was told of the bytes.
    pub description: &'a Description,
    /// Where they were stored.
    pub r2_key: &'a str,
    /// What was stored there.
    pub stored: &'a Stored,
    /// The time.
    pub now: i64,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key holds the bytes of the media id now.
    Adopted,
    /// The bytes were there already under another key: this one is to be deleted.
    Duplicate,
    /// The reservation is gone or was filled meanwhile, or the upload took too long: this key is to
    /// be deleted.
    Refused,
}

/// Reserves a media id, unless the user has `limit` reserved ones that are still empty.
pub async fn reserve(
    directory: &dyn Directory,
    media_id: &str,
    uploader: &str,
    now: i64,
    expires_at: i64,
    limit: u32,
) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "INSERT INTO media (media_id, uploader, created_at, expires_at, used_at) SELECT ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM media WHERE hash IS NULL AND expires_at > ? AND uploader = ?) < ? RETURNING media_id",
        vec![
            media_id.into(),
            uploader.into(),
            now.into(),
            expires_at.into(),
            now.into(),
            now.into(),
            uploader.into(),
            limit.into(),
        ],
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Notes that bytes may appear under this key.
pub async fn begin(directory: &dyn Directory, r2_key: &str, now: i64) -> Result<(), DatabaseError> {
    let params = vec![r2_key.into(), now.into()];
    run(directory, "INSERT INTO unowned_blobs (r2_key, since, doomed) VALUES (?, ?, 0)", params).await?;
    Ok(())
}

const FIND: &str = "SELECT m.uploader, m.expires_at, m.content_type, m.file_name, b.hash, b.r2_key, b.size FROM media m LEFT JOIN blobs b ON b.hash = m.hash WHERE m.media_id = ?";

/// What is known of a media id.
pub async fn find(directory: &dyn Directory, media_id: &str) -> Result<Option<Media>, DatabaseError> {
    let rows = run(directory, FIND, vec![media_id.into()]).await?;
    rows.first().map(read).transpose()
}

/// The same, and a use of it is noted.
pub async fn find_and_use(directory: &dyn Directory, media_id: &str, now: i64) -> Result<Option<Media>, DatabaseError> {
    let results = directory
        .batch(vec![
            Statement::new(FIND, vec![media_id.into()]),
            Statement::new(
                "UPDATE media SET used_at = ? WHERE media_id = ? AND used_at < ?",
                vec![now.into(), media_id.into(), (now - USE_GRANULARITY_MS).into()],
            ),
        ])
        .await?;
    results.first().and_then(|rows| rows.first()).map(read).transpose()
}

fn read(row: &Row) -> Result<Media, DatabaseError> {
    let blob = match row.optional_text(4)? {
        None => None,
        Some(hash) => {
            Some(Blob { hash, r2_key: row.text(5)?, size: u64::try_from(row.integer(6)?).map_err(DatabaseError::new)? })
        }
    };
    Ok(Media {
        uploader: row.text(0)?,
        expires_at: row.optional_integer(1)?,
        content_type: row.optional_text(2)?,
        file_name: row.optional_text(3)?,
        blob,
    })
}

/// Gives stored bytes to their media id, in one transaction.
pub async fn finish(directory: &dyn Directory, upload: &Finished<'_>) -> Result<Outcome, DatabaseError> {
    let size = i64::try_from(upload.stored.size).map_err(DatabaseError::new)?;
    let hash = upload.stored.hash.as_str();
    // Nothing is adopted that Cron may be deleting.
    let (sql, params): (_, Vec<Value>) = if upload.reserved {
        (
            "INSERT INTO blobs (hash, r2_key, size, uses) SELECT ?, r2_key, ?, 1 FROM unowned_blobs WHERE r2_key = ? AND doomed = 0 AND EXISTS (SELECT 1 FROM media WHERE media_id = ? AND hash IS NULL) ON CONFLICT (hash) DO UPDATE SET uses = uses + 1 RETURNING r2_key",
            vec![hash.into(), size.into(), upload.r2_key.into(), upload.media_id.into()],
        )
    } else {
        (
            "INSERT INTO blobs (hash, r2_key, size, uses) SELECT ?, r2_key, ?, 1 FROM unowned_blobs WHERE r2_key = ? AND doomed = 0 ON CONFLICT (hash) DO UPDATE SET uses = uses + 1 RETURNING r2_key",
            vec![hash.into(), size.into(), upload.r2_key.into()],
        )
    };
    let adopt = Statement::new(sql, params);
    let own = Statement::new(
        "DELETE FROM unowned_blobs WHERE r2_key = ? AND EXISTS (SELECT 1 FROM blobs WHERE hash = ? AND r2_key = unowned_blobs.r2_key)",
        vec![upload.r2_key.into(), hash.into()],
    );
    let results = directory.batch(vec![adopt, describe(upload), own]).await?;
    let adopted = results.first().and_then(|rows| rows.first()).map(|row| row.text(0)).transpose()?;
    Ok(match adopted {
        None => Outcome::Refused,
        Some(key) if key == upload.r2_key => Outcome::Adopted,
        Some(_) => Outcome::Duplicate,
    })
}

/// Writes the row of the media id, if the statement before could take the bytes over.
fn describe(upload: &Finished<'_>) -> Statement {
    let Description { content_type, file_name, remote_source } = upload.description;
    let told: [Value; 3] =
        [content_type.as_deref().into(), file_name.as_deref().into(), remote_source.as_deref().into()];
    let hash = upload.stored.hash.as_str();
    if upload.reserved {
        let params = [hash.into()].into_iter().chain(told);
        let params = params.chain([upload.now.into(), upload.media_id.into(), upload.r2_key.into()]);
        return Statement::new(
            "UPDATE media SET hash = ?, content_type = ?, file_name = ?, remote_source = ?, used_at = ? WHERE media_id = ? AND hash IS NULL AND EXISTS (SELECT 1 FROM unowned_blobs WHERE r2_key = ? AND doomed = 0)",
            params.collect(),
        );
    }
    let params = [upload.media_id.into(), upload.uploader.into(), upload.now.into(), hash.into()].into_iter();
    let params = params.chain(told).chain([upload.now.into(), upload.r2_key.into()]);
    Statement::new(
        "INSERT INTO media (media_id, uploader, created_at, hash, content_type, file_name, remote_source, used_at) SELECT ?, ?, ?, ?, ?, ?, ?, ? FROM unowned_blobs WHERE r2_key = ? AND doomed = 0",
        params.collect(),
    )
}

/// Forgets keys whose bytes are deleted.
pub async fn forget(directory: &dyn Directory, r2_keys: &[String]) -> Result<(), DatabaseError> {
    let keys = serde_json::to_string(r2_keys).map_err(DatabaseError::new)?;
    run(directory, "DELETE FROM unowned_blobs WHERE r2_key IN (SELECT value FROM json_each(?))", vec![keys.into()])
        .await?;
    Ok(())
}

/// Deletes a media id. `None` when there is none; else the key of its bytes if nobody else uses them:
/// they are to be deleted, and Cron deletes them once more, with what was being made of them.
pub async fn delete(
    directory: &dyn Directory,
    media_id: &str,
    now: i64,
) -> Result<Option<Option<String>>, DatabaseError> {
    let id = || vec![Value::from(media_id)];
    let results = directory
        .batch(vec![
            Statement::new("UPDATE blobs SET uses = uses - 1 WHERE hash = (SELECT hash FROM media WHERE media_id = ?)", id()),
            Statement::new(
                "INSERT INTO unowned_blobs (r2_key, since, doomed) SELECT r2_key, ?, 1 FROM blobs WHERE hash = (SELECT hash FROM media WHERE media_id = ?) AND uses <= 0",
                vec![now.into(), media_id.into()],
            ),
            Statement::new(
                "DELETE FROM blobs WHERE hash = (SELECT hash FROM media WHERE media_id = ?) AND uses <= 0 RETURNING r2_key",
                id(),
            ),
            Statement::new("DELETE FROM media WHERE media_id = ? RETURNING media_id", id()),
        ])
        .await?;
    let key = results.get(2).and_then(|rows| rows.first()).map(|row| row.text(0)).transpose()?;
    let deleted = results.get(3).is_some_and(|rows| !rows.is_empty());
    Ok(deleted.then_some(key))
}

/// At most `limit` media ids of a user.
pub async fn list_of(directory: &dyn Directory, uploader: &str, limit: u32) -> Result<Vec<String>, DatabaseError> {
    let sql = "SELECT media_id FROM media WHERE uploader = ? ORDER BY media_id LIMIT ?";
    ids(run(directory, sql, vec![uploader.into(), limit.into()]).await?)
}

/// At most `limit` media ids that nobody used since a time, within a day. Reads the whole table: an
/// index would cost each upload a row, for a question that the operator asks now and then.
pub async fn list_unused(directory: &dyn Directory, since: i64, limit: u32) -> Result<Vec<String>, DatabaseError> {
    let sql = "SELECT media_id FROM media WHERE used_at < ? AND hash IS NOT NULL LIMIT ?";
    ids(run(directory, sql, vec![since.into(), limit.into()]).await?)
}

fn ids(rows: Vec<Row>) -> Result<Vec<String>, DatabaseError> {
    rows.iter().map(|row| row.text(0)).collect()
}

/// Forgets reserved ids that expired before a time and were never filled.
pub async fn forget_expired(directory: &dyn Directory, before: i64) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM media WHERE hash IS NULL AND expires_at < ?", vec![before.into()]).await?;
    Ok(())
}

/// At most `limit` keys that have been unowned since before a time. From now on no upload adopts them.
pub async fn doom(directory: &dyn Directory, before: i64, limit: u32) -> Result<Vec<String>, DatabaseError> {
    let sql = "UPDATE unowned_blobs SET doomed = 1 WHERE r2_key IN (SELECT r2_key FROM unowned_blobs WHERE since < ? LIMIT ?) RETURNING r2_key";
    ids(run(directory, sql, vec![before.into(), limit.into()]).await?)
}
