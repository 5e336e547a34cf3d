//! What stands inside a paragraph: marks, code, links, tokens and escapes.
//!
//! The text is cut into pieces first, then marks are paired with the nearest opening one of their
//! kind that nothing crosses.

use super::token;
use hubbub_bridge::text::document::{Inline, Span, Style, restyle};

/// How deep marks and labels of links may nest.
const DEEPEST: usize = 4;

/// Reads a run of text.
pub(super) fn spans(text: &str) -> Vec<Span> {
    read(text, 0)
}

fn read(text: &str, depth: usize) -> Vec<Span> {
    let pieces = cut(text, depth);
    assemble(pair(pieces))
}

enum Piece {
    Spans(Vec<Span>),
    /// A run of one mark character.
    Run {
        mark: char,
        count: usize,
        before: Option<char>,
        after: Option<char>,
    },
    /// What pairing made of a run.
    Toggle {
        kind: Kind,
        on: bool,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bold,
    Italic(char),
    Underline,
    Strike,
    Spoiler,
}

impl Kind {
    /// What so many of a mark mean, the longest first.
    fn of(mark: char, count: usize) -> Option<Self> {
        match (mark, count) {
            ('*', 2) => Some(Self::Bold),
            ('_', 2) => Some(Self::Underline),
            ('~', 2) => Some(Self::Strike),
            ('|', 2) => Some(Self::Spoiler),
            ('*' | '_', 1) => Some(Self::Italic(mark)),
            _ => None,
        }
    }
}

fn cut(text: &str, depth: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut rest = text;
    let mut previous: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let taken = match c {
            '\\' => escape(after),
            '`' => code(rest),
            '<' => token::read(rest),
            '@' => token::broadcast(rest),
            '[' if depth < DEEPEST => masked_link(rest, depth),
            'h' if !previous.is_some_and(char::is_alphanumeric) => address(rest),
            _ => None,
        };
        if let Some((new, left)) = taken {
            let length = rest.len() - left.len();
            previous = rest.get(..length).and_then(|taken| taken.chars().next_back());
            new.into_iter().for_each(|span| push(&mut spans, span));
            rest = left;
            continue;
        }
        if matches!(c, '*' | '_' | '~' | '|') {
            let count = rest.len() - rest.trim_start_matches(c).len();
            let left = rest.get(count..).unwrap_or_default();
            pieces.push(Piece::Spans(std::mem::take(&mut spans)));
            pieces.push(Piece::Run { mark: c, count, before: previous, after: left.chars().next() });
            previous = Some(c);
            rest = left;
            continue;
        }
        push(&mut spans, Span::plain(c));
        previous = Some(c);
        rest = after;
    }
    pieces.push(Piece::Spans(spans));
    pieces
}

fn push(spans: &mut Vec<Span>, span: Span) {
    match (spans.last_mut(), &span) {
        (Some(Span { inline: Inline::Text(last), style }), Span { inline: Inline::Text(text), style: same })
            if style == same =>
        {
            last.push_str(text);
        }
        _ => spans.push(span),
    }
}

type Taken<'a> = Option<(Vec<Span>, &'a str)>;

/// A backslash before punctuation takes its meaning away.
fn escape(after: &str) -> Taken<'_> {
    let c = after.chars().next().filter(char::is_ascii_punctuation)?;
    Some((vec![Span::plain(c)], after.get(c.len_utf8()..)?))
}

/// `` `code` `` or ``` ``code`` ```.
fn code(text: &str) -> Taken<'_> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    if ticks > 2 {
        return None;
    }
    let fence = text.get(..ticks)?;
    let (code, after) = text.get(ticks..)?.split_once(fence)?;
    if code.trim().is_empty() || after.starts_with('`') {
        return None;
    }
    // One space inside two ticks belongs to them.
    let inside = if ticks == 2 { code.strip_prefix(' ').unwrap_or(code) } else { code };
    let inside = if ticks == 2 { inside.strip_suffix(' ').unwrap_or(inside) } else { inside };
    let style = Style { code: true, ..Style::default() };
    Some((vec![Span::text(inside, style)], after))
}

