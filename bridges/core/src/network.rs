//! What a network has to say to be bridged: it converts, the engine decides.
//!
//! Remote ids are opaque here: the engine compares and stores them, and asks [`Network::place`]
//! where a message stands. A connector implements [`Network`] and nothing else. What happens at a
//! network is a [`RemoteEvent`].

mod emoji;
mod event;
mod file;

use std::future::ready;

use futures_util::future::LocalBoxFuture;
use hubbub_storage::blobs::Body;
use ruma::{OwnedMxcUri, OwnedRoomId, UserId};
use serde_json::{Value as Json, value::RawValue};

pub use self::emoji::{CustomEmoji, EmojiBook, ListedEmoji, NamedEmoji};
pub use self::event::{
    RemoteDeletion, RemoteEdit, RemoteEvent, RemoteLeave, RemoteMessage, RemoteReaction, RemoteReactions,
    RemoteRefresh, RemoteUnreaction, ShownReaction,
};
pub use self::file::{FileUpload, RemoteFile};
use crate::{
    contract::{ChannelKind, Ghost, Hook},
    text::{Channel, Names, Person},
    web::HookHeaders,
};

/// The code of what a network has no way to do.
pub const NOT_POSSIBLE: &str = "not possible there";

/// What never changes about a network.
#[derive(Debug)]
pub struct NetworkFacts {
    /// Its name in paths, user ids, aliases and transaction ids, like `slack`. Also the id of its
    /// appservice registration.
    pub id: &'static str,
    /// Its name in sentences, like `Slack`.
    pub title: &'static str,
    /// The localpart of its bot.
    pub bot: &'static str,
    /// How many messages a second may be sent into one channel, unless a login says otherwise.
    pub pace: u32,
    /// Whether an answer to a message is a reply in that message's thread, since the network knows no other.
    pub replies_thread: bool,
    /// Whether a post carries no mark of ours, but the sender's name: its echo is known by its id, and what became of
    /// it by [`Network::is_post`].
    pub speaks_by_name: bool,
    /// The headers that sign its hooks.
    pub hook_headers: HookHeaders,
    /// The method that lists channels.
    pub channels_method: &'static str,
    /// The method that names people.
    pub person_method: &'static str,
    /// The method that describes a channel.
    pub channel_method: &'static str,
    /// The method that marks a channel as read; `None` when the network has no such thing.
    pub mark_method: Option<&'static str>,
    /// The method that reads history.
    pub history_method: &'static str,
    /// The method that reads the history of a thread.
    pub thread_method: &'static str,
}

