//! Reads `rich_text`, the blocks that people's own messages consist of.
//!
//! See <https://docs.slack.dev/reference/block-kit/blocks/rich-text-block>. Lists are told apart and
//! nested in `rich_text_list`. An element that nobody knows is shown by the texts in it.

use super::rich_text_list::push_list;
use super::{blocks, date, emoji, json};
use hubbub_bridge::text::document::{Block, Broadcast, Inline, Span, Style};
use serde_json::Value;

/// Reads the `elements` of a `rich_text` block.
pub(super) fn read(block: &Value) -> Vec<Block> {
    let mut read: Vec<Block> = Vec::new();
    for element in json::list(block, "elements") {
        // A border draws the line of a quote beside lists and code.
        let quoted = element.get("border").and_then(Value::as_u64).unwrap_or(0) > 0;
        match json::kind(element) {
            "rich_text_section" => push_section(&mut read, spans(element)),
            "rich_text_quote" => push_quoted(&mut read, |quote| quote.push(Block::Paragraph(spans(element)))),
            "rich_text_list" if quoted => push_quoted(&mut read, |quote| push_list(quote, element)),
            "rich_text_list" => push_list(&mut read, element),
            "rich_text_preformatted" if quoted => push_quoted(&mut read, |quote| quote.push(code(element))),
            "rich_text_preformatted" => read.push(code(element)),
            _ => read.extend(blocks::unknown(element)),
        }
    }
    read
}

/// Reads the inline elements of a section, quote or list item.
pub(super) fn spans(section: &Value) -> Vec<Span> {
    json::list(section, "elements").flat_map(inline).collect()
}

/// Slack shows each section on a line of its own.
fn push_section(read: &mut Vec<Block>, spans: Vec<Span>) {
    match read.last_mut() {
        Some(Block::Paragraph(previous)) => {
            let ended =
                matches!(previous.last(), Some(Span { inline: Inline::Text(text), .. }) if text.ends_with('\n'));
            if !ended {
                previous.push(Span::plain("\n"));
            }
            previous.extend(spans);
        }
        _ => read.push(Block::Paragraph(spans)),
    }
}

fn push_quoted(read: &mut Vec<Block>, add: impl FnOnce(&mut Vec<Block>)) {
    if !matches!(read.last(), Some(Block::Quote(_))) {
        read.push(Block::Quote(Vec::new()));
    }
    if let Some(Block::Quote(quote)) = read.last_mut() {
        add(quote);
    }
}

fn code(element: &Value) -> Block {
    let language = json::text(element, "language").map(str::to_owned);
    Block::Code { language, spans: spans(element) }
}

fn inline(element: &Value) -> Vec<Span> {
    let style = style(element);
    let of = |inline| vec![Span { inline, style: style.clone() }];
    let id = |key| json::text(element, key);
    let label = |key| json::text(element, key).map(str::to_owned);
    match json::kind(element) {
        "text" => vec![Span::text(element.get("text").and_then(Value::as_str).unwrap_or_default(), style)],
        "link" | "message_mention" => link(element, style),
        "user" => id("user_id").map_or_else(Vec::new, |id| of(Inline::User(id.into(), label("name")))),
        "channel" => id("channel_id").map_or_else(Vec::new, |id| of(Inline::Channel(id.into(), label("name")))),
        "usergroup" => id("usergroup_id").map_or_else(Vec::new, |id| of(Inline::Group(id.into(), label("name")))),
        "broadcast" => of(Inline::Broadcast(match id("range") {
            Some("here") => Broadcast::Here,
            Some("everyone") => Broadcast::Everyone,
            _ => Broadcast::Channel,
        })),
        "emoji" => of(emoji_of(element)),
        "date" => date_of(element, style),
        "color" => vec![Span::text(id("value").unwrap_or("color"), style)],
        "team" => vec![Span::text(format!("@{}", id("team_id").unwrap_or("team")), style)],
        _ => unknown(element, style),
    }
}

fn link(element: &Value, mut style: Style) -> Vec<Span> {
    let Some(url) = json::text(element, "url") else { return unknown(element, style) };
    style.link = Some(url.to_owned());
    vec![Span::text(json::text(element, "text").unwrap_or(url), style)]
}

fn emoji_of(element: &Value) -> Inline {
    let name = json::text(element, "name").unwrap_or("emoji");
    if let Some(shown) = json::text(element, "unicode").and_then(emoji::by_code_points) {
        return Inline::Text(shown);
    }
    let toned = element.get("skin_tone").and_then(Value::as_u64).map(|tone| format!("{name}::skin-tone-{tone}"));
    match emoji::by_name(toned.as_deref().unwrap_or(name)) {
        Some(shown) => Inline::Text(shown),
        None => Inline::Emoji { name: name.to_owned(), id: None },
    }
}

fn date_of(element: &Value, mut style: Style) -> Vec<Span> {
    let timestamp = element.get("timestamp");
    let seconds = timestamp
        .and_then(Value::as_i64)
        .or_else(|| timestamp.and_then(Value::as_str).and_then(|text| text.parse().ok()));
    let fallback = json::text(element, "fallback");
    let shown = match seconds {
        Some(seconds) => date::shown(seconds, json::text(element, "format").unwrap_or("{date_num} {time}"), fallback),
        None => fallback.unwrap_or("date").to_owned(),
    };
    style.link = json::text(element, "url").map(str::to_owned);
    vec![Span::text(shown, style)]
}

fn unknown(element: &Value, style: Style) -> Vec<Span> {
    let texts = blocks::texts(element);
    if texts.is_empty() {
        return vec![Span::text(format!("[unsupported element: {}]", json::kind(element)), style)];
    }
    vec![Span::text(texts.join(" "), style)]
}

fn style(element: &Value) -> Style {
    let set = |key| element.pointer(&format!("/style/{key}")).and_then(Value::as_bool).unwrap_or(false);
    Style {
        link: None,
        bold: set("bold"),
        italic: set("italic"),
        strike: set("strike"),
        underline: set("underline"),
        code: set("code"),
        ..Style::default()
    }
}
