//! The contract of a RoomObject.

use super::search::RoomSearchCommand;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, value::RawValue};

use super::people::Presence;
use super::relation::RelationCommand;

/// Who acts, as the session or the appservice token proved it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// The user.
    pub user_id: OwnedUserId,
    /// The scope of transaction ids: the device id, or `appservice:<id>`.
    pub device: String,
    /// Whose messages are left out of what the user reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<OwnedUserId>,
}

/// A user's profile as it goes into a member event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `displayname`.
    pub displayname: Option<String>,
    /// `avatar_url`.
    pub avatar_url: Option<String>,
}

/// What a RoomObject can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum RoomCommand {
    /// Makes the room; repeating it with the same create event succeeds. → [`Created`]
    Create(Box<CreateRoom>),
    /// Appends a message or state event, or a redaction. → [`Sent`]
    Send(Box<SendEvent>),
    /// Changes a membership. → [`Sent`]
    ChangeMembership(Box<ChangeMembership>),
    /// Sets a joined member's own name and avatar in the room; nothing when not joined. → `()`
    UpdateProfile {
        /// The user.
        user_id: OwnedUserId,
        /// The new profile.
        profile: Profile,
    },
    /// Sets a receipt. → `()`
    SetReceipt {
        /// Who reads.
        user_id: OwnedUserId,
        /// `m.read` or `m.read.private`.
        receipt_type: String,
        /// `None`: unthreaded.
        thread_id: Option<String>,
        /// Up to where.
        event_id: OwnedEventId,
    },
    /// Starts (for at most so many milliseconds) or stops typing. → `()`
    SetTyping {
        /// Who types.
        user_id: OwnedUserId,
        /// How long; `None`: stopped.
        timeout_ms: Option<i64>,
    },
    /// Shows a joined user's presence to the other local people who are joined (nothing, when it was
    /// never set), and answers with theirs. → `Option` of `Vec<(OwnedUserId, Presence)>`: `None` when
    /// presence does not travel through this room
    Presence {
        /// The user.
        user_id: OwnedUserId,
        /// The presence.
        presence: Option<Presence>,
    },
    /// Tells the other local people who are joined, and appservices, that a member's keys changed;
    /// nothing in a bridged room. Repeating it changes nothing. → `()`
    DeviceList {
        /// The user.
        user_id: OwnedUserId,
        /// Grows with each change.
        revision: i64,
    },
    /// With whom a member shares keys here. → [`super::device_lists::RoomSharers`]
    Sharers {
        /// The member.
        user_id: OwnedUserId,
    },
    /// Marks the room forgotten for a user who left; refuses members (400 `M_UNKNOWN`). → `()`
    Forget {
        /// The user.
        user_id: OwnedUserId,
    },
    /// Delivers to a local user from now on, beginning with a snapshot or with the invitation; nothing when it
    /// does already, or the user is not there. Answers once the user's inbox holds it. → `()`
    Follow {
        /// An appservice's own user, who has synced for the first time.
        user_id: OwnedUserId,
    },
    /// From now on, who joins is served redacted copies of what a user who left said; refuses members
    /// (400 `M_UNKNOWN`). → `()`
    Erase {
        /// The user.
        user_id: OwnedUserId,
    },
    /// One event that the reader may see. → client-format event with `room_id` as raw JSON
    Event {
        /// Who asks.
        reader: Actor,
        /// Which.
        event_id: OwnedEventId,
    },
    /// An event and what surrounds it. → [`ContextAnswer`]
    Context {
        /// Who asks.
        reader: Actor,
        /// Around which event.
        event_id: OwnedEventId,
        /// How many events in all.
        limit: u32,
        /// The filter (`RoomEventFilter` as JSON).
        filter: Option<Box<RawValue>>,
    },
    /// A page of events. → [`MessagesAnswer`]
    Messages(Box<Messages>),
    /// What concerns relations, threads and times.
    Relation(RelationCommand),
    /// The state that the reader may see (as of leaving, for a former member). → `Vec` of
    /// client-format events with `room_id` as raw JSON
    State {
        /// Who asks.
        reader: OwnedUserId,
    },
    /// One state event that the reader may see; 404 `M_NOT_FOUND` when there is none. →
    /// client-format event with `room_id` as raw JSON
    StateEvent {
        /// Who asks.
        reader: OwnedUserId,
        /// The type.
        event_type: String,
        /// The state key.
        state_key: String,
    },
    /// Member events. → `Vec` of client-format events with `room_id` as raw JSON
    Members {
        /// Who asks.
        reader: OwnedUserId,
        /// A room token: the members as of its position.
        at: Option<String>,
        /// Only this membership.
        membership: Option<String>,
        /// Not this membership.
        not_membership: Option<String>,
    },
    /// Joined members with name and avatar. → `BTreeMap<OwnedUserId, Profile>`
    JoinedMembers {
        /// Who asks; must be joined.
        reader: OwnedUserId,
    },
    /// Whether a user may list aliases (joined, or the room is world-readable), and whether the
    /// user may send `m.room.canonical_alias`. → [`AliasPermissions`]
    AliasPermissions {
        /// Who asks.
        user_id: OwnedUserId,
    },
    /// The room as a place: directory, summary, upgrades.
    Place(super::place::PlaceCommand),
    /// All events with what the room knows of them, for exports and tests, by pages of order_key.
    /// → [`ExportPage`]
    Export {
        /// From above this order_key.
        after: i64,
        /// At most so many.
        limit: u32,
    },
    /// Searches, and what the index needs.
    Search(RoomSearchCommand),
    /// Wipes the object and builds it again from D1's archive under a new epoch. → [`Rebuilt`]
    Rebuild,
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// The whole making of a room, decided by the caller's saga before the first event exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRoom {
    /// The room's id (in room version 12 the hash of `create_event`).
    pub room_id: OwnedRoomId,
    /// The room version.
    pub room_version: String,
    /// The signed `m.room.create` event (canonical JSON), the saga's intent.
    pub create_event: Box<RawValue>,
    /// Who creates it.
    pub creator: Actor,
    /// The creator's profile.
    pub profile: Profile,
    /// The other events, in order; the creator's join comes first and is not listed here.
    pub events: Vec<NewState>,
    /// Whether the room is listed in the public directory.
    pub listed: bool,
    /// Aliases that point to the room (rows are written by the saga); part of the D1 room row.
    pub canonical_alias: Option<String>,
}

