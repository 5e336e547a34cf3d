//! Text between Slack and Matrix, without I/O.
//!
//! Both directions meet in one small document model (`document.rs`): Slack's `rich_text`, Block Kit
//! and mrkdwn are read into it and written from it, and so is Matrix HTML. So each format is known
//! in one reader and one writer, and a round trip is a property of the model.
//!
//! - Slack → Matrix: [`from_slack`] takes a message event and returns `m.room.message` contents; it
//!   reads blocks, text, attachments and files in `compose.rs`. [`references()`] tells beforehand
//!   whose names it is going to ask for.
//! - Matrix → Slack: [`to_slack`] takes an `m.room.message` content and returns the `text` and
//!   `blocks` of one or more `chat.postMessage` calls.
//!
//! Names and addresses come from the caller, through [`Names`] and [`Addresses`]. Open
//! `document.rs` next, then `incoming.rs` or `outgoing.rs`.

mod attachments;
mod block_elements;
mod blocks;
mod compose;
mod date;
mod document;
mod emoji;
mod files;
mod from_html;
mod html_guard;
mod incoming;
mod json;
mod links;
mod mrkdwn;
mod names;
mod normalise;
mod outgoing;
mod references;
mod rich_text;
mod rich_text_list;
mod split;
mod to_body;
mod to_html;
mod to_mrkdwn;
mod to_rich_text;

pub use emoji::{reaction_key, reaction_name, replace_shortcodes, shown_reaction};
pub use incoming::{Deletion, Edit, EditKind, Incoming, Message, Sender, from_slack};
pub use names::{Addresses, Channel, Names, Person};
pub use outgoing::{POST_TEXT_LIMIT, to_slack};
pub use references::{References, references};