/// One network, as seen from an object: cheap to make, holds nothing that must survive.
pub trait Network: 'static {
    /// What never changes about it.
    fn facts(&self) -> &'static NetworkFacts;

    /// The app that the owner is to make, which calls us at `hook_url`.
    fn manifest(&self, hook_url: &str) -> Json;

    /// How to make that app, for a chat.
    fn instructions(&self) -> &'static str;

    /// Refuses secrets that cannot work, with a sentence that helps.
    fn check_secrets(&self, signing_secret: &str, token: &str) -> Result<(), String>;

    /// Whose token this is.
    fn identify<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Identity, RemoteError>>;

    /// Checks a hook's signature and age.
    fn verify(&self, signing_secret: &str, hook: &Hook, now: i64) -> Result<(), &'static str>;

    /// Reads a hook whose signature holds.
    fn read_hook(&self, body: &str) -> HookBody;

    /// The event inside a stored hook.
    fn event_of(&self, body: &str) -> Option<Box<RawValue>>;

    /// All channels that the account is in.
    fn channels<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<RemoteChannel>, RemoteError>>;

    /// One channel.
    fn channel<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<RemoteChannel, RemoteError>>;

    /// Joins a channel by its id or name; `None` when there is no such channel.
    fn join<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteChannel>, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// The people with this id or name, as (id, name).
    fn people_named<'a>(
        &'a self,
        _token: &'a str,
        _name: &'a str,
    ) -> LocalBoxFuture<'a, Result<Vec<(String, String)>, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// Opens a chat with somebody and returns its channel.
    fn open_chat<'a>(&'a self, _token: &'a str, _person: &'a str) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// How somebody is shown; `None` when the network knows no name.
    fn person<'a>(
        &'a self,
        token: &'a str,
        person: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteProfile>, RemoteError>>;

    /// A page of the messages of a channel or a thread, in any order.
    fn history<'a>(
        &'a self,
        token: &'a str,
        request: &'a HistoryRequest<'a>,
    ) -> LocalBoxFuture<'a, Result<HistoryPage, RemoteError>>;

    /// Sends one post and returns its remote id. Never repeats anything by itself.
    fn send<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>>;

    /// Replaces a post of the account and returns the count of the edit ([`RemoteMessage::edited`]): the echo's is no
    /// greater. Repeating it is harmless.
    fn edit<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<i64, RemoteError>>;

    /// Deletes a message; fine when it is gone. Repeating it is harmless.
    fn delete<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>>;

    /// Adds the account's reaction, or takes it away; fine when that is so already.
    fn react<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        key: &'a str,
        added: bool,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>>;

    /// Marks a channel as read by the account, up to a message.
    fn mark_read<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>>;

    /// Whether this code says that a channel is not there any more, or not for the account.
    fn is_gone(&self, code: &str) -> bool;

    /// How often the account may call a method, as (calls a minute, calls at once); `None`:
    /// without a budget.
    fn budget(&self, method: &str) -> Option<(u32, u32)>;

    /// The localpart of somebody's ghost; must start with `_<ID>_`.
    fn ghost_localpart(&self, team: &str, person: &str) -> String;

    /// Whose ghost has this localpart; `None` when it is nobody's of this workspace.
    fn person_of_ghost(&self, team: &str, localpart: &str) -> Option<String>;

    /// Reads a remote event, live or from a history.
    fn read_event(&self, event: &RawValue) -> RemoteEvent;

    /// Where a message stands in its channel; `None` when this is no id of a message.
    fn place(&self, remote_id: &str) -> Option<String>;

    /// An id that stands before all messages sent after `at` (milliseconds since the epoch).
    fn id_at(&self, at: i64) -> String;

    /// Whom and what a message, or an edit, names.
    fn names_in(&self, event: &RawValue) -> NamesIn;

    /// The message, or of an edit the message as it is now, as contents of `m.room.message`: at least
    /// one, unless it has files and nothing else.
    fn to_matrix(&self, event: &RawValue, names: &KnownNames) -> Vec<Json>;

    /// The files of a message whose bytes are to be copied, in order; [`Network::to_matrix`] leaves them out.
    fn files_in(&self, _event: &RawValue) -> Vec<RemoteFile> {
        Vec::new()
    }

    /// How many of [`Network::files_in`] the message had before an edit or a refresh, and which of them it has no more,
    /// by their places among those.
    fn files_gone(&self, _event: &RawValue) -> (usize, Vec<usize>) {
        (0, Vec::new())
    }

    /// The previews that a refresh adds, with their places in the message, as contents of `m.room.message`.
    fn previews_in(&self, _event: &RawValue, _names: &KnownNames) -> Vec<(u16, Json)> {
        Vec::new()
    }

    /// The request for a file's bytes; `None` when it is not known where they are. Goes to a host that a stranger may
    /// have named: it must hold the token for the network's own hosts only.
    fn file_request(&self, _token: &str, _file: &RemoteFile) -> Option<http::Request<Body>> {
        None
    }

    /// The largest file that the network takes, in bytes. Larger ones go as links.
    fn most_file_bytes(&self) -> u64 {
        0
    }

    /// Whether this code says that the network takes no such file, so that it goes as a link.
    fn refuses_file(&self, _code: &str) -> bool {
        false
    }

    /// Brings a file's bytes to the network, where nobody sees them yet, and returns its id. Repeating it is harmless.
    fn upload<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
        _file: FileUpload,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// Posts a file that was uploaded, and returns the message's remote id if the network tells it already. Never
    /// repeats anything by itself.
    fn share<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
        _file_id: &'a str,
        _post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// The message in a channel by which a file was posted, if there is one.
    fn shared_as<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
        _file_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(ready(Ok(None)))
    }

    /// Deletes a file; fine when it is gone. Repeating it is harmless.
    fn delete_file<'a>(&'a self, _token: &'a str, _file_id: &'a str) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(ready(Ok(())))
    }

    /// How Matrix shows a reaction with this key.
    fn shown_reaction(&self, key: &str) -> ShownReaction;

    /// The key of a reaction of Matrix's, as the network compares it; `None` when the network has no such emoji.
    fn reaction_key(&self, key: &str) -> Option<String>;

    /// The custom emoji of a reaction's key; `None` when it is a character.
    fn emoji_of_key(&self, _key: &str) -> Option<CustomEmoji> {
        None
    }

    /// The key of a reaction with a custom emoji.
    fn key_of_emoji(&self, emoji: &CustomEmoji) -> String {
        emoji.name.clone()
    }

    /// Where the network has the picture of a custom emoji; `None` when only its list tells.
    fn emoji_picture(&self, _emoji: &CustomEmoji) -> Option<String> {
        None
    }

    /// The custom emoji that the account may use, with pictures at the network's own hosts only.
    fn list_emoji<'a>(&'a self, _token: &'a str) -> LocalBoxFuture<'a, Result<Vec<ListedEmoji>, RemoteError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    /// Where the network has the workspace's picture; `None` when it has none of its own.
    fn space_picture<'a>(&'a self, _token: &'a str) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(ready(Ok(None)))
    }

    /// The newest reply to a message of a history that is the first of a thread.
    fn newest_reply(&self, message: &RawValue) -> Option<String>;

    /// The reactions that a message of a history has; `None` when the network does not tell who reacted.
    fn reactions_in(&self, message: &RawValue) -> Option<Vec<RemoteReactions>>;

    /// The posts that an `m.room.message` content becomes; none when it says nothing.
    fn to_remote(&self, content: &Json, known: &KnownAddresses<'_>) -> Vec<Json>;

    /// Whether a message of a history says just what this post does, by a program. Asked only of a network whose posts
    /// carry no mark.
    fn is_post(&self, _message: &RawValue, _content: &Json) -> bool {
        false
    }

    /// What the network's code means for the person, as a sentence.
    fn explain(&self, code: &str) -> String;
}

