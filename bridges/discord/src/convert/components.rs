//! Components ([docs](https://docs.discord.com/developers/components/reference)): what they say is
//! shown, what they do is done in Discord.

use super::{json, markdown};
use hubbub_bridge::text::document::{Block, Inline, Span, Style, spans_of};
use serde_json::Value;

/// How deep components may nest.
const DEEPEST: usize = 6;

/// The blocks of a message's components.
pub(super) fn read(message: &Value) -> Vec<Block> {
    json::list(message, "components").flat_map(|component| block(component, 0)).collect()
}

/// Whether a message has something that only works in Discord.
pub(super) fn wants_discord(message: &Value) -> bool {
    fn acts(component: &Value, depth: usize) -> bool {
        let own = match json::number(component, "type") {
            Some(2) => json::text(component, "url").is_none(),
            Some(3..=8) => true,
            _ => false,
        };
        let inside = json::list(component, "components").chain(component.get("accessory"));
        own || depth < DEEPEST && inside.into_iter().any(|component| acts(component, depth + 1))
    }
    json::list(message, "components").any(|component| acts(component, 0))
}

fn block(component: &Value, depth: usize) -> Vec<Block> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let inside = |key: &str| -> Vec<Block> {
        json::list(component, key).flat_map(|component| block(component, depth + 1)).collect()
    };
    match json::number(component, "type") {
        // An action row is a line of buttons.
        Some(1) => line_of(inside("components")),
        Some(2) => vec![button(component)],
        Some(3 | 5..=8) => select(component),
        Some(9) => {
            let mut blocks = inside("components");
            blocks.extend(component.get("accessory").map(|accessory| block(accessory, depth + 1)).unwrap_or_default());
            blocks
        }
        Some(10) => json::text(component, "content").map(markdown::blocks).unwrap_or_default(),
        Some(11) => media(component).into_iter().collect(),
        Some(12) => json::list(component, "items").filter_map(media).collect(),
        Some(13) => vec![json::paragraph(format!("📎 {}", json::text(component, "name").unwrap_or("file")))],
        Some(14) => vec![Block::Rule],
        Some(17) => vec![Block::Quote(inside("components"))],
        _ => {
            let mut blocks: Vec<Block> = ["label", "title", "description", "placeholder", "content", "value"]
                .iter()
                .filter_map(|key| json::text(component, key))
                .map(json::paragraph)
                .collect();
            blocks.extend(inside("components"));
            blocks.extend(component.get("component").map(|one| block(one, depth + 1)).unwrap_or_default());
            blocks
        }
    }
}

fn line_of(blocks: Vec<Block>) -> Vec<Block> {
    let plain = blocks.iter().all(|block| matches!(block, Block::Paragraph(_)));
    if plain && !blocks.is_empty() { vec![Block::Paragraph(spans_of(blocks))] } else { blocks }
}

fn button(component: &Value) -> Block {
    let mut spans = vec![Span::plain("[")];
    if let Some(name) = json::inner(component, "emoji", "name") {
        let id = json::inner(component, "emoji", "id").map(str::to_owned);
        let inline = match id {
            Some(id) => Inline::Emoji { name: name.to_owned(), id: Some(id) },
            None => Inline::Text(name.to_owned()),
        };
        spans.extend([Span { inline, style: Style::default() }, Span::plain(" ")]);
    }
    let label = json::text(component, "label").unwrap_or("button");
    spans.push(match json::text(component, "url") {
        Some(url) => Span::link(url, label),
        None => Span::plain(label),
    });
    spans.push(Span::plain("]"));
    Block::Paragraph(spans)
}

fn select(component: &Value) -> Vec<Block> {
    let mut lines = vec![format!("▾ {}", json::text(component, "placeholder").unwrap_or("choose"))];
    for option in json::list(component, "options") {
        let label = json::text(option, "label").unwrap_or("option");
        lines.push(match json::text(option, "description") {
            Some(description) => format!("  {label}: {description}"),
            None => format!("  {label}"),
        });
    }
    vec![json::paragraph(lines.join("\n"))]
}

fn media(item: &Value) -> Option<Block> {
    let description = json::text(item, "description");
    let url = json::inner(item, "media", "url");
    description.or(url.map(|_| "picture")).map(|text| json::paragraph(format!("🖼 {text}")))
}
