//! Room aliases: D1 is their only home, so that two rooms can never hold the same one.

use super::{Directory, run};
use crate::database::{DatabaseError, Row};

/// An alias and where it points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The alias, `#localpart:server`.
    pub alias: String,
    /// The room.
    pub room_id: String,
    /// Who made it, and so may delete it.
    pub creator: String,
}

impl Alias {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self { alias: row.text(0)?, room_id: row.text(1)?, creator: row.text(2)? })
    }
}

/// The alias; `None` when it points nowhere.
pub async fn get(directory: &dyn Directory, alias: &str) -> Result<Option<Alias>, DatabaseError> {
    let rows =
        run(directory, "SELECT alias, room_id, creator FROM aliases WHERE alias = ?", vec![alias.into()]).await?;
    rows.first().map(Alias::from_row).transpose()
}

/// All aliases of a room, sorted.
pub async fn list_by_room(directory: &dyn Directory, room_id: &str) -> Result<Vec<Alias>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT alias, room_id, creator FROM aliases WHERE room_id = ? ORDER BY alias",
        vec![room_id.into()],
    )
    .await?;
    rows.iter().map(Alias::from_row).collect()
}

/// Makes the alias unless it exists; whether it was made.
pub async fn reserve(directory: &dyn Directory, alias: &Alias, created_at: i64) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "INSERT INTO aliases (alias, room_id, creator, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (alias) DO NOTHING RETURNING alias",
        vec![
            (&alias.alias).into(),
            (&alias.room_id).into(),
            (&alias.creator).into(),
            created_at.into(),
        ],
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Deletes the alias if it still points to this room; whether it did.
pub async fn delete(directory: &dyn Directory, alias: &str, room_id: &str) -> Result<bool, DatabaseError> {
    let rows = run(
        directory,
        "DELETE FROM aliases WHERE alias = ? AND room_id = ? RETURNING alias",
        vec![alias.into(), room_id.into()],
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Points all aliases of one room to another.
pub async fn move_all(directory: &dyn Directory, from: &str, to: &str) -> Result<(), DatabaseError> {
    run(directory, "UPDATE aliases SET room_id = ? WHERE room_id = ?", vec![to.into(), from.into()]).await?;
    Ok(())
}
