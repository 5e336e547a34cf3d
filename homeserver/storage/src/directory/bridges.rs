//! D1's tables of the bridges: `bridge_logins`, `portals`, `ghosts` and `message_map`.
//!
//! Only `bridge_logins` decides anything: its unique index on (network, team, remote user) makes
//! sure that one account has one login.

use super::{Directory, Statement, run};
use crate::database::{DatabaseError, Row};

/// A login as D1 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeLogin {
    /// The login.
    pub login_id: String,
    /// The Matrix user.
    pub owner: String,
    /// The network.
    pub network: String,
    /// The workspace, once known.
    pub team: Option<String>,
    /// The account, once known.
    pub remote_user: Option<String>,
    /// Workspace and account in words.
    pub name: Option<String>,
    /// The state's name.
    pub state: String,
}

fn bridge_login(row: &Row) -> Result<BridgeLogin, DatabaseError> {
    Ok(BridgeLogin {
        login_id: row.text(0)?,
        owner: row.text(1)?,
        network: row.text(2)?,
        team: row.optional_text(3)?,
        remote_user: row.optional_text(4)?,
        name: row.optional_text(5)?,
        state: row.text(6)?,
    })
}

/// Writes a login's row. An error may mean that another login has the account.
pub fn put_login(login: &BridgeLogin, now: i64) -> Statement {
    Statement::new(
        "INSERT INTO bridge_logins (login_id, owner, network, team, remote_user, name, state, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (login_id) DO UPDATE SET owner = excluded.owner, team = excluded.team,
            remote_user = excluded.remote_user, name = excluded.name, state = excluded.state,
            updated_at = excluded.updated_at",
        vec![
            (&login.login_id).into(),
            (&login.owner).into(),
            (&login.network).into(),
            login.team.clone().into(),
            login.remote_user.clone().into(),
            login.name.clone().into(),
            (&login.state).into(),
            now.into(),
        ],
    )
}

/// The login of an account.
pub async fn find_login_by_account(
    directory: &dyn Directory,
    network: &str,
    team: &str,
    remote_user: &str,
) -> Result<Option<BridgeLogin>, DatabaseError> {
    let rows = run(
        directory,
        "SELECT login_id, owner, network, team, remote_user, name, state FROM bridge_logins
         WHERE network = ? AND team = ? AND remote_user = ? AND remote_user IS NOT NULL",
        vec![network.into(), team.into(), remote_user.into()],
    )
    .await?;
    rows.first().map(bridge_login).transpose()
}

/// The logins of a Matrix user with a network, oldest id first.
pub async fn list_logins_of(
    directory: &dyn Directory,
    network: &str,
    owner: &str,
) -> Result<Vec<BridgeLogin>, DatabaseError> {
    run(
        directory,
        "SELECT login_id, owner, network, team, remote_user, name, state FROM bridge_logins
         WHERE network = ? AND owner = ? ORDER BY updated_at, login_id",
        vec![network.into(), owner.into()],
    )
    .await?
    .iter()
    .map(bridge_login)
    .collect()
}

/// The connected logins of a network as (login, workspace), at most `limit`.
pub async fn list_connected(
    directory: &dyn Directory,
    network: &str,
    limit: u32,
) -> Result<Vec<(String, String)>, DatabaseError> {
    run(
        directory,
        "SELECT login_id, team FROM bridge_logins
         WHERE network = ? AND remote_user IS NOT NULL AND state = 'connected' ORDER BY team, remote_user LIMIT ?",
        vec![network.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.text(0)?, row.text(1)?)))
    .collect()
}

/// Writes a portal's row.
pub fn put_portal(portal: &PortalRecord<'_>, now: i64) -> Statement {
    Statement::new(
        "INSERT INTO portals (portal_id, login_id, remote_id, kind, room_id, name, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (portal_id) DO UPDATE SET login_id = excluded.login_id,
            remote_id = excluded.remote_id, kind = excluded.kind, room_id = excluded.room_id,
            name = excluded.name, updated_at = excluded.updated_at",
        vec![
            portal.portal_id.into(),
            portal.login_id.into(),
            portal.remote_id.into(),
            portal.kind.into(),
            portal.room_id.into(),
            portal.name.into(),
            now.into(),
        ],
    )
}

/// A portal as D1 shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortalRecord<'a> {
    /// The portal.
    pub portal_id: &'a str,
    /// Its login.
    pub login_id: &'a str,
    /// The channel.
    pub remote_id: &'a str,
    /// What the channel is.
    pub kind: &'a str,
    /// The room, once it exists.
    pub room_id: Option<&'a str>,
    /// The channel's name.
    pub name: Option<&'a str>,
}

/// Writes a ghost's row.
pub fn put_ghost(user_id: &str, network: &str, team: &str, remote_user: &str, name: &str, now: i64) -> Statement {
    Statement::new(
        "INSERT INTO ghosts (user_id, network, team, remote_user, name, updated_at)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at",
        vec![user_id.into(), network.into(), team.into(), remote_user.into(), name.into(), now.into()],
    )
}

/// The name that any login gave a ghost; `None` when no login has met them.
pub async fn find_ghost_name(directory: &dyn Directory, user_id: &str) -> Result<Option<String>, DatabaseError> {
    let rows = run(directory, "SELECT name FROM ghosts WHERE user_id = ?", vec![user_id.into()]).await?;
    Ok(rows.first().map(|row| row.optional_text(0)).transpose()?.flatten())
}

/// Writes rows of a portal's map, given as a JSON array of `[remote id, part, event id]`.
pub fn put_messages(portal_id: &str, rows: &str) -> Statement {
    Statement::new(
        "INSERT INTO message_map (portal_id, remote_id, part, event_id)
         SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
         FROM json_each(?) WHERE true
         ON CONFLICT (portal_id, remote_id, part) DO UPDATE SET event_id = excluded.event_id",
        vec![portal_id.into(), rows.into()],
    )
}

/// Forgets a portal's map: its room is gone.
pub fn delete_messages(portal_id: &str) -> Statement {
    Statement::new("DELETE FROM message_map WHERE portal_id = ?", vec![portal_id.into()])
}

/// A page of a portal's map as `(remote id, part, event id)`, above the pair `after`: what a lost
/// PortalObject is rebuilt from.
pub async fn list_messages(
    directory: &dyn Directory,
    portal_id: &str,
    after: (&str, i64),
    limit: u32,
) -> Result<Vec<(String, i64, String)>, DatabaseError> {
    run(
        directory,
        "SELECT remote_id, part, event_id FROM message_map
         WHERE portal_id = ? AND (remote_id, part) > (?, ?) ORDER BY remote_id, part LIMIT ?",
        vec![portal_id.into(), after.0.into(), after.1.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.text(0)?, row.integer(1)?, row.text(2)?)))
    .collect()
}
