//! Whom and what a message refers to, so that the caller can fetch names before it converts.

use super::compose::compose;
use super::json;
use hubbub_bridge::text::document::{Inline, each_span};
use serde_json::Value;

/// The ids whose names a conversion asks for, each once, in order of appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The sender and everybody who is mentioned.
    pub users: Vec<String>,
    /// The channels that are mentioned.
    pub channels: Vec<String>,
    /// The roles that are mentioned.
    pub roles: Vec<String>,
    /// The custom emoji as (name, id); `a:` before the id of one that moves.
    pub emoji: Vec<(String, String)>,
}

/// Lists what a message refers to.
#[must_use]
pub fn references(message: &Value) -> References {
    let mut references = References::default();
    let people = message.get("author").into_iter().chain(json::list(message, "mentions"));
    for id in people.filter_map(|user| json::text(user, "id")) {
        push(&mut references.users, id.to_owned());
    }
    each_span(&compose(message, false).document.blocks, &mut |span| match &span.inline {
        Inline::User(id, _) => push(&mut references.users, id.clone()),
        Inline::Channel(id, _) => push(&mut references.channels, id.clone()),
        Inline::Group(id, _) => push(&mut references.roles, id.clone()),
        Inline::Emoji { name, id: Some(id) } => push(&mut references.emoji, (name.clone(), id.clone())),
        Inline::Emoji { id: None, .. } | Inline::Text(_) | Inline::Broadcast(_) => {}
    });
    references
}

fn push<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if !known.contains(&new) {
        known.push(new);
    }
}
