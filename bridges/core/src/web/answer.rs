//! Answers.

use hubbub_core::error::MatrixError;
use serde_json::Value as Json;

fn answer(status: u16, content_type: &'static str, body: Vec<u8>) -> http::Response<Vec<u8>> {
    let mut answer = http::Response::new(body);
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    for (name, value) in
        [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    answer
}

/// Plain text.
pub(super) fn text_answer(status: u16, text: &str) -> http::Response<Vec<u8>> {
    answer(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

/// JSON.
pub(super) fn json_answer(status: u16, body: &Json) -> http::Response<Vec<u8>> {
    answer(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// An error.
pub(super) fn refusal(error: &MatrixError) -> http::Response<Vec<u8>> {
    json_answer(error.status, &error.body())
}

/// A page without script, style or anything from elsewhere, which no other page may show.
pub(super) fn html_answer(status: u16, html: String) -> http::Response<Vec<u8>> {
    let mut answer = answer(status, "text/html; charset=utf-8", html.into_bytes());
    let headers = answer.headers_mut();
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    answer
}
