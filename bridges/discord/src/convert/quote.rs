//! The line above a message that answers another one: who speaks through a webhook cannot answer natively.

use hubbub_bridge::text::document::{Block, Document, Inline, Span, Style, each_span};
use serde_json::Value;

use super::{json, markdown, to_markdown::to_markdown};
use crate::remote_id::Snowflake;

/// What the line starts with.
const START: &str = "-# ↪ [Reply to](https://discord.com/channels/";

/// The most that the line takes of a message, in UTF-16 units.
pub(super) const MOST: usize = 400;

/// How much of the answered message it repeats, in characters.
const EXCERPT_CHARACTERS: usize = 60;

/// The longest name in it, in characters.
const NAME_CHARACTERS: usize = 32;

/// The line about the message at `link`, as far as it is known. With `pings` its author is named so that Discord may
/// tell them, if they are a person.
#[must_use]
pub fn quote(link: &str, message: Option<&Value>, pings: Option<Snowflake>) -> String {
    let small = Style { small: true, ..Style::default() };
    let bold = Style { bold: true, ..small.clone() };
    let mut spans = vec![
        Span::text("↪ ", small.clone()),
        Span::text("Reply to", Style { link: Some(link.to_owned()), ..small.clone() }),
    ];
    if let Some(message) = message {
        let author = message.get("author").unwrap_or(&Value::Null);
        let name = json::text(author, "global_name").or_else(|| json::text(author, "username"));
        let who = match (pings, name) {
            (Some(id), _) => Some(Inline::User(id.to_string(), None)),
            (None, name) => name.map(|name| Inline::Text(name.chars().take(NAME_CHARACTERS).collect())),
        };
        if let Some(inline) = who {
            spans.extend([Span::text(" ", small.clone()), Span { inline, style: bold }]);
        }
        let said = excerpt(message);
        if !said.is_empty() {
            spans.push(Span::text(format!(": {said}"), small));
        }
    }
    to_markdown(&Document { blocks: vec![Block::Paragraph(spans)] }).replace('\n', " ")
}

/// The beginning of what a message says, on one line.
fn excerpt(message: &Value) -> String {
    let content = json::text(message, "content").map(|content| without_quote(content).1).unwrap_or_default();
    let mut words = String::new();
    each_span(&markdown::blocks(content), &mut |span| {
        if let Inline::Text(text) = &span.inline {
            // A spoiler stays one.
            words.push_str(if span.style.spoiler { "▒▒▒" } else { text });
            words.push(' ');
        }
    });
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = words.chars().take(EXCERPT_CHARACTERS).collect();
    if short.len() < words.len() { format!("{short}…") } else { short }
}

/// Takes a message apart into the line, if it has one, and what is said below it.
#[must_use]
pub fn without_quote(content: &str) -> (Option<&str>, &str) {
    match content.split_once('\n') {
        Some((line, rest)) if line.starts_with(START) => (Some(line), rest),
        _ => (None, content),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINK: &str = "https://discord.com/channels/1/2/3";

    #[test]
    fn the_line_names_the_author_and_repeats_the_beginning() {
        let message = json!({
            "author": { "id": "4", "username": "anna", "global_name": "An*na" },
            "content": "**hi** <@5>\n> and ||secret|| _more_ of what is said at some length, so that it has to end somewhere",
        });
        let line = quote(LINK, Some(&message), None);
        assert!(line.starts_with(START), "{line}");
        assert!(line.contains("**An\\*na**: hi and ▒▒▒ more of what"), "{line}");
        assert!(line.ends_with('…') && !line.contains('\n') && !line.contains("<@"), "{line}");
        assert!(line.encode_utf16().count() <= MOST);
        let pinging = quote(LINK, Some(&message), Some(Snowflake(4)));
        assert!(pinging.contains("<@4>"), "{pinging}");
    }

    #[test]
    fn the_line_is_found_again_and_never_repeated() {
        let line = quote(LINK, None, None);
        let content = format!("{line}\nyes\nindeed");
        assert_eq!(without_quote(&content), (Some(line.as_str()), "yes\nindeed"));
        assert_eq!(without_quote("-# ↪ mine\nx"), (None, "-# ↪ mine\nx"));
        let answered = json!({ "author": { "username": "b" }, "content": content });
        assert!(quote(LINK, Some(&answered), None).ends_with(": yes indeed"));
    }
}
