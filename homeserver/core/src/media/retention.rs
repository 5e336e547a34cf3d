//! Deletion: of one file, of a user's, of those that nobody used for a while; and what Cron tidies up.
//!
//! Bytes go with the last media id that has them: deleting one user's files takes nobody else's.

use hubbub_storage::directory::{media, url_previews};

use super::{preview, thumbnail};
use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// After what time Cron takes bytes that nobody owns, and reservations that ended, to be left behind.
/// Longer than any upload or any making of a thumbnail.
const LEFT_BEHIND_MS: i64 = 24 * 60 * 60 * 1000;
/// How many keys one sweep deletes: R2 takes 1000 objects in one call, thumbnails included.
const SWEEP_LIMIT: u32 = 80;
/// How many files one call deletes.
pub const BATCH: u32 = 100;

/// Deletes a file; 404 `M_NOT_FOUND` when there is none.
pub async fn delete(context: &Context, media_id: &str) -> Result<()> {
    let directory = context.directory.as_ref();
    let deleted = media::delete(directory, media_id, context.clock.now()).await?;
    let released = deleted.ok_or_else(super::find::not_found)?;
    if let Some(r2_key) = released {
        context.failpoints.pass("media.released").await;
        // Noted in D1: Cron deletes again what fails here, and a thumbnail that is being made now.
        context.blobs.delete(with_thumbnails(&r2_key)).await.map_err(MatrixError::internal)?;
    }
    Ok(())
}

/// Deletes at most [`BATCH`] files of a user, and says how many: call again until it is 0.
pub async fn delete_of(context: &Context, uploader: &str) -> Result<usize> {
    let ids = media::list_of(context.directory.as_ref(), uploader, BATCH).await?;
    delete_all(context, ids).await
}

/// Deletes at most [`BATCH`] files that nobody used since a time (within a day), and says how many.
pub async fn delete_unused(context: &Context, since: i64) -> Result<usize> {
    let ids = media::list_unused(context.directory.as_ref(), since, BATCH).await?;
    delete_all(context, ids).await
}

async fn delete_all(context: &Context, ids: Vec<String>) -> Result<usize> {
    let count = ids.len();
    for id in ids {
        match delete(context, &id).await {
            // Deleted meanwhile.
            Err(error) if error.status == 404 => {}
            outcome => outcome?,
        }
    }
    Ok(count)
}

/// Once a day: deletes bytes that nobody owns, reservations that ended, and old previews.
pub async fn sweep(context: &Context) -> Result<()> {
    let directory = context.directory.as_ref();
    let now = context.clock.now();
    media::forget_expired(directory, now - LEFT_BEHIND_MS).await?;
    forget_previews(context, now - preview::KEPT_MS).await?;
    loop {
        let keys = media::doom(directory, now - LEFT_BEHIND_MS, SWEEP_LIMIT).await?;
        if keys.is_empty() {
            return Ok(());
        }
        let objects = keys.iter().flat_map(|key| with_thumbnails(key)).collect();
        context.blobs.delete(objects).await.map_err(MatrixError::internal)?;
        media::forget(directory, &keys).await?;
    }
}

/// Forgets previews of before a time, each with the copy of its image: nothing else names it. One whose image is
/// still looked at stays.
async fn forget_previews(context: &Context, before: i64) -> Result<()> {
    let directory = context.directory.as_ref();
    let image_prefix = format!("mxc://{}/", context.config.server_name);
    loop {
        let expired = url_previews::list_older(directory, &image_prefix, before, BATCH).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for preview in expired {
            // The image first: what is left half done is found again.
            delete_all(context, preview.image.into_iter().collect()).await?;
            url_previews::forget(directory, &preview.url, before).await?;
        }
    }
}

fn with_thumbnails(r2_key: &str) -> Vec<String> {
    let thumbnails = thumbnail::Thumbnail::all().map(|thumbnail| thumbnail.key(r2_key));
    [r2_key.to_owned()].into_iter().chain(thumbnails).collect()
}
