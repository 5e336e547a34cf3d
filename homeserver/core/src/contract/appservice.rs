//! The contract of an AppserviceObject.

use ruma::{OwnedRoomAliasId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{delivery::RoomDelivery, keys_news::DeviceKeyCounts, people::Presence};

/// What an AppserviceObject can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum AppserviceCommand {
    /// A room's delivery; each event carries `room_id` once it is queued. →
    /// [`super::delivery::DeliveryAnswer`]
    Deliver(Box<RoomDelivery>),
    /// Pings the appservice (`POST /_matrix/client/v1/appservice/{id}/ping`). → milliseconds
    /// (`u64`), or the spec's errors
    Ping {
        /// `transaction_id` of the request.
        transaction_id: Option<String>,
    },
    /// Whether the appservice has this user or alias of its namespaces, or has made it just now. → `bool`
    Query(Query),
    /// In process only: events of this room go to this portal. Idempotent. → `()`
    Route {
        /// The room.
        room_id: String,
        /// The portal's id, or `management:<login owner>`.
        to: String,
    },
    /// In process only: events of this room go nowhere any more. → `()`
    Unroute {
        /// The room.
        room_id: String,
    },
    /// What encryption needs. Repeating it changes nothing. → the position of this kind and user that is held now (`i64`), -1
    /// before any
    Encryption(Box<EncryptionNews>),
    /// How long the queue is. → [`QueueStatus`]
    Status,
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// What an appservice is told beside events, most of it for one that encrypts
/// ([MSC2409](https://github.com/matrix-org/matrix-spec-proposals/pull/2409),
/// [MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)).
#[derive(Debug, Serialize, Deserialize)]
pub enum EncryptionNews {
    /// To-device messages of one of its users, in their order.
    ToDevice {
        /// The user.
        user_id: OwnedUserId,
        /// The epoch of the user's inbox.
        epoch: i64,
        /// The messages; none only asks for the position.
        messages: Vec<ToDeviceMessage>,
    },
    /// What is left of the keys of its user's devices.
    KeyCounts {
        /// The user.
        user_id: OwnedUserId,
        /// The epoch of the user's inbox.
        epoch: i64,
        /// The position in it of the newest count.
        pos: i64,
        /// The counts.
        counts: Vec<DeviceKeyCounts>,
    },
    /// The presence of somebody in a room that it follows; what counts is [`Presence::revision`].
    Presence {
        /// Who.
        user_id: OwnedUserId,
        /// What is shown.
        presence: Presence,
    },
    /// The keys of somebody changed with whom its users share a room.
    DeviceList {
        /// Who.
        user_id: OwnedUserId,
        /// Grows with each change.
        revision: i64,
    },
}

/// A to-device message for an appservice's user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToDeviceMessage {
    /// Its position in the user's inbox.
    pub pos: i64,
    /// The device.
    pub device_id: String,
    /// Who sent it.
    pub sender: String,
    /// The type.
    pub event_type: String,
    /// The content.
    pub content: Box<RawValue>,
}

/// The state of an appservice's queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Deliveries that wait.
    pub queued: u64,
    /// Failed attempts of the first one.
    pub attempts: u64,
    /// When it is tried again, in milliseconds since the epoch.
    pub next_attempt_at: Option<i64>,
}

/// What an appservice is asked for that this server does not know yet
/// ([spec](https://spec.matrix.org/v1.11/application-service-api/#querying)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// A user of this server.
    User(OwnedUserId),
    /// An alias of this server.
    Alias(OwnedRoomAliasId),
}

impl Query {
    /// The user id or alias.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user_id) => user_id.as_str(),
            Self::Alias(alias) => alias.as_str(),
        }
    }
}
