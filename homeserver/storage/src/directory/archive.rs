//! The archive: D1's copy of every event, with the directory rows that a room mirrors beside it.
//!
//! Rooms write it from their outbox, each batch idempotent: an older write never wins, and a
//! redaction always does.

use super::{Directory, Row, Statement, run};
use crate::database::DatabaseError;

/// An archived event.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchivedEvent {
    /// Its place in paging.
    pub order_key: i64,
    /// Its id.
    pub event_id: String,
    /// Its position in the stream; `None` for imported history.
    pub position: Option<i64>,
    /// The signed event; pruned once redacted.
    pub pdu: String,
    /// `<device>|<transaction id>`.
    pub transaction_key: Option<String>,
    /// Whether the rules rejected it.
    pub rejected: bool,
    /// The history visibility in force.
    pub visibility: String,
    /// The redaction that pruned it.
    pub redacted_by: Option<String>,
}

impl ArchivedEvent {
    /// Reads a row of the columns in the order of the fields above.
    pub(crate) fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            order_key: row.integer(0)?,
            event_id: row.text(1)?,
            position: row.optional_integer(2)?,
            pdu: row.text(3)?,
            transaction_key: row.optional_text(4)?,
            rejected: row.flag(5)?,
            visibility: row.text(6)?,
            redacted_by: row.optional_text(7)?,
        })
    }
}

/// A room as the directory shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryRoom {
    /// The room.
    pub room_id: String,
    /// The room version.
    pub version: String,
    /// The creator.
    pub creator: String,
    /// The epoch.
    pub epoch: i64,
    /// Whether it is listed.
    pub listed: bool,
    /// `m.room.name`.
    pub name: Option<String>,
    /// `m.room.topic`.
    pub topic: Option<String>,
    /// `m.room.canonical_alias`.
    pub canonical_alias: Option<String>,
    /// `m.room.avatar`.
    pub avatar_url: Option<String>,
    /// The type of `m.room.create`, like `m.space`.
    pub room_type: Option<String>,
    /// `m.room.join_rules`.
    pub join_rule: Option<String>,
    /// `m.room.history_visibility`.
    pub history_visibility: Option<String>,
    /// `m.room.guest_access`.
    pub guest_access: Option<String>,
    /// Joined members.
    pub joined_members: i64,
    /// The position that this shows.
    pub position: i64,
}

/// Upserts an event.
pub fn put_event(room_id: &str, event: &ArchivedEvent) -> Statement {
    Statement::new(
        "INSERT INTO events (room_id, order_key, event_id, position, pdu, transaction_key, rejected, visibility, redacted_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (room_id, order_key) DO UPDATE SET pdu = excluded.pdu, redacted_by = excluded.redacted_by
         WHERE events.redacted_by IS NULL AND excluded.redacted_by IS NOT NULL",
        vec![
            room_id.into(),
            event.order_key.into(),
            (&event.event_id).into(),
            event.position.into(),
            (&event.pdu).into(),
            event.transaction_key.clone().into(),
            event.rejected.into(),
            (&event.visibility).into(),
            event.redacted_by.clone().into(),
        ],
    )
}

/// Upserts a membership.
pub fn put_membership(room_id: &str, user_id: &str, membership: &str, event_id: &str, position: i64) -> Statement {
    Statement::new(
        "INSERT INTO memberships (user_id, room_id, membership, event_id, position) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (user_id, room_id) DO UPDATE SET membership = excluded.membership,
            event_id = excluded.event_id, position = excluded.position
         WHERE excluded.position >= memberships.position",
        vec![user_id.into(), room_id.into(), membership.into(), event_id.into(), position.into()],
    )
}

