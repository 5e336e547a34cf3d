//! HTTP messages between the platform's types and the `http` crate's.

use hubbub_api::MAX_BODY_BYTES;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{
    js_sys::{Array, Uint8Array},
    wasm_bindgen_futures::JsFuture,
    web_sys,
};

use crate::javascript;

/// Why a request could not be read.
pub enum Unreadable {
    /// The body is larger than any endpoint takes.
    TooLarge,
    /// The URL or a header is not one that HTTP allows.
    Malformed,
    /// The client went away.
    Broken(JsValue),
}

/// Reads a request, body included.
pub async fn read(request: &web_sys::Request) -> Result<http::Request<Vec<u8>>, Unreadable> {
    let limit = u32::try_from(MAX_BODY_BYTES).unwrap_or(u32::MAX);
    let parts = JsFuture::from(javascript::read_request(request, limit)).await.map_err(Unreadable::Broken)?;
    let Ok(parts) = parts.dyn_into::<Array>() else { return Err(Unreadable::TooLarge) };
    let headers: Vec<(String, String)> =
        serde_json::from_str(&javascript::text_at(&parts, 2)).map_err(|_| Unreadable::Malformed)?;
    let mut builder =
        http::Request::builder().method(javascript::text_at(&parts, 0).as_str()).uri(javascript::text_at(&parts, 1));
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(javascript::bytes(&parts.get(3))).map_err(|_| Unreadable::Malformed)
}

/// A response as the platform wants it.
pub fn write(response: http::Response<Vec<u8>>) -> worker::Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let headers: Vec<(&str, &str)> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    respond(parts.status.as_u16(), &headers, &body)
}

/// A response from its parts.
pub fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) -> worker::Result<web_sys::Response> {
    let headers = serde_json::to_string(headers)?;
    Ok(javascript::make_response(status, &headers, &Uint8Array::from(body))?)
}
