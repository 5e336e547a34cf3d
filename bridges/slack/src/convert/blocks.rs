//! Reads Block Kit blocks: what apps post.
//!
//! Every block leaves its text. Buttons and menus become labels, since nobody can press them from
//! Matrix ([`block_elements`](super::block_elements)); a block that nobody knows shows the texts in
//! it, or that it is there. See <https://docs.slack.dev/reference/block-kit/blocks>.

use super::{block_elements as elements, emoji, files, json, mrkdwn, rich_text};
use hubbub_bridge::text::document::{Block, Row, Span, spans_of};
use serde_json::Value;

/// Reads the `blocks` of a message, an attachment or a container.
pub(super) fn read_all(container: &Value, key: &str) -> Vec<Block> {
    json::list(container, key).flat_map(read).collect()
}

/// Reads one block.
pub(super) fn read(block: &Value) -> Vec<Block> {
    match json::kind(block) {
        "rich_text" => rich_text::read(block),
        "section" => section(block),
        "header" => header(block),
        "divider" => vec![Block::Rule],
        "context" => context(block),
        "actions" | "context_actions" => elements::labels(json::list(block, "elements")),
        "image" => elements::image(block),
        "input" => input(block),
        "markdown" => block.get("text").map_or_else(Vec::new, text),
        "video" => video(block),
        "file" => file(block),
        "table" | "data_table" => table(block),
        "alert" => alert(block),
        "card" => card(block),
        "task_card" => task(block),
        "plan" => plan(block),
        "carousel" => read_all(block, "elements"),
        "container" => container(block),
        _ => unknown(block),
    }
}

