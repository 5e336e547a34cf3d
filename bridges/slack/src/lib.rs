//! The Slack bridge: what Slack says becomes Matrix, and the answer goes back.
//!
//! [`convert`] is pure: it turns Slack messages into Matrix contents and back, and asks nobody.
//! [`network`] makes Slack a network of the bridge engine (`hubbub-bridge`), which does everything
//! else; beside it are Slack's Web API (`api`), its events (`events`), ids (`remote_id`),
//! signatures (`signature`), error codes (`errors`) and the app's manifest (`manifest`).
//!
//! Open [`network`] next, and from there the engine's `login` and `portal`.

mod api;
pub mod convert;
mod errors;
mod events;
mod manifest;
pub mod network;
mod remote_id;
mod signature;

pub use network::Slack;

/// The Slack bridge as the server sees it: its rooms' events, its addresses.
pub type SlackBridge = hubbub_bridge::bridge::Bridge<Slack>;

/// A login with Slack.
pub type LoginObject = hubbub_bridge::login::LoginObject<Slack>;

/// A channel of Slack as a room.
pub type PortalObject = hubbub_bridge::portal::PortalObject<Slack>;
