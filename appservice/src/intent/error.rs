//! Why a call of an intent failed.

use std::fmt;

use hubbub_core::error::MatrixError;
use serde_json::Value as Json;

/// The errcode of a request that could not be built; nothing was sent.
pub const NOT_BUILT: &str = "HUBBUB_NOT_BUILT";

/// The errcode of an answer that could not be understood.
pub const NOT_UNDERSTOOD: &str = "HUBBUB_NOT_UNDERSTOOD";

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {errcode}: {error}")]
pub struct IntentError {
    /// The HTTP status; 0 when nothing was sent.
    pub status: u16,
    /// The errcode.
    pub errcode: String,
    /// The sentence that came with it.
    pub error: String,
    /// How long to wait, in milliseconds, if the server said so.
    pub retry_after_ms: Option<u64>,
}

impl IntentError {
    /// Whether the same call may succeed later: the server was busy or failed. The outcome is then
    /// unknown, so a message is repeated with the same transaction id.
    pub fn retryable(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// Whether the server refused with this errcode.
    pub fn is(&self, errcode: &str) -> bool {
        self.errcode == errcode
    }

    pub(crate) fn not_built(cause: impl fmt::Display) -> Self {
        Self { status: 0, errcode: NOT_BUILT.to_owned(), error: cause.to_string(), retry_after_ms: None }
    }

    pub(crate) fn not_understood(cause: impl fmt::Display) -> Self {
        Self { status: 200, errcode: NOT_UNDERSTOOD.to_owned(), error: cause.to_string(), retry_after_ms: None }
    }

    pub(crate) fn from_response(response: &http::Response<Vec<u8>>) -> Self {
        let body: Json = serde_json::from_slice(response.body()).unwrap_or_default();
        let text = |key: &str, otherwise: &str| body.get(key).and_then(Json::as_str).unwrap_or(otherwise).to_owned();
        Self {
            status: response.status().as_u16(),
            errcode: text("errcode", "M_UNKNOWN"),
            error: text("error", "The server gave no reason."),
            retry_after_ms: body.get("retry_after_ms").and_then(Json::as_u64),
        }
    }
}

impl From<IntentError> for MatrixError {
    /// What a bridge answers its own caller: the server's refusal, or 500 for our own fault.
    fn from(error: IntentError) -> Self {
        if error.status < 400 {
            return MatrixError::internal(&error);
        }
        let refusal = MatrixError::new(error.status, &error.errcode, &error.error);
        match error.retry_after_ms {
            Some(wait) => refusal.with("retry_after_ms", wait),
            None => refusal,
        }
    }
}
