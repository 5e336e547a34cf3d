//! Matrix → Slack: an `m.room.message` content becomes the arguments of `chat.postMessage`.
//!
//! Each post has `blocks`, which is what Slack shows, and `text`, which its notifications show. A
//! message too long for one post becomes several, to be sent in order; an empty list means that
//! there is nothing to say. The caller adds channel, thread and `metadata`.
//! See <https://docs.slack.dev/reference/methods/chat.postMessage>.

use super::to_mrkdwn::{self, to_mrkdwn};
use super::to_rich_text::to_rich_text;
use super::{emoji, json};
use hubbub_bridge::text::Addresses;
use hubbub_bridge::text::document::{
    Block, Broadcast, Document, Inline, Span, Style, each_run_mut, each_span_mut, with_broadcasts,
};
use hubbub_bridge::text::from_html;
use hubbub_bridge::text::links::linkify;
use hubbub_bridge::text::normalise;
use hubbub_bridge::text::split;
use ruma::events::room::message::sanitize::remove_plain_reply_fallback;
use ruma::{EventId, MxcUri, RoomOrAliasId, UserId};
use serde_json::Value;
use slack_morphism::SlackMessageContent;

/// The longest text of one post. Slack advises this, refuses longer edits, and truncates at 40,000.
pub const POST_TEXT_LIMIT: usize = 4_000;

/// A rule costs two blocks, itself and the text after it; a message may have 50.
const RULE_COST: usize = POST_TEXT_LIMIT / 24;

/// Converts the content of an `m.room.message`; for an edit, pass its `m.new_content`.
pub fn to_slack(content: &Value, addresses: &dyn Addresses) -> Vec<SlackMessageContent> {
    let mut document = read(content, addresses);
    // Whoever reads Slack sees that the writer acts: there is no other way with blocks.
    if json::text(content, "msgtype") == Some("m.emote") {
        let italic = Style { italic: true, ..Style::default() };
        each_span_mut(&mut document.blocks, &mut |span| span.style = italic.with(&span.style));
    }
    let pings_room = content.pointer("/m.mentions/room").and_then(Value::as_bool).unwrap_or(false);
    each_prose_run(&mut document, &mut |spans| {
        let linked = linkify(std::mem::take(spans));
        *spans = if pings_room {
            linked.into_iter().flat_map(|span| with_broadcasts(span, Broadcast::Channel)).collect()
        } else {
            linked
        };
    });
    let measure = |block: &Block| match block {
        Block::Rule => RULE_COST,
        block => to_mrkdwn::length(block),
    };
    split(normalise(document), POST_TEXT_LIMIT, &measure)
        .into_iter()
        .map(normalise)
        .filter(|part| !part.blocks.is_empty())
        .map(|part| SlackMessageContent::new().with_text(to_mrkdwn(&part)).with_blocks(to_rich_text(&part)))
        .collect()
}

fn read(content: &Value, addresses: &dyn Addresses) -> Document {
    let text = text(content, addresses);
    match json::text(content, "msgtype") {
        Some("m.image" | "m.file" | "m.audio" | "m.video") => file(content, text),
        Some("m.location") => {
            let mut blocks = text.blocks;
            blocks.extend(json::text(content, "geo_uri").map(|uri| paragraph(format!("📍 {uri}"))));
            Document { blocks }
        }
        _ => text,
    }
}

/// The formatted body, or the plain one where that cannot be read.
fn text(content: &Value, addresses: &dyn Addresses) -> Document {
    let is_html = json::text(content, "format") == Some("org.matrix.custom.html");
    let html = json::text(content, "formatted_body").filter(|_| is_html);
    if let Some(document) =
        html.and_then(|html| from_html(html, &Spelled(addresses))).filter(|document| !document.blocks.is_empty())
    {
        return document;
    }
    let body = json::text(content, "body").unwrap_or_default();
    let is_reply = content.pointer("/m.relates_to/m.in_reply_to").is_some();
    let body = if is_reply { remove_plain_reply_fallback(body) } else { body };
    Document { blocks: vec![paragraph(body)] }
}

/// Addresses as Slack's text wants them: emoji that Slack has by name are characters, and nothing
/// hides a spoiler.
struct Spelled<'a>(&'a dyn Addresses);

impl Addresses for Spelled<'_> {
    fn user(&self, mxid: &UserId) -> Option<String> {
        self.0.user(mxid)
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        self.0.channel(room)
    }

    fn permalink(&self, room: &RoomOrAliasId, event: &EventId) -> Option<String> {
        self.0.permalink(room, event)
    }

    fn emoji(&self, name: &str, picture: Option<&MxcUri>) -> Inline {
        emoji::by_name(name).map_or_else(|| self.0.emoji(name, picture), Inline::Text)
    }

    fn hides_spoilers(&self) -> bool {
        false
    }
}

/// A file is a line with its name, and its caption before that, if it has one
/// (<https://spec.matrix.org/v1.19/client-server-api/#media-captions>).
fn file(content: &Value, text: Document) -> Document {
    let body = json::text(content, "body").unwrap_or("file");
    let name = json::text(content, "filename").unwrap_or(body);
    let has_caption = name != body;
    let mut blocks = if has_caption { text.blocks } else { Vec::new() };
    blocks.push(paragraph(format!("📎 {name}")));
    Document { blocks }
}

fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(vec![Span::plain(text)])
}

/// Calls `change` for each run of spans outside code blocks.
fn each_prose_run(document: &mut Document, change: &mut dyn FnMut(&mut Vec<Span>)) {
    fn visit(blocks: &mut [Block], change: &mut dyn FnMut(&mut Vec<Span>)) {
        for block in blocks {
            match block {
                Block::Code { .. } => {}
                Block::Quote(inner) => visit(inner, change),
                Block::List(list) => list.items.iter_mut().for_each(|item| visit(item, change)),
                block => each_run_mut(std::slice::from_mut(block), change),
            }
        }
    }
    visit(&mut document.blocks, change);
}
