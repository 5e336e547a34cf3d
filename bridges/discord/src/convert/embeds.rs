//! Embeds ([docs](https://docs.discord.com/developers/resources/message#embed-object)) as quotes.
//!
//! What a bot wrote and what Discord found behind a link look alike here: a quote with author, title,
//! text, fields and footer.

use super::{json, markdown};
use hubbub_bridge::text::document::{Block, Span, Style, restyle, spans_of};
use serde_json::Value;

/// The blocks of an embed.
pub(super) fn read(embed: &Value, message: &Value) -> Vec<Block> {
    if json::text(embed, "type") == Some("poll_result") {
        return poll_result(embed);
    }
    let mut blocks = Vec::new();
    for key in ["provider", "author"] {
        if let Some(name) = json::inner(embed, key, "name") {
            blocks.push(Block::Paragraph(vec![linked(name, json::inner(embed, key, "url"), Style::default())]));
        }
    }
    let url = json::text(embed, "url");
    let bold = Style { bold: true, ..Style::default() };
    if let Some(title) = json::text(embed, "title") {
        let spans = spans_of(markdown::blocks(title)).into_iter().map(|span| {
            let link = span.style.link.clone().or_else(|| url.map(str::to_owned));
            Span { style: Style { link, ..bold.with(&span.style) }, ..span }
        });
        blocks.push(Block::Paragraph(spans.collect()));
    } else if let Some(url) = url.filter(|url| !says(message, url) && !blocks.is_empty()) {
        blocks.push(Block::Paragraph(vec![Span::link(url, url)]));
    }
    blocks.extend(json::text(embed, "description").map(markdown::blocks).unwrap_or_default());
    for field in json::list(embed, "fields") {
        let name = json::text(field, "name").map(|name| restyle(spans_of(markdown::blocks(name)), &bold));
        blocks.extend(name.map(Block::Paragraph));
        blocks.extend(json::text(field, "value").map(markdown::blocks).unwrap_or_default());
    }
    for (key, mark) in [("image", "🖼"), ("video", "🎞"), ("thumbnail", "🖼")] {
        let picture = json::inner(embed, key, "url").filter(|url| lasts(url) && !says(message, url));
        if let Some(picture) = picture.filter(|_| key != "thumbnail" || blocks.is_empty()) {
            let name =
                picture.split('?').next().and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty());
            blocks.push(Block::Paragraph(vec![
                Span::plain(format!("{mark} ")),
                Span::link(picture, name.unwrap_or(picture)),
            ]));
        }
    }
    if let Some(footer) = json::inner(embed, "footer", "text") {
        blocks.push(Block::Paragraph(vec![Span::text(footer, Style { small: true, ..Style::default() })]));
    }
    if blocks.is_empty() { Vec::new() } else { vec![Block::Quote(blocks)] }
}

fn linked(text: &str, url: Option<&str>, style: Style) -> Span {
    Span::text(text, Style { link: url.map(str::to_owned), ..style })
}

/// Whether the message's own text holds the address already.
fn says(message: &Value, url: &str) -> bool {
    json::text(message, "content").is_some_and(|content| content.contains(url))
}

/// Discord's own addresses expire within a day: no event may hold one.
fn lasts(url: &str) -> bool {
    !["cdn.discordapp.com/attachments/", "media.discordapp.net/attachments/", "attachment://"]
        .iter()
        .any(|expiring| url.contains(expiring))
}

/// The result of a poll is told in fields with names of the API's own.
fn poll_result(embed: &Value) -> Vec<Block> {
    let field = |wanted: &str| {
        json::list(embed, "fields")
            .find(|field| json::text(field, "name") == Some(wanted))
            .and_then(|field| json::text(field, "value"))
    };
    let question = field("poll_question_text").unwrap_or("The poll");
    let mut lines = vec![Span::text(question, Style { bold: true, ..Style::default() })];
    match field("victor_answer_text") {
        Some(victor) => {
            let emoji = field("victor_answer_emoji_name").map(|emoji| format!("{emoji} ")).unwrap_or_default();
            let votes = field("victor_answer_votes").unwrap_or("?");
            let total = field("total_votes").unwrap_or("?");
            lines.push(Span::plain(format!("\n{emoji}{victor}: {votes} of {total} votes")));
        }
        None => lines.push(Span::plain("\nThere was no winner.")),
    }
    vec![Block::Quote(vec![Block::Paragraph(lines)])]
}
