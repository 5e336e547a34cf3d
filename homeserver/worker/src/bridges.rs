//! The bundled bridges at the API's door.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_api::BridgeRoutes;
use hubbub_slack::SlackBridge;

/// The addresses of the bundled bridges.
pub struct Bridges(pub Rc<SlackBridge>);

impl BridgeRoutes for Bridges {
    fn handle(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<http::Response<Vec<u8>>>> {
        Box::pin(self.0.handle_http(request))
    }
}
