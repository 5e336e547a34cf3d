//! What a network has to say to be bridged: it converts, the engine decides.
//!
//! Remote ids are opaque here: the engine compares and stores them, and asks [`Network::place`]
//! where a message stands. A connector implements [`Network`] and nothing else. What happens at a
//! network is a [`RemoteEvent`].

mod emoji;
mod event;
mod file;
mod link;
mod place;
mod thread;

use std::{collections::BTreeMap, future::ready};

use futures_util::future::LocalBoxFuture;
use hubbub_storage::blobs::Body;
use ruma::{OwnedMxcUri, OwnedRoomId, RoomOrAliasId, UserId};
use serde_json::{Value as Json, value::RawValue};

pub use self::emoji::{CustomEmoji, EmojiBook, ListedEmoji, NamedEmoji};
pub use self::event::{
    RemoteDeletion, RemoteEdit, RemoteEvent, RemoteLeave, RemoteMessage, RemoteReaction, RemoteReactions,
    RemoteRefresh, RemoteUnreaction, ShownReaction,
};
pub use self::file::{FileUpload, RemoteFile};
pub use self::link::{LinkAttempt, LinkReply};
pub use self::place::{RemotePlace, is_called, rank};
pub use self::thread::{RemoteThread, ThreadStart};
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
    /// How the names of its logins and portals begin, by which a server with several networks tells whose they are.
    pub object_prefix: &'static str,
    /// How it is spoken of.
    pub words: Words,
    /// Whether it tells what happens on a connection that the login's gateway object holds.
    pub has_gateway: bool,
    /// How many messages a second may be sent into one channel, unless a login says otherwise.
    pub pace: u32,
    /// Whether an answer to a message is a reply in that message's thread, since the network knows no other.
    pub replies_thread: bool,
    /// Whether a post carries no mark of ours, but the sender's name: its echo is known by its id, and what became of
    /// it by [`Network::is_post`].
    pub speaks_by_name: bool,
    /// Whether a thread is a channel of its own, known by the id of the message that it was begun at.
    pub threads_are_channels: bool,
    /// Whether a file goes with its post ([`Network::send_file`]) instead of before it ([`Network::upload`]).
    pub files_with_posts: bool,
    /// Whether the account of a login is a bot, and its owner somebody else there, who says so by a code.
    pub links_owner: bool,
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

impl NetworkFacts {
    /// The name of a new login or portal.
    pub(crate) fn object_name(&self, id: &str) -> String {
        format!("{}{id}", self.object_prefix)
    }
}

