//! Threads of a network at which each is a channel of its own: what is about their messages is said there, and where
//! the room does not show the message that a thread was begun at, a notice with the thread's name takes its place.

use hubbub_core::error::Result;
use hubbub_storage::portal::{self as store, MappedMessage, changes};
use serde_json::value::RawValue;

use super::PortalObject;
use crate::network::RemoteMessage;

impl PortalObject {
    /// Makes sure that the room shows the first message of a message's thread, if the network says what stands for it.
    pub(super) async fn begin_thread(&self, message: &RemoteMessage, raw: &RawValue) -> Result<()> {
        let Some(root) = message.thread_root.as_ref().filter(|root| **root != message.id) else { return Ok(()) };
        let Some(place) = self.network.place(root) else { return Ok(()) };
        if !changes::list_parts(self.database.as_query(), &place)?.is_empty() {
            return Ok(());
        }
        let Some(start) = self.network.thread_start(raw) else { return Ok(()) };
        let transaction = format!("{}-thread-{root}", self.facts().id);
        let (bot, room) = (self.matrix.bot(), self.room_id()?);
        let sent = bot.send(&room, "m.room.message", &transaction, &start.content, Some(start.sent_at)).await?;
        let shown = MappedMessage {
            place,
            part: 0,
            remote_id: root.clone(),
            event_id: sent.to_string(),
            sender: Some(self.matrix.bot_id()?.to_string()),
            edited: 0,
            thread_root: None,
        };
        self.commit(false, |transaction| Ok(store::put_message(transaction, &shown)?))
    }

    /// Where the network has a message of this place: in the channel, or in a thread that is one.
    pub(super) fn channel_of(&self, place: &str, channel: String) -> Result<String> {
        if !self.facts().threads_are_channels {
            return Ok(channel);
        }
        let first = changes::list_parts(self.database.as_query(), place)?.into_iter().next();
        Ok(first.and_then(|message| message.thread_root).unwrap_or(channel))
    }
}
