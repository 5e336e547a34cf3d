//! Writes a document as plain text: the `body` that notifications, searches and simple clients show.

use super::document::{Block, Document, List, Row, Span};
use super::links;
use super::names::Names;
use super::to_html::{refused_address, shown};

/// A document as plain text.
pub fn to_body(document: &Document, names: &dyn Names) -> String {
    blocks(&document.blocks, names)
}

fn blocks(blocks: &[Block], names: &dyn Names) -> String {
    let mut body = String::new();
    let mut after_paragraph = false;
    for block in blocks {
        let is_paragraph = matches!(block, Block::Paragraph(_));
        if !body.is_empty() {
            body.push_str(if after_paragraph && is_paragraph { "\n\n" } else { "\n" });
        }
        body.push_str(&self::block(block, names));
        after_paragraph = is_paragraph;
    }
    body
}

fn block(block: &Block, names: &dyn Names) -> String {
    match block {
        Block::Paragraph(text) | Block::Heading { spans: text, .. } => spans(text, names),
        Block::Quote(inner) => prefixed(&blocks(inner, names), "> ", "> "),
        Block::Code { spans, .. } => {
            let code: String = spans.iter().map(|span| shown(&span.inline, names)).collect();
            format!("```\n{code}\n```")
        }
        Block::List(list) => self::list(list, names),
        Block::Table(rows) => rows.iter().map(|row| self::row(row, names)).collect::<Vec<_>>().join("\n"),
        Block::Rule => "---".to_owned(),
    }
}

fn list(list: &List, names: &dyn Names) -> String {
    let mut lines = Vec::with_capacity(list.items.len());
    let mut number = list.start;
    for item in &list.items {
        let mark = if list.ordered { format!("{number}. ") } else { "- ".to_owned() };
        let indent = " ".repeat(mark.len());
        lines.push(prefixed(&blocks(item, names), &mark, &indent));
        number = number.saturating_add(1);
    }
    lines.join("\n")
}

fn row(row: &Row, names: &dyn Names) -> String {
    row.cells.iter().map(|cell| spans(cell, names)).collect::<Vec<_>>().join(" | ")
}

fn prefixed(text: &str, first: &str, others: &str) -> String {
    let mut lines = String::with_capacity(text.len() + first.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            lines.push('\n');
        }
        lines.push_str(if index == 0 { first } else { others });
        lines.push_str(line);
    }
    lines
}

fn spans(spans: &[Span], names: &dyn Names) -> String {
    let mut body = String::new();
    let mut label = String::new();
    for (index, span) in spans.iter().enumerate() {
        let shown = shown(&span.inline, names);
        body.push_str(&shown);
        label.push_str(&shown);
        let next = spans.get(index.saturating_add(1)).and_then(|next| next.style.link.as_deref());
        if span.style.link.as_deref() == next {
            continue;
        }
        if let Some(url) = &span.style.link
            && (refused_address(span).is_some() || !links::says_the_same(url, &label))
        {
            body.push_str(&format!(" ({url})"));
        }
        label.clear();
    }
    body
}
