//! Writes a document as plain text: the `body` that notifications, searches and simple clients show.

use super::document::{Block, Document, Row, Span};
use super::lines::{list, prefixed};
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
        Block::List(list) => self::list(list, |item| blocks(item, names)),
        Block::Table(rows) => rows.iter().map(|row| self::row(row, names)).collect::<Vec<_>>().join("\n"),
        Block::Rule => "---".to_owned(),
    }
}

fn row(row: &Row, names: &dyn Names) -> String {
    row.cells.iter().map(|cell| spans(cell, names)).collect::<Vec<_>>().join(" | ")
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
