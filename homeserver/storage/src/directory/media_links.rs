//! Links to files that need no token: whoever has one may read the file until it is revoked.

use super::{Directory, run};
use crate::database::DatabaseError;

/// Makes a link; fine when it is there.
pub async fn put(directory: &dyn Directory, link_id: &str, media_id: &str, now: i64) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO media_links (link_id, media_id, made_at) VALUES (?, ?, ?) ON CONFLICT (link_id) DO NOTHING";
    run(directory, sql, vec![link_id.into(), media_id.into(), now.into()]).await?;
    Ok(())
}

/// The file that a link leads to; `None` when there is no such link any more.
pub async fn find(directory: &dyn Directory, link_id: &str) -> Result<Option<String>, DatabaseError> {
    let rows = run(directory, "SELECT media_id FROM media_links WHERE link_id = ?", vec![link_id.into()]).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Ends a link.
pub async fn revoke(directory: &dyn Directory, link_id: &str) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM media_links WHERE link_id = ?", vec![link_id.into()]).await?;
    Ok(())
}
