//! D1's `appservices`, and what else a registration is checked against.
//!
//! Written by the admin endpoints of `hubbub-appservice`, read by its registry at most once a
//! minute. Tokens never stand here in the clear: see the columns' comments in the migration.

use super::{Directory, Statement, run};
use crate::database::{DatabaseError, Row};

/// One registration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppserviceRow {
    /// Its id.
    pub id: String,
    /// The registration as JSON, without its tokens.
    pub registration: String,
    /// Hex HMAC of the `as_token`.
    pub as_token_hash: String,
    /// The encrypted `hs_token`.
    pub hs_token_enc: String,
    /// When it last changed, in milliseconds since the epoch.
    pub updated_at: i64,
}

/// Someone who holds a login of a bundled bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginHolder {
    /// The network, like `slack`.
    pub network: String,
    /// The Matrix user id.
    pub owner: String,
}

const COLUMNS: &str = "SELECT id, registration, as_token_hash, hs_token_enc, updated_at FROM appservices ORDER BY id";

/// All registrations, and all users who hold a login (connected, or with credentials that have to
/// be renewed: such a login keeps its rooms), in one trip.
pub async fn load(directory: &dyn Directory) -> Result<(Vec<AppserviceRow>, Vec<LoginHolder>), DatabaseError> {
    let results = directory
        .batch(vec![
            Statement::new(COLUMNS, Vec::new()),
            Statement::new(
                "SELECT DISTINCT network, owner FROM bridge_logins WHERE remote_user IS NOT NULL AND state IN ('connected', 'bad_credentials')",
                Vec::new(),
            ),
        ])
        .await?;
    let mut results = results.into_iter();
    let registrations = results.next().unwrap_or_default();
    let holders = results.next().unwrap_or_default();
    Ok((
        registrations.iter().map(appservice).collect::<Result<_, _>>()?,
        holders.iter().map(holder).collect::<Result<_, _>>()?,
    ))
}

/// All registrations, by id.
pub async fn list(directory: &dyn Directory) -> Result<Vec<AppserviceRow>, DatabaseError> {
    run(directory, COLUMNS, Vec::new()).await?.iter().map(appservice).collect()
}

/// One registration; `None` when there is none of this id.
pub async fn get(directory: &dyn Directory, id: &str) -> Result<Option<AppserviceRow>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT id, registration, as_token_hash, hs_token_enc, updated_at FROM appservices WHERE id = ?",
        vec![id.into()],
    )
    .await?;
    rows.first().map(appservice).transpose()
}

/// Makes or replaces a registration.
pub async fn put(directory: &dyn Directory, row: AppserviceRow) -> Result<(), DatabaseError> {
    run(
        directory,
        "INSERT INTO appservices (id, registration, as_token_hash, hs_token_enc, updated_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET registration = excluded.registration, as_token_hash = excluded.as_token_hash, hs_token_enc = excluded.hs_token_enc, updated_at = excluded.updated_at",
        vec![
            row.id.into(),
            row.registration.into(),
            row.as_token_hash.into(),
            row.hs_token_enc.into(),
            row.updated_at.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes a registration and says whether there was one.
pub async fn delete(directory: &dyn Directory, id: &str) -> Result<bool, DatabaseError> {
    let rows = run(directory, "DELETE FROM appservices WHERE id = ? RETURNING id", vec![id.into()]).await?;
    Ok(!rows.is_empty())
}

/// The appservice that made an account: `None` when there is no such account, `Some(None)` when a
/// human holds it.
pub async fn owner_of_account(
    directory: &dyn Directory,
    user_id: &str,
) -> Result<Option<Option<String>>, DatabaseError> {
    let rows = run(directory, "SELECT appservice_id FROM accounts WHERE user_id = ?", vec![user_id.into()]).await?;
    rows.first().map(|row| row.optional_text(0)).transpose()
}

fn appservice(row: &Row) -> Result<AppserviceRow, DatabaseError> {
    Ok(AppserviceRow {
        id: row.text(0)?,
        registration: row.text(1)?,
        as_token_hash: row.text(2)?,
        hs_token_enc: row.text(3)?,
        updated_at: row.integer(4)?,
    })
}

fn holder(row: &Row) -> Result<LoginHolder, DatabaseError> {
    Ok(LoginHolder { network: row.text(0)?, owner: row.text(1)? })
}
