//! What waits in the inbound lane: events as the network sent them, and what the engine itself found out from a
//! history, for which the network sent nothing.

use hubbub_core::error::Result;
use hubbub_storage::portal::Place;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::network::{Network, RemoteDeletion, RemoteEvent, RemoteReaction, RemoteUnreaction};

/// What a body starts with that no network sent: no JSON does.
const FOUND: char = '!';

/// A change that a history shows.
#[derive(Serialize, Deserialize)]
pub(super) enum Found {
    /// Messages that are not there any more.
    Delete(RemoteDeletion),
    /// A reaction.
    React(RemoteReaction),
    /// A reaction that is not there any more.
    Unreact(RemoteUnreaction),
}

impl Found {
    /// The body of a row of the lane.
    pub(super) fn body(&self) -> Result<String> {
        Ok(format!("{FOUND}{}", serde_json::to_string(self)?))
    }
}

/// A row of the lane.
pub(super) struct Queued {
    /// The event.
    pub(super) event: RemoteEvent,
    /// As the network sent it.
    pub(super) raw: Box<RawValue>,
}

impl Queued {
    /// Reads a row of the lane.
    pub(super) fn read(network: &dyn Network, place: &Place, body: String) -> Result<Self> {
        let Some(found) = body.strip_prefix(FOUND) else {
            let raw = RawValue::from_string(body)?;
            return Ok(Self { event: network.read_event(&raw), raw });
        };
        let place = place.clone();
        let event = match serde_json::from_str(found)? {
            Found::Delete(deletion) => RemoteEvent::Delete(RemoteDeletion { place, ..deletion }),
            Found::React(reaction) => RemoteEvent::ReactionAdd(RemoteReaction { place, ..reaction }),
            Found::Unreact(removal) => RemoteEvent::ReactionRemove(RemoteUnreaction { place, ..removal }),
        };
        Ok(Self { event, raw: to_raw_value(&())? })
    }

    /// Whether it may wait for the commit of what was shown before it: only a plain message needs to know nothing of
    /// those.
    pub(super) fn is_plain(&self) -> bool {
        match &self.event {
            RemoteEvent::Message(message) => message.thread_root.is_none() && message.reply_to.is_none(),
            _ => false,
        }
    }
}
