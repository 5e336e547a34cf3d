//! The bridge engine: what every bridge needs, whatever the network.
//!
//! A network converts ([`network`]), the engine decides: de-duplication, order, rooms, ghosts and
//! storage are here. [`login`] is the LoginObject, one account of a network; [`portal`] the
//! PortalObject, one channel as a room; [`hosted`] gives them their network; [`contract`] what they
//! can be asked. [`bridge`] ties them to the server, [`web`] answers HTTP, `management` is the chat
//! with the bot. [`text`] is what every connector converts from and to, [`emoji`] what all call alike. [`failpoints`] lists where
//! the fault tests strike.
//!
//! Open [`login`] next to follow a remote message in, [`portal`] to follow it into the room.

pub mod bridge;
pub mod contract;
pub mod emoji;
pub mod failpoints;
pub mod hosted;
mod lane;
pub mod link_code;
pub mod login;
mod management;
pub mod matrix;
pub mod network;
mod pace;
pub mod portal;
mod report;
mod seal;
pub mod text;
pub mod web;
