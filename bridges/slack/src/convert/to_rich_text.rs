//! Writes a document as the `blocks` of a Slack message: `rich_text`, and dividers for rules.
//!
//! Rich text has no headings and no tables: the first become bold lines, the second lines of cells.
//! Its lists are flat, so nested ones are cut into pieces with an `indent` and an `offset`.
//! See <https://docs.slack.dev/reference/block-kit/blocks/rich-text-block>.

use hubbub_bridge::text::document::{Block, Broadcast, Document, Inline, List, Row, Span, Style, restyle};
use slack_morphism::SlackEmojiName;
use slack_morphism::blocks::*;
use slack_morphism::prelude::SlackRelaxedUrl;

/// A document as Slack's blocks.
pub(super) fn to_rich_text(document: &Document) -> Vec<SlackBlock> {
    let mut writer = Writer::default();
    for block in &document.blocks {
        writer.block(block, false);
    }
    writer.end_rich_text();
    writer.blocks
}

#[derive(Default)]
struct Writer {
    blocks: Vec<SlackBlock>,
    elements: Vec<SlackRichTextElement>,
}

impl Writer {
    fn end_rich_text(&mut self) {
        if !self.elements.is_empty() {
            let elements = std::mem::take(&mut self.elements);
            self.blocks.push(SlackRichTextBlock { block_id: None, elements }.into());
        }
    }

    fn block(&mut self, block: &Block, quoted: bool) {
        match block {
            Block::Paragraph(spans) => self.text(inline(spans), "\n\n", quoted),
            Block::Heading { spans, .. } => {
                let bold = Style { bold: true, ..Style::default() };
                self.text(inline(&restyle(spans.clone(), &bold)), "\n\n", quoted);
            }
            Block::Table(rows) => rows.iter().for_each(|row| self.text(inline(&line_of(row)), "\n", quoted)),
            Block::Quote(_) if quoted => self.text(item_text(&[block]), "\n\n", quoted),
            Block::Quote(inner) => inner.iter().for_each(|block| self.block(block, true)),
            Block::Code { language, spans } => self.elements.push(
                SlackRichTextPreformatted {
                    elements: inline(&plain(spans)),
                    border: border(quoted),
                    language: language.clone(),
                }
                .into(),
            ),
            Block::List(list) => self.list(list, 0, quoted),
            Block::Rule if quoted => self.text(vec!["———".into()], "\n", quoted),
            Block::Rule => {
                self.end_rich_text();
                self.blocks.push(SlackDividerBlock { block_id: None }.into());
            }
        }
    }

    /// Adds text after text of the same kind, or begins anew.
    fn text(&mut self, mut text: Vec<SlackRichTextInlineElement>, separator: &str, quoted: bool) {
        match self.elements.last_mut() {
            Some(SlackRichTextElement::Quote(quote)) if quoted => {
                push_separator(&mut quote.elements, separator);
                quote.elements.append(&mut text);
            }
            Some(SlackRichTextElement::Section(section)) if !quoted => {
                push_separator(&mut section.elements, separator);
                section.elements.append(&mut text);
            }
            _ if quoted => self.elements.push(SlackRichTextQuote { elements: text, border: None }.into()),
            _ => self.elements.push(SlackRichTextSection { elements: text }.into()),
        }
    }

    fn list(&mut self, list: &List, indent: u64, quoted: bool) {
        let mut number = list.start;
        let mut begins = true;
        for item in &list.items {
            let (nested, own): (Vec<&Block>, Vec<&Block>) =
                item.iter().partition(|block| matches!(block, Block::List(_)));
            let section: SlackRichTextListElement = SlackRichTextSection { elements: item_text(&own) }.into();
            match self.elements.last_mut() {
                Some(SlackRichTextElement::List(piece)) if !begins => piece.elements.push(section),
                _ => self.elements.push(
                    SlackRichTextList {
                        style: if list.ordered {
                            SlackRichTextListStyle::Ordered
                        } else {
                            SlackRichTextListStyle::Bullet
                        },
                        elements: vec![section],
                        indent: Some(indent),
                        offset: list.ordered.then(|| number.saturating_sub(1)).filter(|offset| *offset > 0),
                        border: border(quoted),
                    }
                    .into(),
                ),
            }
            begins = !nested.is_empty();
            for block in nested {
                if let Block::List(list) = block {
                    self.list(list, indent.saturating_add(1), quoted);
                }
            }
            number = number.saturating_add(1);
        }
    }
}

fn border(quoted: bool) -> Option<u64> {
    quoted.then_some(1)
}

