//! The contract of rooms as places: who may find them, look at them from outside, come in, and
//! where they moved to.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{
    room::{Actor, CreateRoom, NewState},
    user::Caller,
};

/// What a RoomObject can be asked as a place.
#[derive(Debug, Serialize, Deserialize)]
pub enum PlaceCommand {
    /// Lists the room in the public directory or takes it off. Answers once D1 holds it, also when
    /// nothing changed: it then writes the room's row anew. → `()`
    SetListed {
        /// Who asks: 403 `M_FORBIDDEN` unless they may set the canonical alias. `None`: the server.
        by: Option<OwnedUserId>,
        /// Whether it is listed; `None`: as before.
        listed: Option<bool>,
    },
    /// What the room shows of itself to somebody who may join it or look into it; 404
    /// `M_NOT_FOUND` for anybody else, as for a room that does not exist. → [`Described`]
    Describe {
        /// Who asks; `None`: a stranger.
        reader: Option<OwnedUserId>,
        /// Rooms that told the asking request that the reader is joined to them.
        joined: Vec<OwnedRoomId>,
        /// Whether the children of a space are wanted, too.
        children: bool,
    },
    /// Whether a user is joined; never so in a room that does not exist. → `bool`
    IsJoined {
        /// The user.
        user_id: OwnedUserId,
    },
    /// What goes into a room that replaces this one; 403 `M_FORBIDDEN` unless the user is joined
    /// and may send `m.room.tombstone`. → [`UpgradeSource`]
    PlanUpgrade {
        /// Who upgrades.
        actor: Actor,
    },
}

/// The answer to [`PlaceCommand::Describe`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Described {
    /// The room.
    pub summary: Summary,
    /// The reader's membership.
    pub membership: String,
    /// The children of a space, in their order.
    pub children: Vec<Child>,
}

/// A room as others see it, with the keys of
/// [the specification](https://spec.matrix.org/v1.15/client-server-api/#get_matrixclientv1room_summaryroomidoralias).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The room.
    pub room_id: String,
    /// `m.room.canonical_alias`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_alias: Option<String>,
    /// `m.room.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `m.room.topic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `m.room.avatar`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The type of the create event, like `m.space`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_type: Option<String>,
    /// Joined members.
    pub num_joined_members: u64,
    /// The join rule; `invite` when there is none.
    pub join_rule: String,
    /// The rooms whose members a restricted room lets in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_room_ids: Vec<OwnedRoomId>,
    /// Whether anybody may read without joining.
    pub world_readable: bool,
    /// Whether guests may join.
    pub guest_can_join: bool,
    /// The algorithm of an encrypted room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The room version.
    pub room_version: String,
}

/// A child of a space.
#[derive(Debug, Serialize, Deserialize)]
pub struct Child {
    /// The child.
    pub room_id: OwnedRoomId,
    /// Whether the space suggests it.
    pub suggested: bool,
    /// The `m.space.child` event, as the hierarchy shows it.
    pub event: Box<RawValue>,
}

/// The answer to [`PlaceCommand::PlanUpgrade`].
#[derive(Debug, Serialize, Deserialize)]
pub struct UpgradeSource {
    /// The content of the create event.
    pub create_content: Map<String, Json>,
    /// The creators whose power is unlimited (room version 12 on).
    pub creators: Vec<OwnedUserId>,
    /// The newest event.
    pub last_event: OwnedEventId,
    /// Whether the room is in the public directory.
    pub listed: bool,
    /// State that is copied as it is, bans included.
    pub state: Vec<NewState>,
    /// The content of `m.room.canonical_alias`.
    pub canonical_alias: Option<Map<String, Json>>,
    /// The content of `m.room.power_levels`.
    pub power_levels: Option<Map<String, Json>>,
    /// Joined users of this server who have an inbox.
    pub members: Vec<OwnedUserId>,
}

/// What a UserSyncObject can be asked about rooms as places.
#[derive(Debug, Serialize, Deserialize)]
pub enum UserPlaceCommand {
    /// Replaces a room, or goes on replacing it; answers once the new room is in the inbox and the
    /// old one says where it is. → the new room's id (`OwnedRoomId`), which is another one when
    /// the user is already replacing that room.
    Upgrade {
        /// On whose behalf.
        caller: Caller,
        /// The intent.
        intent: Box<UpgradeSaga>,
    },
    /// Carries push rules, tags and `m.direct` from a room over to the one that replaces it; what
    /// the new room has already stays. → `()`
    CarryOver {
        /// The old room.
        from: OwnedRoomId,
        /// The new one.
        to: OwnedRoomId,
    },
}

/// The intent of an upgrade.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpgradeSaga {
    /// The room that is replaced.
    pub old_room: OwnedRoomId,
    /// The making of the new one.
    pub new_room: CreateRoom,
    /// The content of `m.room.canonical_alias` that stays in the old room, if it had one.
    pub canonical_alias_left: Option<Map<String, Json>>,
    /// Whose push rules, tags and direct chats are carried over.
    pub members: Vec<OwnedUserId>,
}
