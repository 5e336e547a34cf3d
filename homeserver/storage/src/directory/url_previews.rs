//! What pages said of themselves, kept for a while ([`/preview_url`]).
//!
//! [`/preview_url`]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediapreview_url

use super::{Directory, run};
use crate::database::DatabaseError;

/// A page's preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPreview {
    /// The answer to clients, as JSON.
    pub body: String,
    /// The address that its image was copied from.
    pub image_source: Option<String>,
    /// When the page was fetched.
    pub fetched_at: i64,
}

/// The preview of a page, however old.
pub async fn get(directory: &dyn Directory, url: &str) -> Result<Option<UrlPreview>, DatabaseError> {
    let rows =
        run(directory, "SELECT body, image_source, fetched_at FROM url_previews WHERE url = ?", vec![url.into()])
            .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(UrlPreview { body: row.text(0)?, image_source: row.optional_text(1)?, fetched_at: row.integer(2)? }))
}

/// Stores a preview in place of an older one.
pub async fn put(directory: &dyn Directory, url: &str, preview: &UrlPreview) -> Result<(), DatabaseError> {
    run(
        directory,
        "INSERT INTO url_previews (url, body, image_source, fetched_at) VALUES (?, ?, ?, ?) ON CONFLICT (url) DO UPDATE SET body = excluded.body, image_source = excluded.image_source, fetched_at = excluded.fetched_at",
        vec![
            url.into(),
            preview.body.as_str().into(),
            preview.image_source.as_deref().into(),
            preview.fetched_at.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Forgets previews that were fetched before a time.
pub async fn forget_older(directory: &dyn Directory, before: i64) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM url_previews WHERE fetched_at < ?", vec![before.into()]).await?;
    Ok(())
}
