//! What the converter has to be told: who is who on the other side.
//!
//! The caller collects the ids with [`references`](super::references()), fetches what it does not
//! know, and then implements [`Names`] on what it has. Nothing here may wait.

use ruma::{EventId, OwnedRoomOrAliasId, OwnedUserId, RoomOrAliasId, UserId};
use slack_morphism::{SlackChannelId, SlackUserGroupId, SlackUserId};

/// Somebody of the workspace as Matrix knows them: a ghost, or the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name to show.
    pub display_name: String,
    /// The Matrix user that a mention pings.
    pub mxid: OwnedUserId,
}

/// A channel of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The name, without `#`.
    pub name: String,
    /// The room, if the channel is bridged.
    pub room: Option<OwnedRoomOrAliasId>,
}

/// Names of Slack's ids. `None` shows what the message itself says, or the id.
pub trait Names {
    /// The person behind a user id.
    fn user(&self, id: &SlackUserId) -> Option<Person>;

    /// The channel behind a channel id.
    fn channel(&self, id: &SlackChannelId) -> Option<Channel>;

    /// The handle of a user group, without `@`.
    fn usergroup(&self, id: &SlackUserGroupId) -> Option<String>;
}

/// Slack's ids of Matrix's users, rooms and events. `None` leaves an ordinary link.
pub trait Addresses {
    /// The Slack user behind a ghost or a connected account.
    fn user(&self, mxid: &UserId) -> Option<SlackUserId>;

    /// The channel that is bridged to a room.
    fn channel(&self, room: &RoomOrAliasId) -> Option<SlackChannelId>;

    /// The address at Slack of a bridged message.
    fn permalink(&self, room: &RoomOrAliasId, event: &EventId) -> Option<String>;
}
