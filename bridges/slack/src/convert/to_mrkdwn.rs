//! Writes a document as mrkdwn: the `text` of a Slack message, for notifications and old clients.
//!
//! Only `&`, `<` and `>` can be escaped in mrkdwn, so stars and underscores of the author stay what
//! they are; the blocks beside it say what was meant.
//! See <https://docs.slack.dev/messaging/formatting-message-text>.

use hubbub_bridge::text::document::{Block, Broadcast, Document, Inline, List, Span};
use hubbub_bridge::text::lines::prefixed;

/// A document as mrkdwn.
pub(super) fn to_mrkdwn(document: &Document) -> String {
    blocks(&document.blocks)
}

/// The length of a block's mrkdwn as Slack counts it: in UTF-16 units, escapes and mentions included.
pub(super) fn length(block: &Block) -> usize {
    self::block(block).encode_utf16().count()
}

fn blocks(blocks: &[Block]) -> String {
    let mut text = String::new();
    let mut after_paragraph = false;
    for block in blocks {
        let is_paragraph = matches!(block, Block::Paragraph(_));
        if !text.is_empty() {
            text.push_str(if after_paragraph && is_paragraph { "\n\n" } else { "\n" });
        }
        text.push_str(&self::block(block));
        after_paragraph = is_paragraph;
    }
    text
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => spans(text),
        Block::Heading { spans: text, .. } => styled(&spans(text), &["*"]),
        Block::Quote(inner) => prefixed(&blocks(inner), "> ", "> "),
        Block::Code { spans, .. } => {
            let code: String = spans.iter().map(|span| shown(span, true)).collect();
            // A fence inside would end the code.
            format!("```\n{}\n```", code.replace("```", "``\u{200b}`"))
        }
        Block::List(list) => self::list(list),
        Block::Table(rows) => {
            let line = |cells: &Vec<Vec<Span>>| cells.iter().map(|cell| spans(cell)).collect::<Vec<_>>().join(" | ");
            rows.iter().map(|row| line(&row.cells)).collect::<Vec<_>>().join("\n")
        }
        Block::Rule => "———".to_owned(),
    }
}

fn list(list: &List) -> String {
    let mut lines = Vec::with_capacity(list.items.len());
    let mut number = list.start;
    for item in &list.items {
        let mark = if list.ordered { format!("{number}. ") } else { "• ".to_owned() };
        lines.push(prefixed(&blocks(item), &mark, "    "));
        number = number.saturating_add(1);
    }
    lines.join("\n")
}

fn spans(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        let style = &span.style;
        let marks: Vec<&str> = [(style.bold, "*"), (style.italic, "_"), (style.strike, "~"), (style.code, "`")]
            .into_iter()
            .filter_map(|(set, mark)| set.then_some(mark))
            .collect();
        // Marks work within a line and beside a word only.
        for (index, line) in shown(span, false).split('\n').enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&styled(line, &marks));
        }
    }
    text
}

fn styled(text: &str, marks: &[&str]) -> String {
    let words = text.trim();
    if words.is_empty() || marks.is_empty() {
        return text.to_owned();
    }
    let indent = text.get(..text.len() - text.trim_start().len()).unwrap_or_default();
    let trail = text.get(text.trim_end().len()..).unwrap_or_default();
    let open: String = marks.concat();
    let close: String = marks.iter().rev().copied().collect();
    format!("{indent}{open}{words}{close}{trail}")
}

fn shown(span: &Span, in_code: bool) -> String {
    let text = match &span.inline {
        Inline::Text(text) => escape(text),
        Inline::User(id, _) => return format!("<@{}>", id),
        Inline::Channel(id, _) => return format!("<#{}>", id),
        Inline::Group(id, _) => return format!("<!subteam^{}>", id),
        Inline::Broadcast(Broadcast::Here) => return "<!here>".to_owned(),
        Inline::Broadcast(Broadcast::Channel) => return "<!channel>".to_owned(),
        Inline::Broadcast(Broadcast::Everyone) => return "<!everyone>".to_owned(),
        Inline::Emoji { name, .. } => format!(":{name}:"),
    };
    match span.style.link.as_deref().filter(|_| !in_code) {
        Some(url) => {
            let address = escape(&url.replace('|', "%7C"));
            if address == text { format!("<{address}>") } else { format!("<{address}|{}>", text.replace('\n', " ")) }
        }
        None => text,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
