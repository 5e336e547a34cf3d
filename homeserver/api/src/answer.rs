//! What the front answers: a response, or a `/sync` that may wait.

use hubbub_core::{
    contract::{
        Address,
        user::{SyncAnswer, SyncRequest},
    },
    error::Result,
};

use crate::respond;

/// The answer to a request.
#[derive(Debug)]
pub enum Answer {
    /// The response, complete with all headers.
    Response(http::Response<Vec<u8>>),
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

/// What a handler returns: as [`Answer`], before the headers that all responses have.
pub(crate) enum Outcome {
    /// A response.
    Response(http::Response<Vec<u8>>),
    /// A `/sync`.
    Sync(SyncCall),
}