/// One state event of a new room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewState {
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// The content.
    pub content: Box<RawValue>,
}

/// The answer to [`RoomCommand::Create`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// The room's epoch.
    pub epoch: i64,
    /// The position of its newest event.
    pub position: i64,
}

/// One event to append.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendEvent {
    /// Who sends.
    pub actor: Actor,
    /// The type.
    pub event_type: String,
    /// The state key of a state event. Member events go through [`ChangeMembership`] or here: the
    /// same function authorises both.
    pub state_key: Option<String>,
    /// The content.
    pub content: Box<RawValue>,
    /// For a redaction.
    pub redacts: Option<OwnedEventId>,
    /// Repeating a transaction id returns the first event's id.
    pub transaction_id: Option<String>,
    /// `?ts=` of an appservice, in milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Answer only once the actor's inbox and D1 hold it.
    pub read_your_writes: bool,
}

/// A change of membership by one of the membership endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeMembership {
    /// Who acts.
    pub actor: Actor,
    /// Whose membership changes.
    pub target: OwnedUserId,
    /// What happens.
    pub action: MembershipAction,
    /// Why.
    pub reason: Option<String>,
    /// Further keys of the content (join with custom content).
    pub extra: Map<String, Json>,
    /// The target's profile, for joins and invites.
    pub profile: Profile,
    /// `?ts=` of an appservice.
    pub timestamp: Option<i64>,
    /// Answer only once the actor's inbox and D1 hold it.
    pub read_your_writes: bool,
}

/// The membership endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MembershipAction {
    /// `/join`; joining twice changes nothing.
    Join,
    /// `/invite`.
    Invite,
    /// `/knock`.
    Knock,
    /// `/leave`, rejecting an invite or withdrawing a knock included.
    Leave,
    /// `/kick`: only who is in the room (or invited) can be kicked.
    Kick,
    /// `/ban`.
    Ban,
    /// `/unban`: only who is banned.
    Unban,
}

/// The answer to an append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The event's id.
    pub event_id: OwnedEventId,
    /// Its position.
    pub position: i64,
}

/// A page request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Messages {
    /// Who asks.
    pub reader: Actor,
    /// From which token; `None`: from the newest (backwards) or the oldest (forwards) event.
    pub from: Option<String>,
    /// Up to which token.
    pub to: Option<String>,
    /// Whether towards older events.
    pub backwards: bool,
    /// How many events, at most.
    pub limit: u32,
    /// The filter (`RoomEventFilter` as JSON).
    pub filter: Option<Box<RawValue>>,
}

/// A page of events in client format with `room_id`.
#[derive(Debug, Serialize, Deserialize)]
pub struct MessagesAnswer {
    /// The token that this page started at.
    pub start: String,
    /// The token of the next page; `None` when there is nothing more.
    pub end: Option<String>,
    /// The events.
    pub chunk: Vec<Box<RawValue>>,
    /// Member events of the senders, when lazy loading asked for them.
    pub state: Vec<Box<RawValue>>,
}

/// An event and its surroundings, in client format with `room_id`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ContextAnswer {
    /// The event.
    pub event: Box<RawValue>,
    /// Older events, newest first.
    pub events_before: Vec<Box<RawValue>>,
    /// Newer events, oldest first.
    pub events_after: Vec<Box<RawValue>>,
    /// Pages on backwards.
    pub start: String,
    /// Pages on forwards.
    pub end: String,
    /// The state at the newest event returned.
    pub state: Vec<Box<RawValue>>,
}

/// What a user may do about aliases.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AliasPermissions {
    /// May list them.
    pub may_list: bool,
    /// May set the canonical alias, and so delete other people's aliases.
    pub may_set_canonical: bool,
    /// Is joined.
    pub joined: bool,
}

/// A page of [`RoomCommand::Export`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportPage {
    /// The events.
    pub events: Vec<ExportedEvent>,
    /// Whether there are more.
    pub more: bool,
}

/// An event as the archive holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportedEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its place in paging.
    pub order_key: i64,
    /// Its position in the stream; `None` for imported history.
    pub position: Option<i64>,
    /// The signed event, canonical JSON.
    pub pdu: String,
    /// `<sender's device>|<transaction id>`.
    pub transaction: Option<String>,
    /// Whether the authorisation rules rejected it.
    pub rejected: bool,
    /// The history visibility in force.
    pub visibility: String,
    /// The redaction that took its content.
    pub redacted_by: Option<OwnedEventId>,
    /// The ids of the state before it, sorted; filled on request of tests.
    pub state_before: Vec<OwnedEventId>,
}

/// The answer to [`RoomCommand::Rebuild`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The new epoch.
    pub epoch: i64,
    /// How many events were restored.
    pub events: u64,
    /// The position that the room goes on above.
    pub position: i64,
}
