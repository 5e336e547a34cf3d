//! `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`, the same with `/{fileName}`, and both below
//! `/_matrix/media/*/download` ([spec])
//!
//! Streams a file, or the part of it that a player asks for. A name in the path replaces the uploader's.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid

use hubbub_core::error::Result;

use super::{
    find,
    serve::{self, File},
};
use crate::{answer::Outcome, call::Call};

pub(crate) async fn handle<A>(call: Call<A>) -> Result<Outcome> {
    let found = find(&call).await?;
    let named = Some(call.argument(2)).filter(|name| !name.is_empty()).map(str::to_owned);
    let file = File {
        etag: format!("\"{}\"", found.blob.hash),
        content_type: found.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        file_name: named.or(found.file_name),
    };
    serve::blob(&call, &file, &found.blob).await
}
