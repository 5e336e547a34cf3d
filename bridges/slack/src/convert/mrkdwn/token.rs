//! The contents of `<…>` in mrkdwn: mentions, dates and links.

use super::super::{date, emoji};
use hubbub_bridge::text::document::{Broadcast, Inline, Span};

/// The text up to the `>` that closes it, and what follows; `None` if this is no token.
pub(super) fn enclosed(after_open: &str) -> Option<(&str, &str)> {
    let end = after_open.find(['>', '<', '\n'])?;
    let (content, from_end) = after_open.split_at(end);
    let after = from_end.strip_prefix('>')?;
    (!content.is_empty()).then_some((content, after))
}

/// What a token shows; `None` if it means nothing and must stay as it is.
pub(super) fn read(content: &str) -> Option<Span> {
    let (target, label) = match content.split_once('|') {
        Some((target, label)) => (target, Some(unescape(label)).filter(|label| !label.trim().is_empty())),
        None => (content, None),
    };
    let inline = |inline| Some(Span { inline, style: Default::default() });
    if let Some(id) = target.strip_prefix('@').filter(|id| is_id(id)) {
        return inline(Inline::User(id.into(), label.map(without_sigil)));
    }
    if let Some(id) = target.strip_prefix('#').filter(|id| is_id(id)) {
        return inline(Inline::Channel(id.into(), label.map(without_sigil)));
    }
    if let Some(command) = target.strip_prefix('!') {
        return special(command, label);
    }
    let url = unescape(target);
    let label = label.map(|label| emoji::replace_shortcodes(&label));
    url.contains(':').then(|| Span::link(url.clone(), label.unwrap_or(url)))
}

/// Undoes Slack's three escapes.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn special(command: &str, label: Option<String>) -> Option<Span> {
    let broadcast = |range| Some(Span { inline: Inline::Broadcast(range), style: Default::default() });
    match command {
        "here" => return broadcast(Broadcast::Here),
        "channel" | "group" => return broadcast(Broadcast::Channel),
        "everyone" => return broadcast(Broadcast::Everyone),
        _ => {}
    }
    if let Some(id) = command.strip_prefix("subteam^").filter(|id| is_id(id)) {
        let inline = Inline::Group(id.into(), label.map(without_sigil));
        return Some(Span { inline, style: Default::default() });
    }
    if let Some(date) = command.strip_prefix("date^") {
        return read_date(date, label);
    }
    label.map(Span::plain)
}

fn read_date(date: &str, label: Option<String>) -> Option<Span> {
    let mut parts = date.splitn(3, '^');
    let seconds = parts.next()?.parse().ok();
    let pattern = unescape(parts.next().unwrap_or("{date_num} {time}"));
    let shown = match seconds {
        Some(seconds) => date::shown(seconds, &pattern, label.as_deref()),
        None => label?,
    };
    Some(match parts.next() {
        Some(url) => Span::link(unescape(url), shown),
        None => Span::plain(shown),
    })
}

fn without_sigil(label: String) -> String {
    match label.strip_prefix(['@', '#']) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => label,
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
