//! The one form in which equal messages are equal documents.
//!
//! Runs of the same style become one span; a blank line separates paragraphs; whitespace at the
//! ends of lines, empty blocks and control characters go; neighbouring quotes, and lists that go
//! on, become one. Both readers end here, so that the writers need not care where a document is
//! from. Text itself never changes.

use super::document::{Block, Document, Inline, List, Row, Span, Style, push_char};

/// Brings a document to its normal form. Doing it twice changes nothing.
pub fn normalise(document: Document) -> Document {
    Document { blocks: normal_blocks(document.blocks) }
}

fn normal_blocks(blocks: Vec<Block>) -> Vec<Block> {
    let mut normal = Vec::with_capacity(blocks.len());
    for block in blocks {
        match block {
            Block::Paragraph(spans) => {
                for paragraph in paragraphs(spans) {
                    normal.push(Block::Paragraph(paragraph));
                }
            }
            Block::Heading { level, spans } => {
                let spans = one_paragraph(spans);
                if !spans.is_empty() {
                    normal.push(Block::Heading { level: level.clamp(1, 6), spans });
                }
            }
            Block::Quote(inner) => push_quote(&mut normal, normal_blocks(inner)),
            Block::Code { language, spans } => {
                let spans = code(spans);
                if !spans.is_empty() {
                    normal.push(Block::Code { language, spans });
                }
            }
            Block::List(list) => push_list(&mut normal, list),
            Block::Table(rows) => {
                let rows: Vec<Row> = rows.into_iter().map(normal_row).filter(|row| !row.cells.is_empty()).collect();
                if !rows.is_empty() {
                    normal.push(Block::Table(rows));
                }
            }
            Block::Rule => normal.push(Block::Rule),
        }
    }
    normal
}

fn normal_row(row: Row) -> Row {
    Row { header: row.header, cells: row.cells.into_iter().map(one_paragraph).collect() }
}

fn push_quote(normal: &mut Vec<Block>, inner: Vec<Block>) {
    if inner.is_empty() {
        return;
    }
    if let Some(Block::Quote(previous)) = normal.last_mut() {
        // What meets here may belong together too.
        for block in inner {
            match block {
                Block::Quote(nested) => push_quote(previous, nested),
                Block::List(list) => push_normal_list(previous, list),
                block => previous.push(block),
            }
        }
    } else {
        normal.push(Block::Quote(inner));
    }
}

fn push_list(normal: &mut Vec<Block>, list: List) {
    let List { ordered, start, items } = list;
    if items.is_empty() {
        return;
    }
    let start = if ordered { start } else { 1 };
    push_normal_list(normal, List { ordered, start, items: items.into_iter().map(normal_blocks).collect() });
}

fn push_normal_list(normal: &mut Vec<Block>, list: List) {
    if let Some(Block::List(previous)) = normal.last_mut() {
        let next = previous.start.saturating_add(previous.items.len() as u64);
        if previous.ordered == list.ordered && (!list.ordered || list.start == next) {
            previous.items.extend(list.items);
            return;
        }
    }
    normal.push(Block::List(list));
}

/// Code keeps its whitespace, but for newlines at its end, which the formats disagree about.
fn code(spans: Vec<Span>) -> Vec<Span> {
    let mut line: Vec<Span> = Vec::new();
    for span in spans {
        match span.inline {
            Inline::Text(text) => clean(&text).for_each(|c| push_char(&mut line, c, &Style::default())),
            inline => line.push(Span { inline, style: Style::default() }),
        }
    }
    if let Some(Span { inline: Inline::Text(text), .. }) = line.last_mut() {
        text.truncate(text.trim_end_matches('\n').len());
        if text.is_empty() {
            line.pop();
        }
    }
    let says_something = |span: &Span| !matches!(&span.inline, Inline::Text(text) if text.trim().is_empty());
    if line.iter().any(says_something) { line } else { Vec::new() }
}

fn one_paragraph(spans: Vec<Span>) -> Vec<Span> {
    let mut joined = Vec::new();
    for paragraph in paragraphs(spans) {
        if !joined.is_empty() {
            joined.push(Span::plain("\n"));
        }
        joined.extend(paragraph);
    }
    joined
}

