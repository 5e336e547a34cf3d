//! Polls ([docs](https://docs.discord.com/developers/resources/poll#poll-object)): shown, with the
//! votes so far. Bots cannot vote.

use super::json;
use hubbub_bridge::text::document::{Block, Inline, List, Span, Style};
use serde_json::Value;

/// The blocks of a poll.
pub(super) fn read(poll: &Value) -> Vec<Block> {
    let Some(question) = json::inner(poll, "question", "text") else { return Vec::new() };
    let bold = Style { bold: true, ..Style::default() };
    let mut question = vec![Span::plain("📊 "), Span::text(question, bold)];
    if poll.get("allow_multiselect").and_then(Value::as_bool) == Some(true) {
        question.push(Span::plain(" (several answers)"));
    }
    let items: Vec<Vec<Block>> = json::list(poll, "answers").map(|answer| vec![answer_line(poll, answer)]).collect();
    let mut blocks = vec![Block::Paragraph(question)];
    if !items.is_empty() {
        blocks.push(Block::List(List { ordered: false, start: 1, items }));
    }
    blocks
}

fn answer_line(poll: &Value, answer: &Value) -> Block {
    let media = answer.get("poll_media").unwrap_or(&Value::Null);
    let mut spans = Vec::new();
    if let Some(name) = json::inner(media, "emoji", "name") {
        let inline = match json::inner(media, "emoji", "id") {
            Some(id) => Inline::Emoji { name: name.to_owned(), id: Some(id.to_owned()) },
            None => Inline::Text(name.to_owned()),
        };
        spans.extend([Span { inline, style: Style::default() }, Span::plain(" ")]);
    }
    spans.push(Span::plain(json::text(media, "text").unwrap_or("[answer]")));
    let id = json::number(answer, "answer_id");
    let counts = poll.get("results").map(|results| json::list(results, "answer_counts"));
    let votes = counts.into_iter().flatten().find(|count| json::number(count, "id") == id);
    if let Some(votes) = votes.and_then(|count| json::number(count, "count")) {
        spans.push(Span::plain(format!(" ({votes})")));
    }
    Block::Paragraph(spans)
}