/// `[label](address)`, `[label](<address>)`, both perhaps with a title.
fn masked_link(text: &str, depth: usize) -> Taken<'_> {
    let (label, rest) = label(text)?;
    let inside = rest.strip_prefix('(')?;
    let (target, after) = match inside.strip_prefix('<') {
        Some(inside) => {
            let (url, rest) = inside.split_once('>')?;
            (url, rest.split_once(')')?.1)
        }
        None => {
            let end = closing(inside)?;
            (inside.get(..end)?, inside.get(end + 1..)?)
        }
    };
    let url = target.split_whitespace().next()?;
    if !(url.starts_with("https://") || url.starts_with("http://") || url.starts_with("discord://"))
        || label.trim().is_empty()
    {
        return None;
    }
    let style = Style { link: Some(url.to_owned()), ..Style::default() };
    let inner =
        read(label, depth + 1).into_iter().map(|span| Span { style: Style { link: None, ..span.style }, ..span });
    Some((restyle(inner.collect(), &style), after))
}

/// The text between brackets, which may hold balanced ones.
fn label(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    let mut escaped = false;
    for (at, c) in text.char_indices().take(2_048) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => open += 1,
            ']' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some((text.get(1..at)?, text.get(at + 1..)?));
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the bracket closes that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices().take(4_096) {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return Some(at),
            ')' => open -= 1,
            '\n' => return None,
            _ => {}
        }
    }
    None
}

/// A bare address is a link, and its underscores mean nothing.
fn address(text: &str) -> Taken<'_> {
    let length = hubbub_bridge::text::links::address_length(text);
    let url = text.get(..length).filter(|url| !url.is_empty())?;
    Some((vec![Span::link(url, url)], text.get(length..)?))
}

/// Pairs runs of marks: each closes what is open of its kind, and what is left opens.
fn pair(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut paired: Vec<Piece> = Vec::with_capacity(pieces.len());
    // Open marks as (kind, count, index in `paired`).
    let mut open: Vec<(Kind, usize, usize)> = Vec::new();
    for piece in pieces {
        let Piece::Run { mark, count, before, after } = piece else {
            paired.push(piece);
            continue;
        };
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let mut left = count;
        while left > 0 {
            let closes = |(kind, length, at): &(Kind, usize, usize)| {
                let fits = Kind::of(mark, *length) == Some(*kind) && *length <= left;
                let single = *length == 1 && (space(before) || (mark == '_' && word(after)));
                // Marks around nothing are text.
                fits && !single && paired.iter().skip(at + 1).any(says_something)
            };
            let Some(index) = open.iter().rposition(closes) else { break };
            let Some((kind, length, at)) = open.get(index).copied() else { break };
            open.truncate(index);
            if let Some(slot) = paired.get_mut(at) {
                *slot = Piece::Toggle { kind, on: true };
            }
            paired.push(Piece::Toggle { kind, on: false });
            left -= length;
        }
        while left > 0 {
            let length = left.min(2);
            let opens =
                Kind::of(mark, length).filter(|_| length == 2 || !(space(after) || (mark == '_' && word(before))));
            if let Some(kind) = opens {
                open.push((kind, length, paired.len()));
            }
            paired.push(Piece::Spans(vec![Span::plain(mark.to_string().repeat(length))]));
            left -= length;
        }
    }
    paired
}

fn says_something(piece: &Piece) -> bool {
    matches!(piece, Piece::Spans(spans) if !spans.is_empty())
}

fn assemble(pieces: Vec<Piece>) -> Vec<Span> {
    let mut style = Style::default();
    let mut spans = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Spans(inner) => spans.extend(restyle(inner, &style)),
            Piece::Toggle { kind, on } => match kind {
                Kind::Bold => style.bold = on,
                Kind::Italic(_) => style.italic = on,
                Kind::Underline => style.underline = on,
                Kind::Strike => style.strike = on,
                Kind::Spoiler => style.spoiler = on,
            },
            Piece::Run { .. } => {}
        }
    }
    spans
}
