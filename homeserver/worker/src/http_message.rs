//! HTTP messages between the platform's types and the `http` crate's.

use hubbub_api::{MAX_BODY_BYTES, STREAMED_PREFIX};
use hubbub_storage::blobs::Body;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{
    js_sys::{Array, Uint8Array},
    wasm_bindgen_futures::JsFuture,
    web_sys,
};

use crate::{javascript, ports::blobs::PlatformStream};

/// Why a request could not be read.
pub enum Unreadable {
    /// The body is larger than any endpoint takes.
    TooLarge,
    /// The URL or a header is not one that HTTP allows.
    Malformed,
    /// The client went away.
    Broken(JsValue),
}

/// Reads a request, body included; but a file that is uploaded stays a stream.
pub async fn read(request: &web_sys::Request) -> Result<http::Request<Body>, Unreadable> {
    let limit = u32::try_from(MAX_BODY_BYTES).unwrap_or(u32::MAX);
    let parts =
        JsFuture::from(javascript::read_request(request, limit, STREAMED_PREFIX)).await.map_err(Unreadable::Broken)?;
    let Ok(parts) = parts.dyn_into::<Array>() else { return Err(Unreadable::TooLarge) };
    let headers: Vec<(String, String)> =
        serde_json::from_str(&javascript::text_at(&parts, 2)).map_err(|_| Unreadable::Malformed)?;
    let mut builder =
        http::Request::builder().method(javascript::text_at(&parts, 0).as_str()).uri(javascript::text_at(&parts, 1));
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let body = match parts.get(4).as_f64() {
        Some(length) => Body::Stream(Box::new(PlatformStream::new(parts.get(3), length))),
        None => Body::Bytes(javascript::bytes(&parts.get(3))),
    };
    builder.body(body).map_err(|_| Unreadable::Malformed)
}

/// A response as the platform wants it.
pub fn write(response: http::Response<Body>) -> worker::Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let headers: Vec<(&str, &str)> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    match body {
        Body::Bytes(body) => respond(parts.status.as_u16(), &headers, &body),
        Body::Stream(stream) => {
            let stream = PlatformStream::from_port(stream)?;
            let headers = serde_json::to_string(&headers)?;
            Ok(javascript::stream_response(parts.status.as_u16(), &headers, stream.value(), stream.raw_length())?)
        }
    }
}

/// A response from its parts.
pub fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) -> worker::Result<web_sys::Response> {
    let headers = serde_json::to_string(headers)?;
    Ok(javascript::make_response(status, &headers, &Uint8Array::from(body))?)
}
