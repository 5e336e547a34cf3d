//! The contract of an AppserviceObject.

use ruma::{OwnedRoomAliasId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::delivery::RoomDelivery;

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
    /// How long the queue is. → [`QueueStatus`]
    Status,
    /// Does outstanding work; from Cron. → `()`
    Poke,
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
