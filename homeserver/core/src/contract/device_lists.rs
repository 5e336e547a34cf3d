//! Device lists: whose keys a client has to ask for again
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#tracking-the-device-list-for-a-user)).

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use super::user::Caller;

/// A command about device lists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum DeviceListCommand {
    /// The keys of somebody who shares a room with the user changed. Repeating it changes nothing,
    /// nor does it when no room is shared. → `()`
    Changed {
        /// Who.
        user_id: OwnedUserId,
        /// Grows with each change.
        revision: i64,
    },
    /// What changed since a sync token. 400 `M_INVALID_PARAM` when it is none. → [`DeviceLists`]
    Changes {
        /// On whose behalf.
        caller: Caller,
        /// The token.
        from: String,
    },
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLists {
    /// Users who share a room and whose keys are to be asked for again; the user comes last.
    pub changed: Vec<OwnedUserId>,
    /// Users with whom no room is shared any more.
    pub left: Vec<OwnedUserId>,
}

impl DeviceLists {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// Who is in a room with whom keys are shared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomSharers {
    /// The room's position as of which it is so.
    pub position: i64,
    /// The joined members; `None`: keys are not shared through this room.
    pub members: Option<Vec<OwnedUserId>>,
}
