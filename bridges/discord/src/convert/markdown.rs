//! Reads Discord's Markdown
//! ([help](https://support.discord.com/hc/en-us/articles/210298617),
//! [docs](https://docs.discord.com/developers/reference#message-formatting)).
//!
//! Blocks begin at the start of a line: `#` headings, `-#` small print, `>` and `>>>` quotes, lists,
//! code fences (those may begin anywhere). What is inside a line is read by `inline.rs`, mentions and
//! the like by `token.rs`. The work grows with the length of the text, whatever it holds.

mod inline;
mod token;

use hubbub_bridge::text::document::{Block, List, Style, restyle};

/// How deep lists and quotes may nest; deeper ones are text.
const DEEPEST: usize = 10;

/// Reads a whole text.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    read(text, 0)
}

fn read(text: &str, depth: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    // The running paragraph, as a range of `text`.
    let mut prose = String::new();
    let mut at_line_start = true;
    while !rest.is_empty() {
        if at_line_start && let Some((block, after)) = block_at_start(rest, depth) {
            flush(&mut prose, &mut blocks);
            blocks.push(block);
            rest = after;
            continue;
        }
        let line_end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..line_end).unwrap_or(rest);
        // A fence may begin in the middle of a line, and everything after it is a line of its own.
        if let Some(start) = line.find("```")
            && let Some((block, after)) = rest.get(start..).and_then(fence)
        {
            prose.push_str(rest.get(..start).unwrap_or_default());
            flush(&mut prose, &mut blocks);
            blocks.push(block);
            rest = after.strip_prefix('\n').unwrap_or(after);
            at_line_start = true;
            continue;
        }
        prose.push_str(line);
        rest = rest.get(line_end..).unwrap_or_default();
        at_line_start = true;
    }
    flush(&mut prose, &mut blocks);
    blocks
}

fn flush(prose: &mut String, blocks: &mut Vec<Block>) {
    let text = std::mem::take(prose);
    if !text.trim().is_empty() {
        blocks.push(Block::Paragraph(inline::spans(text.trim_end_matches('\n'))));
    }
}

fn block_at_start(text: &str, depth: usize) -> Option<(Block, &str)> {
    if depth >= DEEPEST {
        return None;
    }
    if let Some(quoted) = text.strip_prefix(">>> ") {
        return Some((Block::Quote(read(quoted, depth + 1)), ""));
    }
    if text.starts_with("> ") || text.starts_with(">\n") {
        return Some(quote(text, depth));
    }
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(small) = line.strip_prefix("-# ").filter(|small| !small.trim().is_empty()) {
        let style = Style { small: true, ..Style::default() };
        return Some((Block::Paragraph(restyle(inline::spans(small.trim()), &style)), after));
    }
    for level in 1..=3_u8 {
        let marks = "#".repeat(usize::from(level));
        let heading = line.strip_prefix(&marks).and_then(|rest| rest.strip_prefix(' '));
        if let Some(heading) = heading.filter(|heading| !heading.trim().is_empty()) {
            return Some((Block::Heading { level, spans: inline::spans(heading.trim()) }, after));
        }
    }
    item_mark(line).map(|_| list(text, depth))
}

fn quote(text: &str, depth: usize) -> (Block, &str) {
    let mut inside = String::new();
    let mut rest = text;
    while let Some(line) =
        rest.strip_prefix("> ").or_else(|| rest.strip_prefix('>').filter(|line| line.starts_with('\n')))
    {
        let end = line.find('\n').map_or(line.len(), |end| end + 1);
        inside.push_str(line.get(..end).unwrap_or(line));
        rest = line.get(end..).unwrap_or_default();
    }
    (Block::Quote(read(&inside, depth + 1)), rest)
}

/// The mark of a list's item at the start of a line.
#[derive(Clone, Copy)]
struct Mark {
    indent: usize,
    length: usize,
    number: Option<u64>,
}

fn item_mark(line: &str) -> Option<Mark> {
    let bare = line.trim_start_matches(' ');
    let indent = line.len() - bare.len();
    let (length, number) = match bare.strip_prefix(['-', '*']) {
        Some(_) => (1, None),
        None => {
            let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
            let number = bare.get(..digits).filter(|digits| digits.len() <= 9)?.parse().ok()?;
            bare.get(digits..)?.strip_prefix('.')?;
            (digits + 1, Some(number))
        }
    };
    let content = bare.get(length..)?.strip_prefix(' ')?;
    (!content.trim().is_empty()).then_some(Mark { indent, length: indent + length + 1, number })
}

/// A list and what follows it: the lines that are items, and indented lines that go on with one.
fn list(text: &str, depth: usize) -> (Block, &str) {
    let first = item_mark(text.split('\n').next().unwrap_or_default());
    let (indent, ordered, start) =
        first.map_or((0, false, 1), |mark| (mark.indent, mark.number.is_some(), mark.number.unwrap_or(1)));
    let mut items: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..end).unwrap_or(rest);
        let bare = line.trim_end_matches('\n');
        let own = item_mark(bare).filter(|mark| mark.indent <= indent + 1 && mark.indent + 1 >= indent);
        match own {
            Some(mark) if mark.number.is_some() == ordered => {
                items.push(line.get(mark.length..).unwrap_or_default().to_owned());
            }
            Some(_) => break,
            None => {
                let spaces = bare.len() - bare.trim_start_matches(' ').len();
                match items.last_mut() {
                    Some(item) if spaces > indent + 1 && spaces < bare.len() => {
                        let strip = spaces.min(indent + 2 + usize::from(ordered));
                        item.push_str(line.get(strip..).unwrap_or_default());
                    }
                    _ => break,
                }
            }
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    let items = items.iter().map(|item| read(item, depth + 1)).collect();
    (Block::List(List { ordered, start, items }), rest)
}

/// A code fence at the start: the block and what follows.
fn fence(text: &str) -> Option<(Block, &str)> {
    let inside = text.strip_prefix("```")?;
    let (code, after) = inside.split_once("```")?;
    if code.trim().is_empty() {
        return None;
    }
    // The first line names the language if nothing else stands on it.
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._#".contains(&byte))
    };
    let (language, code) = match code.split_once('\n') {
        Some((name, code)) if is_name(name) && !code.trim().is_empty() => (Some(name.to_owned()), code),
        _ => (None, code.strip_prefix('\n').unwrap_or(code)),
    };
    let spans = vec![hubbub_bridge::text::document::Span::plain(code)];
    Some((Block::Code { language, spans }, after))
}
