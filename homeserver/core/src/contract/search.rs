//! What objects are asked for a search.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    room::{Actor, Profile},
    user::Caller,
};

/// What a UserSyncObject is asked for a search.
#[derive(Debug, Serialize, Deserialize)]
pub enum UserSearchCommand {
    /// Who searches and where. → [`SearchScope`]
    Scope {
        /// On whose behalf.
        caller: Caller,
    },
}

/// Who searches and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchScope {
    /// The device of the session.
    pub device: String,
    /// The rooms that the user is or was in.
    pub rooms: Vec<ScopedRoom>,
    /// Whose events are left out.
    pub ignored: Vec<OwnedUserId>,
}

/// A room to be searched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScopedRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Whether the user is joined; otherwise nothing after `newest` is searched.
    pub joined: bool,
    /// The order_key of the newest event that the user has.
    pub newest: i64,
}

/// What a RoomObject is asked for a search.
#[derive(Debug, Serialize, Deserialize)]
pub enum RoomSearchCommand {
    /// Sees that the index holds everything up to a position, unless that takes too long. → the
    /// position that it holds (`i64`)
    Index {
        /// Up to which position.
        position: i64,
        /// For how many milliseconds.
        within_ms: i64,
    },
    /// Indexes the whole room anew, in the background. → `()`
    IndexAnew,
    /// Which hits the reader may see. → `Vec<Screened>`
    Screen {
        /// Who asks.
        reader: OwnedUserId,
        /// The hits.
        order_keys: Vec<i64>,
        /// The filter (`RoomEventFilter` as JSON).
        filter: Box<RawValue>,
        /// What was searched for, in lower case.
        words: Vec<String>,
    },
    /// Hits with what surrounds them. → [`ShownHits`]
    Show(Box<ShowHits>),
}

/// A hit that the reader may see.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Screened {
    /// Its place in paging.
    pub order_key: i64,
    /// How well it matches, in millionths: more is better.
    pub score: i64,
}

/// A request for hits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShowHits {
    /// Who asks.
    pub reader: Actor,
    /// The hits.
    pub order_keys: Vec<i64>,
    /// What surrounds them, if that is asked for.
    pub context: Option<HitContext>,
    /// Whether the room's state is wanted.
    pub state: bool,
}

/// What is to be shown around each hit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HitContext {
    /// How many events before it.
    pub before: u32,
    /// How many events after it.
    pub after: u32,
    /// Whether the senders' names and avatars at that time are wanted.
    pub profiles: bool,
}

/// Hits of one room. One that the reader may not see is missing.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownHits {
    /// The hits.
    pub hits: Vec<ShownHit>,
    /// The state that the reader may see, if it was wanted.
    pub state: Vec<Box<RawValue>>,
}

/// One hit.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownHit {
    /// Its place in paging.
    pub order_key: i64,
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its sender.
    pub sender: OwnedUserId,
    /// The event in client format with `room_id`.
    pub event: Box<RawValue>,
    /// What surrounds it, if that was asked for.
    pub context: Option<ShownContext>,
}

/// What surrounds a hit, in client format with `room_id`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownContext {
    /// Older events, newest first.
    pub events_before: Vec<Box<RawValue>>,
    /// Newer events, oldest first.
    pub events_after: Vec<Box<RawValue>>,
    /// Pages on backwards.
    pub start: String,
    /// Pages on forwards.
    pub end: String,
    /// Name and avatar of the senders at that time.
    pub profile_info: BTreeMap<OwnedUserId, Profile>,
}