/// Reads a text object, a bare string, or rich text where text is expected.
pub(super) fn text(value: &Value) -> Vec<Block> {
    match value {
        Value::String(text) => mrkdwn::plain(text),
        Value::Object(_) if json::kind(value) == "rich_text" => rich_text::read(value),
        Value::Object(_) => match value.get("text") {
            Some(Value::String(text)) if json::kind(value) == "mrkdwn" => mrkdwn::blocks(text),
            Some(Value::String(text)) if value.get("emoji") == Some(&Value::Bool(false)) => {
                vec![Block::Paragraph(vec![Span::plain(text)])]
            }
            Some(Value::String(text)) => mrkdwn::plain(text),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The text of a field, if the field is there.
pub(super) fn text_field(block: &Value, key: &str) -> Vec<Block> {
    block.get(key).map_or_else(Vec::new, text)
}

/// The spans of a field whose text is one line.
pub(super) fn spans_field(block: &Value, key: &str) -> Vec<Span> {
    spans_of(text_field(block, key))
}

/// A paragraph, or nothing if there is nothing to say.
pub(super) fn paragraph(spans: Vec<Span>) -> Option<Block> {
    (!spans.is_empty()).then_some(Block::Paragraph(spans))
}

/// What is left of a block that nobody knows: the texts in it, or that it is there.
pub(super) fn unknown(block: &Value) -> Vec<Block> {
    let texts = texts(block);
    if texts.is_empty() {
        return vec![Block::Paragraph(vec![Span::plain(format!("[unsupported block: {}]", json::kind(block)))])];
    }
    texts.into_iter().flat_map(|text| mrkdwn::blocks(&text)).collect()
}

/// The texts anywhere inside a value, in order.
pub(super) fn texts(value: &Value) -> Vec<String> {
    const SHOWN: [&str; 15] = [
        "text",
        "title",
        "subtitle",
        "label",
        "name",
        "description",
        "body",
        "value",
        "alt_text",
        "fallback",
        "pretext",
        "caption",
        "hint",
        "url",
        "content",
    ];
    let mut found = Vec::new();
    match value {
        Value::Array(values) => values.iter().for_each(|value| found.extend(texts(value))),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if SHOWN.contains(&key.as_str()) && !text.trim().is_empty() => {
                        found.push(text.clone())
                    }
                    Value::Array(_) | Value::Object(_) => found.extend(texts(field)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    found
}

fn section(block: &Value) -> Vec<Block> {
    let mut read = text_field(block, "text");
    read.extend(json::list(block, "fields").flat_map(text));
    if let Some(accessory) = json::present(block, "accessory") {
        read.extend(elements::labels(std::iter::once(accessory)));
    }
    read
}

fn header(block: &Value) -> Vec<Block> {
    let level = block.get("level").and_then(Value::as_u64).and_then(|level| u8::try_from(level).ok()).unwrap_or(3);
    vec![Block::Heading { level, spans: spans_field(block, "text") }]
}

/// Small print: texts and pictures in one line, as far as they fit one.
fn context(block: &Value) -> Vec<Block> {
    let mut read: Vec<Block> = Vec::new();
    for element in json::list(block, "elements") {
        let blocks = match json::kind(element) {
            "image" => elements::image(element),
            _ => text(element),
        };
        for block in blocks {
            match (read.last_mut(), block) {
                (Some(Block::Paragraph(line)), Block::Paragraph(more)) => {
                    line.push(Span::plain(" "));
                    line.extend(more);
                }
                (_, block) => read.push(block),
            }
        }
    }
    read
}

fn input(block: &Value) -> Vec<Block> {
    let mut read = text_field(block, "label");
    read.extend(
        json::present(block, "element").into_iter().flat_map(|element| elements::labels(std::iter::once(element))),
    );
    read.extend(text_field(block, "hint"));
    read
}

fn video(block: &Value) -> Vec<Block> {
    let title = elements::linked(
        spans_field(block, "title"),
        json::text(block, "title_url").or(json::text(block, "video_url")),
    );
    let mut read: Vec<Block> = paragraph(title).into_iter().collect();
    for key in ["description", "author_name", "provider_name", "alt_text"] {
        read.extend(text_field(block, key));
    }
    read
}

fn file(block: &Value) -> Vec<Block> {
    match json::present(block, "file") {
        Some(file) => files::line(file),
        None => {
            let id = json::text(block, "external_id").or(json::text(block, "file_id")).unwrap_or("remote file");
            vec![Block::Paragraph(vec![Span::plain(format!("📎 {id}"))])]
        }
    }
}

fn table(block: &Value) -> Vec<Block> {
    // Slack bolds the first row of every table; a data table's is its header.
    let has_header = json::kind(block) == "data_table";
    let rows = json::list(block, "rows").enumerate().map(|(index, row)| Row {
        header: has_header && index == 0,
        cells: row.as_array().into_iter().flatten().map(cell).collect(),
    });
    let rows: Vec<Row> = rows.collect();
    let mut read = text_field(block, "caption");
    read.push(Block::Table(rows));
    read
}

fn cell(cell: &Value) -> Vec<Span> {
    match json::kind(cell) {
        "raw_text" | "raw_number" => {
            let shown = cell.get("text").or_else(|| cell.get("value"));
            shown.map_or_else(Vec::new, |shown| match shown {
                Value::String(text) => vec![Span::plain(emoji::replace_shortcodes(text))],
                Value::Number(number) => vec![Span::plain(number.to_string())],
                _ => Vec::new(),
            })
        }
        "rich_text" => spans_of(rich_text::read(cell)),
        _ => vec![Span::plain(texts(cell).join(" "))],
    }
}

fn alert(block: &Value) -> Vec<Block> {
    let mark = match json::text(block, "level") {
        Some("error") => "⛔ ",
        Some("warning") => "⚠️ ",
        Some("success") => "✅ ",
        _ => "ℹ️ ",
    };
    let mut read = text_field(block, "text");
    match read.first_mut() {
        Some(Block::Paragraph(spans)) => spans.insert(0, Span::plain(mark)),
        _ => read.insert(0, Block::Paragraph(vec![Span::plain(mark)])),
    }
    read
}

fn card(block: &Value) -> Vec<Block> {
    let mut read: Vec<Block> = paragraph(elements::bold(spans_field(block, "title"))).into_iter().collect();
    for key in ["subtitle", "body", "subtext"] {
        read.extend(text_field(block, key));
    }
    for key in ["hero_image", "icon"] {
        read.extend(json::present(block, key).into_iter().flat_map(elements::image));
    }
    read.extend(elements::labels(json::list(block, "actions")));
    read
}

fn task(block: &Value) -> Vec<Block> {
    let mark = match json::text(block, "status") {
        Some("complete") => "✅ ",
        Some("error") => "⛔ ",
        Some("in_progress") => "⏳ ",
        _ => "▫️ ",
    };
    let mut title = vec![Span::plain(mark)];
    title.extend(elements::bold(spans_field(block, "title")));
    let mut read = vec![Block::Paragraph(title)];
    read.extend(text_field(block, "details"));
    read.extend(text_field(block, "output"));
    for source in json::list(block, "sources") {
        let label = spans_field(source, "text");
        let url = json::text(source, "url");
        let label = if label.is_empty() { url.map(Span::plain).into_iter().collect() } else { label };
        read.extend(paragraph(elements::linked(label, url)));
    }
    read
}

fn plan(block: &Value) -> Vec<Block> {
    let mut read: Vec<Block> = paragraph(elements::bold(spans_field(block, "title"))).into_iter().collect();
    read.extend(json::list(block, "tasks").flat_map(task));
    read
}

fn container(block: &Value) -> Vec<Block> {
    let titles = ["rich_text_title", "title"].map(|key| spans_field(block, key));
    let title = titles.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
    let mut read: Vec<Block> = paragraph(elements::bold(title)).into_iter().collect();
    read.extend(text_field(block, "subtitle"));
    read.extend(json::present(block, "icon").into_iter().flat_map(elements::image));
    read.extend(read_all(block, "child_blocks"));
    read
}
