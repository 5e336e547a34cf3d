//! The Slack bridge: what Slack says becomes Matrix, and the answer goes back.
//!
//! [`convert`] is pure: it turns Slack messages into Matrix contents and back, and asks nobody.
//! [`network`] makes Slack a network of the bridge engine (`hubbub-bridge`), which does everything
//! else; beside it are Slack's Web API (`api`), its events (`events`), files (`files`), ids (`remote_id`),
//! signatures (`signature`), error codes (`errors`) and the app's manifest (`manifest`).
//!
//! Open [`network`] next, and from there the engine's `login` and `portal`.

mod api;
pub mod convert;
mod emoji;
mod errors;
mod events;
mod files;
mod manifest;
pub mod network;
mod previews;
mod remote_id;
mod signature;

use std::rc::Rc;

use hubbub_bridge::{
    bridge::Bridge,
    hosted::{Login, Networks, Portal},
    network::Network,
};
use hubbub_core::context::Context;

pub use self::network::{FACTS, Slack};

/// The Slack bridge as the server sees it: its rooms' events, its addresses.
pub fn bridge(context: Rc<Context>) -> Bridge {
    let slack = Slack::new(Rc::clone(&context));
    Bridge::new(context, Rc::new(slack))
}

/// Slack alone, for a server with no other network.
pub struct OnlySlack;

impl Networks for OnlySlack {
    fn of(_: &str, context: Rc<Context>) -> Rc<dyn Network> {
        Rc::new(Slack::new(context))
    }
}

/// A login with Slack.
pub type LoginObject = Login<OnlySlack>;

/// A channel of Slack as a room.
pub type PortalObject = Portal<OnlySlack>;
