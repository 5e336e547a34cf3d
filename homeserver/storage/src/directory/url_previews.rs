//! What pages said of themselves, kept for a while ([`/preview_url`]).
//!
//! [`/preview_url`]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediapreview_url

use super::{Directory, Statement, run};
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

/// Stores a preview in place of an older one. If that has another image, it goes on under an address that nobody can
/// ask for, so that the image is there for as long as any.
pub async fn put(directory: &dyn Directory, url: &str, preview: &UrlPreview) -> Result<(), DatabaseError> {
    const SET_ASIDE: &str = "INSERT OR REPLACE INTO url_previews (url, body, image_source, fetched_at) SELECT url || '#' || json_extract(body, '$.\"og:image\"'), body, image_source, fetched_at FROM url_previews WHERE url = ? AND json_extract(body, '$.\"og:image\"') IS NOT NULL AND json_extract(body, '$.\"og:image\"') IS NOT json_extract(?, '$.\"og:image\"')";
    const PUT: &str = "INSERT INTO url_previews (url, body, image_source, fetched_at) VALUES (?, ?, ?, ?) ON CONFLICT (url) DO UPDATE SET body = excluded.body, image_source = excluded.image_source, fetched_at = excluded.fetched_at";
    let params = vec![
        url.into(),
        preview.body.as_str().into(),
        preview.image_source.as_deref().into(),
        preview.fetched_at.into(),
    ];
    let set_aside = Statement::new(SET_ASIDE, vec![url.into(), preview.body.as_str().into()]);
    directory.batch(vec![set_aside, Statement::new(PUT, params)]).await?;
    Ok(())
}

/// A preview that is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The page, or what a replaced preview is kept under.
    pub url: String,
    /// The media id of the copy of its image.
    pub image: Option<String>,
}

/// Some of the previews that were fetched before a time, and whose image nobody looked at since. `image_prefix` is
/// what stands before the media ids of this server: `mxc://server/`.
pub async fn list_older(
    directory: &dyn Directory,
    image_prefix: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Expired>, DatabaseError> {
    let start = u32::try_from(image_prefix.len()).unwrap_or(u32::MAX).saturating_add(1);
    let rows = run(
        directory,
        "SELECT p.url, m.media_id FROM url_previews p LEFT JOIN media m ON m.media_id = substr(json_extract(p.body, '$.\"og:image\"'), ?) AND m.remote_source IS NOT NULL WHERE p.fetched_at < ? AND (m.used_at IS NULL OR m.used_at < ?) ORDER BY p.fetched_at LIMIT ?",
        vec![start.into(), before.into(), before.into(), limit.into()],
    )
    .await?;
    rows.iter().map(|row| Ok(Expired { url: row.text(0)?, image: row.optional_text(1)? })).collect()
}

/// Forgets a preview, unless it was fetched anew meanwhile.
pub async fn forget(directory: &dyn Directory, url: &str, before: i64) -> Result<(), DatabaseError> {
    let params = vec![url.into(), before.into()];
    run(directory, "DELETE FROM url_previews WHERE url = ? AND fetched_at < ?", params).await?;
    Ok(())
}
