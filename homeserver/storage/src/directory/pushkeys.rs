//! Which accounts have a pusher for a push key: written by the users' objects, read when one of
//! them takes the key for itself alone.

use super::{Directory, Statement, run};
use crate::database::DatabaseError;

/// The other accounts with this key.
pub async fn list_others(
    directory: &dyn Directory,
    key_hash: &str,
    user_id: &str,
) -> Result<Vec<String>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT user_id FROM pushkeys WHERE key_hash = ? AND user_id != ?",
        vec![key_hash.into(), user_id.into()],
    )
    .await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Notes that this account has the key; with `alone`, that no other has it any more.
pub async fn put(directory: &dyn Directory, key_hash: &str, user_id: &str, alone: bool) -> Result<(), DatabaseError> {
    let mut statements = Vec::new();
    if alone {
        statements.push(Statement::new(
            "DELETE FROM pushkeys WHERE key_hash = ? AND user_id != ?",
            vec![key_hash.into(), user_id.into()],
        ));
    }
    statements.push(Statement::new(
        "INSERT INTO pushkeys (key_hash, user_id) VALUES (?, ?) ON CONFLICT (key_hash, user_id) DO NOTHING",
        vec![key_hash.into(), user_id.into()],
    ));
    directory.batch(statements).await?;
    Ok(())
}

/// Notes that this account has the key no more.
pub async fn delete(directory: &dyn Directory, key_hash: &str, user_id: &str) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM pushkeys WHERE key_hash = ? AND user_id = ?", vec![key_hash.into(), user_id.into()])
        .await?;
    Ok(())
}
