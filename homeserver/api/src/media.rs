//! Files ([spec](https://spec.matrix.org/v1.11/client-server-api/#content-repository)): uploads, downloads, thumbnails
//! and previews of pages.
//!
//! Bytes stream: an upload's body goes to the blob store as it is, a download comes from there ([`serve`]). Everything
//! needs a token; the old paths answer 404 without one.

mod create_content;
mod create_content_async;
mod create_mxc_uri;
mod get_content;
mod get_content_thumbnail;
mod get_linked;
mod get_media_config;
mod get_media_preview;
mod get_public_avatar;
mod legacy;
mod range;
mod serve;

use http::{Method, header};
use hubbub_core::{
    error::{MatrixError, Result},
    media::find::{self, Found},
};
use hubbub_storage::directory::media::Description;
use ruma::api::client::{authenticated_media, media};

use self::legacy::Legacy;
use crate::{
    call::Call,
    credentials::{Authenticated, Public},
    endpoint::{Endpoint, of, own},
};

/// How long a download waits for bytes that were announced, by default
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid)).
const DEFAULT_WAIT_MS: u32 = 20_000;

/// The endpoints of this area.
#[expect(deprecated, reason = "clients still use the old paths, to which a token opens the way")]
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<media::create_content::v3::Request>().raw(create_content::handle),
        of::<media::create_content_async::v3::Request>().raw(create_content_async::handle),
        of::<media::create_mxc_uri::v1::Request>().raw(create_mxc_uri::handle),
        of::<authenticated_media::get_media_config::v1::Request>().raw(get_media_config::handle::<Authenticated>),
        of::<media::get_media_config::v3::Request>().raw(get_media_config::handle::<Authenticated>),
        of::<authenticated_media::get_content::v1::Request>().raw(get_content::handle::<Authenticated>),
        of::<authenticated_media::get_content_as_filename::v1::Request>().raw(get_content::handle::<Authenticated>),
        of::<media::get_content::v3::Request>().raw(get_content::handle::<Legacy>),
        of::<media::get_content_as_filename::v3::Request>().raw(get_content::handle::<Legacy>),
        of::<authenticated_media::get_content_thumbnail::v1::Request>()
            .raw(get_content_thumbnail::handle::<Authenticated>),
        of::<media::get_content_thumbnail::v3::Request>().raw(get_content_thumbnail::handle::<Legacy>),
        of::<authenticated_media::get_media_preview::v1::Request>().raw(get_media_preview::handle),
        of::<media::get_media_preview::v3::Request>().raw(get_media_preview::handle),
        own(Method::GET, "/_hubbub/files/{link_id}").raw(get_linked::handle::<Public>),
        own(Method::GET, "/_hubbub/avatars/{media_id}/{signature}").raw(get_public_avatar::handle::<Public>),
    ]
}

/// What an uploader tells about the file.
fn description<A>(call: &Call<A>) -> Result<Description> {
    let content_type = call.request().headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| value.to_str().map(str::to_owned)).transpose();
    let content_type = content_type.map_err(|_| MatrixError::invalid_param("The Content-Type must be ASCII."))?;
    let file_name = call.query("filename").map(|name| name.into_owned());
    Ok(Description {
        content_type: content_type.filter(|text| !text.is_empty()),
        file_name: file_name.filter(|name| !name.is_empty()),
        remote_source: None,
    })
}

/// The file that a path names; waits for it as long as the query allows.
async fn find<A>(call: &Call<A>) -> Result<Found> {
    // Neither changes anything here, since no file of another server is fetched; but both are read.
    let _: Option<bool> = call.query_as("allow_remote")?;
    let _: Option<bool> = call.query_as("allow_redirect")?;
    let wait_ms = call.query_as::<u64>("timeout_ms")?;
    let wait_ms = wait_ms.map_or(DEFAULT_WAIT_MS, |wait| u32::try_from(wait).unwrap_or(find::MAX_WAIT_MS));
    find::find(&call.context, call.argument(0), call.argument(1), wait_ms).await
}
