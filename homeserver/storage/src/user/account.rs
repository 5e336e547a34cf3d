//! The account: one row, which exists from the command that creates it.

use crate::database::{DatabaseError, Query, Row, Transaction};

/// The account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whether the user owns the server.
    pub owner: bool,
    /// The appservice that registered its own user.
    pub appservice_id: Option<String>,
    /// The password as a PHC string; `None`: none can log in with one.
    pub password_hash: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// `displayname`.
    pub displayname: Option<String>,
    /// `avatar_url`.
    pub avatar_url: Option<String>,
    /// Counts the changes that D1 is to know of.
    pub revision: i64,
    /// The revision that D1 is known to hold; -1: none.
    pub mirrored: i64,
    /// Failed logins, of which one is forgiven from time to time.
    pub failures: i64,
    /// When `failures` was last true.
    pub failed_at: i64,
    /// Since when it is deactivated, for ever.
    pub deactivated_at: Option<i64>,
    /// Whether what the user said was to be erased then.
    pub erased: bool,
}

const SELECT: &str = "SELECT owner, appservice_id, password_hash, created_at, displayname, avatar_url, revision, mirrored, failures, failed_at, deactivated_at, erased FROM account";

fn from_row(row: &Row) -> Result<Account, DatabaseError> {
    Ok(Account {
        owner: row.flag(0)?,
        appservice_id: row.optional_text(1)?,
        password_hash: row.optional_text(2)?,
        created_at: row.integer(3)?,
        displayname: row.optional_text(4)?,
        avatar_url: row.optional_text(5)?,
        revision: row.integer(6)?,
        mirrored: row.integer(7)?,
        failures: row.integer(8)?,
        failed_at: row.integer(9)?,
        deactivated_at: row.optional_integer(10)?,
        erased: row.flag(11)?,
    })
}

/// The account; `None` when it was not made yet.
pub fn get(query: &dyn Query) -> Result<Option<Account>, DatabaseError> {
    query.query_one(SELECT, &[])?.as_ref().map(from_row).transpose()
}

/// Writes the whole account.
pub fn put(transaction: &dyn Transaction, account: &Account) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO account (only, owner, appservice_id, password_hash, created_at, displayname, avatar_url, revision, mirrored, failures, failed_at, deactivated_at, erased) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET owner = excluded.owner, appservice_id = excluded.appservice_id, password_hash = excluded.password_hash, displayname = excluded.displayname, avatar_url = excluded.avatar_url, revision = excluded.revision, mirrored = excluded.mirrored, failures = excluded.failures, failed_at = excluded.failed_at, deactivated_at = excluded.deactivated_at, erased = excluded.erased",
        &[
            account.owner.into(),
            account.appservice_id.as_ref().into(),
            account.password_hash.as_ref().into(),
            account.created_at.into(),
            account.displayname.as_ref().into(),
            account.avatar_url.as_ref().into(),
            account.revision.into(),
            account.mirrored.into(),
            account.failures.into(),
            account.failed_at.into(),
            account.deactivated_at.into(),
            account.erased.into(),
        ],
    )?;
    Ok(())
}

/// Notes that D1 holds this revision; an older note never wins.
pub fn set_mirrored(transaction: &dyn Transaction, revision: i64) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE account SET mirrored = ? WHERE mirrored < ?", &[revision.into(), revision.into()])?;
    Ok(())
}
