//! The core of Hubbub: rooms, inboxes and the rules between them, without a word about Workers.
//!
//! Everything here is plain Rust over small ports. [`context`] holds those ports, [`contract`] the
//! commands that objects send each other, [`object`] the shape of an object. [`room`] is the room
//! engine, [`user`] one person's sessions and inbox, [`media`] files and previews of pages.

pub mod context;
pub mod contract;
pub mod egress;
pub mod error;
pub mod filter;
pub mod keys;
pub mod media;
pub mod object;
pub mod room;
pub mod room_token;
pub mod search;
pub mod secrets;
pub mod sweep;
pub mod user;
