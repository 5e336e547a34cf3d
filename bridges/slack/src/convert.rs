//! Text between Slack and Matrix, without I/O.
//!
//! Both directions meet in the engine's document model ([`hubbub_bridge::text`]): Slack's
//! `rich_text`, Block Kit and mrkdwn are read into it and written from it here, Matrix HTML there.
//!
//! - Slack → Matrix: [`from_slack`] takes a message event and returns `m.room.message` contents; it
//!   reads blocks, text, attachments and files in `compose.rs`. [`references()`] tells beforehand
//!   whose names it is going to ask for.
//! - Matrix → Slack: [`to_slack`] takes an `m.room.message` content and returns the `text` and
//!   `blocks` of one or more `chat.postMessage` calls.
//!
//! Names and addresses come from the caller, through the engine's traits. Open `incoming.rs` or
//! `outgoing.rs` next.

mod attachments;
mod block_elements;
mod blocks;
mod compose;
mod date;
mod emoji;
mod files;
mod incoming;
mod json;
mod mrkdwn;
mod outgoing;
mod references;
mod rich_text;
mod rich_text_list;
mod to_mrkdwn;
mod to_rich_text;

pub use emoji::{reaction_key, reaction_name, replace_shortcodes, shown_reaction};
pub use incoming::{Deletion, Edit, EditKind, Incoming, Message, Sender, from_slack};
pub use outgoing::{POST_TEXT_LIMIT, to_slack};
pub use references::{References, references};
