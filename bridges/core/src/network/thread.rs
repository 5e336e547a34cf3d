//! Threads of a network at which each is a channel of its own.

use serde_json::Value as Json;

/// Such a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteThread {
    /// Its id, as events name it: that of the message that it was begun at, if there was one.
    pub id: String,
    /// The channel that it is in.
    pub parent: String,
    /// Its name.
    pub name: String,
}

/// What stands in the room for the first message of a thread that the room does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadStart {
    /// The content of the event.
    pub content: Json,
    /// When the thread was begun, in milliseconds since the epoch; must be the time in its id.
    pub sent_at: i64,
}
