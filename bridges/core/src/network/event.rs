//! What happens at a network, as the engine sees it: messages, what changes them, and reactions.

use hubbub_storage::portal::Place;
use serde::{Deserialize, Serialize};

use super::TransactionMark;
use crate::contract::RemotePerson;

/// A remote event as the engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteEvent {
    /// Something was said.
    Message(RemoteMessage),
    /// Something that was said is different now.
    Edit(RemoteEdit),
    /// Something that was said looks otherwise now, and nobody edited it.
    Refresh(RemoteRefresh),
    /// Something that was said is gone.
    Delete(RemoteDeletion),
    /// Somebody reacted.
    ReactionAdd(RemoteReaction),
    /// Somebody took a reaction away, or all reactions went.
    ReactionRemove(RemoteUnreaction),
    /// Somebody left the channel.
    Leave(RemoteLeave),
    /// Something that the bridge has no use for; its name for the counter.
    Ignored(String),
    /// It lacks what it must have.
    Malformed,
}

impl RemoteEvent {
    /// Where it stands in the inbound lane; `None` for what does not go through the lane.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Message(message) => Some(&message.place),
            Self::Edit(edit) => Some(&edit.place),
            Self::Refresh(refresh) => Some(&refresh.place),
            Self::Delete(deletion) => Some(&deletion.place),
            Self::ReactionAdd(reaction) => Some(&reaction.place),
            Self::ReactionRemove(removal) => Some(&removal.place),
            Self::Leave(leave) => Some(&leave.place),
            Self::Ignored(_) | Self::Malformed => None,
        }
    }
}

/// A remote message, but for its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteMessage {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub place: Place,
    /// When it was sent, in milliseconds since the epoch; must be the time in the id.
    pub sent_at: i64,
    /// Who said it.
    pub sender: RemotePerson,
    /// Whether a program posted it: it may be the echo of our own post.
    pub by_program: bool,
    /// What we left beside our own post.
    pub transaction: Option<TransactionMark>,
    /// The message that it answers outside of threads.
    pub reply_to: Option<String>,
    /// The first message of the thread that it is in; `None` for that message itself.
    pub thread_root: Option<String>,
    /// Whether a reply in a thread is also shown outside of it.
    pub also_in_channel: bool,
    /// Whether it says that its sender left the channel.
    pub leaves: bool,
    /// Whether it says that the channel's name or topic changed.
    pub changes_channel: bool,
    /// Which edit this is the text of: a count that grows with each edit by a person, below 2^53; 0: none.
    pub edited: i64,
    /// The ids of its files.
    pub files: Vec<String>,
}

/// A message that was edited by a person. Previews, pins and reply counts are no edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteEdit {
    /// Where the edit itself stands, after its message. Unlike every message's.
    pub place: Place,
    /// The message as it is now.
    pub message: RemoteMessage,
    /// When it was edited, in milliseconds since the epoch.
    pub at: i64,
}

/// A message to which the network added previews of links, or of which it took files away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRefresh {
    /// Where this stands, after its message. Unlike every message's.
    pub place: Place,
    /// The message as it is now.
    pub message: RemoteMessage,
    /// When this happened, in milliseconds since the epoch.
    pub at: i64,
}

/// Messages that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteDeletion {
    /// Where the deletion itself stands, after its messages. Unlike every message's.
    #[serde(skip)]
    pub place: Place,
    /// The messages.
    pub ids: Vec<String>,
}

/// A reaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteReaction {
    /// Where the reaction itself stands, after its message. Unlike every message's.
    #[serde(skip)]
    pub place: Place,
    /// The message.
    pub target: String,
    /// Who reacted.
    pub sender: RemotePerson,
    /// With what, as the network compares it.
    pub key: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
}

/// Reactions that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteUnreaction {
    /// Where the removal itself stands, after its message. Unlike every message's.
    #[serde(skip)]
    pub place: Place,
    /// The message.
    pub target: String,
    /// Whose; `None`: everybody's.
    pub sender: Option<RemotePerson>,
    /// Which, as the network compares it; `None`: all.
    pub key: Option<String>,
}

/// Somebody left the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteLeave {
    /// Where the leaving itself stands. Unlike every message's.
    pub place: Place,
    /// Who left.
    pub person: RemotePerson,
}

/// A reaction as Matrix shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownReaction {
    /// The emoji, or the name of a custom one.
    pub key: String,
    /// The name between colons, for clients that show it.
    pub shortcode: Option<String>,
}

/// Who reacted to a message, as its history tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReactions {
    /// With what, as the network compares it.
    pub key: String,
    /// Who.
    pub people: Vec<RemotePerson>,
    /// Whether these are all.
    pub complete: bool,
}
