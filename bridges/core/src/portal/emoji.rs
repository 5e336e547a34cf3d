//! Custom emoji of messages and reactions, asked of the login, which has copies of their pictures.

use hubbub_core::error::Result;
use ruma::OwnedMxcUri;

use super::{PortalObject, names::MOST_NAMES};
use crate::{
    contract::{EmojiCommand, LoginCommand},
    network::{CustomEmoji, NamedEmoji, ShownReaction},
};

/// How long a picture is not asked for again, and one that was not there, in milliseconds: both may change.
const FRESH_MS: i64 = 600_000;
const MISSING_MS: i64 = 60_000;

impl PortalObject {
    /// Those of these emoji whose pictures are here, with them.
    pub(super) async fn pictures_of(&self, emoji: Vec<CustomEmoji>) -> Result<Vec<(CustomEmoji, OwnedMxcUri)>> {
        let now = self.now();
        let is_missing = |emoji: &&CustomEmoji| {
            let cache = self.names.emoji.borrow();
            cache.get(*emoji).is_none_or(|(at, picture)| {
                at.saturating_add(if picture.is_some() { FRESH_MS } else { MISSING_MS }) <= now
            })
        };
        let missing: Vec<CustomEmoji> = emoji.iter().filter(is_missing).cloned().collect();
        if !missing.is_empty() {
            let command = LoginCommand::Emoji(EmojiCommand::Pictures { emoji: missing.clone() });
            let pictures: Vec<Option<OwnedMxcUri>> = self.ask_login(&command).await?;
            let mut cache = self.names.emoji.borrow_mut();
            if cache.len() > MOST_NAMES {
                cache.clear();
            }
            cache.extend(missing.into_iter().zip(pictures.into_iter().map(|picture| (now, picture))));
        }
        let cache = self.names.emoji.borrow();
        let picture = |emoji: &CustomEmoji| cache.get(emoji).and_then(|(_, picture)| picture.clone());
        Ok(emoji.into_iter().filter_map(|emoji| picture(&emoji).map(|picture| (emoji, picture))).collect())
    }

    /// How Matrix shows a reaction with this key: a custom emoji by its picture, if that is here.
    pub(super) async fn shown_reaction(&self, key: &str) -> Result<ShownReaction> {
        let Some(emoji) = self.network.emoji_of_key(key) else { return Ok(self.network.shown_reaction(key)) };
        let picture = self.pictures_of(vec![emoji]).await?.pop();
        Ok(match picture {
            Some((emoji, picture)) => {
                ShownReaction { key: picture.to_string(), shortcode: Some(format!(":{}:", emoji.name)) }
            }
            None => self.network.shown_reaction(key),
        })
    }

    /// The network's key of a reaction of Matrix's; `None` when the network has no such emoji.
    pub(super) async fn reaction_key(&self, reaction: &str) -> Result<Option<String>> {
        if let Some(key) = self.network.reaction_key(reaction) {
            return Ok(Some(key));
        }
        let Some(named) = NamedEmoji::of_reaction(reaction) else { return Ok(None) };
        let found = self.emoji_named(vec![named]).await?.into_iter().next().flatten();
        Ok(found.map(|emoji| self.network.key_of_emoji(&emoji)))
    }

    /// The network's emoji that Matrix names so, in the same order.
    pub(super) async fn emoji_named(&self, emoji: Vec<NamedEmoji>) -> Result<Vec<Option<CustomEmoji>>> {
        self.ask_login(&LoginCommand::Emoji(EmojiCommand::Find { emoji })).await
    }
}
