//! The contracts of a LoginObject and of a PortalObject.
//!
//! A login is one person's connection to one account of a network; a portal is one channel of a
//! login as a Matrix room. Both are addressed by their random ids. Replies stand behind the arrow.

mod gateway;
mod linking;
mod places;

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};

pub use self::{
    gateway::{GatewayCommand, GatewayOpening, ListenCommand},
    linking::LinkingCommand,
    places::PlacesCommand,
};
use crate::network::{CustomEmoji, NamedEmoji};

/// A secret on its way between objects; `Debug` shows nothing of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

/// What a LoginObject knows of custom emoji.
#[derive(Debug, Serialize, Deserialize)]
pub enum EmojiCommand {
    /// The copies of these emoji's pictures, made when they are first asked for. → `Vec<Option<OwnedMxcUri>>`
    Pictures {
        /// Which.
        emoji: Vec<CustomEmoji>,
    },
    /// The network's emoji that Matrix names so. → `Vec<Option<CustomEmoji>>`
    Find {
        /// Which.
        emoji: Vec<NamedEmoji>,
    },
}

/// What a LoginObject can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum LoginCommand {
    /// Makes the login, pending, or returns what it is. → [`Started`]
    Start {
        /// Whose it is.
        owner: OwnedUserId,
    },
    /// Remembers a one-time link (by its nonce) through which the secrets may be given. → `()`
    Link {
        /// The link's nonce.
        nonce: String,
        /// When it stops working, in milliseconds since the epoch.
        expires_at: i64,
    },
    /// Takes the secrets, checks them with the network and connects, or resumes. → [`Finished`]
    Finish {
        /// The key with which the network signs its requests to us.
        signing_secret: Secret,
        /// The person's token.
        token: Secret,
        /// The nonce of the one-time link, when they come from its page.
        link: Option<String>,
    },
    /// From a pending login whose account turned out to be this login's. → [`Finished`]
    Resume {
        /// Who asks for it: must be the owner.
        owner: OwnedUserId,
        /// The signing key.
        signing_secret: Secret,
        /// The person's token; the account was checked.
        token: Secret,
    },
    /// A request of the network to the hook, as it came. → [`HookAnswer`]
    Hook(Hook),
    /// About the owner's own person. → `bool`
    Linking(LinkingCommand),
    /// From the connection on which a network tells what happens. → as [`GatewayCommand`] says
    Gateway(GatewayCommand),
    /// The channels that the account is in. → `Vec<ListedChannel>`
    List,
    /// Makes the portal of a channel; idempotent. → [`Bridged`]
    Bridge {
        /// The channel's id, or its name with or without `#`.
        channel: String,
    },
    /// Ends the portal of a channel; the room stays, silent. → `()`
    Unbridge {
        /// The channel's id, or its name with or without `#`.
        channel: String,
    },
    /// Ends the portal of a channel, bridged or not, and takes its room away. → `()`
    DeleteRoom {
        /// The channel's id, or its name with or without `#`.
        channel: String,
    },
    /// Joins a channel and makes its portal. → [`Bridged`]
    Join {
        /// The channel's id, or its name with or without `#`.
        channel: String,
    },
    /// Makes the portal of a chat with somebody. → [`Bridged`]
    OpenChat {
        /// The person's id or name.
        person: String,
    },
    /// How the login is. → [`LoginStatus`]
    Status,
    /// Forgets the secrets; rooms stay and a later `Finish` goes on with them. → `()`
    Disconnect,
    /// Sets how many messages a second may be sent into one channel. → `()`
    SetPace {
        /// Messages a second and channel.
        per_second: u32,
    },
    /// For a portal: what it needs to call the network. → [`Access`]
    Access {
        /// The method that it is about to call, when that method has a budget of the account.
        method: Option<String>,
    },
    /// For a portal: makes sure that these people have ghosts with names. → `Vec<Ghost>`
    Ghosts {
        /// Who.
        people: Vec<RemotePerson>,
    },
    /// Whether the network knows somebody, who then has a ghost. → `bool`
    Introduce {
        /// Who.
        person: String,
    },
    /// For a portal: the channels and portals that a message names. → `Vec<NamedChannel>`
    Channels {
        /// The channels' ids.
        ids: Vec<String>,
    },
    /// For a portal: custom emoji.
    Emoji(EmojiCommand),
    /// For a portal: the space of the workspace, made when it is missing. → `OwnedRoomId`
    Space,
    /// For a portal: its channel's place, and limits. → as [`PlacesCommand`] says
    Places(PlacesCommand),
    /// For a portal: lists the room as a direct chat in the owner's account data. → `()`
    MarkDirect {
        /// The room.
        room_id: OwnedRoomId,
        /// The others in it.
        with: Vec<OwnedUserId>,
    },
    /// For a portal: the network refused the token. → `()`
    TokenRefused {
        /// The network's code.
        reason: String,
        /// Which token, by [`Access::generation`]: a newer one is not affected.
        generation: i64,
    },
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// A request of the network to a login's hook.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hook {
    /// The signature header.
    pub signature: String,
    /// The timestamp header.
    pub timestamp: String,
    /// The body, byte for byte.
    pub body: String,
}

