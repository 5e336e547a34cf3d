//! What is under a media id, for whoever has a token; waits a while for bytes that are announced.

use hubbub_storage::directory::media::{self, Blob};

use crate::{
    context::Context,
    error::{MatrixError, Result},
};

/// The longest time that a request waits for bytes.
pub const MAX_WAIT_MS: u32 = 60_000;
/// How often it looks for them, at first; later half as often.
const LOOK_MS: u32 = 500;

/// A file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its media type as the uploader told it.
    pub content_type: Option<String>,
    /// Its name as the uploader told it.
    pub file_name: Option<String>,
    /// Its bytes.
    pub blob: Blob,
}

/// Finds a file and notes that it is used. 404 `M_NOT_FOUND` without one and for other servers' files,
/// since this server does not federate; 504 `M_NOT_YET_UPLOADED` when its bytes do not come within
/// `wait_ms`.
pub async fn find(context: &Context, server_name: &str, media_id: &str, wait_ms: u32) -> Result<Found> {
    if server_name != context.config.server_name.as_str() {
        return Err(MatrixError::not_found("This file is of another server, and this server does not federate."));
    }
    let directory = context.directory.as_ref();
    let mut left = wait_ms.min(MAX_WAIT_MS);
    let mut pause = LOOK_MS;
    loop {
        let now = context.clock.now();
        let known = media::find_and_use(directory, media_id, now).await?;
        let known = known.ok_or_else(not_found)?;
        if let Some(blob) = known.blob {
            return Ok(Found { content_type: known.content_type, file_name: known.file_name, blob });
        }
        if known.expires_at.is_none_or(|expires_at| expires_at <= now) {
            return Err(not_found());
        }
        if left == 0 {
            return Err(MatrixError::new(504, "M_NOT_YET_UPLOADED", "This file was announced but not uploaded yet."));
        }
        let step = pause.min(left);
        context.clock.sleep(step).await;
        left -= step;
        pause = LOOK_MS * 2;
    }
}

/// 404 `M_NOT_FOUND`.
pub fn not_found() -> MatrixError {
    MatrixError::not_found("There is no such file.")
}
