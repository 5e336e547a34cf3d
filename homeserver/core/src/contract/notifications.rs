//! What a UserSyncObject can be asked about past notifications.

use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::user::Caller;

/// A page of notifications.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetNotifications {
    /// On whose behalf.
    pub caller: Caller,
    /// The `next_token` of an earlier page; `None`: from the newest.
    pub from: Option<String>,
    /// How many, at most.
    pub limit: u32,
    /// Whether only those that highlighted.
    pub highlights_only: bool,
}

/// The answer: the newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotificationPage {
    /// The notifications.
    pub notifications: Vec<PastNotification>,
    /// Where the next page starts; `None` when there is nothing more.
    pub next_token: Option<String>,
}

/// An event that notified.
#[derive(Debug, Serialize, Deserialize)]
pub struct PastNotification {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event in client format, without `room_id`.
    pub event: Box<RawValue>,
    /// Whether it highlighted.
    pub highlight: bool,
    /// Whether the user's receipts cover it.
    pub read: bool,
    /// `origin_server_ts`.
    pub ts: i64,
}