/// The answer to a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookAnswer {
    /// Stored durably, or stored before, or of no interest to anybody.
    Accepted,
    /// The network checks the address and wants this back.
    Challenge(String),
    /// To be answered with this.
    Json(Json),
    /// Another login has this account now: ask that one.
    Forward(String),
    /// Refused with this status and sentence.
    Refused(u16, String),
}

/// The answer to [`LoginCommand::Start`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// The login.
    pub login_id: String,
    /// The address that the network is to call.
    pub hook_url: String,
    /// The app to be made at the network, as JSON.
    pub manifest: serde_json::Value,
}

/// The answer to [`LoginCommand::Finish`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The login that goes on: an older one when the account had one.
    pub login_id: String,
    /// The workspace's id.
    pub team: String,
    /// The workspace's name.
    pub team_name: String,
    /// The account's id.
    pub user: String,
    /// The account's name.
    pub user_name: String,
}

/// A channel as `list` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedChannel {
    /// The network's id.
    pub id: String,
    /// The name; of a direct chat whom it is with.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// Its portal, while it is bridged.
    pub portal_id: Option<String>,
    /// The name of the outermost heading over it, if it has one.
    #[serde(default)]
    pub place: Option<String>,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A channel with a name.
    Channel,
    /// A chat of two.
    Direct,
    /// A chat of a few.
    Group,
}

impl ChannelKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    /// Whether the portal is made by itself, with the first message.
    pub fn is_private_chat(self) -> bool {
        !matches!(self, Self::Channel)
    }
}

impl From<&str> for ChannelKind {
    fn from(kind: &str) -> Self {
        match kind {
            "direct" => Self::Direct,
            "group" => Self::Group,
            _ => Self::Channel,
        }
    }
}

/// The answer to [`LoginCommand::Bridge`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridged {
    /// The portal.
    pub portal_id: String,
    /// Its room.
    pub room_id: OwnedRoomId,
}

/// The state of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginState {
    /// Waits for its secrets.
    Pending,
    /// Works.
    Connected,
    /// The network refuses the token.
    BadCredentials,
    /// The owner disconnected it.
    Disconnected,
    /// Its account belongs to an older login, which it forwards to.
    Forwarding,
}

impl LoginState {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Connected => "connected",
            Self::BadCredentials => "bad_credentials",
            Self::Disconnected => "disconnected",
            Self::Forwarding => "forwarding",
        }
    }
}

impl From<&str> for LoginState {
    fn from(state: &str) -> Self {
        match state {
            "connected" => Self::Connected,
            "bad_credentials" => Self::BadCredentials,
            "disconnected" => Self::Disconnected,
            "forwarding" => Self::Forwarding,
            _ => Self::Pending,
        }
    }
}

/// The answer to [`LoginCommand::Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginStatus {
    /// The login.
    pub login_id: String,
    /// Whose it is.
    pub owner: OwnedUserId,
    /// Its state.
    pub state: LoginState,
    /// Workspace and account, once known.
    pub account: Option<Finished>,
    /// The name of the owner's own person, where that is not the account and is known.
    #[serde(default)]
    pub person: Option<String>,
    /// The bridged channels.
    pub portals: Vec<ListedChannel>,
    /// Events that are not in their portals yet: they wait, or are on their way.
    pub waiting: u64,
    /// What was counted since the object woke, and before as far as it was written down.
    pub counters: Counters,
}

/// What happened to the network's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Stored events.
    pub accepted: u64,
    /// Events that had been stored before.
    pub duplicates: u64,
    /// Requests with a bad signature or a stale timestamp.
    pub refused: u64,
    /// Bodies that could not be read.
    pub malformed: u64,
    /// Events of another workspace.
    pub unknown_workspace: u64,
    /// Events of a type that the bridge does not know.
    pub unknown_type: u64,
    /// Events that the bridge knows and does not bridge yet (edits, deletions, reactions).
    pub not_bridged: u64,
    /// Events of channels that nobody chose.
    pub dropped: u64,
    /// Whether the network said that it holds events back.
    pub rate_limited: u64,
}

