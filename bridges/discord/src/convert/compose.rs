//! Reads everything that one message shows, in the order in which Discord shows it.

use super::{components, embeds, files, json, markdown, poll, system};
use hubbub_bridge::text::document::{Block, Document, Inline, Span, Style, each_span_mut};
use hubbub_bridge::text::normalise;
use serde_json::Value;

/// How many forwards inside forwards are read.
const DEEPEST: usize = 3;

/// Discord's flag of a message whose embeds its author took away.
const SUPPRESS_EMBEDS: u32 = 2;

/// What a message shows, and whether Discord itself says it.
pub(super) struct Composition {
    /// What it shows.
    pub(super) document: Document,
    /// Whether it is a notice: Discord speaks, not a person.
    pub(super) notice: bool,
}

/// Reads a message; with the lines of its files, if nothing else shows them.
pub(super) fn compose(message: &Value, with_files: bool) -> Composition {
    let system = system::read(message);
    let notice = system.is_some();
    let mut blocks = system.unwrap_or_default();
    if let Some(title) = json::text(message, crate::events::TITLE) {
        let bold = Style { bold: true, ..Style::default() };
        blocks.push(Block::Paragraph(vec![Span::text(title, bold)]));
    }
    blocks.extend(shown(message, with_files, 0));
    if components::wants_discord(message) || system::is_unknown(message) {
        blocks.push(link_to(message));
    }
    let mut document = normalise(Document { blocks });
    borrow_labels(&mut document, message);
    Composition { document, notice }
}

fn shown(message: &Value, with_files: bool, depth: usize) -> Vec<Block> {
    let mut blocks = json::text(message, "content").map(markdown::blocks).unwrap_or_default();
    keep_broadcasts(&mut blocks, message);
    if depth < DEEPEST {
        for snapshot in json::list(message, "message_snapshots").filter_map(|snapshot| snapshot.get("message")) {
            blocks.push(json::paragraph("↪ Forwarded"));
            blocks.push(Block::Quote(shown(snapshot, with_files, depth + 1)));
        }
    }
    blocks.extend(message.get("poll").map(poll::read).unwrap_or_default());
    blocks.extend(components::read(message));
    if !json::flag(message, SUPPRESS_EMBEDS) {
        blocks.extend(json::list(message, "embeds").flat_map(|embed| embeds::read(embed, message)));
    }
    if with_files {
        blocks.extend(files::lines(message));
    } else {
        blocks.extend(files::animations(message));
    }
    blocks
}

/// `@everyone` is a mention only where Discord made it one.
fn keep_broadcasts(blocks: &mut [Block], message: &Value) {
    if message.get("mention_everyone").and_then(Value::as_bool) == Some(true) {
        return;
    }
    each_span_mut(blocks, &mut |span| {
        if let Inline::Broadcast(range) = &span.inline {
            use hubbub_bridge::text::document::Broadcast;
            let text = if *range == Broadcast::Everyone { "@everyone" } else { "@here" };
            span.inline = Inline::Text(text.to_owned());
        }
    });
}

/// The message names whom it mentions.
fn borrow_labels(document: &mut Document, message: &Value) {
    let name_of = |key: &str, id: &str| {
        let found = json::list(message, key).find(|entry| json::text(entry, "id") == Some(id))?;
        let nick = json::inner(found, "member", "nick");
        let name = nick.or_else(|| json::text(found, "global_name")).or_else(|| json::text(found, "username"));
        name.or_else(|| json::text(found, "name")).map(str::to_owned)
    };
    each_span_mut(&mut document.blocks, &mut |span| match &mut span.inline {
        Inline::User(id, label @ None) => *label = name_of("mentions", id),
        Inline::Channel(id, label @ None) => *label = name_of("mention_channels", id),
        _ => {}
    });
}

/// Where the message is at Discord.
fn link_to(message: &Value) -> Block {
    let guild = json::text(message, "guild_id").unwrap_or("@me");
    let place = json::text(message, "channel_id").zip(json::text(message, "id"));
    match place {
        Some((channel, id)) => {
            let url = format!("https://discord.com/channels/{guild}/{channel}/{id}");
            Block::Paragraph(vec![Span::link(url, "Open in Discord")])
        }
        None => json::paragraph("[open in Discord]"),
    }
}
