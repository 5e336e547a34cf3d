//! One line of mrkdwn: words, `*bold*`, `_italic_`, `~struck~`, `` `code` ``, tokens and emoji.
//!
//! A mark opens before a word and closes after one; inside words, doubled, or beside whitespace it
//! is text. The line is cut into pieces first, then marks are paired, so that the work grows with
//! the length of the line whatever it holds.

use super::super::emoji;
use super::token;
use hubbub_bridge::text::document::{Inline, Span, Style};

/// Reads one line.
pub(super) fn line(text: &str) -> Vec<Span> {
    let mut pieces = cut(text);
    pair(&mut pieces);
    assemble(pieces)
}

/// Reads the inside of a code fence, where nothing but tokens and escapes means anything.
pub(super) fn code(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(next);
        push_text(&mut spans, before);
        rest = match token_or_escape(from) {
            Some((span, after)) => {
                spans.push(span);
                after
            }
            None => push_first_char(&mut spans, from),
        };
    }
    push_text(&mut spans, rest);
    spans
}

enum Piece {
    Spans(Vec<Span>),
    Mark { mark: char, opens: bool, closes: bool, role: Role },
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Text,
    Opens,
    Closes,
}

fn cut(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut rest = text;
    let mut previous: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let after_char = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '<' | '&' => {
                rest = match token_or_escape(rest) {
                    Some((span, after)) => {
                        spans.push(span);
                        after
                    }
                    None => push_first_char(&mut spans, rest),
                };
            }
            '`' => {
                rest = match after_char.split_once('`').filter(|(code, _)| !code.trim().is_empty()) {
                    Some((code, after)) => {
                        let style = Style { code: true, ..Style::default() };
                        spans.extend(hubbub_bridge::text::document::restyle(self::code(code), &style));
                        after
                    }
                    None => push_first_char(&mut spans, rest),
                };
            }
            ':' => {
                let (length, shown) = emoji::shortcode_at_start(rest).unwrap_or((1, ":".to_owned()));
                match custom_emoji(&shown) {
                    Some(name) => {
                        spans.push(Span {
                            inline: Inline::Emoji { name: name.to_owned(), id: None },
                            style: Style::default(),
                        });
                    }
                    None => push_text(&mut spans, &shown),
                }
                rest = rest.get(length..).unwrap_or_default();
            }
            '*' | '_' | '~' => {
                let next = after_char.chars().next();
                let (opens, closes) = flanks(c, previous, next);
                pieces.push(Piece::Spans(std::mem::take(&mut spans)));
                pieces.push(Piece::Mark { mark: c, opens, closes, role: Role::Text });
                rest = after_char;
            }
            _ => {
                let end = rest.find(['<', '&', '`', ':', '*', '_', '~']).unwrap_or(rest.len());
                let (words, after) = rest.split_at(end);
                push_text(&mut spans, words);
                previous = words.chars().next_back();
                rest = after;
                continue;
            }
        }
        previous = Some(c);
    }
    pieces.push(Piece::Spans(spans));
    pieces
}

/// The name in a shortcode that stands for no character; a time of day is none.
fn custom_emoji(shown: &str) -> Option<&str> {
    let name = shown.strip_prefix(':')?.strip_suffix(':')?;
    (!name.contains(':') && name.chars().any(char::is_alphabetic)).then_some(name)
}

fn flanks(mark: char, previous: Option<char>, next: Option<char>) -> (bool, bool) {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != mark);
    let text = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && c != mark);
    (edge(previous) && text(next), text(previous) && edge(next))
}