/// Why a call of a network gave no answer. No text holds a token or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// Nothing was done: it may be tried again later.
    NotDone(String),
    /// It may have been done.
    Unknown(String),
    /// Nothing was done, and not before so many milliseconds.
    RateLimited(i64),
    /// The token does not work any more, and why (the network's code).
    BadCredentials(String),
    /// It will never be done, and why (the network's code).
    Refused(String),
}

impl RemoteError {
    /// A short text for the log and for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotDone(cause) | Self::Unknown(cause) => cause.clone(),
            Self::RateLimited(_) => "the network's rate limit is used up".to_owned(),
            Self::BadCredentials(code) => format!("the network refuses the token ({code})"),
            Self::Refused(code) => format!("the network refuses this ({code})"),
        }
    }
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The workspace.
    pub team: String,
    /// Its name.
    pub team_name: String,
    /// The account.
    pub user: String,
    /// Its name.
    pub user_name: String,
}

/// What a hook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookBody {
    /// The network checks the address.
    Challenge(String),
    /// The network holds events back for a while.
    RateLimited,
    /// Not what it should be.
    Malformed(&'static str),
    /// An event.
    Event(HookEvent),
}

/// An event, as far as the LoginObject looks into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// The network's id of the event, the same in each retry.
    pub event_id: String,
    /// When it happened, in seconds since the epoch, the same in each retry.
    pub at: i64,
    /// The workspaces that it concerns.
    pub teams: Vec<String>,
    /// The account that it was sent for, if the network says so.
    pub account: Option<String>,
    /// What it is.
    pub kind: HookKind,
}

/// The events that the LoginObject tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// For the portal of a channel.
    ForChannel {
        /// The channel.
        channel: String,
        /// What the channel is, if the event says so.
        kind: Option<ChannelKind>,
        /// Whether a portal of a private chat is made for it.
        opens: bool,
    },
    /// The token of these accounts (of all, when empty) stopped working, and why.
    Revoked {
        /// The accounts.
        accounts: Vec<String>,
        /// The network's code.
        reason: &'static str,
    },
    /// A channel has another name, topic or state now.
    ChannelChanged {
        /// The channel.
        channel: String,
    },
    /// A channel has another id now.
    ChannelRenamed {
        /// The old id.
        old: String,
        /// The new id.
        new: String,
    },
    /// Somebody has another name or picture now.
    PersonChanged {
        /// Who.
        person: String,
        /// How they are shown now.
        profile: RemoteProfile,
    },
    /// These custom emoji have another picture now, or are new or gone.
    EmojiChanged {
        /// Their reactions' keys.
        keys: Vec<String>,
    },
    /// Something that the bridge knows and does not bridge yet.
    NotBridged,
    /// Something that the bridge has no use for.
    Other,
}

