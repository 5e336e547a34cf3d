//! To-device messages on their way from one user's object to others
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#send-to-device-messaging)).

use std::collections::BTreeMap;

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::user::Caller;

/// Messages for one user: device (or `*`, all of them) → content.
pub type ForDevices = BTreeMap<String, Box<RawValue>>;

/// A command about to-device messages.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToDeviceCommand {
    /// Takes messages of one of the user's own devices. Once answered they arrive at every device
    /// that exists then, exactly once. Repeating the transaction id changes nothing. 429
    /// `M_LIMIT_EXCEEDED` while too much waits. → `()`
    Send {
        /// On whose behalf.
        caller: Caller,
        /// The type of all messages.
        event_type: String,
        /// The transaction id.
        transaction_id: String,
        /// The messages, by local recipient.
        messages: BTreeMap<OwnedUserId, ForDevices>,
    },
    /// A page of what waits for the user's dehydrated device. 403 `M_FORBIDDEN` for any other. →
    /// [`DehydratedEvents`]
    ListDehydrated {
        /// On whose behalf.
        caller: Caller,
        /// The device.
        device_id: String,
        /// The token of the page before.
        from: Option<String>,
        /// The most messages of the page.
        limit: Option<usize>,
        /// Whether what the token passed is deleted.
        delete_passed: bool,
    },
    /// Messages of another user, in their order. Those that came before are passed over, as are
    /// devices that do not exist. → `()`, also where there is no such user
    Take {
        /// Who sent them.
        sender: OwnedUserId,
        /// The requests.
        parts: Vec<ToDevicePart>,
    },
}

/// Some messages of a dehydrated device.
#[derive(Debug, Serialize, Deserialize)]
pub struct DehydratedEvents {
    /// As clients get them, oldest first.
    pub events: Vec<Box<RawValue>>,
    /// Where the next page begins.
    pub next_batch: String,
    /// Whether more wait.
    pub more: bool,
}

/// What one request has for one recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToDevicePart {
    /// The request's number: grows with each request of the sender.
    pub seq: i64,
    /// The type.
    pub event_type: String,
    /// The messages.
    pub messages: ForDevices,
}
