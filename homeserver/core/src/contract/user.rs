//! The contract of a UserSyncObject.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    account::AccountCommand,
    delivery::RoomDelivery,
    notifications::GetNotifications,
    people::PeopleCommand,
    room::{CreateRoom, Profile},
    search::UserSearchCommand,
};

/// The session part of an access token; the token's MAC was checked by the Worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionProof {
    /// The session's random secret, as it stands in the token.
    pub secret: String,
    /// The address that the request came from, as far as it is known.
    #[serde(default)]
    pub address: Option<String>,
}

/// On whose behalf an inbox is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Caller {
    /// A session: the object checks it.
    Session(SessionProof),
    /// An appservice whose token and namespaces were checked; its id.
    Appservice(String),
    /// The same as one of its user's devices
    /// ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)).
    AppserviceDevice {
        /// Its id.
        id: String,
        /// The device.
        device_id: String,
    },
}

impl Caller {
    /// The appservice, if it is one.
    pub fn appservice(&self) -> Option<&str> {
        match self {
            Self::Session(_) => None,
            Self::Appservice(id) | Self::AppserviceDevice { id, .. } => Some(id),
        }
    }
}

/// What a UserSyncObject can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum UserCommand {
    /// Makes the account, and a session unless `device` is absent; 400 `M_USER_IN_USE` when it
    /// exists. Answers once D1 lists the account. → `Option<NewSession>`
    CreateAccount {
        /// The password; `None`: none can log in with one.
        password: Option<String>,
        /// The first session.
        device: Option<NewDevice>,
        /// Whether the user owns the server.
        owner: bool,
        /// The appservice that registers its own user.
        appservice: Option<String>,
    },
    /// Opens a session. 403 `M_FORBIDDEN` for a wrong password; 429 after too many. → [`NewSession`]
    Login {
        /// How.
        with: LoginWith,
        /// The device.
        device: NewDevice,
    },
    /// Sets the password (owner link): ends no session. Makes the account (as owner) when there
    /// is none. → `()`
    SetPassword {
        /// The new password.
        password: String,
    },
    /// Who is behind a session; 429 `M_LIMIT_EXCEEDED` when its user wrote too much. →
    /// [`Authenticated`]
    Authenticate {
        /// The session.
        session: SessionProof,
        /// Whether the request writes something.
        #[serde(default)]
        writes: bool,
    },
    /// Ends a session, or all of them. → `()`
    Logout {
        /// The session.
        session: SessionProof,
        /// All sessions of the user.
        all: bool,
    },
    /// One `/sync` without waiting. → [`SyncAnswer`]
    Sync(Box<SyncRequest>),
    /// A room's delivery. → [`super::delivery::DeliveryAnswer`]
    Deliver(Box<RoomDelivery>),
    /// Starts or goes on with the making of a room: stores the intent, makes the room, waits until
    /// the inbox and D1 hold it. → `()`
    CreateRoom {
        /// On whose behalf.
        caller: Caller,
        /// The intent.
        intent: Box<CreateRoomSaga>,
    },
    /// Stores a filter. → its id (`String`)
    PutFilter {
        /// On whose behalf.
        caller: Caller,
        /// The filter (validated).
        filter: Box<RawValue>,
    },
    /// → the filter as raw JSON; 404 when unknown
    GetFilter {
        /// On whose behalf.
        caller: Caller,
        /// Its id.
        filter_id: String,
    },
    /// Sets account data, global when `room_id` is absent. → `()`
    PutAccountData {
        /// On whose behalf.
        caller: Caller,
        /// The room.
        room_id: Option<OwnedRoomId>,
        /// The type.
        event_type: String,
        /// The content.
        content: Box<RawValue>,
    },
    /// → the content as raw JSON; 404 when unknown
    GetAccountData {
        /// On whose behalf.
        caller: Caller,
        /// The room.
        room_id: Option<OwnedRoomId>,
        /// The type.
        event_type: String,
    },
    /// Reads or changes push rules. → raw JSON (for reads) or `null`
    PushRules {
        /// On whose behalf.
        caller: Caller,
        /// What.
        operation: PushRuleOperation,
    },
    /// The rooms that the user is joined to. → `Vec<OwnedRoomId>`
    JoinedRooms {
        /// On whose behalf.
        caller: Caller,
    },
    /// Past notifications. → [`super::notifications::NotificationPage`]
    Notifications(GetNotifications),
    /// The profile. → [`Profile`]; 404 when there is no such account, 403 when it was deactivated
    GetProfile,
    /// Sets name or avatar (`Some(None)` removes) and tells the rooms. Answers once D1 and the
    /// user's own rooms hold it. → `()`
    SetProfile {
        /// On whose behalf.
        caller: Caller,
        /// The new name.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        displayname: Option<Option<String>>,
        /// The new avatar.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        avatar_url: Option<Option<String>>,
    },
    /// Marks a room forgotten, so that only incremental syncs of other devices still name it. → `()`
    ForgetRoom {
        /// The room.
        room_id: OwnedRoomId,
    },
    /// Sets `m.fully_read`. → `()`
    SetFullyRead {
        /// The room.
        room_id: OwnedRoomId,
        /// The event.
        event_id: OwnedEventId,
    },
    /// Turns a pagination token into a room token: a `/sync` token of any age becomes the exact
    /// place in the room that it stands for, a room token stays what it is. 400
    /// `M_INVALID_PARAM` for anything else. → `String`
    ResolveToken {
        /// On whose behalf.
        caller: Caller,
        /// The room.
        room_id: OwnedRoomId,
        /// The token.
        token: String,
    },
    /// Searches.
    Search(UserSearchCommand),
    /// What is about the account itself.
    Account(AccountCommand),
    /// Pushers, tags, presence, profile fields.
    People(Box<PeopleCommand>),
    /// Rooms as places: upgrades.
    Place(Box<super::place::UserPlaceCommand>),
    /// The user's keys: what needs the session, its device or the password.
    Keys(Box<super::keys::OwnKeysCommand>),
    /// News of the user's keys. → the version that is held afterwards (`i64`)
    KeysNews(super::keys_news::KeysNews),
    /// Device lists.
    DeviceLists(super::device_lists::DeviceListCommand),
    /// To-device messages.
    ToDevice(Box<super::to_device::ToDeviceCommand>),
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// Reads a key that is there, so that `null` (remove) differs from an absent one (keep).
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How a session is opened.
#[derive(Clone, Serialize, Deserialize)]
pub enum LoginWith {
    /// With a password.
    Password(String),
    /// By an appservice for a user in its namespace (`m.login.application_service`).
    Appservice(String),
    /// With a login token, whose MAC was checked: its secret (`m.login.token`).
    Token(String),
}

