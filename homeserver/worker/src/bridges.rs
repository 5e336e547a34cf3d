//! The bundled bridges: the networks that this server speaks to, and their doors.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_api::BridgeRoutes;
use hubbub_appservice::in_process::InProcess as _;
use hubbub_bridge::{
    bridge::Bridge,
    hosted::{Login, Networks, Portal},
    network::Network,
};
use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};

/// The networks of this server. A name with no network's beginning is Slack's, which was here alone at first.
pub struct Bundled;

impl Networks for Bundled {
    fn of(name: &str, context: Rc<Context>) -> Rc<dyn Network> {
        if name.starts_with(hubbub_discord::FACTS.object_prefix) {
            Rc::new(hubbub_discord::Discord::new(context))
        } else {
            Rc::new(hubbub_slack::Slack::new(context))
        }
    }
}

/// A login with one of them.
pub type LoginObject = Login<Bundled>;

/// A channel of one of them.
pub type PortalObject = Portal<Bundled>;

/// All bridges.
pub struct Bridges(Vec<Rc<Bridge>>);

impl Bridges {
    /// The bridges over the server's ports.
    pub fn new(context: &Rc<Context>) -> Self {
        let make = [hubbub_slack::bridge, hubbub_discord::bridge];
        Self(make.iter().map(|make| Rc::new(make(Rc::clone(context)))).collect())
    }

    /// The bridge that takes the transactions of an appservice; when there is none, one that says so.
    pub fn serving(&self, appservice: &str) -> Result<Rc<Bridge>> {
        let found = self.0.iter().find(|bridge| bridge.serves(appservice)).or(self.0.first());
        found.cloned().ok_or_else(|| MatrixError::internal("there are no bridges"))
    }

    /// Makes the bots' accounts. Idempotent.
    pub async fn prepare(&self) -> Result<()> {
        for bridge in &self.0 {
            bridge.prepare().await?;
        }
        Ok(())
    }
}

impl BridgeRoutes for Bridges {
    fn handle(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<http::Response<Vec<u8>>>> {
        match self.0.iter().find(|bridge| bridge.answers(request.uri().path())) {
            Some(bridge) => Box::pin(bridge.handle_http(request)),
            None => Box::pin(std::future::ready(None)),
        }
    }
}
