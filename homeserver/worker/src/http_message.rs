//! HTTP messages between the platform's types and the `http` crate's.

use futures_util::StreamExt as _;
use hubbub_api::MAX_BODY_BYTES;
use http::StatusCode;
use worker::{Headers, Request, Response, ResponseBuilder, Result};

/// Why a request could not be read.
pub enum Unreadable {
    /// The body is larger than any endpoint takes.
    TooLarge,
    /// The URL or a header is not one that HTTP allows.
    Malformed,
    /// The client went away.
    Broken(worker::Error),
}

impl From<worker::Error> for Unreadable {
    fn from(error: worker::Error) -> Self {
        Self::Broken(error)
    }
}

/// Reads a request, body included.
pub async fn read(mut request: Request) -> std::result::Result<http::Request<Vec<u8>>, Unreadable> {
    let method = request.inner().method();
    let mut builder = http::Request::builder().method(method.as_str()).uri(request.inner().url());
    let mut length = None;
    for (name, value) in request.headers() {
        if name == "content-length" {
            length = value.parse::<usize>().ok();
        }
        builder = builder.header(name, value);
    }
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Unreadable::TooLarge);
    }
    let body = if request.inner().body().is_none() {
        Vec::new()
    } else if length.is_some() {
        request.bytes().await?
    } else {
        read_chunks(&mut request).await?
    };
    builder.body(body).map_err(|_| Unreadable::Malformed)
}

/// A body whose length nobody told.
async fn read_chunks(request: &mut Request) -> std::result::Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    let mut chunks = request.stream()?;
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk?);
        if body.len() > MAX_BODY_BYTES {
            return Err(Unreadable::TooLarge);
        }
    }
    Ok(body)
}

/// A response as the platform wants it.
pub fn write(response: http::Response<Vec<u8>>) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|error| worker::Error::RustError(error.to_string()))?;
        headers.append(name.as_str(), value)?;
    }
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    let has_no_body = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(if has_no_body { builder.empty() } else { builder.fixed(body) })
}
