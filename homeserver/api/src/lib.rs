//! The HTTP front of Hubbub: the client-server API, the owner page and the admin endpoints.
//!
//! Pure over the ports of [`hubbub_core::context`]: the Worker hands a request to [`handle`] and
//! sends off what comes back. `endpoints.rs` lists every endpoint with its handler; each handler
//! lives in a file named as ruma's endpoint, parses, calls one object and answers. Open
//! `endpoints.rs` next, then `message/send_message_event.rs` for the shape of a handler.

mod account;
mod admin;
mod alias;
mod answer;
mod appservice;
mod backup;
mod bridge_routes;
mod call;
mod config;
mod context;
mod credentials;
mod dehydrated_device;
mod device;
mod device_lists;
mod directory;
mod discovery;
mod endpoint;
mod endpoints;
mod filter;
mod keys;
mod knock;
mod media;
mod membership;
mod message;
mod objects;
mod pages;
mod peer;
mod people;
mod presence;
mod profile;
mod push;
mod read_marker;
mod receipt;
mod redact;
mod relations;
mod reporting;
mod respond;
mod room;
mod router;
mod search;
mod session;
mod space;
mod state;
mod sync;
mod tag;
mod thirdparty;
mod to_device;
mod tokens;
mod typing;
mod uia;
mod user_directory;
mod voip;

use std::rc::Rc;

pub use answer::{Answer, SyncCall, collected, sync_response};
pub use bridge_routes::{BridgeRoutes, NoBridges};
pub use call::{MAX_BODY_BYTES, STREAMED_PREFIX};
pub use endpoints::operations;
pub use peer::{Front, Peer, RateLimit, RateLimiter, Unlimited};

use http::Method;
use hubbub_core::{context::Context, error::Result};
use hubbub_storage::blobs::Body;

use crate::{answer::Outcome, call::Call};

/// Answers one request. A body under [`STREAMED_PREFIX`] may be a stream; all others are read whole.
///
/// Everything but a `/sync` that may wait is answered at once; [`Answer::Sync`] says what to ask
/// the user's object while waiting, and [`sync_response`] turns its answer into the response.
pub async fn handle<B: Into<Body>>(context: &Rc<Context>, request: http::Request<B>, peer: &Peer) -> Answer {
    if request.method() == Method::OPTIONS {
        return Answer::Response(respond::preflight());
    }
    let is_head = request.method() == Method::HEAD;
    match route(context, request.map(Into::into), peer).await {
        Ok(Outcome::Sync(call)) => Answer::Sync(call),
        Ok(Outcome::Response(mut response)) => {
            if is_head {
                response.body_mut().clear();
            }
            Answer::Response(respond::with_cors(response))
        }
        Ok(Outcome::Stream(response)) if is_head => Answer::Response(respond::with_cors(response.map(|_| Vec::new()))),
        Ok(Outcome::Stream(response)) => Answer::Stream(respond::with_cors(response)),
        Err(error) => Answer::Response(respond::with_cors(respond::error(&error))),
    }
}

/// The answer to a request that is refused before it can be read: with all headers that answers have.
pub fn refusal(error: &hubbub_core::error::MatrixError) -> http::Response<Vec<u8>> {
    respond::with_cors(respond::error(error))
}

/// Answers one request and waits natively, where the Worker would park a socket: `wait` resolves
/// when the user's object may have something new, or after the given milliseconds.
pub async fn handle_and_wait<W, F>(
    context: &Rc<Context>,
    request: http::Request<Vec<u8>>,
    peer: &Peer,
    wait: W,
) -> http::Response<Vec<u8>>
where
    W: FnOnce(SyncCall) -> F,
    F: Future<Output = Result<hubbub_core::contract::user::SyncAnswer>>,
{
    match handle(context, request, peer).await {
        Answer::Response(response) => response,
        Answer::Stream(response) => collected(response).await,
        Answer::Sync(call) => sync_response(wait(call).await),
    }
}

async fn route(context: &Rc<Context>, request: http::Request<Body>, peer: &Peer) -> Result<Outcome> {
    let matched = router::find(request.method(), request.uri().path())?;
    let call = Call::new(Rc::clone(context), peer.clone(), request, matched.arguments)?;
    (matched.endpoint.run)(call).await
}
