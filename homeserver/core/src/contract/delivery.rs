//! What a room delivers to its followers, contiguously.
//!
//! A delivery carries the room's epoch and the last position that was sent to that follower. A
//! receiver that does not hold exactly that refuses and answers with what it holds, and the room
//! rewinds (or, under a new epoch, sends a snapshot). So nothing is skipped or applied twice.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Where a follower stands in a room's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The room's epoch; a rebuilt room has a new one. 0 with position 0: nothing received yet.
    pub epoch: i64,
    /// The last position received.
    pub position: i64,
}

/// One batch of a room's stream for one follower: everything that concerns the follower in
/// `(previous.position, through]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomDelivery {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The room's epoch.
    pub epoch: i64,
    /// What the follower must hold.
    pub previous: Cursor,
    /// The position that the follower holds afterwards.
    pub through: i64,
    /// The state and recent history that come with a join or a new epoch; users only.
    pub snapshot: Option<Snapshot>,
    /// Events, in order of position.
    pub events: Vec<DeliveredEvent>,
    /// Receipts whose latest value lies in the range.
    pub receipts: Vec<Receipt>,
    /// Who types, if that changed in the range. Users only while joined.
    pub typing: Option<Vec<OwnedUserId>>,
    /// Counts and what push rules ask about, as of `through`.
    pub room: RoomFacts,
}

/// What a user who joins (or a rebuilt room's follower) starts from: valid just before `events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The whole non-member state, and the members that matter (the follower, heroes, senders of
    /// the history), before the first event of the delivery.
    pub state: Vec<DeliveredEvent>,
    /// At most 50 events before the join that the user may see, oldest first.
    pub history: Vec<DeliveredEvent>,
    /// The latest receipts of all members.
    pub receipts: Vec<Receipt>,
    /// Who is joined now, at `through` or later: with them the follower shares keys. `None`: keys are
    /// not shared through this room, since it is bridged.
    #[serde(default)]
    pub members: Option<Vec<OwnedUserId>>,
}

/// Facts about the room that go with each delivery.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RoomFacts {
    /// Joined members.
    pub joined: u64,
    /// Invited members.
    pub invited: u64,
    /// Up to five other members, joined or invited first, by order of joining
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3sync), `m.heroes`).
    /// `None`: unchanged since the delivery before.
    pub heroes: Option<Vec<OwnedUserId>>,
    /// The room version.
    pub room_version: String,
    /// The content of `m.room.power_levels`, if there is one.
    pub power_levels: Option<Box<RawValue>>,
    /// The creators whose power is unlimited (room version 12 on).
    pub creators: Vec<OwnedUserId>,
    /// Whether other local people are joined, and the room is no bridged one: presence travels
    /// through it. `None`: unchanged since the delivery before.
    #[serde(default)]
    pub company: Option<bool>,
    /// Stripped state for a follower who is invited or knocks; else empty.
    pub invite_state: Vec<Box<RawValue>>,
}

/// One event as a follower gets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliveredEvent {
    /// The event's id.
    pub event_id: OwnedEventId,
    /// Its position in the room's stream; `None` for imported history.
    pub position: Option<i64>,
    /// Its place in paging.
    pub order_key: i64,
    /// The event in client format, without `room_id`, with `unsigned` but for `age`,
    /// `transaction_id` and `membership`.
    pub event: Box<RawValue>,
    /// Whether it is a state event.
    pub is_state: bool,
    /// The type.
    pub event_type: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// The sender.
    pub sender: OwnedUserId,
    /// The follower's membership at the event (`unsigned.membership`, MSC4115); users only.
    pub membership: Option<String>,
    /// The device and transaction id that sent it, for the sender's own `unsigned.transaction_id`.
    pub transaction: Option<(String, String)>,
    /// The sender's current member event; users only, when the sender is not the follower.
    pub sender_member: Option<Box<RawValue>>,
    /// For a redaction: the redacted event as it is now.
    pub redacted: Option<Box<DeliveredEvent>>,
}

/// A user's latest receipt of one type and thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose it is.
    pub user_id: OwnedUserId,
    /// `m.read` or `m.read.private`; the latter is only ever delivered to its own user.
    pub receipt_type: String,
    /// `None`: unthreaded; `main` or a thread root's id.
    pub thread_id: Option<String>,
    /// The event read.
    pub event_id: OwnedEventId,
    /// The event's position.
    pub event_position: i64,
    /// When, in milliseconds since the epoch.
    pub ts: i64,
}

/// A follower's answer to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryAnswer {
    /// Stored durably; also the answer to a delivery that the follower had already.
    Accepted,
    /// The follower holds something else: the room goes on from there.
    Refused(Cursor),
}
