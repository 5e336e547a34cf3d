//! The bundled bridges at the API's door.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_api::BridgeRoutes;
use hubbub_bridge::bridge::Bridge;

/// The addresses of the bundled bridges.
pub struct Bridges(pub Rc<Bridge>);

impl BridgeRoutes for Bridges {
    fn handle(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<http::Response<Vec<u8>>>> {
        Box::pin(self.0.handle_http(request))
    }
}