/// How a network is spoken of, to the person who connects it.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What an account belongs to, like `workspace`.
    pub team: &'static str,
    /// Both secrets, in a sentence.
    pub secrets: &'static str,
    /// The key that signs hooks, and where it is found, above its field.
    pub key: &'static str,
    /// The token, likewise.
    pub token: &'static str,
    /// What to do when the token is refused.
    pub renew: &'static str,
    /// What to look at when the network tells nothing.
    pub silence: &'static str,
    /// What is left to do once the secrets were taken.
    pub then: &'static str,
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

    /// What the network says about opening a connection now, opaque to the engine.
    fn connecting<'a>(&'a self, _token: &'a str) -> LocalBoxFuture<'a, Result<Json, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
    }

    /// The answer to a hook that is [`HookBody::Link`].
    fn link_answer(&self, _text: &str) -> Json {
        Json::Null
    }

    /// How to type a code, for a chat. Asked only of a network that links owners, as all about codes.
    fn link_help(&self, code: &str) -> String {
        code.to_owned()
    }

    /// The code in an event of the connection, which is for the login then and for nobody else.
    fn link_in(&self, _body: &str) -> Option<LinkAttempt> {
        None
    }

    /// Answers who typed a code in an event of the connection.
    fn reply_to_link<'a>(
        &'a self,
        _token: &'a str,
        _to: &'a LinkReply,
        _text: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(ready(Ok(())))
    }

    /// Has the network know what it must before a code can be typed. Repeating it is harmless.
    fn prepare<'a>(&'a self, _token: &'a str) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(ready(Ok(())))
    }

    /// The program or webhook by which somebody speaks who is no person of the network's but has a name: the part of
    /// their id that tells. What the login's own app says is the owner's.
    fn voice_of<'a>(&self, _person: &'a str) -> Option<&'a str> {
        None
    }

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

    /// The thread that a channel is; `None` when it is none.
    fn thread<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteThread>, RemoteError>> {
        Box::pin(ready(Ok(None)))
    }

    /// The threads that a stored event tells of.
    fn threads_in(&self, _body: &str) -> Vec<RemoteThread> {
        Vec::new()
    }

    /// A stored event of a thread, with what its portal has to know of that.
    fn in_thread(&self, body: &str, _thread: &RemoteThread) -> String {
        body.to_owned()
    }

    /// What stands for the first message of the thread that a message is in, if the room does not show it.
    fn thread_start(&self, _message: &RawValue) -> Option<ThreadStart> {
        None
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

    /// Until when the network wants no call of the account's at all, as this object knows; in milliseconds since the
    /// epoch.
    fn held_until(&self) -> i64 {
        0
    }

    /// Somebody else was told so.
    fn hold(&self, _until: i64) {}

    /// How many calls were refused since this was asked last, where the network bans for those.
    fn take_refused(&self) -> u32 {
        0
    }

    /// Who the owner is there, as far as that is known: what they may do counts, too.
    fn know_owner(&self, _person: Option<&str>) {}

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

    /// The names of some roles or user groups of a channel's, as (id, name).
    fn groups<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
        _ids: &'a [String],
    ) -> LocalBoxFuture<'a, Result<Vec<(String, String)>, RemoteError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

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

    /// A file as the network describes it now, when there are no bytes at its address any more; `None` when that says
    /// nothing new.
    fn fresh_file<'a>(
        &'a self,
        _token: &'a str,
        _file: &'a RemoteFile,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteFile>, RemoteError>> {
        Box::pin(ready(Ok(None)))
    }

    /// The largest file that the network takes, in bytes. Larger ones go as links.
    fn most_file_bytes(&self) -> u64 {
        0
    }

    /// Whether this code says that the network takes no such file, so that it goes as a link.
    fn refuses_file(&self, _code: &str) -> bool {
        false
    }

    /// Sends one post with a file beside it and returns its remote id. Never repeats anything by itself.
    fn send_file<'a>(
        &'a self,
        _token: &'a str,
        _channel: &'a str,
        _post: &'a Post,
        _file: FileUpload,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(ready(Err(RemoteError::Refused(NOT_POSSIBLE.to_owned()))))
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

    /// Whether a message of a history says just what this post does, by the account or in its name. Asked only of a
    /// network whose posts carry no mark.
    fn is_post(&self, _message: &RawValue, _sought: &Sought<'_>) -> bool {
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
    /// To be answered with this, and of no other use.
    Answer(Json),
    /// Somebody typed a code, and is answered by [`Network::link_answer`].
    Link(LinkAttempt),
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
    /// A heading over channels, or who may do what under it, is different now, or the account is not there any more.
    PlaceChanged {
        /// The heading.
        place: String,
        /// Its name, if the event says so.
        name: Option<String>,
        /// Where it stands among its siblings, if the event says so.
        order: Option<i64>,
    },
    /// Somebody left everything under a heading.
    PersonLeft {
        /// Who.
        person: String,
        /// The heading.
        place: String,
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
    /// Whether the owner may not delete what others said there.
    #[serde(default)]
    pub own_only: bool,
    /// The headings over it, the outermost first; none where the network has none.
    #[serde(default)]
    pub path: Vec<RemotePlace>,
    /// Where it stands under the innermost of them.
    #[serde(default)]
    pub order: i64,
}

impl RemoteChannel {
    /// Whether somebody means this channel by a name.
    #[must_use]
    pub fn is_called(&self, wanted: &str) -> bool {
        is_called(wanted, self.path.first().map(|place| place.name.as_str()), &self.name)
    }
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
    /// The public address of the sender's picture.
    pub picture: Option<String>,
}

/// A post that is looked for in a history.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// What [`Network::to_remote`] made; null for a file without words.
    pub content: &'a Json,
    /// The name of the file beside it.
    pub file: Option<&'a str>,
    /// The account.
    pub account: &'a str,
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
    /// Roles or user groups.
    pub groups: Vec<String>,
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
    /// Roles or user groups as (id, name).
    pub groups: Vec<(String, String)>,
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

    fn group(&self, id: &str) -> Option<String> {
        self.groups.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone())
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
    /// The owner's own person, if that is known.
    pub own_person: Option<&'a str>,
    /// This server.
    pub server_name: &'a ruma::ServerName,
    /// The portal's own room.
    pub room_id: Option<&'a OwnedRoomId>,
    /// The portal's own channel.
    pub channel: &'a str,
    /// Custom emoji.
    pub emoji: &'a EmojiBook,
    /// The channels of all portals of the login, by the portals' ids.
    pub channels: &'a BTreeMap<String, String>,
}

impl KnownAddresses<'_> {
    /// The channel that is bridged to a room: the portal's own, or one that is named by its portal's alias.
    pub fn channel_of(&self, room: &RoomOrAliasId, facts: &NetworkFacts) -> Option<String> {
        if self.room_id.is_some_and(|own| own.as_str() == room.as_str()) {
            return Some(self.channel.to_owned());
        }
        let (alias, server) = room.as_str().strip_prefix("#_")?.split_once(':')?;
        let portal_id = alias.strip_prefix(facts.id)?.strip_prefix('_')?;
        self.channels.get(portal_id).filter(|_| server == self.server_name).cloned()
    }
}
