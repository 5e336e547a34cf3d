//! Which addresses may become links, and where they begin and end in plain text.

use super::document::{Inline, Span};

/// The schemes that Matrix allows in a link
/// (<https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes>).
const ALLOWED: [&str; 5] = ["https", "http", "ftp", "mailto", "magnet"];

/// Whether a link to this address is safe to click in a client.
pub fn is_allowed(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    !rest.is_empty() && ALLOWED.iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed))
}

/// Whether the label says no more than the address does.
pub fn says_the_same(url: &str, label: &str) -> bool {
    fn bare(text: &str) -> String {
        let text = text.trim();
        let text =
            ["mailto:", "https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        // In mrkdwn an address cannot hold a bar.
        text.strip_suffix('/').unwrap_or(text).replace("%7C", "|")
    }
    bare(url) == bare(label)
}

/// Makes links of the bare web addresses in unlinked text: Slack's rich text links nothing by itself.
pub fn linkify(spans: Vec<Span>) -> Vec<Span> {
    let mut linked = Vec::with_capacity(spans.len());
    for span in spans {
        match span {
            Span { inline: Inline::Text(text), style } if style.link.is_none() && !style.code => {
                let mut rest = text.as_str();
                while let Some((before, url, after)) = next_address(rest) {
                    if !before.is_empty() {
                        linked.push(Span::text(before, style.clone()));
                    }
                    let mut link = style.clone();
                    link.link = Some(url.to_owned());
                    linked.push(Span::text(url, link));
                    rest = after;
                }
                if !rest.is_empty() {
                    linked.push(Span::text(rest, style));
                }
            }
            span => linked.push(span),
        }
    }
    linked
}

fn next_address(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("http")?;
        let candidate = text.get(start..)?;
        let before = text.get(..start)?;
        let length = address_length(candidate);
        let stands_alone = !before.chars().next_back().is_some_and(char::is_alphanumeric);
        if length > 0 && stands_alone {
            return Some((before, candidate.get(..length)?, candidate.get(length..)?));
        }
        from = start + "http".len();
    }
}

/// The length of the address at the start, 0 if there is none.
pub fn address_length(text: &str) -> usize {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return 0 };
    let scheme = text.len() - host.len();
    let end = text
        .find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '|'))
        .unwrap_or(text.len());
    let mut address = text.get(..end).unwrap_or_default();
    // Punctuation at the end belongs to the sentence, and a bracket to whoever opened it.
    while let Some(last) = address.chars().next_back() {
        let unopened = |open, close| last == close && address.matches(close).count() > address.matches(open).count();
        if matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '`')
            || unopened('(', ')')
            || unopened('[', ']')
        {
            address = address.get(..address.len() - last.len_utf8()).unwrap_or_default();
        } else {
            break;
        }
    }
    let has_host = address.get(scheme..).and_then(|host| host.chars().next()).is_some_and(char::is_alphanumeric);
    if has_host { address.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_before_the_sentence_does() {
        let text = "see https://a.example/x_(y), or (http://b.example). Not xhttp://c, https:// or http";
        let urls: Vec<_> = linkify(vec![Span::plain(text)]).into_iter().filter_map(|span| span.style.link).collect();
        assert_eq!(urls, ["https://a.example/x_(y)", "http://b.example"]);
    }

    #[test]
    fn only_the_schemes_of_the_specification_become_links() {
        assert!(is_allowed("https://a") && is_allowed("MAILTO:a@b") && is_allowed("magnet:?x"));
        assert!(
            !is_allowed("javascript:alert(1)")
                && !is_allowed("data:text/html,x")
                && !is_allowed("https:")
                && !is_allowed("a")
        );
    }
}
