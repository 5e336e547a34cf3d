//! What a UserSyncObject can be asked about pushers, tags, presence and profile fields.

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::user::Caller;

/// A command about what a user shows, and where the user is notified.
#[derive(Debug, Serialize, Deserialize)]
pub enum PeopleCommand {
    /// The user's pushers as clients see them. → `Vec` of raw JSON
    Pushers {
        /// On whose behalf.
        caller: Caller,
    },
    /// Makes or replaces a pusher. Repeating it changes nothing. → `()`
    SetPusher {
        /// On whose behalf.
        caller: Caller,
        /// The pusher.
        pusher: NewPusher,
    },
    /// Deletes a pusher, if it is there. → `()`
    DeletePusher {
        /// On whose behalf.
        caller: Caller,
        /// The application.
        app_id: String,
        /// The push key.
        pushkey: String,
    },
    /// Another account took this push key for itself: the pusher goes. → `()`
    DropPusher {
        /// The application.
        app_id: String,
        /// The push key.
        pushkey: String,
    },
    /// Reads or changes the tags of a room. → the content of `m.tag` as raw JSON
    Tags {
        /// On whose behalf.
        caller: Caller,
        /// The room.
        room_id: OwnedRoomId,
        /// What.
        operation: TagOperation,
    },
    /// Sets the user's own presence. → `()`
    SetPresence {
        /// On whose behalf.
        caller: Caller,
        /// `online`, `unavailable` or `offline`.
        presence: String,
        /// The status message; `None`: none.
        status_msg: Option<String>,
    },
    /// The presence of a user with whom the caller shares a room, or the caller's own (offline while
    /// never set); 403 `M_FORBIDDEN` for anybody else. → [`Presence`]
    GetPresence {
        /// On whose behalf.
        caller: Caller,
        /// Whose.
        user_id: OwnedUserId,
    },
    /// The user's presence for somebody who is joined to these rooms; 403 `M_FORBIDDEN` unless the
    /// user is joined to one of them. → [`Presence`], offline while never set
    ShowPresence {
        /// The rooms.
        rooms: Vec<OwnedRoomId>,
    },
    /// A room-mate's presence, from a room. → the user's own [`Presence`], `None` while never set
    TakePresence {
        /// Whose it is.
        user_id: OwnedUserId,
        /// The presence; `None`: never set, the user only asks.
        presence: Option<Presence>,
    },
    /// Those of these rooms that the user is joined to. → `Vec<OwnedRoomId>`
    JoinedAmong {
        /// On whose behalf.
        caller: Caller,
        /// The rooms.
        rooms: Vec<String>,
    },
    /// Sets a profile field beyond name and avatar; `None` removes it. Answers once D1 knows. → `()`
    SetProfileField {
        /// On whose behalf.
        caller: Caller,
        /// The field.
        name: String,
        /// The value.
        value: Option<Box<RawValue>>,
    },
}

/// A pusher that a client sets.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPusher {
    /// The application.
    pub app_id: String,
    /// The push key.
    pub pushkey: String,
    /// The whole pusher as `GET /pushers` shows it.
    pub settings: Box<RawValue>,
    /// Whether other accounts may keep a pusher of the same application and key.
    pub append: bool,
}

impl std::fmt::Debug for NewPusher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key and the gateway's address are nobody's business.
        formatter.debug_struct("NewPusher").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// What can be done with tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum TagOperation {
    /// All tags.
    Get,
    /// Sets one.
    Put {
        /// The tag.
        tag: String,
        /// `{"order": …}` and whatever else.
        info: Box<RawValue>,
    },
    /// Removes one.
    Delete {
        /// The tag.
        tag: String,
    },
}

/// A user's presence at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Grows with each change; an older one never wins.
    pub revision: i64,
    /// `online`, `unavailable` or `offline`.
    pub presence: String,
    /// The status message.
    pub status_msg: Option<String>,
    /// When the user was last active, in milliseconds since the epoch.
    pub active_at: i64,
}
