//! The inbox's position and its rooms, one row each.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// Where the inbox stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// Random, so that a token of another inbox is told apart.
    pub epoch: i64,
    /// The position of the newest change.
    pub position: i64,
}

/// Where the inbox stands; zeros when it was not made yet.
pub fn get(query: &dyn Query) -> Result<Inbox, DatabaseError> {
    let row = query.query_one("SELECT epoch, position FROM inbox", &[])?;
    row.map_or(Ok(Inbox::default()), |row| Ok(Inbox { epoch: row.integer(0)?, position: row.integer(1)? }))
}

/// Makes the inbox, empty.
pub fn create(transaction: &dyn Transaction, epoch: i64) -> Result<(), DatabaseError> {
    transaction.execute("INSERT INTO inbox (only, epoch, position) VALUES (1, ?, 0)", &[epoch.into()])?;
    Ok(())
}

/// Moves the inbox on and returns the new position, which everything that changes in this
/// transaction carries.
pub fn advance(transaction: &dyn Transaction) -> Result<i64, DatabaseError> {
    transaction
        .execute("UPDATE inbox SET position = position + 1 RETURNING position", &[])?
        .first()
        .ok_or_else(|| DatabaseError::new("there is no inbox"))?
        .integer(0)
}

/// Moves the inbox on by several positions and returns the last of them.
pub fn advance_by(transaction: &dyn Transaction, count: u32) -> Result<i64, DatabaseError> {
    transaction
        .execute("UPDATE inbox SET position = position + ? RETURNING position", &[count.into()])?
        .first()
        .ok_or_else(|| DatabaseError::new("there is no inbox"))?
        .integer(0)
}

/// A room as the inbox knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// The room.
    pub room_id: String,
    /// The room's epoch.
    pub epoch: i64,
    /// The last position received.
    pub position: i64,
    /// The user's membership; `none` before the first.
    pub membership: String,
    /// When anything below (or the timeline, or the room's account data) last changed.
    pub changed_pos: i64,
    /// When `membership` (or the invite) last changed.
    pub membership_pos: i64,
    /// When the timeline last started anew: a join, or a new epoch.
    pub gap_pos: i64,
    /// When a state row last changed.
    pub state_pos: i64,
    /// When a receipt last changed.
    pub receipts_pos: i64,
    /// When `typing` last changed.
    pub typing_pos: i64,
    /// When `joined`, `invited` or `heroes` last changed.
    pub summary_pos: i64,
    /// When `unread` last changed.
    pub unread_pos: i64,
    /// The order_key of the oldest event that is kept with its JSON.
    pub kept_from: i64,
    /// Whether the user left by themselves.
    pub left_by_self: bool,
    /// Whether the user forgot the room.
    pub forgotten: bool,
    /// Who invited the user.
    pub inviter: Option<String>,
    /// The stripped state of an invite or knock, a JSON list.
    pub invite_state: Option<String>,
    /// Who types, a JSON list.
    pub typing: Option<String>,
    /// Joined members.
    pub joined: i64,
    /// Invited members.
    pub invited: i64,
    /// The heroes, a JSON list.
    pub heroes: String,
    /// What notifies and was not read yet, as JSON.
    pub unread: String,
}

impl RoomRow {
    /// A room of which nothing is known yet.
    pub fn new(room_id: &str) -> Self {
        Self {
            room_id: room_id.to_owned(),
            epoch: 0,
            position: 0,
            membership: "none".to_owned(),
            changed_pos: 0,
            membership_pos: 0,
            gap_pos: 0,
            state_pos: 0,
            receipts_pos: 0,
            typing_pos: 0,
            summary_pos: 0,
            unread_pos: 0,
            kept_from: 0,
            left_by_self: false,
            forgotten: false,
            inviter: None,
            invite_state: None,
            typing: None,
            joined: 0,
            invited: 0,
            heroes: "[]".to_owned(),
            unread: "{}".to_owned(),
        }
    }

    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            room_id: row.text(0)?,
            epoch: row.integer(1)?,
            position: row.integer(2)?,
            membership: row.text(3)?,
            changed_pos: row.integer(4)?,
            membership_pos: row.integer(5)?,
            gap_pos: row.integer(6)?,
            state_pos: row.integer(7)?,
            receipts_pos: row.integer(8)?,
            typing_pos: row.integer(9)?,
            summary_pos: row.integer(10)?,
            unread_pos: row.integer(11)?,
            kept_from: row.integer(12)?,
            left_by_self: row.flag(13)?,
            forgotten: row.flag(14)?,
            inviter: row.optional_text(15)?,
            invite_state: row.optional_text(16)?,
            typing: row.optional_text(17)?,
            joined: row.integer(18)?,
            invited: row.integer(19)?,
            heroes: row.text(20)?,
            unread: row.text(21)?,
        })
    }
}