/// How the network shows somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteProfile {
    /// The name.
    pub name: String,
    /// The URL of the picture; `None` when it is not known.
    pub picture: Option<String>,
}

/// A channel at the network.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RemoteChannel {
    /// Its id.
    pub id: String,
    /// Its name without `#`; empty for a chat of two.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
    /// What it is.
    pub kind: ChannelKind,
    /// The other person of a chat of two.
    pub with: Option<String>,
    /// The message up to which the account has read, if the network tells.
    #[serde(default)]
    pub last_read: Option<String>,
    /// Whether nobody can write there any more, or the account cannot.
    #[serde(default)]
    pub read_only: bool,
}

/// Which messages of a channel are wanted.
#[derive(Clone, Debug)]
pub struct HistoryRequest<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The first message of the thread that is wanted instead of the channel; it may come with the others.
    pub thread: Option<&'a str>,
    /// Only messages after this id.
    pub after: Option<&'a str>,
    /// The next page of an earlier answer.
    pub cursor: Option<&'a str>,
    /// How many, at most.
    pub limit: u32,
}

/// A page of a channel's messages.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The messages, in any order.
    pub messages: Vec<Box<RawValue>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// One post.
#[derive(Clone, Debug)]
pub struct Post {
    /// What [`Network::to_remote`] made.
    pub content: Json,
    /// What the network is to keep beside it, and to give back in echo and history.
    pub transaction: TransactionMark,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// The first message of the thread that it goes to.
    pub thread_root: Option<String>,
    /// The sender's name.
    pub speaker: String,
}

/// Which part of which Matrix event a post is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionMark {
    /// The event.
    pub event_id: String,
    /// The part.
    pub part: u32,
}

/// Whom and what a message names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesIn {
    /// People.
    pub people: Vec<String>,
    /// Channels.
    pub channels: Vec<String>,
    /// Custom emoji.
    pub emoji: Vec<CustomEmoji>,
}

/// The names that a conversion may ask for.
#[derive(Clone, Debug, Default)]
pub struct KnownNames {
    /// People.
    pub people: Vec<Ghost>,
    /// Channels as (id, name, room or alias).
    pub channels: Vec<(String, String, Option<ruma::OwnedRoomOrAliasId>)>,
    /// Custom emoji whose pictures are here.
    pub emoji: Vec<(CustomEmoji, OwnedMxcUri)>,
}

impl Names for KnownNames {
    fn user(&self, id: &str) -> Option<Person> {
        let ghost = self.people.iter().find(|ghost| ghost.remote_user == id)?;
        Some(Person { display_name: ghost.name.clone(), mxid: ghost.user_id.clone() })
    }

    fn channel(&self, id: &str) -> Option<Channel> {
        let (_, name, room) = self.channels.iter().find(|(known, ..)| known == id)?;
        Some(Channel { name: name.clone(), room: room.clone() })
    }

    fn group(&self, _: &str) -> Option<String> {
        None
    }

    fn emoji(&self, name: &str, id: Option<&str>) -> Option<OwnedMxcUri> {
        let is_it = |emoji: &CustomEmoji| emoji.name == name && emoji.id.as_deref() == id;
        self.emoji.iter().find(|(emoji, _)| is_it(emoji)).map(|(_, picture)| picture.clone())
    }
}

/// The addresses that a conversion of a Matrix event may ask for.
pub struct KnownAddresses<'a> {
    /// The workspace.
    pub team: &'a str,
    /// The owner.
    pub owner: &'a UserId,
    /// The owner's account.
    pub remote_user: &'a str,
    /// This server.
    pub server_name: &'a ruma::ServerName,
    /// The portal's own room.
    pub room_id: Option<&'a OwnedRoomId>,
    /// The portal's own channel.
    pub channel: &'a str,
    /// Custom emoji.
    pub emoji: &'a EmojiBook,
}
