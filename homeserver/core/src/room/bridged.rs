//! What a bridged room tells of a refusal: who may not encrypt it wants to know why.
//!
//! The rules themselves are power levels, which the bridge sets when it makes the room.

use hubbub_storage::{database::Query, room::state};

use crate::error::Result;

/// The state events by which a room says that it is bridged
/// ([MSC2346](https://github.com/matrix-org/matrix-spec-proposals/pull/2346)).
pub(crate) const BRIDGE_INFO: [&str; 2] = ["m.bridge", "uk.half-shot.bridge"];

/// Why a bridged room does not take an event of this type; `None` in other rooms, and for types
/// that are refused for their power level alone.
pub(super) fn why_refused(query: &dyn Query, event_type: &str) -> Result<Option<&'static str>> {
    let why = match event_type {
        "m.room.encryption" => {
            "This room is bridged: the bridge has to read it, so it cannot be encrypted. It is in your own account here, \
             and in the other network."
        }
        "m.room.tombstone" => {
            "This room is bridged: the bridge would not follow into a new one, so it cannot be replaced."
        }
        "m.room.server_acl" => {
            "This room is bridged: it is on this server only, and a server ACL could shut the bridge out."
        }
        _ => return Ok(None),
    };
    Ok(is_bridged(query)?.then_some(why))
}

/// Whether a room says that it is bridged.
pub(super) fn is_bridged(query: &dyn Query) -> Result<bool> {
    let state = state::current_but_members(query)?;
    Ok(state.iter().any(|row| BRIDGE_INFO.contains(&row.event_type.as_str())))
}
