//! The door for the bundled bridges' own pages, webhooks and admin calls, so that this crate does
//! not depend on them.

use futures_util::future::LocalBoxFuture;

/// The bridges' HTTP routes: `/_hubbub/slack/*` for pages and webhooks, and
/// `/_hubbub/admin/v1/slack/*`, which only get here with the operator's token.
pub trait BridgeRoutes {
    /// Answers the request; `None` when no bridge has such a path.
    fn handle(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<http::Response<Vec<u8>>>>;
}

/// No bridge at all.
pub struct NoBridges;

impl BridgeRoutes for NoBridges {
    fn handle(&self, _: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<http::Response<Vec<u8>>>> {
        Box::pin(std::future::ready(None))
    }
}
