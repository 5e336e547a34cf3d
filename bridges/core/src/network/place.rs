//! The headings under which a network puts its channels: servers, categories.

use serde::{Deserialize, Serialize};

/// A heading over channels, which becomes a space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePlace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands among its siblings.
    #[serde(default)]
    pub order: i64,
}

/// A place among siblings as a space's order: letters that sort as the numbers do
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space)).
#[must_use]
pub fn rank(order: i64) -> String {
    format!("{:08}", order.clamp(0, 99_999_999))
}

/// Whether somebody who says `#general`, or `Garden/general` where channels stand under headings, means this channel.
#[must_use]
pub fn is_called(wanted: &str, place: Option<&str>, name: &str) -> bool {
    let plain = |name: &str| name.trim().trim_start_matches('#').to_lowercase();
    if plain(wanted) == plain(name) {
        return true;
    }
    let Some(((heading, channel), place)) = wanted.rsplit_once('/').zip(place) else { return false };
    plain(heading) == plain(place) && plain(channel) == plain(name)
}
