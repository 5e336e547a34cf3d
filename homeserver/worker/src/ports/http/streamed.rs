//! The platform's `fetch` with bodies that stream: a file passes between a stranger's host and R2 in JavaScript alone.

use hubbub_core::context::HttpError;
use hubbub_storage::blobs::Body;
use worker::{
    Fetcher,
    js_sys::{Array, Uint8Array},
    wasm_bindgen::{JsCast as _, JsValue},
    wasm_bindgen_futures::JsFuture,
};

use crate::{javascript, ports::blobs::PlatformStream};

/// Sends a request and returns the answer's head, its body still to come; nothing goes on after the time-out.
pub async fn send(
    public: Option<&Fetcher>,
    request: http::Request<Body>,
    timeout_ms: u32,
) -> Result<http::Response<Body>, HttpError> {
    let (parts, body) = request.into_parts();
    let headers: Vec<(&str, &str)> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let headers = serde_json::to_string(&headers).map_err(not_sent)?;
    let (body, length) = match body {
        Body::Bytes(bytes) if bytes.is_empty() => (JsValue::NULL, -1.0),
        Body::Bytes(bytes) => {
            let length = f64::from(u32::try_from(bytes.len()).map_err(not_sent)?);
            let response = worker::web_sys::Response::new_with_opt_js_u8_array(Some(&Uint8Array::from(&*bytes)));
            let stream = response.map_err(|thrown| HttpError::NotSent(javascript::message(&thrown)))?.body();
            (stream.map_or(JsValue::NULL, JsValue::from), length)
        }
        Body::Stream(stream) => {
            let stream = PlatformStream::from_port(stream).map_err(not_sent)?;
            if stream.raw_length() < 0.0 {
                return Err(HttpError::NotSent("the length of the body is not known".to_owned()));
            }
            (stream.value().clone(), stream.raw_length())
        }
    };
    let fetcher = public.map_or(JsValue::UNDEFINED, |fetcher| fetcher.as_ref().clone());
    let url = parts.uri.to_string();
    let exchange = javascript::open_exchange(
        &fetcher,
        parts.method.as_str(),
        &url,
        &headers,
        &body,
        length,
        f64::from(timeout_ms),
    );
    let answer = JsFuture::from(exchange).await;
    let answer = answer.map_err(|thrown| HttpError::Unknown(javascript::message(&thrown)))?;
    let answer: Array = answer.dyn_into().map_err(|_| HttpError::Unknown("an answer without sense".to_owned()))?;
    read(&answer)
}

fn read(answer: &Array) -> Result<http::Response<Body>, HttpError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a status has three digits")]
    let status = answer.get(0).as_f64().unwrap_or_default() as u16;
    let headers: Vec<(String, String)> =
        serde_json::from_str(&javascript::text_at(answer, 1)).map_err(|error| HttpError::Unknown(error.to_string()))?;
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let stream = answer.get(2);
    let body = if stream.is_null() {
        Body::default()
    } else {
        Body::Stream(Box::new(PlatformStream::new(stream, answer.get(3).as_f64().unwrap_or(-1.0))))
    };
    builder.body(body).map_err(|error| HttpError::Unknown(error.to_string()))
}

fn not_sent(error: impl std::fmt::Display) -> HttpError {
    HttpError::NotSent(error.to_string())
}
