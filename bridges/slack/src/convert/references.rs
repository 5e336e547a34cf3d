//! Whom and what a message refers to, so that the caller can fetch names before it converts.

use super::compose::compose;
use super::{incoming, json};
use hubbub_bridge::text::document::{Document, Inline, each_span};
use serde_json::Value;
use slack_morphism::{SlackBotId, SlackChannelId, SlackUserGroupId, SlackUserId};

/// The ids whose names a conversion asks for, each once, in order of appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The sender and everybody who is mentioned.
    pub users: Vec<SlackUserId>,
    /// The channels that are mentioned.
    pub channels: Vec<SlackChannelId>,
    /// The user groups that are mentioned.
    pub usergroups: Vec<SlackUserGroupId>,
    /// The app that sent the message.
    pub bots: Vec<SlackBotId>,
    /// The names of the custom emoji that are shown.
    pub emoji: Vec<String>,
}

/// Lists what a message event refers to. For an edit that is what the new message refers to.
pub fn references(event: &Value) -> References {
    let message = incoming::message_of(event);
    let composition = compose(message);
    let mut references = References::default();
    if let Some(user) = json::text(message, "user") {
        references.users.push(user.into());
    }
    if let Some(bot) = json::text(message, "bot_id") {
        references.bots.push(bot.into());
    }
    references.read(&composition.document);
    composition.alternatives.iter().for_each(|document| references.read(document));
    references
}

impl References {
    fn read(&mut self, document: &Document) {
        each_span(&document.blocks, &mut |span| match &span.inline {
            Inline::User(id, _) => push(&mut self.users, id),
            Inline::Channel(id, _) => push(&mut self.channels, id),
            Inline::Group(id, _) => push(&mut self.usergroups, id),
            Inline::Emoji { name, .. } => push(&mut self.emoji, name),
            Inline::Text(_) | Inline::Broadcast(_) => {}
        });
    }
}

fn push<Id: PartialEq + From<String>>(ids: &mut Vec<Id>, id: &str) {
    let id = Id::from(id.to_owned());
    if !ids.contains(&id) {
        ids.push(id);
    }
}