/// Pairs each closing mark with the nearest opening one that nothing crosses.
fn pair(pieces: &mut [Piece]) {
    const MARKS: [char; 3] = ['*', '_', '~'];
    let mut open: [Option<usize>; 3] = [None; 3];
    for index in 0..pieces.len() {
        let Some(&Piece::Mark { mark, opens, closes, .. }) = pieces.get(index) else { continue };
        let Some(kind) = MARKS.iter().position(|known| *known == mark) else { continue };
        let opener = open.get(kind).copied().flatten().filter(|_| closes);
        if let Some(opener) = opener {
            set_role(pieces, opener, Role::Opens);
            set_role(pieces, index, Role::Closes);
            for slot in &mut open {
                *slot = slot.filter(|other| *other < opener);
            }
        } else if opens && let Some(slot) = open.get_mut(kind) {
            *slot = Some(index);
        }
    }
}

fn set_role(pieces: &mut [Piece], index: usize, new: Role) {
    if let Some(Piece::Mark { role, .. }) = pieces.get_mut(index) {
        *role = new;
    }
}

fn assemble(pieces: Vec<Piece>) -> Vec<Span> {
    let mut style = Style::default();
    let mut spans = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Spans(inner) => spans.extend(hubbub_bridge::text::document::restyle(inner, &style)),
            Piece::Mark { mark, role: Role::Text, .. } => spans.push(Span::text(mark, style.clone())),
            Piece::Mark { mark, role, .. } => {
                let on = role == Role::Opens;
                match mark {
                    '*' => style.bold = on,
                    '_' => style.italic = on,
                    _ => style.strike = on,
                }
            }
        }
    }
    spans
}

fn token_or_escape(text: &str) -> Option<(Span, &str)> {
    if let Some(inside) = text.strip_prefix('<') {
        let (content, after) = token::enclosed(inside)?;
        return token::read(content).map(|span| (span, after));
    }
    [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]
        .into_iter()
        .find_map(|(escape, meaning)| text.strip_prefix(escape).map(|after| (Span::plain(meaning), after)))
}

fn push_first_char<'a>(spans: &mut Vec<Span>, text: &'a str) -> &'a str {
    let length = text.chars().next().map_or(0, char::len_utf8);
    let (first, after) = text.split_at(length);
    push_text(spans, first);
    after
}

fn push_text(spans: &mut Vec<Span>, text: &str) {
    if text.is_empty() {
        return;
    }
    match spans.last_mut() {
        Some(Span { inline: Inline::Text(last), style }) if *style == Style::default() => last.push_str(text),
        _ => spans.push(Span::plain(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        line(text)
            .iter()
            .map(|span| {
                let text = match &span.inline {
                    Inline::Text(text) => text.clone(),
                    other => format!("{other:?}"),
                };
                let mut marks = String::new();
                for (set, mark) in
                    [(span.style.bold, 'b'), (span.style.italic, 'i'), (span.style.strike, 's'), (span.style.code, 'c')]
                {
                    if set {
                        marks.push(mark);
                    }
                }
                if marks.is_empty() { text } else { format!("[{marks}:{text}]") }
            })
            .collect()
    }

    #[test]
    fn marks_style_whole_words_only() {
        assert_eq!(shown("*a b* _i_ ~s~ `c`"), "[b:a b] [i:i] [s:s] [c:c]");
        assert_eq!(shown("mid*word* snake_case_name 2*3*4"), "mid*word* snake_case_name 2*3*4");
        assert_eq!(shown("**word** ***word*** ~~x~~ * a * _"), "**word** ***word*** ~~x~~ * a * _");
    }

    #[test]
    fn marks_nest_and_never_cross() {
        assert_eq!(shown("*_x_* _*x*_ ~*_y_*~"), "[bi:x] [bi:x] [bis:y]");
        assert_eq!(shown("*a _b* c_"), "[b:a ][b:_][b:b] c_");
    }

    #[test]
    fn nothing_is_styled_inside_code() {
        assert_eq!(shown("`*x* &lt;` ``"), "[c:*x* ][c:<] ``");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(shown("&amp;lt; &lt;b&gt; & &x;"), "&lt; <b> & &x;");
    }

    #[test]
    fn a_less_than_sign_that_opens_nothing_is_text() {
        assert_eq!(shown("a < b <> <foo> <<x"), "a < b <> <foo> <<x");
    }
}
