//! Work that goes on after a crash: rooms that are being made, and rooms to be told a new profile.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// A room that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSaga {
    /// The room.
    pub room_id: String,
    /// The intent, as JSON.
    pub intent: String,
    /// How many steps are done.
    pub step: i64,
    /// When it was asked for.
    pub created_at: i64,
}

impl RoomSaga {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { room_id: row.text(0)?, intent: row.text(1)?, step: row.integer(2)?, created_at: row.integer(3)? })
    }
}

/// The making of a room; `None` when it is done (or was never asked for).
pub fn get_room_saga(query: &dyn Query, room_id: &str) -> Result<Option<RoomSaga>, DatabaseError> {
    query
        .query_one("SELECT room_id, intent, step, created_at FROM room_sagas WHERE room_id = ?", &[room_id.into()])?
        .as_ref()
        .map(RoomSaga::from_row)
        .transpose()
}

/// The rooms that are being made, oldest first: (room id, asked for at).
pub fn list_room_sagas(query: &dyn Query) -> Result<Vec<(String, i64)>, DatabaseError> {
    query
        .query("SELECT room_id, created_at FROM room_sagas ORDER BY created_at", &[])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.integer(1)?)))
        .collect()
}

/// Stores an intent; does nothing when the room is being made already.
pub fn start_room_saga(
    transaction: &dyn Transaction,
    room_id: &str,
    intent: &str,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO room_sagas (room_id, intent, step, created_at) VALUES (?, ?, 0, ?) ON CONFLICT (room_id) DO NOTHING",
        &[room_id.into(), intent.into(), now.into()],
    )?;
    Ok(())
}

/// Notes that so many steps are done.
pub fn set_room_saga_step(transaction: &dyn Transaction, room_id: &str, step: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE room_sagas SET step = ? WHERE room_id = ?", &[step.into(), room_id.into()])?;
    Ok(())
}

/// The room is made, or was refused for good.
pub fn end_room_saga(transaction: &dyn Transaction, room_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM room_sagas WHERE room_id = ?", &[room_id.into()])?;
    Ok(())
}

/// A room that does not know the newest profile yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileJob {
    /// The room.
    pub room_id: String,
    /// The revision of the profile that it is to know.
    pub revision: i64,
    /// Since when.
    pub created_at: i64,
}

/// The rooms that do not know the newest profile yet.
pub fn list_profile_jobs(query: &dyn Query) -> Result<Vec<ProfileJob>, DatabaseError> {
    query
        .query("SELECT room_id, revision, created_at FROM profile_jobs ORDER BY room_id", &[])?
        .iter()
        .map(|row| Ok(ProfileJob { room_id: row.text(0)?, revision: row.integer(1)?, created_at: row.integer(2)? }))
        .collect()
}

/// All joined rooms are to know this revision of the profile.
pub fn add_profile_jobs(transaction: &dyn Transaction, revision: i64, now: i64) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO profile_jobs (room_id, revision, created_at) SELECT room_id, ?, ? FROM rooms WHERE membership = 'join' ON CONFLICT (room_id) DO UPDATE SET revision = excluded.revision",
        &[revision.into(), now.into()],
    )?;
    Ok(())
}

/// A room that the inbox does not know is to know this revision of the profile.
pub fn add_profile_job(
    transaction: &dyn Transaction,
    room_id: &str,
    revision: i64,
    now: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO profile_jobs (room_id, revision, created_at) VALUES (?, ?, ?) ON CONFLICT (room_id) DO UPDATE SET revision = excluded.revision",
        &[room_id.into(), revision.into(), now.into()],
    )?;
    Ok(())
}

/// A room knows this revision.
pub fn end_profile_job(transaction: &dyn Transaction, room_id: &str, revision: i64) -> Result<(), DatabaseError> {
    transaction
        .execute("DELETE FROM profile_jobs WHERE room_id = ? AND revision <= ?", &[room_id.into(), revision.into()])?;
    Ok(())
}
