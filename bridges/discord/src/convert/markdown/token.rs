//! What stands in angle brackets: mentions, custom emoji, timestamps, commands, addresses
//! ([docs](https://docs.discord.com/developers/reference#message-formatting-formats)).

use hubbub_bridge::text::document::{Broadcast, Inline, Span, Style};

use crate::{
    convert::{emoji_id, time},
    remote_id::Snowflake,
};

/// Reads the token at the start: what it shows, and what follows.
pub(super) fn read(text: &str) -> Option<(Vec<Span>, &str)> {
    let end = text.find(['>', '\n'])?;
    let content = text.get(1..end)?;
    let after = text.get(end..)?.strip_prefix('>')?;
    Some((vec![span(content)?], after))
}

/// `@everyone` and `@here`, which ping only if the message says so (`incoming.rs`).
pub(super) fn broadcast(text: &str) -> Option<(Vec<Span>, &str)> {
    let (range, after) = match text.strip_prefix("@everyone") {
        Some(after) => (Broadcast::Everyone, after),
        None => (Broadcast::Here, text.strip_prefix("@here")?),
    };
    Some((vec![Span { inline: Inline::Broadcast(range), style: Style::default() }], after))
}

fn span(content: &str) -> Option<Span> {
    let of = |inline| Some(Span { inline, style: Style::default() });
    let id = |text: &str| Snowflake::read(text).map(|id| id.to_string());
    if let Some(role) = content.strip_prefix("@&") {
        return of(Inline::Group(id(role)?, None));
    }
    if let Some(user) = content.strip_prefix('@') {
        return of(Inline::User(id(user.strip_prefix('!').unwrap_or(user))?, None));
    }
    if let Some(channel) = content.strip_prefix('#') {
        return of(Inline::Channel(id(channel)?, None));
    }
    if let Some(emoji) = content.strip_prefix(':').or_else(|| content.strip_prefix("a:")) {
        let (name, emoji) = emoji.split_once(':')?;
        let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let id = emoji_id(&id(emoji)?, content.starts_with('a'));
        return valid.then_some(Span {
            inline: Inline::Emoji { name: name.to_owned(), id: Some(id) },
            style: Style::default(),
        });
    }
    if let Some(time) = content.strip_prefix("t:") {
        let (seconds, style) = time.split_once(':').map_or((time, None), |(seconds, style)| (seconds, Some(style)));
        return time::shown(seconds, style).map(Span::plain);
    }
    if let Some(command) = content.strip_prefix('/') {
        let (name, command) = command.rsplit_once(':')?;
        return id(command).map(|_| Span::plain(format!("/{name}")));
    }
    if let Some(menu) = content.strip_prefix("id:") {
        return Some(Span::plain(format!("#{}", menu.split(':').next().unwrap_or(menu))));
    }
    // An address without a preview.
    let length = hubbub_bridge::text::links::address_length(content);
    (length > 0 && !content.contains(char::is_whitespace)).then(|| Span::link(content, content))
}
