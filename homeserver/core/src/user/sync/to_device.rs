//! The to-device section of a `/sync`: what waits for the device, page by page
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#send-to-device-messaging)).

use hubbub_storage::{
    database::Query,
    user::{inbox, to_device},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{UserSyncObject, View, body::Events, since};
use crate::{contract::user::SyncRequest, error::Result};

/// The most messages of one answer …
pub(in super::super) const MESSAGES: usize = 100;
/// … and the most bytes of their contents. The first one is shown whatever its size.
const BYTES: usize = 500_000;

#[derive(Serialize)]
struct Shown<'a> {
    r#type: &'a str,
    sender: &'a str,
    content: &'a RawValue,
}

/// Some messages of a device, oldest first.
#[derive(Default)]
pub(in super::super) struct Page {
    /// As clients get them.
    pub events: Vec<Box<RawValue>>,
    /// The position of the last of them.
    pub last: Option<i64>,
    /// Whether more wait.
    pub more: bool,
}

/// The messages of a device after a position: at most so many of them, and no more than fit an answer.
pub(in super::super) fn page(query: &dyn Query, device: &str, after: i64, limit: usize) -> Result<Page> {
    let one_more = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let waiting = to_device::list(query, device, after, one_more)?;
    let mut bytes = 0;
    let mut page = Page::default();
    for message in &waiting {
        bytes += message.content.len();
        if page.events.len() == limit || (bytes > BYTES && !page.events.is_empty()) {
            page.more = true;
            break;
        }
        let content = serde_json::from_str(&message.content)?;
        let shown = Shown { r#type: &message.event_type, sender: &message.sender, content };
        page.events.push(serde_json::value::to_raw_value(&shown)?);
        page.last = Some(message.pos);
    }
    Ok(page)
}

impl View<'_> {
    /// The next messages, and the position of the last of them if more wait.
    pub(super) fn to_device(&self) -> Result<(Option<Events>, Option<i64>)> {
        let Page { events, last, more } = page(self.query, &self.device, self.to_device_since, MESSAGES)?;
        Ok(((!events.is_empty()).then_some(Events { events }), last.filter(|_| more)))
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
