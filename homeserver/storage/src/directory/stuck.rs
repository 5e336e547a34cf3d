//! D1's `stuck`: objects with work older than a minute, for Cron to poke.
//!
//! An object whose alarm was lost cannot report itself, and Cron cannot list objects: this table
//! and the sweep are how it finds them.

use super::{Directory, run};
use crate::database::DatabaseError;

/// Notes that the object has had work left since `since` (milliseconds since the epoch); an
/// earlier note keeps its time. `class` is the class as contracts spell it, like `Appservice`.
pub async fn mark(directory: &dyn Directory, class: &str, name: &str, since: i64) -> Result<(), DatabaseError> {
    run(
        directory,
        "INSERT INTO stuck (class, name, since) VALUES (?, ?, ?) ON CONFLICT (class, name) DO NOTHING",
        vec![class.into(), name.into(), since.into()],
    )
    .await?;
    Ok(())
}

/// Removes the object's note, if there is one.
pub async fn clear(directory: &dyn Directory, class: &str, name: &str) -> Result<(), DatabaseError> {
    run(directory, "DELETE FROM stuck WHERE class = ? AND name = ?", vec![class.into(), name.into()]).await?;
    Ok(())
}

/// At most `limit` stuck objects as (class, name), the longest stuck first.
pub async fn list(directory: &dyn Directory, limit: u32) -> Result<Vec<(String, String)>, DatabaseError> {
    run(directory, "SELECT class, name FROM stuck ORDER BY since LIMIT ?", vec![limit.into()])
        .await?
        .iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .collect()
}
