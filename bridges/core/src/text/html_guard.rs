//! Decides whether a client's HTML may be parsed at all.
//!
//! A browser's parser repairs what is badly nested, and some repairs copy the open tags again and
//! again: 55 kB of `<b a=1><p>` with changing attributes make a tree of millions of nodes, and
//! deep trees overflow the stack of an isolate. So only HTML that needs no repair goes to the
//! parser: known tags, nested properly, not too deep, not too many. Clients write such HTML;
//! for anything else the plain `body` is bridged, so no text is lost.

/// The deepest nesting. The specification asks clients for at most 100
/// (<https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes>); no person writes 32.
const DEEPEST: usize = 32;

/// The most tags in one message.
const MOST_TAGS: usize = 4_000;

/// Whether a parser takes this HTML as it is, without repair and in linear space.
pub(super) fn is_well_nested(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    let mut tags = 0_usize;
    while let Some((_, from_tag)) = rest.split_once('<') {
        match read_tag(from_tag) {
            Some(Tag::Text) => {
                rest = from_tag;
                continue;
            }
            Some(Tag::Open { name, after }) => {
                if !is_void(name) {
                    open.push(name);
                }
                rest = after;
            }
            Some(Tag::Close { name, after }) => {
                if !close(&mut open, name) {
                    return false;
                }
                rest = after;
            }
            None => return false,
        }
        tags = tags.saturating_add(1);
        if open.len() > DEEPEST || tags > MOST_TAGS {
            return false;
        }
    }
    open.iter().all(|name| may_stay_open(name))
}

enum Tag<'a> {
    Text,
    Open { name: &'a str, after: &'a str },
    Close { name: &'a str, after: &'a str },
}

/// Reads what follows a `<`; `None` is anything but plain text and ordinary, known tags.
fn read_tag(text: &str) -> Option<Tag<'_>> {
    match text.chars().next() {
        Some('/') => {
            let (name, rest) = name(text.get(1..)?)?;
            let after = rest.trim_start().strip_prefix('>')?;
            Some(Tag::Close { name, after })
        }
        Some('!' | '?') => None,
        Some(c) if c.is_ascii_alphabetic() => {
            let (name, rest) = name(text)?;
            Some(Tag::Open { name, after: attributes(rest)? })
        }
        _ => Some(Tag::Text),
    }
}

fn name(text: &str) -> Option<(&'static str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
    let (name, rest) = text.split_at(end);
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name))?;
    Some((known, rest))
}

/// Skips attributes and returns what follows the `>`.
fn attributes(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = trimmed.strip_prefix('>') {
            return Some(after);
        }
        if trimmed.len() == rest.len() {
            return None;
        }
        let end = trimmed.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
        let (name, after) = trimmed.split_at(end);
        if name.is_empty() {
            return None;
        }
        rest = match after.strip_prefix('=') {
            Some(value) => {
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                value.get(1..)?.split_once(quote)?.1
            }
            None => after,
        };
    }
}

fn close(open: &mut Vec<&str>, name: &str) -> bool {
    while let Some(last) = open.pop() {
        if last == name {
            return true;
        }
        if !may_stay_open(last) {
            return false;
        }
    }
    false
}

/// Tags whose end browsers imply, and some clients leave out.
fn may_stay_open(name: &str) -> bool {
    matches!(name, "p" | "li" | "td" | "th" | "tr" | "thead" | "tbody")
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr" | "img")
}

/// The elements of the specification, and four older ones that clients still write.
const KNOWN: [&str; 46] = [
    "del",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "p",
    "a",
    "ul",
    "ol",
    "sup",
    "sub",
    "li",
    "b",
    "i",
    "u",
    "strong",
    "em",
    "s",
    "code",
    "hr",
    "br",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "caption",
    "pre",
    "span",
    "img",
    "details",
    "summary",
    "mx-reply",
    "font",
    "strike",
    "tt",
    "big",
    "small",
    "ins",
    "center",
    "kbd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_passes() {
        for html in [
            "a <b>b</b> 1 < 2",
            "<p>one<p>two <a href=\"https://a.example/?a=<b>\">x</a><br/><hr />",
            "<ul><li>a<li>b<ul><li>c</li></ul></ul>",
            "<mx-reply><blockquote>x</blockquote></mx-reply>y",
            "<img src='mxc://a/b' data-mx-emoticon alt=\":x:\" />",
        ] {
            assert!(is_well_nested(html), "{html}");
        }
    }

    #[test]
    fn what_needs_repair_does_not() {
        for html in [
            "<b>",
            "</b>",
            "<b><i></b></i>",
            "<script>x</script>",
            "<!-- x -->",
            "<b a=1></b>",
            "<b a=\"1></b>",
            "<b",
            "<a\"b></a>",
        ] {
            assert!(!is_well_nested(html), "{html}");
        }
        assert!(!is_well_nested(&format!("{}{}", "<b>".repeat(33), "</b>".repeat(33))));
        assert!(!is_well_nested(&"<br>".repeat(4_001)));
    }
}