impl std::fmt::Debug for LoginWith {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Password(_) => "Password",
            Self::Appservice(_) => "Appservice",
            Self::Token(_) => "Token",
        })
    }
}

/// The device of a new session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NewDevice {
    /// Reused when it exists (its earlier session ends); `None`: a random one.
    pub device_id: Option<String>,
    /// The name of a new device.
    pub display_name: Option<String>,
    /// Whether the session is to be renewed by a refresh token.
    #[serde(default)]
    pub refreshable: bool,
    /// The address that the request came from, as far as it is known.
    #[serde(default)]
    pub address: Option<String>,
}

/// A session that was opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewSession {
    /// The whole access token ([`crate::user::token`]).
    pub access_token: String,
    /// The device.
    pub device_id: String,
    /// The whole refresh token, if one was asked for.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// How long the access token lives; `None`: until the session ends.
    #[serde(default)]
    pub expires_in_ms: Option<i64>,
}

/// Who is behind a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authenticated {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device.
    pub device_id: String,
    /// Whether the user owns the server.
    pub owner: bool,
    /// The profile, so that a join needs no further call.
    pub profile: Profile,
    /// Whom the user ignores, for requests that only read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<OwnedUserId>,
}

/// A `/sync` request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncRequest {
    /// On whose behalf.
    pub caller: Caller,
    /// `since`.
    pub since: Option<String>,
    /// A filter's id or inline JSON, as it stood in the query.
    pub filter: Option<String>,
    /// `full_state`.
    pub full_state: bool,
    /// `set_presence`, if it was there.
    #[serde(default)]
    pub set_presence: Option<String>,
    /// `use_state_after`.
    #[serde(default)]
    pub state_after: StateAfter,
}

/// Which state a `/sync` is to show
/// ([MSC4222](https://github.com/matrix-org/matrix-spec-proposals/pull/4222)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateAfter {
    /// `state`: as it is before the timeline.
    #[default]
    No,
    /// `state_after`: as it is after the timeline.
    Stable,
    /// The same under its unstable name.
    Unstable,
}

/// The answer to a `/sync`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The whole response body.
    pub body: Box<RawValue>,
    /// Whether it has nothing but `next_batch`: the poll may wait.
    pub empty: bool,
    /// Who is polling, so that a new poll closes its predecessor: device and filter.
    pub waiter: String,
}

/// The intent of a createRoom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRoomSaga {
    /// What the RoomObject is asked to do.
    pub room: CreateRoom,
    /// The alias to be made (`room_alias_name`), reserved in D1 before the room is made.
    pub alias: Option<String>,
    /// Users to invite once the room exists, with their profiles.
    pub invites: Vec<(OwnedUserId, Profile)>,
    /// Whether these invites are direct chats.
    pub is_direct: bool,
}

/// What can be done with push rules
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#push-rules-api)). `kind` is the path
/// segment, like `override`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PushRuleOperation {
    /// All rules, `{"global": …}`.
    GetAll,
    /// The rules of the global scope.
    GetGlobal,
    /// One rule.
    Get {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
    },
    /// Makes or replaces one rule.
    Put {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
        /// The body: actions, conditions, pattern.
        rule: Box<RawValue>,
        /// Place it before this one.
        before: Option<String>,
        /// Place it after this one.
        after: Option<String>,
    },
    /// Removes one rule.
    Delete {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
    },
    /// `{"enabled": …}`.
    GetEnabled {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
    },
    /// Enables or disables.
    SetEnabled {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
        /// Whether.
        enabled: bool,
    },
    /// `{"actions": …}`.
    GetActions {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
    },
    /// Sets the actions.
    SetActions {
        /// Kind.
        kind: String,
        /// Rule id.
        rule_id: String,
        /// The actions, kept as they are (retired ones like `dont_notify` too).
        actions: Box<RawValue>,
    },
}
