//! What a portal asks its login about the place of its channel, and about limits that all portals share.

use serde::{Deserialize, Serialize};

use crate::network::RemotePlace;

/// What a LoginObject can be asked about places and limits.
#[derive(Debug, Serialize, Deserialize)]
pub enum PlacesCommand {
    /// The space for a channel's room; it and those around it are made when they are missing. → `OwnedRoomId`
    Space {
        /// The channel.
        channel: String,
        /// The headings over it, the outermost first: at least one.
        path: Vec<RemotePlace>,
    },
    /// What a portal's calls came to. → until when no call may be made, in milliseconds since the epoch (`i64`)
    Limits {
        /// Until when the network wants no call of anybody's.
        hold_until: i64,
        /// Calls that were refused since it was told last.
        refused: u32,
    },
}
