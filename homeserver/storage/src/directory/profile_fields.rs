//! Profile fields beyond name and avatar, for everybody to read. The users' objects write them.

use super::{Directory, Statement, run};
use crate::{database::DatabaseError, user::profile_fields::Field};

/// The fields of a user: (name, value as JSON).
pub async fn list(directory: &dyn Directory, user_id: &str) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows =
        run(directory, "SELECT name, value FROM profile_fields WHERE user_id = ? ORDER BY name", vec![user_id.into()])
            .await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// What makes D1 know a field as it is.
pub fn statement(user_id: &str, field: &Field) -> Statement {
    match &field.value {
        None => Statement::new(
            "DELETE FROM profile_fields WHERE user_id = ? AND name = ?",
            vec![user_id.into(), (&field.name).into()],
        ),
        Some(value) => Statement::new(
            "INSERT INTO profile_fields (user_id, name, value) VALUES (?, ?, ?) ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value",
            vec![user_id.into(), (&field.name).into(), value.into()],
        ),
    }
}
