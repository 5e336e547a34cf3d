//! Reads mrkdwn, Slack's own markup, and its plain text objects.
//!
//! Only `&`, `<` and `>` are escaped in it; `<…>` holds mentions and links ([`token`]); `*_~` and
//! backticks style text where they stand at the edge of words ([`inline`]). Here the block level
//! is read: code fences, quoted lines, bullets.
//! See <https://docs.slack.dev/messaging/formatting-message-text>.

mod inline;
mod token;

use super::emoji;
use hubbub_bridge::text::document::{Block, List, Span};

/// Reads mrkdwn.
pub(super) fn blocks(mrkdwn: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = mrkdwn;
    while let Some((before, code, after)) = next_fence(rest) {
        lines(before, &mut blocks);
        let code = code.strip_prefix('\n').unwrap_or(code);
        blocks.push(Block::Code { language: None, spans: inline::code(code) });
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines(rest, &mut blocks);
    blocks
}

/// Reads a plain text object: markup stays as it is, emoji names are shown.
pub(super) fn plain(text: &str) -> Vec<Block> {
    vec![Block::Paragraph(vec![Span::plain(emoji::replace_shortcodes(text))])]
}

fn next_fence(text: &str) -> Option<(&str, &str, &str)> {
    const FENCE: &str = "```";
    let (before, from_code) = text.split_once(FENCE)?;
    let (code, after) = from_code.split_once(FENCE)?;
    if code.trim().is_empty() {
        // Backticks that enclose nothing are text, and so is what is before the next ones.
        return None;
    }
    Some((before, code, after))
}

/// What one line is.
enum Line<'a> {
    Text(&'a str),
    Quote(&'a str),
    /// `>>>` quotes everything to the end.
    QuoteRest(&'a str),
    Bullet(usize, &'a str),
}

fn classify(line: &str) -> Line<'_> {
    if let Some(quoted) = quote_mark(line) {
        if let Some(rest) = quote_mark(quoted).and_then(quote_mark) {
            return Line::QuoteRest(rest.strip_prefix(' ').unwrap_or(rest));
        }
        return Line::Quote(quoted.strip_prefix(' ').unwrap_or(quoted));
    }
    let text = line.trim_start_matches(' ');
    // Slack writes its own lists so where it has to write them as text.
    match ["• ", "◦ ", "▪︎ ", "▪ "].iter().find_map(|bullet| text.strip_prefix(bullet)) {
        Some(item) => Line::Bullet((line.len() - text.len()) / 4, item),
        None => Line::Text(line),
    }
}

fn quote_mark(line: &str) -> Option<&str> {
    line.strip_prefix("&gt;").or_else(|| line.strip_prefix('>'))
}

fn lines(text: &str, blocks: &mut Vec<Block>) {
    let mut reader = Reader { blocks, text: Vec::new(), quote: Vec::new() };
    let mut rest = Some(text);
    while let Some(current) = rest {
        let (line, after) = match current.split_once('\n') {
            Some((line, after)) => (line, Some(after)),
            None => (current, None),
        };
        match classify(line) {
            Line::Quote(quoted) => reader.quoted(quoted),
            Line::QuoteRest(quoted) => {
                reader.quoted(quoted);
                after.unwrap_or_default().split('\n').for_each(|line| reader.quoted(line));
                rest = None;
                continue;
            }
            Line::Bullet(depth, item) => reader.bullet(depth, item),
            Line::Text(line) => reader.text(line),
        }
        rest = after;
    }
    reader.flush();
}

struct Reader<'a> {
    blocks: &'a mut Vec<Block>,
    text: Vec<Span>,
    quote: Vec<Span>,
}

impl Reader<'_> {
    fn text(&mut self, line: &str) {
        if !self.quote.is_empty() {
            self.flush();
        }
        self.text.extend(inline::line(line));
        self.text.push(Span::plain("\n"));
    }

    fn quoted(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.flush();
        }
        self.quote.extend(inline::line(line));
        self.quote.push(Span::plain("\n"));
    }

    fn bullet(&mut self, depth: usize, item: &str) {
        self.flush();
        let block = Block::Paragraph(inline::line(item));
        match self.blocks.last_mut() {
            Some(Block::List(list)) => push_item(list, depth, block),
            _ => self.blocks.push(Block::List(bullets(block))),
        }
    }

    fn flush(&mut self) {
        // Each line brought its newline, and after the last one nothing follows.
        self.text.pop();
        self.quote.pop();
        if !self.text.is_empty() {
            self.blocks.push(Block::Paragraph(std::mem::take(&mut self.text)));
        }
        if !self.quote.is_empty() {
            self.blocks.push(Block::Quote(vec![Block::Paragraph(std::mem::take(&mut self.quote))]));
        }
    }
}

fn bullets(item: Block) -> List {
    List { ordered: false, start: 1, items: vec![vec![item]] }
}

fn push_item(list: &mut List, depth: usize, item: Block) {
    if depth > 0
        && let Some(last) = list.items.last_mut()
    {
        match last.last_mut() {
            Some(Block::List(nested)) => push_item(nested, depth - 1, item),
            _ => last.push(Block::List(bullets(item))),
        }
    } else {
        list.items.push(vec![item]);
    }
}
