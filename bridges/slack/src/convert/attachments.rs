//! Reads the older `attachments`: what apps post beside their text, link previews, shared messages.
//!
//! Each is a quote; its `pretext` stands before it. The `fallback` is what an attachment says to
//! clients that can show none, so it only goes to the plain body, and only if it says more.
//! See <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>.

use super::block_elements::{bold, labels, linked};
use super::blocks::{self, paragraph};
use super::{files, json, mrkdwn};
use hubbub_bridge::text::document::{Block, Span, spans_of};
use serde_json::Value;

/// Slack's own text for previews without one; it says nothing.
const NO_PREVIEW: &str = "[no preview available]";

/// What an attachment shows.
pub(super) fn read(attachment: &Value) -> Vec<Block> {
    let mut read = mrkdwn_field(attachment, "pretext");
    let mut quote = heading(attachment);
    quote.extend(content(attachment));
    quote.extend(json::list(attachment, "fields").flat_map(field));
    quote.extend(pictures(attachment));
    quote.extend(labels(json::list(attachment, "actions")));
    quote.extend(files::lines(attachment));
    quote.extend(mrkdwn_field(attachment, "footer"));
    if quote.is_empty() {
        quote = mrkdwn_field(attachment, "fallback");
    }
    if quote.is_empty() {
        let url = ["from_url", "original_url", "url"].iter().find_map(|key| json::text(attachment, key));
        quote.extend(url.map(|url| Block::Paragraph(vec![Span::link(url, url)])));
    }
    read.push(Block::Quote(quote));
    read
}

/// The text for who cannot see attachments.
pub(super) fn fallback(attachment: &Value) -> Option<&str> {
    json::text(attachment, "fallback").filter(|fallback| *fallback != NO_PREVIEW)
}

fn heading(attachment: &Value) -> Vec<Block> {
    let mut read = Vec::new();
    if let Some(service) = json::text(attachment, "service_name") {
        read.push(Block::Paragraph(linked(vec![Span::plain(service)], json::text(attachment, "service_url"))));
    }
    // The title leads to what was shared; without one the author does.
    let shared = json::text(attachment, "from_url");
    let author_link =
        json::text(attachment, "author_link").or(shared.filter(|_| json::text(attachment, "title").is_none()));
    let mut author = linked(blocks::spans_field(attachment, "author_name"), author_link);
    for key in ["author_subname", "channel_name"] {
        if let Some(name) = json::text(attachment, key) {
            let before = if author.is_empty() { "" } else { " " };
            let sigil = if key == "channel_name" { "#" } else { "" };
            author.push(Span::plain(format!("{before}{sigil}{name}")));
        }
    }
    read.extend(paragraph(author));
    let title = spans_of(mrkdwn_field(attachment, "title"));
    let address = json::text(attachment, "title_link").or(shared);
    read.extend(paragraph(bold(linked(title, address))));
    read
}

/// A shared message comes as blocks and as text; the blocks say it better.
fn content(attachment: &Value) -> Vec<Block> {
    let shared: Vec<Block> = json::list(attachment, "message_blocks")
        .filter_map(|shared| shared.get("message"))
        .flat_map(|message| blocks::read_all(message, "blocks"))
        .collect();
    let own = blocks::read_all(attachment, "blocks");
    let mut read = if shared.is_empty() && own.is_empty() { mrkdwn_field(attachment, "text") } else { shared };
    read.extend(own);
    read
}

/// The text that blocks were shown instead of.
pub(super) fn replaced_text(attachment: &Value) -> Option<&str> {
    let has_blocks = ["message_blocks", "blocks"].iter().any(|key| json::list(attachment, key).next().is_some());
    json::text(attachment, "text").filter(|_| has_blocks)
}

fn field(field: &Value) -> Vec<Block> {
    let title = spans_of(mrkdwn_field(field, "title"));
    let mut value = mrkdwn_field(field, "value");
    if title.is_empty() {
        return value;
    }
    let mut line = bold(title);
    match value.first_mut() {
        Some(Block::Paragraph(first)) => {
            line.push(Span::plain(": "));
            line.append(first);
            *first = line;
        }
        _ => value.insert(0, Block::Paragraph(line)),
    }
    value
}

fn pictures(attachment: &Value) -> Vec<Block> {
    let mut read: Vec<Block> = Vec::new();
    for key in ["image_url", "thumb_url", "video_url"] {
        if let Some(url) = json::text(attachment, key) {
            read.push(Block::Paragraph(vec![Span::plain("🖼️ "), Span::link(url, url)]));
            break;
        }
    }
    read
}

fn mrkdwn_field(value: &Value, key: &str) -> Vec<Block> {
    json::text(value, key).map_or_else(Vec::new, mrkdwn::blocks)
}
