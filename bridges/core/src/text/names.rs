//! What the converter has to be told: who is who on the other side.
//!
//! The caller collects the ids of a message, fetches what it does not know, and then implements [`Names`] on what it has. Nothing here may wait.

use super::document::Inline;
use ruma::{EventId, MxcUri, OwnedMxcUri, OwnedRoomOrAliasId, OwnedUserId, RoomOrAliasId, UserId};

/// Somebody of the network as Matrix knows them: a ghost, or the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name to show.
    pub display_name: String,
    /// The Matrix user that a mention pings.
    pub mxid: OwnedUserId,
}

/// A channel of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The name, without `#`.
    pub name: String,
    /// The room, if the channel is bridged.
    pub room: Option<OwnedRoomOrAliasId>,
}

/// Names of remote ids. `None` shows what the message itself says, or the id.
pub trait Names {
    /// The person behind a user id.
    fn user(&self, id: &str) -> Option<Person>;

    /// The channel behind a channel id.
    fn channel(&self, id: &str) -> Option<Channel>;

    /// The name of a role or user group, without `@`.
    fn group(&self, id: &str) -> Option<String>;

    /// The picture of a custom emoji; without one, its name is shown.
    fn emoji(&self, _name: &str, _id: Option<&str>) -> Option<OwnedMxcUri> {
        None
    }
}

/// Remote ids of Matrix's users, rooms and events. `None` leaves an ordinary link.
pub trait Addresses {
    /// The remote user behind a ghost or a connected account.
    fn user(&self, mxid: &UserId) -> Option<String>;

    /// The channel that is bridged to a room.
    fn channel(&self, room: &RoomOrAliasId) -> Option<String>;

    /// The address at the network of a bridged message.
    fn permalink(&self, room: &RoomOrAliasId, event: &EventId) -> Option<String>;

    /// What the network shows for a custom emoji of Matrix, by its name without colons and its
    /// picture.
    fn emoji(&self, name: &str, _picture: Option<&MxcUri>) -> Inline {
        Inline::Emoji { name: name.to_owned(), id: None }
    }

    /// Whether the network hides spoilers.
    fn hides_spoilers(&self) -> bool {
        true
    }
}
