//! The platform's `fetch` for hosts that a stranger named: no redirects, no private addresses.

use std::time::Duration;

use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use hubbub_core::context::HttpError;
use worker::{
    AbortController, Delay, Fetch, Fetcher, Headers, Method, Request, RequestInit, RequestRedirect, Response,
    js_sys::Uint8Array,
};

use super::{MAX_ANSWER_BYTES, response, too_large};

/// Sends a request and reads the answer; nothing of either goes on after the time-out.
pub async fn send(
    public: Option<&Fetcher>,
    request: http::Request<Vec<u8>>,
    timeout: Duration,
) -> Result<http::Response<Vec<u8>>, HttpError> {
    let url = request.uri().to_string();
    let init = build(request).map_err(not_sent)?;
    let request = Request::new_with_init(&url, &init).map_err(not_sent)?;
    let abort = AbortController::default();
    let exchange = Box::pin(async {
        let answer = match public {
            Some(fetcher) => fetcher.fetch(url, Some(init)).await,
            None => Fetch::Request(request).send_with_signal(&abort.signal()).await,
        };
        read(answer.map_err(unknown)?).await
    });
    let outcome = match select(exchange, Delay::from(timeout)).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    };
    outcome.unwrap_or_else(|| {
        abort.abort();
        Err(HttpError::Unknown("no answer in time".to_owned()))
    })
}

fn build(request: http::Request<Vec<u8>>) -> worker::Result<RequestInit> {
    let (parts, body) = request.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|error| worker::Error::RustError(error.to_string()))?;
        headers.append(name.as_str(), value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(parts.method.as_str().to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    if !body.is_empty() {
        init.with_body(Some(Uint8Array::from(body.as_slice()).into()));
    }
    Ok(init)
}

async fn read(mut answer: Response) -> Result<http::Response<Vec<u8>>, HttpError> {
    let status = answer.status_code();
    let headers: Vec<(String, String)> = answer.headers().entries().collect();
    let mut body = Vec::new();
    if !matches!(answer.body(), worker::ResponseBody::Empty) {
        let mut chunks = answer.stream().map_err(unknown)?;
        while let Some(chunk) = chunks.next().await {
            body.extend(chunk.map_err(unknown)?);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(too_large());
            }
        }
    }
    response(status, headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), body)
}

fn not_sent(error: impl std::fmt::Display) -> HttpError {
    HttpError::NotSent(error.to_string())
}

fn unknown(error: worker::Error) -> HttpError {
    HttpError::Unknown(error.to_string())
}
