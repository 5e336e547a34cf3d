//! What the front answers: a response, or a `/sync` that may wait.

use hubbub_core::{
    contract::{
        Address,
        user::{SyncAnswer, SyncRequest},
    },
    error::{MatrixError, Result},
};
use hubbub_storage::blobs::{BlobError, Body};

use crate::respond;

/// The answer to a request.
#[derive(Debug)]
pub enum Answer {
    /// The response, complete with all headers.
    Response(http::Response<Vec<u8>>),
    /// A response whose body streams from the blob store, complete with all headers, its length among
    /// them.
    Stream(http::Response<Body>),
    /// A `/sync`: ask the user's object, wait while its answer is empty, and answer with
    /// [`sync_response`].
    Sync(SyncCall),
}

/// What a `/sync` asks the user's object.
#[derive(Clone, Debug)]
pub struct SyncCall {
    /// The user's object.
    pub address: Address,
    /// The command for it.
    pub request: SyncRequest,
    /// How long the poll may wait for something new. 0: answer at once.
    pub timeout_ms: u32,
}

/// The response to a `/sync` whose object answered this.
pub fn sync_response(answer: Result<SyncAnswer>) -> http::Response<Vec<u8>> {
    respond::with_cors(match answer {
        Ok(answer) => respond::raw_json(&answer.body),
        Err(error) => respond::error(&error),
    })
}

/// The largest file that is read into memory for a caller in the same process.
const MAX_COLLECTED_BYTES: u64 = 32 * 1024 * 1024;

/// A streamed response with its body in memory, for callers in the same process: 413 `M_TOO_LARGE` when
/// the file is larger than 32 MiB.
pub async fn collected(response: http::Response<Body>) -> http::Response<Vec<u8>> {
    let (parts, body) = response.into_parts();
    match body.read(MAX_COLLECTED_BYTES).await {
        Ok(bytes) => http::Response::from_parts(parts, bytes),
        Err(BlobError::TooLarge) => {
            respond::with_cors(respond::error(&MatrixError::too_large("This file is larger than 32 MiB.")))
        }
        Err(error) => respond::with_cors(respond::error(&MatrixError::internal(error))),
    }
}

/// What a handler returns: as [`Answer`], before the headers that all responses have.
pub(crate) enum Outcome {
    /// A response.
    Response(http::Response<Vec<u8>>),
    /// A response whose body streams.
    Stream(http::Response<Body>),
    /// A `/sync`.
    Sync(SyncCall),
}
