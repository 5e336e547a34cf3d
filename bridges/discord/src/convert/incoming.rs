//! Discord → Matrix: a message object becomes `m.room.message` contents, and files to copy.
//!
//! Nothing that Discord shows is dropped: what one event could not hold becomes several, a message
//! of an unknown type is a notice with a link to it.

use super::compose::compose;
use super::files::{Files, RemoteFile, files};
use super::json;
use super::system::THREAD_STARTER;
use hubbub_bridge::text::document::{Block, Document};
use hubbub_bridge::text::{Names, mentions, needs_html, normalise, split, to_body, to_html};
use ruma::events::room::message::RoomMessageEventContent;
use serde_json::Value;

/// The most that `body` and `formatted_body` of one event may hold together: an event has at most
/// 65,536 bytes, and the rest is for escapes in JSON, mentions, and what the room adds.
const EVENT_TEXT_LIMIT: usize = 40_000;

/// A message of Discord's, ready for Matrix.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The text, in order; empty when the message has nothing but files. Each has explicit
    /// `m.mentions`, so that nothing pings by accident.
    pub contents: Vec<RoomMessageEventContent>,
    /// The files.
    pub files: Vec<RemoteFile>,
}

/// Converts a message object, live or of a history. A thread's starter gives nothing: it repeats the
/// message that the thread hangs on.
#[must_use]
pub fn from_discord(message: &Value, names: &dyn Names, shown: Files) -> Incoming {
    if json::number(message, "type") == Some(THREAD_STARTER) {
        return Incoming { contents: Vec::new(), files: Vec::new() };
    }
    let files = files(message);
    let composition = compose(message, shown == Files::AsLines);
    let mut document = composition.document;
    let only_files = shown == Files::ByThemselves && !files.is_empty();
    if document.blocks.is_empty() && !only_files {
        document.blocks.push(json::paragraph("[empty message]"));
    }
    let measure = |block: &Block| {
        let alone = Document { blocks: vec![block.clone()] };
        to_html(&alone, names).len().saturating_add(to_body(&alone, names).len())
    };
    let parts = split(document, EVENT_TEXT_LIMIT, &measure).into_iter().map(normalise);
    let contents = parts.map(|part| content(&part, message, composition.notice, names)).collect();
    Incoming { contents, files }
}

fn content(document: &Document, message: &Value, notice: bool, names: &dyn Names) -> RoomMessageEventContent {
    let body = to_body(document, names);
    let html = needs_html(document, names).then(|| to_html(document, names));
    let content = match (notice, html) {
        (true, Some(html)) => RoomMessageEventContent::notice_html(body, html),
        (true, None) => RoomMessageEventContent::notice_plain(body),
        (false, Some(html)) => RoomMessageEventContent::text_html(body, html),
        (false, None) => RoomMessageEventContent::text_plain(body),
    };
    let mut mentioned = mentions(document, names);
    // A reply pings whom it answers, whether or not the text names them.
    let people = json::list(message, "mentions").filter_map(|user| json::text(user, "id"));
    mentioned.user_ids.extend(people.filter_map(|id| names.user(id)).map(|person| person.mxid));
    content.add_mentions(mentioned)
}
