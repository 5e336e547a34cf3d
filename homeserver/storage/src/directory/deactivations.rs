//! Deactivated accounts, as their objects mirror them: what a rebuilt room needs to know of them.

use super::{Directory, run};
use crate::database::DatabaseError;

/// The users with a membership in a room who had what they said erased.
pub async fn erased_in(directory: &dyn Directory, room_id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = run(
        directory,
        // CROSS: from the few erased users to their memberships, never through all memberships.
        "SELECT d.user_id FROM deactivations d CROSS JOIN memberships m ON m.user_id = d.user_id AND m.room_id = ? WHERE d.erased = 1",
        vec![room_id.into()],
    )
    .await?;
    rows.iter().map(|row| row.text(0)).collect()
}