macro_rules! select_rooms {
    ($rest:literal) => {
        concat!(
            "SELECT room_id, epoch, position, membership, changed_pos, membership_pos, gap_pos, state_pos, receipts_pos, typing_pos, summary_pos, unread_pos, kept_from, left_by_self, forgotten, inviter, invite_state, typing, joined, invited, heroes, unread FROM rooms ",
            $rest
        )
    };
}

/// A room.
pub fn get_room(query: &dyn Query, room_id: &str) -> Result<Option<RoomRow>, DatabaseError> {
    query.query_one(select_rooms!("WHERE room_id = ?"), &[room_id.into()])?.as_ref().map(RoomRow::from_row).transpose()
}

/// All rooms.
pub fn list_rooms(query: &dyn Query) -> Result<Vec<RoomRow>, DatabaseError> {
    query.query(select_rooms!("ORDER BY room_id"), &[])?.iter().map(RoomRow::from_row).collect()
}

/// The rooms that changed after an inbox position.
pub fn list_changed_rooms(query: &dyn Query, since: i64) -> Result<Vec<RoomRow>, DatabaseError> {
    query
        .query(select_rooms!("WHERE changed_pos > ? ORDER BY changed_pos"), &[since.into()])?
        .iter()
        .map(RoomRow::from_row)
        .collect()
}

/// The ids of the rooms that the user is joined to.
pub fn list_joined(query: &dyn Query) -> Result<Vec<String>, DatabaseError> {
    query
        .query("SELECT room_id FROM rooms WHERE membership = 'join' ORDER BY room_id", &[])?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Writes a whole room.
pub fn put_room(transaction: &dyn Transaction, room: &RoomRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO rooms (room_id, epoch, position, membership, changed_pos, membership_pos, gap_pos, state_pos, receipts_pos, typing_pos, summary_pos, unread_pos, kept_from, left_by_self, forgotten, inviter, invite_state, typing, joined, invited, heroes, unread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room_id) DO UPDATE SET epoch = excluded.epoch, position = excluded.position, membership = excluded.membership, changed_pos = excluded.changed_pos, membership_pos = excluded.membership_pos, gap_pos = excluded.gap_pos, state_pos = excluded.state_pos, receipts_pos = excluded.receipts_pos, typing_pos = excluded.typing_pos, summary_pos = excluded.summary_pos, unread_pos = excluded.unread_pos, kept_from = excluded.kept_from, left_by_self = excluded.left_by_self, forgotten = excluded.forgotten, inviter = excluded.inviter, invite_state = excluded.invite_state, typing = excluded.typing, joined = excluded.joined, invited = excluded.invited, heroes = excluded.heroes, unread = excluded.unread",
        &[
            (&room.room_id).into(),
            room.epoch.into(),
            room.position.into(),
            (&room.membership).into(),
            room.changed_pos.into(),
            room.membership_pos.into(),
            room.gap_pos.into(),
            room.state_pos.into(),
            room.receipts_pos.into(),
            room.typing_pos.into(),
            room.summary_pos.into(),
            room.unread_pos.into(),
            room.kept_from.into(),
            room.left_by_self.into(),
            room.forgotten.into(),
            room.inviter.as_ref().into(),
            room.invite_state.as_ref().into(),
            room.typing.as_ref().into(),
            room.joined.into(),
            room.invited.into(),
            (&room.heroes).into(),
            (&room.unread).into(),
        ],
    )?;
    Ok(())
}

/// Marks a room changed, if the inbox knows it.
pub fn touch_room(transaction: &dyn Transaction, room_id: &str, changed_pos: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE rooms SET changed_pos = ? WHERE room_id = ?", &[changed_pos.into(), room_id.into()])?;
    Ok(())
}