/// Upserts the room's row.
pub fn put_room(room: &DirectoryRoom) -> Statement {
    Statement::new(
        "INSERT INTO rooms (room_id, version, creator, epoch, listed, name, topic, canonical_alias,
            avatar_url, room_type, join_rule, history_visibility, guest_access, search, joined_members, position)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (room_id) DO UPDATE SET epoch = excluded.epoch, listed = excluded.listed,
            name = excluded.name, topic = excluded.topic, canonical_alias = excluded.canonical_alias,
            avatar_url = excluded.avatar_url, room_type = excluded.room_type, join_rule = excluded.join_rule,
            history_visibility = excluded.history_visibility, guest_access = excluded.guest_access,
            search = excluded.search,
            joined_members = excluded.joined_members, position = excluded.position
         WHERE excluded.position >= rooms.position",
        vec![
            (&room.room_id).into(),
            (&room.version).into(),
            (&room.creator).into(),
            room.epoch.into(),
            room.listed.into(),
            room.name.clone().into(),
            room.topic.clone().into(),
            room.canonical_alias.clone().into(),
            room.avatar_url.clone().into(),
            room.room_type.clone().into(),
            room.join_rule.clone().into(),
            room.history_visibility.clone().into(),
            room.guest_access.clone().into(),
            searched(room).into(),
            room.joined_members.into(),
            room.position.into(),
        ],
    )
}

/// What a search of the public directory looks through.
fn searched(room: &DirectoryRoom) -> String {
    let texts = [&room.name, &room.topic, &room.canonical_alias];
    let texts: Vec<&str> = texts.into_iter().map(|text| text.as_deref().unwrap_or_default()).collect();
    texts.join("\n").to_lowercase()
}

/// Upserts a receipt.
pub fn put_receipt(room_id: &str, receipt: &crate::room::receipts::ReceiptRow) -> Statement {
    Statement::new(
        "INSERT INTO receipts (room_id, user_id, receipt_type, thread_id, event_id, ts, position)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (room_id, user_id, receipt_type, thread_id) DO UPDATE SET
            event_id = excluded.event_id, ts = excluded.ts, position = excluded.position
         WHERE excluded.position >= receipts.position",
        vec![
            room_id.into(),
            (&receipt.user_id).into(),
            (&receipt.receipt_type).into(),
            (&receipt.thread_id).into(),
            (&receipt.event_id).into(),
            receipt.ts.into(),
            receipt.position.into(),
        ],
    )
}

/// The room's row; `None` when the archive has no such room.
pub async fn get_room(directory: &dyn Directory, room_id: &str) -> Result<Option<DirectoryRoom>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT version, creator, epoch, listed, name, topic, canonical_alias,
            avatar_url, room_type, join_rule, history_visibility, guest_access, joined_members, position
         FROM rooms WHERE room_id = ?",
        vec![room_id.into()],
    )
    .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(DirectoryRoom {
        room_id: room_id.to_owned(),
        version: row.text(0)?,
        creator: row.text(1)?,
        epoch: row.integer(2)?,
        listed: row.flag(3)?,
        name: row.optional_text(4)?,
        topic: row.optional_text(5)?,
        canonical_alias: row.optional_text(6)?,
        avatar_url: row.optional_text(7)?,
        room_type: row.optional_text(8)?,
        join_rule: row.optional_text(9)?,
        history_visibility: row.optional_text(10)?,
        guest_access: row.optional_text(11)?,
        joined_members: row.integer(12)?,
        position: row.integer(13)?,
    }))
}

/// At most `limit` events of a room above an order_key, in order.
pub async fn list_events(
    directory: &dyn Directory,
    room_id: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<ArchivedEvent>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT order_key, event_id, position, pdu, transaction_key, rejected, visibility, redacted_by
         FROM events WHERE room_id = ? AND order_key > ? ORDER BY order_key LIMIT ?",
        vec![room_id.into(), after.into(), limit.into()],
    )
    .await?;
    rows.iter().map(ArchivedEvent::read).collect()
}

/// A room's mirrored receipts as (user id, type, thread, event id, ts, position).
pub async fn list_receipts(
    directory: &dyn Directory,
    room_id: &str,
) -> Result<Vec<crate::room::receipts::ReceiptRow>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT user_id, receipt_type, thread_id, event_id, ts, position FROM receipts WHERE room_id = ?",
        vec![room_id.into()],
    )
    .await?;
    rows.iter()
        .map(|row| {
            Ok(crate::room::receipts::ReceiptRow {
                user_id: row.text(0)?,
                receipt_type: row.text(1)?,
                thread_id: row.text(2)?,
                event_id: row.text(3)?,
                event_position: 0,
                ts: row.integer(4)?,
                position: row.integer(5)?,
            })
        })
        .collect()
}
