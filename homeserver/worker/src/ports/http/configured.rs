//! `reqwest`, whose backend here is the global `fetch`: JSON calls to hosts that the operator
//! configured. It buffers bodies and follows redirects.

use std::time::Duration;

use hubbub_core::context::HttpError;

use super::{MAX_ANSWER_BYTES, response, too_large};

/// Sends a request and reads the answer.
pub async fn send(
    client: &reqwest::Client,
    request: http::Request<Vec<u8>>,
    timeout: Duration,
) -> Result<http::Response<Vec<u8>>, HttpError> {
    let (parts, body) = request.into_parts();
    let built = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .timeout(timeout)
        .build()
        .map_err(|error| HttpError::NotSent(error.without_url().to_string()))?;
    let answer = client.execute(built).await.map_err(unknown)?;
    if answer.content_length().is_some_and(|length| usize::try_from(length).is_ok_and(|l| l > MAX_ANSWER_BYTES)) {
        return Err(too_large());
    }
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let body = answer.bytes().await.map_err(unknown)?;
    if body.len() > MAX_ANSWER_BYTES {
        return Err(too_large());
    }
    response(status, headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), body.to_vec())
}

/// Whether the remote acted cannot be told: `fetch` fails alike before and after. The text has no
/// URL, whose query could hold a token.
fn unknown(error: reqwest::Error) -> HttpError {
    HttpError::Unknown(error.without_url().to_string())
}
