//! Custom emoji: what a message or a reaction may show that is no character.

use ruma::{MxcUri, OwnedMxcUri};
use serde::{Deserialize, Serialize};

use crate::text::document::Inline;

/// A custom emoji.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CustomEmoji {
    /// Its name without colons.
    pub name: String,
    /// The network's id of it, where the name alone does not say which it is.
    pub id: Option<String>,
}

/// A custom emoji of the network's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEmoji {
    /// Which.
    pub emoji: CustomEmoji,
    /// Where the network has its picture; of an alias, that of the emoji which it stands for.
    pub picture: String,
    /// The key of the emoji that it stands for, if it is an alias.
    pub alias_of: Option<String>,
}

/// How Matrix names a custom emoji: by a copy of its picture, by its name, or by both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedEmoji {
    /// The name without colons.
    pub name: Option<String>,
    /// The picture.
    pub picture: Option<OwnedMxcUri>,
}

impl NamedEmoji {
    /// The emoji of a reaction's key, which is a picture or a name between colons.
    pub fn of_reaction(key: &str) -> Option<Self> {
        if key.starts_with("mxc://") {
            return Some(Self { name: None, picture: Some(key.into()) });
        }
        let name = key.strip_prefix(':')?.strip_suffix(':')?;
        Some(Self { name: Some(name.to_owned()), picture: None })
    }
}

/// The emoji of a message of Matrix's that is converted. One that it does not know it remembers, so that the caller can
/// ask and convert again.
#[derive(Debug, Default)]
pub struct EmojiBook {
    /// What is known; `None`: there is no such emoji.
    pub known: Vec<(NamedEmoji, Option<CustomEmoji>)>,
    /// What was asked for beyond that.
    pub asked: std::cell::RefCell<Vec<NamedEmoji>>,
}

impl EmojiBook {
    /// What the network shows for an emoji of Matrix's.
    pub fn inline(&self, name: &str, picture: Option<&MxcUri>) -> Inline {
        let named = NamedEmoji { name: Some(name.to_owned()), picture: picture.map(ToOwned::to_owned) };
        let unknown = || Inline::Emoji { name: name.to_owned(), id: None };
        match self.known.iter().find(|(known, _)| *known == named) {
            Some((_, Some(emoji))) => Inline::Emoji { name: emoji.name.clone(), id: emoji.id.clone() },
            Some((_, None)) => unknown(),
            None => {
                self.asked.borrow_mut().push(named);
                unknown()
            }
        }
    }
}
