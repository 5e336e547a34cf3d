//! The error that crosses objects and reaches a client: a status, an errcode and a sentence.

use std::fmt;

use hubbub_storage::database::DatabaseError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A Matrix error ([spec](https://spec.matrix.org/v1.11/client-server-api/#standard-error-response)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixError {
    /// The HTTP status.
    pub status: u16,
    /// The errcode, like `M_FORBIDDEN`.
    pub errcode: String,
    /// A sentence that helps whoever reads it. Never holds a secret.
    pub error: String,
    /// Further keys of the body, like `retry_after_ms` or `soft_logout`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Json>,
}

/// What nearly every function of the core returns.
pub type Result<T, E = MatrixError> = std::result::Result<T, E>;

impl MatrixError {
    /// An error with this status, errcode and sentence.
    pub fn new(status: u16, errcode: &str, error: impl fmt::Display) -> Self {
        Self { status, errcode: errcode.to_owned(), error: error.to_string(), extra: Map::new() }
    }

    /// 403 `M_FORBIDDEN`: the caller may not do this.
    pub fn forbidden(error: impl fmt::Display) -> Self {
        Self::new(403, "M_FORBIDDEN", error)
    }

    /// 404 `M_NOT_FOUND`: there is no such thing, or the caller may not know of it.
    pub fn not_found(error: impl fmt::Display) -> Self {
        Self::new(404, "M_NOT_FOUND", error)
    }

    /// 400 `M_INVALID_PARAM`: a parameter has a value that makes no sense.
    pub fn invalid_param(error: impl fmt::Display) -> Self {
        Self::new(400, "M_INVALID_PARAM", error)
    }

    /// 400 `M_BAD_JSON`: valid JSON, but not what the endpoint takes.
    pub fn bad_json(error: impl fmt::Display) -> Self {
        Self::new(400, "M_BAD_JSON", error)
    }

    /// 413 `M_TOO_LARGE`: a size limit was exceeded.
    pub fn too_large(error: impl fmt::Display) -> Self {
        Self::new(413, "M_TOO_LARGE", error)
    }

    /// 401 `M_UNKNOWN_TOKEN`: the access token is not, or no longer, valid.
    pub fn unknown_token() -> Self {
        Self::new(401, "M_UNKNOWN_TOKEN", "This access token is not valid; log in again.")
    }

    /// 500 `M_UNKNOWN`: our own fault. The cause is for the log; the client gets a fixed sentence.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!("Internal error: {cause}");
        Self::new(500, "M_UNKNOWN", "The server failed to handle this request; try again.")
    }

    /// This error with one more key in its body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// The body that a client gets.
    pub fn body(&self) -> Json {
        let mut body = self.extra.clone();
        body.insert("errcode".to_owned(), self.errcode.clone().into());
        body.insert("error".to_owned(), self.error.clone().into());
        Json::Object(body)
    }
}

impl fmt::Display for MatrixError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.status, self.errcode, self.error)
    }
}

impl std::error::Error for MatrixError {}

impl From<DatabaseError> for MatrixError {
    fn from(error: DatabaseError) -> Self {
        Self::internal(error)
    }
}

impl From<serde_json::Error> for MatrixError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
