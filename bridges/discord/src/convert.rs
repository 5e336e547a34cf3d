//! Text between Discord and Matrix, without I/O.
//!
//! Both directions meet in the engine's document model ([`hubbub_bridge::text`]): Discord's Markdown
//! is read into it (`markdown.rs`) and written from it (`to_markdown.rs`) here, Matrix HTML there.
//!
//! - Discord → Matrix: [`from_discord`] takes a message object and returns `m.room.message` contents
//!   and the files that belong to it. [`references()`] tells beforehand whose names it asks for.
//! - Matrix → Discord: [`to_discord`] takes an `m.room.message` content and returns one or more
//!   [`Post`]s, each with the people and roles that it may ping.
//!
//! Payloads are read leniently from raw JSON: one odd field must not lose a text. Open `compose.rs`
//! or `outgoing.rs` next.

mod components;
mod compose;
mod embeds;
mod files;
mod incoming;
mod json;
mod markdown;
mod outgoing;
mod poll;
mod quote;
mod references;
mod system;
mod time;
mod to_markdown;

pub use files::{Files, RemoteFile, files};
pub use incoming::{Incoming, from_discord};
pub use outgoing::{POST_LIMIT, Post, to_discord};
pub use quote::{quote, without_quote};
pub use references::{References, references};

/// A custom emoji's id as the document model carries it: `a:` before one that moves.
pub(crate) fn emoji_id(id: &str, animated: bool) -> String {
    if animated { format!("a:{id}") } else { id.to_owned() }
}
