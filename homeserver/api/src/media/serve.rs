//! Sends a file with the headers that keep it from being more than a file: on this origin there are pages with
//! passwords, and anybody may upload anything.

use http::{HeaderName, HeaderValue, Response, StatusCode, header, response::Builder};
use hubbub_core::{
    error::{MatrixError, Result},
    media::find::not_found,
};
use hubbub_storage::{
    blobs::{Body, ByteRange},
    directory::media::Blob,
};
use ruma::{
    api::client::media::is_safe_inline_content_type,
    http_headers::{ContentDisposition, ContentDispositionType},
};

use super::range::{self, Asked};
use crate::{answer::Outcome, call::Call, respond};

/// What the specification recommends, so that a page that somebody uploaded runs nothing and reaches nothing
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid)).
const POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; media-src 'self'; \
                      object-src 'self'";
/// A file never changes. It is for who asked with a token, not for caches on the way.
const CACHING: &str = "private, max-age=31536000, immutable";

const SAFETY: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    (header::CACHE_CONTROL, CACHING),
    (header::ACCEPT_RANGES, "bytes"),
];

/// What is said of a file beside its bytes.
pub(super) struct File {
    /// The entity tag, with its quotes.
    pub etag: String,
    /// The media type as it was told.
    pub content_type: String,
    /// The name under which it is saved.
    pub file_name: Option<String>,
}

/// Streams bytes from the blob store: all, or the part that was asked for. 416 `M_INVALID_PARAM` when that lies
/// outside.
pub(super) async fn blob<A>(call: &Call<A>, file: &File, blob: &Blob) -> Result<Outcome> {
    if is_known(call, &file.etag) {
        return not_modified(&file.etag);
    }
    let asked = if is_same(call, &file.etag) { header_of(call, header::RANGE) } else { None };
    let part = match range::read(asked, blob.size) {
        Asked::Whole => None,
        Asked::Part(part) => Some(part),
        Asked::Outside => return Ok(outside(blob.size)),
    };
    // Nobody reads the body of an answer to HEAD.
    let body = if call.request().method() == http::Method::HEAD {
        Body::default()
    } else {
        let found = call.context.blobs.get(blob.r2_key.clone(), part).await.map_err(MatrixError::internal)?;
        found.ok_or_else(not_found)?
    };
    let response = head(file, part.map_or(blob.size, |part| part.length), part.map(|part| (part, blob.size)));
    Ok(Outcome::Stream(response.body(body).map_err(MatrixError::internal)?))
}

/// Sends bytes that are in memory.
pub(super) fn bytes(file: &File, bytes: Vec<u8>) -> Result<Outcome> {
    let length = u64::try_from(bytes.len()).map_err(MatrixError::internal)?;
    let response = head(file, length, None);
    Ok(Outcome::Stream(response.body(Body::Bytes(bytes)).map_err(MatrixError::internal)?))
}

/// Whether the client has this very file.
pub(super) fn is_known<A>(call: &Call<A>, etag: &str) -> bool {
    let Some(known) = header_of(call, header::IF_NONE_MATCH) else { return false };
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}

/// 304: what the client has is still so.
pub(super) fn not_modified(etag: &str) -> Result<Outcome> {
    let response = Response::builder()
        .status(StatusCode::NOT_MODIFIED)
        .header(header::ETAG, etag)
        .header(header::CACHE_CONTROL, CACHING);
    Ok(Outcome::Response(response.body(Vec::new()).map_err(MatrixError::internal)?))
}

/// Whether a part of this file can complete what the client has.
fn is_same<A>(call: &Call<A>, etag: &str) -> bool {
    header_of(call, header::IF_RANGE).is_none_or(|known| known.trim() == etag)
}

fn header_of<A>(call: &Call<A>, name: HeaderName) -> Option<&str> {
    call.request().headers().get(name)?.to_str().ok()
}

fn head(file: &File, length: u64, part: Option<(ByteRange, u64)>) -> Builder {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, &file.content_type)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CONTENT_DISPOSITION, disposition(file))
        .header(header::ETAG, &file.etag);
    for (name, value) in SAFETY {
        response = response.header(name, HeaderValue::from_static(value));
    }
    if let Some((part, size)) = part {
        let last = part.offset.saturating_add(part.length).saturating_sub(1);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {}-{last}/{size}", part.offset));
    }
    response
}

/// Only what no browser runs may be shown in place
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#serving-inline-content)); the type counts without case and
/// parameters.
fn disposition(file: &File) -> String {
    let essence = file.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = if is_safe_inline_content_type(&essence) {
        ContentDispositionType::Inline
    } else {
        ContentDispositionType::Attachment
    };
    ContentDisposition::new(kind).with_filename(file.file_name.clone()).to_string()
}

fn outside(size: u64) -> Outcome {
    let error = MatrixError::new(416, "M_INVALID_PARAM", format_args!("This file has {size} bytes."));
    let mut response = respond::error(&error);
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    Outcome::Response(response)
}