/// The answer to [`LoginCommand::Access`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Access {
    /// The token; `None` while the login is not connected.
    pub token: Option<Secret>,
    /// Which token it is: grows with each new one.
    pub generation: i64,
    /// The owner.
    pub owner: OwnedUserId,
    /// The workspace.
    pub team: String,
    /// The account that acts: it reacts, and what it did comes back under this id.
    pub remote_user: String,
    /// The owner's own person, if that is known: the account itself, or who was linked.
    #[serde(default)]
    pub own_person: Option<String>,
    /// Until when the network wants no call at all, in milliseconds since the epoch.
    #[serde(default)]
    pub hold_until: i64,
    /// Messages a second and channel.
    pub pace: u32,
    /// The owner's name, where the network shows it with each post.
    #[serde(default)]
    pub owner_name: String,
    /// The public address of the owner's picture, where the network shows that with each post.
    #[serde(default)]
    pub owner_picture: Option<String>,
    /// The channels of the login's portals, by the portals' ids.
    #[serde(default)]
    pub channels: BTreeMap<String, String>,
    /// How long to wait before the method may be called, in milliseconds; 0: now, and the call is
    /// counted.
    pub wait_ms: i64,
}

/// Somebody at the network, as a message names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemotePerson {
    /// The network's id.
    pub id: String,
    /// The name that the message itself gives.
    pub name: Option<String>,
    /// The URL of the picture that the message itself gives; only where it gives a name.
    #[serde(default)]
    pub picture: Option<String>,
}

/// Somebody at the network as Matrix knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ghost {
    /// The network's id.
    pub remote_user: String,
    /// The Matrix user: the ghost, or the owner for the owner's own person.
    pub user_id: OwnedUserId,
    /// The name to show.
    pub name: String,
}

/// A channel that a message names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedChannel {
    /// The network's id.
    pub id: String,
    /// The name, without `#`.
    pub name: String,
    /// The portal, while it is bridged.
    pub portal_id: Option<String>,
}

/// What a PortalObject can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum PortalCommand {
    /// Stores the intent to make the portal, or opens it again; idempotent. → `()`
    Open(PortalIntent),
    /// Goes on with the making and answers once the owner is in the room. → `OwnedRoomId`
    Ready,
    /// Remote events, in any order, stored before this answers; repeating is harmless. → `()`
    Remote {
        /// Each as the network sent it.
        events: Vec<Box<RawValue>>,
    },
    /// Events of the room, in order, stored before this answers; repeating is harmless. → `()`
    Matrix {
        /// Client-format events.
        events: Vec<Box<RawValue>>,
    },
    /// The login has a new token or a new pace, or the network renamed the channel: what waits goes
    /// on. → `()`
    Resume {
        /// The channel's id.
        channel: String,
    },
    /// Looks what the channel is like now and whether the owner read at the network; from Cron, by way of the login. → [`Tended`]
    Tend {
        /// Whether to read the channel's last messages again, too.
        catch_up: bool,
    },
    /// From the login: no call of the network before this moment. → `()`
    Hold {
        /// In milliseconds since the epoch.
        until: i64,
    },
    /// Ends the portal: nothing goes in or out any more, the room stays. → `()`
    Close,
    /// Ends the portal and empties its room; a portal that is opened again makes a new one. → `()`
    Delete,
    /// How the portal is; 404 when there is none. → [`PortalStatus`]
    Status,
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// What a portal is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalIntent {
    /// The login.
    pub login_id: String,
    /// The owner.
    pub owner: OwnedUserId,
    /// The channel.
    pub channel: String,
    /// What it is.
    pub kind: ChannelKind,
}

/// The answer to [`PortalCommand::Tend`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tended {
    /// The channel's name, as far as it was asked for.
    pub name: Option<String>,
    /// When the newest message was sent of which the network had told nothing, in milliseconds since the epoch.
    pub missed: Option<i64>,
    /// How many such messages there were.
    pub found: u64,
}

/// The answer to [`PortalCommand::Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PortalStatus {
    /// How far its making is.
    pub step: String,
    /// Its room.
    pub room_id: Option<OwnedRoomId>,
    /// Remote events that wait.
    pub inbound: u64,
    /// Matrix events that wait.
    pub outbound: u64,
    /// Whether the first of them has an unknown outcome.
    pub uncertain: bool,
}