/// An item holds one run of text, so other blocks in it become lines of that.
fn item_text(blocks: &[&Block]) -> Vec<SlackRichTextInlineElement> {
    let mut text: Vec<SlackRichTextInlineElement> = Vec::new();
    for block in blocks {
        let is_paragraph = matches!(block, Block::Paragraph(_));
        if !text.is_empty() {
            push_separator(&mut text, if is_paragraph { "\n\n" } else { "\n" });
        }
        match block {
            Block::Paragraph(spans) | Block::Heading { spans, .. } => text.extend(inline(spans)),
            Block::Code { spans, .. } => {
                let code = Style { code: true, ..Style::default() };
                text.extend(inline(&restyle(plain(spans), &code)));
            }
            Block::Quote(inner) => {
                text.push("> ".into());
                text.extend(item_text(&inner.iter().collect::<Vec<_>>()));
            }
            Block::Table(rows) => {
                let lines: Vec<Span> =
                    rows.iter().flat_map(|row| line_of(row).into_iter().chain([Span::plain("\n")])).collect();
                text.extend(inline(&lines));
            }
            Block::List(list) => {
                for item in &list.items {
                    text.push("\n• ".into());
                    text.extend(item_text(&item.iter().collect::<Vec<_>>()));
                }
            }
            Block::Rule => text.push("———".into()),
        }
    }
    if text.is_empty() {
        // Slack refuses a section without elements and a text without characters.
        text.push(" ".into());
    }
    text
}

fn line_of(row: &Row) -> Vec<Span> {
    let mut line = Vec::new();
    for (index, cell) in row.cells.iter().enumerate() {
        if index > 0 {
            line.push(Span::plain(" | "));
        }
        let style = Style { bold: row.header, ..Style::default() };
        line.extend(restyle(cell.clone(), &style));
    }
    line
}

fn plain(spans: &[Span]) -> Vec<Span> {
    spans.iter().map(|span| Span { inline: span.inline.clone(), style: Style::default() }).collect()
}

/// A separator is part of the text before it, so that two runs of one style stay one.
fn push_separator(elements: &mut Vec<SlackRichTextInlineElement>, separator: &str) {
    match elements.last_mut() {
        Some(SlackRichTextInlineElement::Text(text)) if text.style.is_none() => text.text.push_str(separator),
        _ => elements.push(separator.into()),
    }
}

fn inline(spans: &[Span]) -> Vec<SlackRichTextInlineElement> {
    spans.iter().map(element).collect()
}

fn element(span: &Span) -> SlackRichTextInlineElement {
    let style = style(&span.style);
    match (&span.inline, &span.style.link) {
        (Inline::Text(text), Some(url)) => link(url, text.clone(), style),
        (Inline::Emoji { name, .. }, Some(url)) => link(url, format!(":{name}:"), style),
        (Inline::Text(text), None) => SlackRichTextText { text: text.clone(), style }.into(),
        (Inline::User(id, _), _) => SlackRichTextUser { user_id: id.as_str().into(), style }.into(),
        (Inline::Channel(id, _), _) => SlackRichTextChannel { channel_id: id.as_str().into(), style }.into(),
        (Inline::Group(id, _), _) => SlackRichTextUserGroup { usergroup_id: id.as_str().into(), style }.into(),
        (Inline::Broadcast(range), _) => {
            let range = match range {
                Broadcast::Here => SlackRichTextBroadcastRange::Here,
                Broadcast::Channel => SlackRichTextBroadcastRange::Channel,
                Broadcast::Everyone => SlackRichTextBroadcastRange::Everyone,
            };
            SlackRichTextBroadcast { range, style }.into()
        }
        (Inline::Emoji { name, .. }, None) => {
            SlackRichTextEmoji { name: SlackEmojiName::new(name.clone()), unicode: None }.into()
        }
    }
}

fn link(url: &str, label: String, style: Option<SlackRichTextStyle>) -> SlackRichTextInlineElement {
    let text = (label != url).then_some(label);
    SlackRichTextLink { url: SlackRelaxedUrl(url.to_owned()), text, unsafe_: None, style }.into()
}

fn style(style: &Style) -> Option<SlackRichTextStyle> {
    let set = |on: bool| on.then_some(true);
    let shown = SlackRichTextStyle {
        bold: set(style.bold),
        italic: set(style.italic),
        strike: set(style.strike),
        code: set(style.code),
        underline: set(style.underline),
        highlight: None,
        client_highlight: None,
        unlink: None,
    };
    (shown != SlackRichTextStyle::new()).then_some(shown)
}