/// Splits spans at blank lines and trims the ends of lines.
fn paragraphs(spans: Vec<Span>) -> Vec<Vec<Span>> {
    let mut reader = Paragraphs::default();
    for span in spans {
        match span.inline {
            Inline::Text(text) => clean(&text).for_each(|c| reader.push_char(c, &span.style)),
            inline => reader.push_inline(Span { inline, style: span.style }),
        }
    }
    reader.finish().into_iter().map(without_blank_links).collect()
}

/// A link needs something to click: Slack shows the address of one whose text is blank.
fn without_blank_links(spans: Vec<Span>) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for mut span in spans {
        if matches!(&span.inline, Inline::Text(text) if text.trim().is_empty()) {
            span.style.link = None;
        }
        match (kept.last_mut(), &span) {
            (Some(Span { inline: Inline::Text(before), style }), Span { inline: Inline::Text(text), style: same })
                if style == same =>
            {
                before.push_str(text);
            }
            _ => kept.push(span),
        }
    }
    kept
}

/// The characters of a text without those that no format can carry.
fn clean(text: &str) -> impl Iterator<Item = char> {
    let mut previous = ' ';
    text.chars().filter_map(move |c| {
        let kept = match c {
            '\n' if previous == '\r' => None,
            '\r' => Some('\n'),
            '\t' | '\n' => Some(c),
            '\u{b}' | '\u{c}' => Some(' '),
            c if c.is_control() => None,
            c => Some(c),
        };
        previous = c;
        kept
    })
}

#[derive(Default)]
struct Paragraphs {
    done: Vec<Vec<Span>>,
    line: Vec<Span>,
    newlines: usize,
    spaces: Vec<(char, Style)>,
}

impl Paragraphs {
    fn push_char(&mut self, c: char, style: &Style) {
        match c {
            '\n' => {
                self.spaces.clear();
                self.newlines += 1;
            }
            ' ' | '\t' => self.spaces.push((c, style.clone())),
            c => {
                self.settle_whitespace(style);
                push_char(&mut self.line, c, style);
            }
        }
    }

    fn push_inline(&mut self, span: Span) {
        self.settle_whitespace(&span.style);
        self.line.push(span);
    }

    /// Something visible follows: the whitespace before it counts.
    fn settle_whitespace(&mut self, next: &Style) {
        if self.newlines > 0 {
            match self.line.last() {
                Some(_) if self.newlines > 1 => self.done.push(std::mem::take(&mut self.line)),
                Some(last) => {
                    let style = last.style.common(next);
                    push_char(&mut self.line, '\n', &style);
                }
                None => {}
            }
            self.newlines = 0;
        }
        for (space, style) in std::mem::take(&mut self.spaces) {
            push_char(&mut self.line, space, &style);
        }
    }

    fn finish(mut self) -> Vec<Vec<Span>> {
        if !self.line.is_empty() {
            self.done.push(self.line);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Block> {
        normalise(Document { blocks: vec![Block::Paragraph(vec![Span::plain(text)])] }).blocks
    }

    fn paragraph(text: &str) -> Block {
        Block::Paragraph(vec![Span::plain(text)])
    }

    #[test]
    fn a_blank_line_separates_paragraphs_and_one_newline_does_not() {
        assert_eq!(of("\na \nb\r\n\n \nc\n"), [paragraph("a\nb"), paragraph("c")]);
    }

    #[test]
    fn control_characters_go_and_indentation_stays() {
        assert_eq!(of("a\0b\n    c\u{b}d"), [paragraph("ab\n    c d")]);
    }

    #[test]
    fn neighbours_of_one_style_become_one_span() {
        let bold = |text: &str| Span::text(text, Style { bold: true, ..Style::default() });
        let blocks = vec![Block::Paragraph(vec![bold("a\n"), bold("b"), Span::plain(" c")])];
        let normal = normalise(Document { blocks }).blocks;
        assert_eq!(normal, [Block::Paragraph(vec![bold("a\nb"), Span::plain(" c")])]);
    }

    #[test]
    fn whitespace_alone_is_no_block() {
        assert_eq!(of(" \n\t\n"), []);
    }
}
