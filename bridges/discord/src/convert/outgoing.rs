//! Matrix → Discord: an `m.room.message` content becomes the text of one or more messages.

use super::to_markdown::{length, to_markdown};
use super::{json, quote};
use crate::remote_id::Snowflake;
use hubbub_bridge::text::document::{
    Broadcast, Document, Inline, Span, Style, each_run_mut, each_span, each_span_mut, with_broadcasts,
};
use hubbub_bridge::text::{Addresses, from_html, links::linkify, normalise, split};
use ruma::events::room::message::sanitize::remove_plain_reply_fallback;
use serde_json::Value;

/// The longest content of one message, in UTF-16 units
/// ([docs](https://docs.discord.com/developers/resources/message#create-message)).
pub const POST_LIMIT: usize = 2_000;

/// The longest address that is written as a link behind a label.
const LONGEST_LINK: usize = 1_000;

/// The most people, and the most roles, that Discord lets one message ping.
const MOST_PINGS: usize = 100;

/// One message to send, or the new text of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// The content.
    pub content: String,
    /// Whom it may ping.
    pub users: Vec<Snowflake>,
    /// Whether it may ping everybody.
    pub everyone: bool,
    /// Whom the sender means, named in the text or not: the author of an answered message may be among them.
    pub meant: Vec<Snowflake>,
}

/// Converts the content of an `m.room.message`; for an edit, pass its `m.new_content`. An empty list
/// means that there is nothing to say.
#[must_use]
pub fn to_discord(content: &Value, addresses: &dyn Addresses) -> Vec<Post> {
    let mut document = text(content, addresses);
    match json::text(content, "msgtype") {
        Some("m.emote") => {
            let italic = Style { italic: true, ..Style::default() };
            each_span_mut(&mut document.blocks, &mut |span| span.style = italic.with(&span.style));
        }
        // The file itself goes beside: the text is its caption, if it has one.
        Some("m.image" | "m.file" | "m.audio" | "m.video") => {
            let body = json::text(content, "body");
            if json::text(content, "filename").is_none_or(|name| Some(name) == body) {
                document.blocks.clear();
            }
        }
        Some("m.location") => {
            document.blocks.extend(json::text(content, "geo_uri").map(|uri| json::paragraph(format!("📍 {uri}"))));
        }
        _ => {}
    }
    let pings_room = content.pointer("/m.mentions/room").and_then(Value::as_bool).unwrap_or(false);
    each_run_mut(&mut document.blocks, &mut |spans| {
        let linked = without_long_links(linkify(std::mem::take(spans)));
        *spans = if pings_room {
            linked.into_iter().flat_map(|span| with_broadcasts(span, Broadcast::Everyone)).collect()
        } else {
            linked
        };
    });
    let answers = content.pointer("/m.relates_to/m.in_reply_to").is_some();
    let limit = if answers { POST_LIMIT.saturating_sub(quote::MOST) } else { POST_LIMIT };
    let named = content.pointer("/m.mentions/user_ids").and_then(Value::as_array).into_iter().flatten();
    let meant: Vec<Snowflake> = named
        .filter_map(|id| addresses.user(id.as_str()?.try_into().ok()?))
        .filter_map(|id| Snowflake::read(&id))
        .take(MOST_PINGS)
        .collect();
    split(normalise(document), limit, &length)
        .into_iter()
        .map(normalise)
        .filter(|part| !part.blocks.is_empty())
        .map(|part| Post { meant: meant.clone(), ..post(&part, content) })
        .filter(|post| !post.content.trim().is_empty())
        .collect()
}

/// What `m.mentions` does not name is shown as a mention and pings nobody
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions)).
fn post(document: &Document, content: &Value) -> Post {
    let mut post = Post { content: to_markdown(document), ..Post::default() };
    let explicit = content.get("m.mentions").is_some();
    let pings_someone =
        content.pointer("/m.mentions/user_ids").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty());
    each_span(&document.blocks, &mut |span| match &span.inline {
        Inline::User(id, _) if !explicit || pings_someone => {
            let id = Snowflake::read(id).filter(|id| !post.users.contains(id));
            post.users.extend(id.filter(|_| post.users.len() < MOST_PINGS));
        }
        Inline::Broadcast(_) => post.everyone = true,
        _ => {}
    });
    post
}

fn text(content: &Value, addresses: &dyn Addresses) -> Document {
    let is_html = json::text(content, "format") == Some("org.matrix.custom.html");
    let html = json::text(content, "formatted_body").filter(|_| is_html);
    if let Some(document) =
        html.and_then(|html| from_html(html, addresses)).filter(|document| !document.blocks.is_empty())
    {
        return document;
    }
    let body = json::text(content, "body").unwrap_or_default();
    let is_reply = content.pointer("/m.relates_to/m.in_reply_to").is_some();
    let body = if is_reply { remove_plain_reply_fallback(body) } else { body };
    Document { blocks: vec![json::paragraph(body)] }
}

/// A link cannot be cut, so that a very long one has to be text.
fn without_long_links(spans: Vec<Span>) -> Vec<Span> {
    let mut kept = Vec::with_capacity(spans.len());
    for mut span in spans {
        match span.style.link.take() {
            Some(url) if url.len() > LONGEST_LINK => {
                let said = matches!(&span.inline, Inline::Text(text) if *text == url);
                kept.push(span);
                kept.extend((!said).then(|| Span::plain(format!(" ({url})"))));
            }
            link => {
                span.style.link = link;
                kept.push(span);
            }
        }
    }
    kept
}
