//! One-time links to the page that sets the owner's password. Only hashes are stored.

use super::{Directory, Statement, run};
use crate::database::DatabaseError;

/// Stores a new link; earlier ones stop working.
pub async fn put(directory: &dyn Directory, token_hash: &str, expires_at: i64) -> Result<(), DatabaseError> {
    directory
        .batch(vec![
            Statement::new("DELETE FROM owner_links", vec![]),
            Statement::new(
                "INSERT INTO owner_links (token_hash, expires_at, used_at) VALUES (?, ?, NULL)",
                vec![token_hash.into(), expires_at.into()],
            ),
        ])
        .await?;
    Ok(())
}

/// Whether the link can still be used.
pub async fn is_open(directory: &dyn Directory, token_hash: &str, now: i64) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "SELECT 1 FROM owner_links WHERE token_hash = ? AND used_at IS NULL AND expires_at > ?",
        vec![token_hash.into(), now.into()],
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Uses the link up; of two concurrent calls only one gets `true`.
pub async fn redeem(directory: &dyn Directory, token_hash: &str, now: i64) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "UPDATE owner_links SET used_at = ? WHERE token_hash = ? AND used_at IS NULL AND expires_at > ? RETURNING token_hash",
        vec![now.into(), token_hash.into(), now.into()],
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Opens a link again whose use failed by no fault of its holder.
pub async fn reopen(directory: &dyn Directory, token_hash: &str) -> Result<(), DatabaseError> {
    run(directory, "UPDATE owner_links SET used_at = NULL WHERE token_hash = ?", vec![token_hash.into()]).await?;
    Ok(())
}

/// Forgets links that expired.
pub async fn forget_expired(directory: &dyn Directory, now: i64) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM owner_links WHERE expires_at <= ?", vec![now.into()]).await?;
    Ok(())
}
