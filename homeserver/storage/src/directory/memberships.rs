//! Who is in which room, as the rooms mirror it to D1. Never used to authorise anything.

use super::{Directory, run};
use crate::database::DatabaseError;

/// The rooms that a user is or was in, with the membership and its position; for appservice users,
/// who have no inbox.
pub async fn list_past_and_present(
    directory: &dyn Directory,
    user_id: &str,
) -> Result<Vec<(String, String, i64)>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT room_id, membership, position FROM memberships
         WHERE user_id = ? AND membership IN ('join', 'leave', 'ban') ORDER BY room_id",
        vec![user_id.into()],
    )
    .await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.integer(2)?))).collect()
}

/// The rooms that a user ever was in, or was invited to, sorted.
pub async fn all_rooms(directory: &dyn Directory, user_id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows =
        run(directory, "SELECT room_id FROM memberships WHERE user_id = ? ORDER BY room_id", vec![user_id.into()])
            .await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// The rooms that a user is joined to, sorted; for appservice users, who have no inbox.
pub async fn joined_rooms(directory: &dyn Directory, user_id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT room_id FROM memberships WHERE user_id = ? AND membership = 'join' ORDER BY room_id",
        vec![user_id.into()],
    )
    .await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// The rooms that a user is in, is invited to or knocks on, sorted.
pub async fn present_rooms(directory: &dyn Directory, user_id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT room_id FROM memberships WHERE user_id = ? AND membership IN ('join', 'invite', 'knock') ORDER BY room_id",
        vec![user_id.into()],
    )
    .await?;
    rows.iter().map(|row| row.text(0)).collect()
}
