//! Responses: JSON, errors, pages, and the headers that all of them have.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use hubbub_core::error::{MatrixError, Result};
use ruma::api::{OutgoingResponse, OutgoingResponseExt as _};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::answer::Outcome;

/// The headers that let browsers of any origin call the API
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#web-browser-clients)).
const CORS: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
];

/// Adds what every response has: CORS, and that nobody may guess another content type.
pub(crate) fn with_cors<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    for (name, value) in CORS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer to a preflight request of a browser, which may keep it for a day.
pub(crate) fn preflight() -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    with_cors(response)
}

/// A response of this status with a JSON body. Content-Type is exactly `application/json`.
pub(crate) fn json_bytes(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A 200 with this JSON as it stands.
pub(crate) fn raw_json(body: &RawValue) -> Response<Vec<u8>> {
    json_bytes(StatusCode::OK, body.get().as_bytes().to_vec())
}

/// An error in the spec's shape; a limit also in the header `Retry-After`.
pub(crate) fn error(error: &MatrixError) -> Response<Vec<u8>> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_bytes(status, error.body().to_string().into_bytes());
    let retry_after = error.extra.get("retry_after_ms").and_then(|ms| ms.as_u64());
    if let Some(ms) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
    }
    response
}

/// A handler's 200 with a JSON body.
pub(crate) fn json(body: &(impl Serialize + ?Sized)) -> Result<Outcome> {
    Ok(Outcome::Response(json_bytes(StatusCode::OK, serde_json::to_vec(body)?)))
}

/// A handler's 200 with `{}`.
pub(crate) fn empty() -> Result<Outcome> {
    Ok(Outcome::Response(json_bytes(StatusCode::OK, b"{}".to_vec())))
}

/// A handler's 200 with one of ruma's responses.
pub(crate) fn typed(response: impl OutgoingResponse) -> Result<Outcome> {
    let response = response.try_into_http_response::<Vec<u8>>().map_err(MatrixError::internal)?;
    Ok(Outcome::Response(response))
}

/// The same JSON answer without members that are `null`.
pub(crate) fn without_nulls(outcome: Outcome) -> Result<Outcome> {
    let Outcome::Response(response) = outcome else {
        return Ok(outcome);
    };
    let (parts, body) = response.into_parts();
    let mut answer = serde_json::from_slice(&body)?;
    drop_nulls(&mut answer);
    Ok(Outcome::Response(Response::from_parts(parts, serde_json::to_vec(&answer)?)))
}

fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
