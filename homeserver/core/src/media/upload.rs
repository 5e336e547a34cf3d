//! Uploads: at once, or into a media id that was reserved before.
//!
//! The bytes go to a key of their own, which is noted in D1 before and adopted by their hash after
//! ([`hubbub_storage::directory::media`]). At any crash they are either somebody's or Cron's.

use hubbub_storage::{
    blobs::{BlobError, Body},
    directory::media::{self, Description, Finished, Outcome},
};
use ruma::{OwnedMxcUri, UserId};

use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// How long a reserved id waits for its bytes.
pub const RESERVED_MS: i64 = 24 * 60 * 60 * 1000;
/// How many reserved ids of one user may be empty at a time.
pub const MAX_RESERVED: u32 = 100;
/// No file's name or media type is longer, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// A media id without bytes.
#[derive(Clone, Debug)]
pub struct Reserved {
    /// Its address.
    pub content_uri: OwnedMxcUri,
    /// When it ceases to wait for them.
    pub expires_at: i64,
}

/// The address of a media id of this server.
pub fn uri(context: &Context, media_id: &str) -> OwnedMxcUri {
    format!("mxc://{}/{media_id}", context.config.server_name).into()
}

/// Stores a file and returns its new address. 413 `M_TOO_LARGE` when it is larger than the
/// configuration allows, 400 `M_UNKNOWN` when the body breaks off.
pub async fn upload(
    context: &Context,
    uploader: &UserId,
    description: &Description,
    body: Body,
) -> Result<OwnedMxcUri> {
    check(context, description, &body)?;
    let media_id = context.random_id();
    store(context, uploader, &media_id, false, description, body).await?;
    Ok(uri(context, &media_id))
}

/// Reserves an address for a file that comes later. 429 `M_LIMIT_EXCEEDED` when the user has too many
/// that are empty.
pub async fn reserve(context: &Context, uploader: &UserId) -> Result<Reserved> {
    let media_id = context.random_id();
    let now = context.clock.now();
    let expires_at = now + RESERVED_MS;
    let directory = context.directory.as_ref();
    if media::reserve(directory, &media_id, uploader.as_str(), now, expires_at, MAX_RESERVED).await? {
        return Ok(Reserved { content_uri: uri(context, &media_id), expires_at });
    }
    let error = format!("You have {MAX_RESERVED} media ids without content; upload to one of them first.");
    Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", error).with("retry_after_ms", 60_000))
}

/// Stores the file of a reserved id, once. 404 `M_NOT_FOUND` when the id is unknown or has expired, 403
/// `M_FORBIDDEN` when another user reserved it, 409 `M_CANNOT_OVERWRITE_MEDIA` when it has a file.
pub async fn fill(
    context: &Context,
    uploader: &UserId,
    media_id: &str,
    description: &Description,
    body: Body,
) -> Result<()> {
    let known = media::find(context.directory.as_ref(), media_id).await?;
    let known = known.ok_or_else(unknown_id)?;
    if known.uploader != uploader.as_str() {
        return Err(MatrixError::forbidden("Another user reserved this media id."));
    }
    if known.blob.is_some() {
        return Err(overwrites());
    }
    if known.expires_at.is_none_or(|expires_at| expires_at <= context.clock.now()) {
        return Err(unknown_id());
    }
    check(context, description, &body)?;
    store(context, uploader, media_id, true, description, body).await
}

fn unknown_id() -> MatrixError {
    MatrixError::not_found("This media id was never reserved, or it has expired.")
}

fn overwrites() -> MatrixError {
    MatrixError::new(409, "M_CANNOT_OVERWRITE_MEDIA", "This media id has its content already.")
}

fn too_large(context: &Context) -> MatrixError {
    let limit = context.config.max_upload_bytes;
    MatrixError::too_large(format_args!("This server takes files of at most {limit} bytes."))
}

/// What can be refused before a byte is read.
fn check(context: &Context, description: &Description, body: &Body) -> Result<()> {
    let texts = [&description.content_type, &description.file_name];
    if texts.into_iter().flatten().any(|text| text.len() > MAX_NAME_BYTES) {
        return Err(MatrixError::invalid_param("The file's name or media type is longer than 1024 bytes."));
    }
    if body.length().is_some_and(|length| length > context.config.max_upload_bytes) {
        return Err(too_large(context));
    }
    Ok(())
}

async fn store(
    context: &Context,
    uploader: &UserId,
    media_id: &str,
    reserved: bool,
    description: &Description,
    body: Body,
) -> Result<()> {
    let directory = context.directory.as_ref();
    let r2_key = format!("media/{}", context.random_id());
    media::begin(directory, &r2_key, context.clock.now()).await?;
    context.failpoints.pass("media.begun").await;
    let stored = match context.blobs.put(r2_key.clone(), body, context.config.max_upload_bytes).await {
        Ok(stored) => stored,
        Err(error) => {
            discard(context, &r2_key).await;
            return Err(match error {
                BlobError::TooLarge => too_large(context),
                BlobError::BrokenOff(why) => {
                    MatrixError::new(400, "M_UNKNOWN", format_args!("The upload broke off: {why}"))
                }
                BlobError::Store(cause) => MatrixError::internal(cause),
            });
        }
    };
    context.failpoints.pass("media.stored").await;
    let upload = Finished {
        media_id,
        uploader: uploader.as_str(),
        reserved,
        description,
        r2_key: &r2_key,
        stored: &stored,
        now: context.clock.now(),
    };
    let outcome = media::finish(directory, &upload).await?;
    if outcome != Outcome::Adopted {
        context.failpoints.pass("media.superfluous").await;
        discard(context, &r2_key).await;
    }
    match outcome {
        Outcome::Adopted | Outcome::Duplicate => Ok(()),
        Outcome::Refused if reserved => Err(overwrites()),
        Outcome::Refused => Err(MatrixError::new(400, "M_UNKNOWN", "The upload took longer than a day.")),
    }
}

/// Deletes bytes that nobody got. What fails here Cron does again.
async fn discard(context: &Context, r2_key: &str) {
    let keys = [r2_key.to_owned()];
    if let Err(error) = context.blobs.delete(keys.to_vec()).await {
        tracing::warn!("Superfluous bytes are left to Cron: {error}");
        return;
    }
    if let Err(error) = media::forget(context.directory.as_ref(), &keys).await {
        tracing::warn!("A deleted key is left to Cron: {error}");
    }
}
