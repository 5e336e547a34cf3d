//! Who has an account here. Each UserSyncObject writes its own row; logins, invites and the owner
//! page read it.

use super::{Directory, Statement, run};
use crate::database::{DatabaseError, Row};

/// An account and the profile that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub user_id: String,
    /// Whether the user owns the server.
    pub owner: bool,
    /// The display name, if one is set.
    pub displayname: Option<String>,
    /// The avatar, if one is set.
    pub avatar_url: Option<String>,
    /// Whether it was deactivated: the name stays taken, and nobody is behind it.
    pub deactivated: bool,
}

impl Account {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user_id: row.text(0)?,
            owner: row.flag(1)?,
            displayname: row.optional_text(2)?,
            avatar_url: row.optional_text(3)?,
            deactivated: row.flag(4)?,
        })
    }
}

/// The account of a user; `None` when there is none.
pub async fn get(directory: &dyn Directory, user_id: &str) -> Result<Option<Account>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT a.user_id, a.owner, p.displayname, p.avatar_url, d.user_id IS NOT NULL FROM accounts a LEFT JOIN profiles p ON p.user_id = a.user_id LEFT JOIN deactivations d ON d.user_id = a.user_id WHERE a.user_id = ?",
        vec![user_id.into()],
    )
    .await?;
    rows.first().map(Account::from_row).transpose()
}

/// The accounts among these user ids, in no particular order. Ids without an account are left out.
pub async fn list(directory: &dyn Directory, user_ids: &[String]) -> Result<Vec<Account>, DatabaseError> {
    if user_ids.is_empty() {
        return Ok(Vec::new());
    }
    // One parameter however many users: D1 takes at most 100.
    let ids = serde_json::to_string(user_ids).map_err(DatabaseError::new)?;
    let rows = run(
        directory,
        "SELECT a.user_id, a.owner, p.displayname, p.avatar_url, d.user_id IS NOT NULL FROM json_each(?) j JOIN accounts a ON a.user_id = j.value LEFT JOIN profiles p ON p.user_id = a.user_id LEFT JOIN deactivations d ON d.user_id = a.user_id",
        vec![ids.into()],
    )
    .await?;
    rows.iter().map(Account::from_row).collect()
}

/// The user who owns the server: the first one who was made so and is not deactivated.
pub async fn find_owner(directory: &dyn Directory) -> Result<Option<String>, DatabaseError> {
    let rows =
        run(
            directory,
            "SELECT user_id FROM accounts a WHERE owner = 1 AND NOT EXISTS (SELECT 1 FROM deactivations d WHERE d.user_id = a.user_id) ORDER BY created_at, user_id LIMIT 1",
            vec![],
        )
        .await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Which of these users have an inbox although an appservice owns their names: those who have synced, and
/// humans whose names were taken into a namespace later. [`ids`] reads the rows.
pub fn with_inbox(user_ids: &[String]) -> Result<Statement, DatabaseError> {
    let ids = serde_json::to_string(user_ids).map_err(DatabaseError::new)?;
    Ok(Statement::new(
        "SELECT a.user_id FROM json_each(?) j JOIN accounts a ON a.user_id = j.value WHERE a.has_inbox = 1 OR a.appservice_id IS NULL",
        vec![ids.into()],
    ))
}

/// The user ids that [`with_inbox`] found.
pub fn ids(rows: &[Row]) -> Result<Vec<String>, DatabaseError> {
    rows.iter().map(|row| row.text(0)).collect()
}

/// Notes that an appservice's own user has an inbox from now on. The account must be listed.
pub async fn set_has_inbox(directory: &dyn Directory, user_id: &str) -> Result<(), DatabaseError> {
    run(directory, "UPDATE accounts SET has_inbox = 1 WHERE user_id = ?", vec![user_id.into()]).await?;
    Ok(())
}
