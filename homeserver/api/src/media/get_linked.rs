//! `GET /_hubbub/files/{link_id}`
//!
//! A file for whoever has its link: what is too large for a network that a room is bridged to. The link is random, and
//! ends when its event is taken back.

use hubbub_core::{
    error::Result,
    media::find::{find, not_found},
};
use hubbub_storage::directory::media_links;

use super::serve::{self, File};
use crate::{answer::Outcome, call::Call};

/// A link's id is no longer than this, in bytes.
const MOST_ID_BYTES: usize = 64;

pub(crate) async fn handle<A>(call: Call<A>) -> Result<Outcome> {
    let link_id = call.argument(0);
    if link_id.len() > MOST_ID_BYTES {
        return Err(not_found());
    }
    let media_id = media_links::find(call.context.directory.as_ref(), link_id).await?.ok_or_else(not_found)?;
    let found = find(&call.context, call.context.config.server_name.as_str(), &media_id, 0).await?;
    let file = File {
        etag: format!("\"{}\"", found.blob.hash),
        content_type: found.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        file_name: found.file_name,
    };
    serve::blob(&call, &file, &found.blob).await
}
