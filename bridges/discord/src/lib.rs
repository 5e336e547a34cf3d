//! The Discord bridge: what Discord says becomes Matrix, and the answer goes back.
//!
//! [`network`] makes Discord a network of the bridge engine (`hubbub-bridge`); everything else here is
//! pure. [`connection`] holds the connection on which Discord tells what happens, [`gateway`] is what it does, as a
//! machine that is given frames and the time; [`events`] reads what it tells; [`convert`] turns
//! messages into Matrix contents and back; [`rest`] builds the calls and reads their answers, within
//! Discord's limits; [`interactions`] is the slash command over HTTP; [`permissions`] tells who
//! may do what; [`remote_id`] knows Discord's ids.
//!
//! Open [`connection`] next to follow a message in, [`rest`] to follow one out.

pub mod connection;
pub mod convert;
pub mod events;
pub mod gateway;
pub mod interactions;
pub mod network;
pub mod permissions;
pub mod remote_id;
pub mod rest;
pub mod socket;

use std::rc::Rc;

use hubbub_bridge::{
    bridge::Bridge,
    hosted::{Login, Networks, Portal},
    network::Network,
};
use hubbub_core::context::Context;

pub use self::{
    connection::GatewayObject,
    network::{Discord, FACTS},
};

/// The Discord bridge as the server sees it: its rooms' events, its addresses.
pub fn bridge(context: Rc<Context>) -> Bridge {
    let discord = Discord::new(Rc::clone(&context));
    Bridge::new(context, Rc::new(discord))
}

/// Discord alone, for a server with no other network.
pub struct OnlyDiscord;

impl Networks for OnlyDiscord {
    fn of(_: &str, context: Rc<Context>) -> Rc<dyn Network> {
        Rc::new(Discord::new(context))
    }
}

/// A login with Discord: a bot.
pub type LoginObject = Login<OnlyDiscord>;

/// A channel of Discord as a room.
pub type PortalObject = Portal<OnlyDiscord>;

/// A field that is a text and says something.
pub(crate) fn text_of(value: &serde_json::Value, key: &str) -> Option<String> {
    value.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
