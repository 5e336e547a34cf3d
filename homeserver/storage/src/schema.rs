//! How an object's tables are made and migrated.
//!
//! A schema is a list of steps; step `n` takes a database from version `n` to `n + 1`. The version
//! reached is kept in `schema_version`. Landed steps never change: a later need is a later step.

use crate::database::{Database, DatabaseError, Query, transaction};

/// The steps of one object class, each a list of statements.
pub type Steps = &'static [&'static [&'static str]];

/// The version of the schema in `database`: 0 when nothing was ever written.
pub fn version(database: &dyn Query) -> Result<usize, DatabaseError> {
    let exists =
        database.query_one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'", &[])?;
    if exists.is_none() {
        return Ok(0);
    }
    let row = database.query_one("SELECT version FROM schema_version", &[])?;
    let version = row.map(|row| row.integer(0)).transpose()?.unwrap_or(0);
    usize::try_from(version).map_err(DatabaseError::new)
}

/// Brings `database` to the newest version in one transaction; does nothing when it is there.
///
/// A database from a newer program is refused rather than guessed at.
pub fn migrate(database: &dyn Database, steps: Steps) -> Result<(), DatabaseError> {
    let current = version(database.as_query())?;
    if current == steps.len() {
        return Ok(());
    }
    let Some(pending) = steps.get(current..) else {
        return Err(DatabaseError::new(format!(
            "schema version {current} is newer than this program's {}",
            steps.len()
        )));
    };
    let reached = i64::try_from(steps.len()).map_err(DatabaseError::new)?;
    transaction(database, |transaction| {
        transaction.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL) STRICT",
            &[],
        )?;
        for statement in pending.iter().copied().flatten() {
            transaction.execute(statement, &[])?;
        }
        transaction.execute(
            "INSERT INTO schema_version (only, version) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version",
            &[reached.into()],
        )?;
        Ok::<(), DatabaseError>(())
    })
}
