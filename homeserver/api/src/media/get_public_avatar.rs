//! `GET /_hubbub/avatars/{media_id}/{signature}`
//!
//! The picture of somebody who speaks at a network by their name: the network fetches it itself, without a token. Only an
//! address that this server signed opens anything, and only as a small still image.

use http::{HeaderValue, header::CACHE_CONTROL};
use hubbub_core::{
    error::Result,
    media::{
        find::{find, not_found},
        public_avatar,
        thumbnail::{self, Method, Thumbnail},
    },
};

use super::serve::{self, File};
use crate::{answer::Outcome, call::Call};

/// The smallest side of the picture, in pixels: of the sizes that thumbnails have, the next one is large enough and
/// goes with its file.
const SIDE: u32 = 240;

/// A media id never has other bytes, so that whoever passes them on may keep them.
const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

pub(crate) async fn handle<A>(call: Call<A>) -> Result<Outcome> {
    let (media_id, signature) = (call.argument(0), call.argument(1));
    // Before anything is looked up: a guess costs nothing and tells nothing.
    if !public_avatar::is_signed(&call.context.config.secrets, media_id, signature) {
        return Err(not_found());
    }
    let found = find(&call.context, call.context.config.server_name.as_str(), media_id, 0).await?;
    let wanted = Thumbnail::for_wanted(SIDE, SIDE, Method::Crop);
    let image = thumbnail::get(&call.context, &found, wanted).await?;
    let etag = format!("\"{}-{}\"", found.blob.hash, wanted.name());
    let file = File { etag, content_type: image.content_type.to_owned(), file_name: None };
    let mut outcome = serve::bytes(&file, image.bytes)?;
    if let Outcome::Stream(response) = &mut outcome {
        response.headers_mut().insert(CACHE_CONTROL, CACHING);
    }
    Ok(outcome)
}
