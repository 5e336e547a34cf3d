//! The to-device section of a `/sync`: what waits for the device, page by page
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#send-to-device-messaging)).

use hubbub_storage::user::{inbox, to_device};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{UserSyncObject, View, body::Events, since};
use crate::{contract::user::SyncRequest, error::Result};

/// The most messages of one answer …
const MESSAGES: usize = 100;
/// … and the most bytes of their contents. The first one is shown whatever its size.
const BYTES: usize = 500_000;

#[derive(Serialize)]
struct Shown<'a> {
    r#type: &'a str,
    sender: &'a str,
    content: &'a RawValue,
}

impl View<'_> {
    /// The next messages, and the position of the last of them if more wait.
    pub(super) fn to_device(&self) -> Result<(Option<Events>, Option<i64>)> {
        let one_more = u32::try_from(MESSAGES).unwrap_or(u32::MAX).saturating_add(1);
        let waiting = to_device::list(self.query, &self.device, self.to_device_since, one_more)?;
        let mut bytes = 0;
        let mut events = Vec::new();
        let mut last = None;
        for message in &waiting {
            bytes += message.content.len();
            if events.len() == MESSAGES || (bytes > BYTES && !events.is_empty()) {
                return Ok((Some(Events { events }), last));
            }
            let content = serde_json::from_str(&message.content)?;
            let shown = Shown { r#type: &message.event_type, sender: &message.sender, content };
            events.push(serde_json::value::to_raw_value(&shown)?);
            last = Some(message.pos);
        }
        Ok(((!events.is_empty()).then_some(Events { events }), None))
    }
}

impl UserSyncObject {
    /// Deletes what the device shows to have: a token is only sent by whoever got the answer with it.
    pub(super) fn acknowledge_to_device(&self, request: &SyncRequest) -> Result<()> {
        let Some(token) = &request.since else {
            return Ok(());
        };
        let device = self.check(&request.caller)?.device;
        let through = since(token, inbox::get(self.query())?)?.to_device;
        if !to_device::has_any_through(self.query(), &device, through)? {
            return Ok(());
        }
        self.delete_arrived(&device, through)
    }
}
