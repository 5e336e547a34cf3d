//! Where a user may search: the rooms that the inbox knows.

use crate::database::{DatabaseError, Query};

/// A room of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRoom {
    /// The room.
    pub room_id: String,
    /// The user's membership now.
    pub membership: String,
    /// The order_key of the newest event that the user was sent.
    pub newest: i64,
}

/// The rooms that the user is or was in and has not forgotten, but those of which no event came.
pub fn list_known_rooms(query: &dyn Query) -> Result<Vec<KnownRoom>, DatabaseError> {
    let rows = query.query(
        "SELECT room_id, membership, newest FROM (
            SELECT r.room_id, r.membership,
                (SELECT MAX(t.order_key) FROM timeline t WHERE t.room_id = r.room_id) AS newest
            FROM rooms r WHERE r.forgotten = 0
         ) WHERE newest IS NOT NULL ORDER BY room_id",
        &[],
    )?;
    rows.iter()
        .map(|row| Ok(KnownRoom { room_id: row.text(0)?, membership: row.text(1)?, newest: row.integer(2)? }))
        .collect()
}
