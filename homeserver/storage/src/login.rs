//! What a LoginObject owns: one bridge login, its inbound log, its portals and ghosts.
//!
//! `inbound` holds what waits and nothing else, so that an object that wakes reads no more than
//! that. An event costs two rows there, and a batch of them one in [`handed`], which remembers
//! their ids for two days.

pub mod care;
pub mod emoji;
pub mod gateway;
pub mod ghosts;
pub mod handed;
pub mod linked;
pub mod places;
pub mod threads;

use crate::{
    database::{DatabaseError, Query, Row, Transaction},
    schema::Steps,
};

/// The schema.
pub const STEPS: Steps = &[
    &[
        "CREATE TABLE login (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        owner TEXT NOT NULL,
        state TEXT NOT NULL,
        team TEXT,
        team_name TEXT,
        remote_user TEXT,
        remote_name TEXT,
        secrets TEXT,
        generation INTEGER NOT NULL,
        pace INTEGER NOT NULL,
        forward_to TEXT,
        space_id TEXT,
        link TEXT,
        link_expires_at INTEGER,
        told TEXT,
        reason TEXT,
        mirrored INTEGER NOT NULL,
        scan_from INTEGER NOT NULL,
        counters TEXT NOT NULL
    ) STRICT",
        "CREATE TABLE inbound (
        bucket INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        body TEXT,
        PRIMARY KEY (bucket, event_id)
    ) STRICT, WITHOUT ROWID",
        "CREATE TABLE portals (
        channel TEXT PRIMARY KEY,
        portal_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        active INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
        "CREATE TABLE ghosts (
        remote_user TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        name TEXT NOT NULL,
        refreshed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
        "CREATE TABLE channels (
        channel TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        refreshed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    ],
    ghosts::PICTURES,
    handed::STEP,
    care::STEP,
    gateway::STEP,
    emoji::STEP,
    threads::STEP,
    linked::STEP,
    places::STEP,
];

/// The login itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRow {
    /// The Matrix user.
    pub owner: String,
    /// The state's name.
    pub state: String,
    /// The workspace's id.
    pub team: Option<String>,
    /// The workspace's name.
    pub team_name: Option<String>,
    /// The account's id.
    pub remote_user: Option<String>,
    /// The account's name.
    pub remote_name: Option<String>,
    /// The secrets, sealed.
    pub secrets: Option<String>,
    /// Grows with each new token.
    pub generation: i64,
    /// Messages a second and channel.
    pub pace: i64,
    /// The login that has this one's account.
    pub forward_to: Option<String>,
    /// The workspace's space.
    pub space_id: Option<String>,
    /// The nonce of the one-time link.
    pub link: Option<String>,
    /// When that link stops working.
    pub link_expires_at: Option<i64>,
    /// The state that the owner was told last.
    pub told: Option<String>,
    /// Why the state is what it is: the network's code.
    pub reason: Option<String>,
    /// Whether D1 shows this row.
    pub mirrored: bool,
    /// The bucket of time in which old ids were forgotten last.
    pub tidied_in: i64,
    /// Counters, as JSON.
    pub counters: String,
}

/// The login; `None` before it was started.
pub fn get(query: &dyn Query) -> Result<Option<LoginRow>, DatabaseError> {
    let row = query.query_one(
        "SELECT owner, state, team, team_name, remote_user, remote_name, secrets, generation, pace,
            forward_to, space_id, link, link_expires_at, told, reason, mirrored, tidied_in, counters
         FROM login",
        &[],
    )?;
    row.map(|row| {
        Ok(LoginRow {
            owner: row.text(0)?,
            state: row.text(1)?,
            team: row.optional_text(2)?,
            team_name: row.optional_text(3)?,
            remote_user: row.optional_text(4)?,
            remote_name: row.optional_text(5)?,
            secrets: row.optional_text(6)?,
            generation: row.integer(7)?,
            pace: row.integer(8)?,
            forward_to: row.optional_text(9)?,
            space_id: row.optional_text(10)?,
            link: row.optional_text(11)?,
            link_expires_at: row.optional_integer(12)?,
            told: row.optional_text(13)?,
            reason: row.optional_text(14)?,
            mirrored: row.flag(15)?,
            tidied_in: row.integer(16)?,
            counters: row.text(17)?,
        })
    })
    .transpose()
}

/// Writes the login, whole: one row.
pub fn put(transaction: &dyn Transaction, login: &LoginRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO login (only, owner, state, team, team_name, remote_user, remote_name,
            secrets, generation, pace, forward_to, space_id, link, link_expires_at, told, reason,
            mirrored, tidied_in, counters)
         VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            (&login.owner).into(),
            (&login.state).into(),
            login.team.clone().into(),
            login.team_name.clone().into(),
            login.remote_user.clone().into(),
            login.remote_name.clone().into(),
            login.secrets.clone().into(),
            login.generation.into(),
            login.pace.into(),
            login.forward_to.clone().into(),
            login.space_id.clone().into(),
            login.link.clone().into(),
            login.link_expires_at.into(),
            login.told.clone().into(),
            login.reason.clone().into(),
            login.mirrored.into(),
            login.tidied_in.into(),
            (&login.counters).into(),
        ],
    )?;
    Ok(())
}

/// An event of the inbound log that waits for its portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The bucket of time that it is filed under.
    pub bucket: i64,
    /// The network's id of the event.
    pub event_id: String,
    /// The channel.
    pub channel: String,
}

/// Stores an event; false when it was stored before, or handed over already.
pub fn insert_event(transaction: &dyn Transaction, event: &Waiting, body: &str) -> Result<bool, DatabaseError> {
    if handed::knows(transaction.as_query(), event)? {
        return Ok(false);
    }
    let inserted = transaction.execute(
        "INSERT INTO inbound (bucket, event_id, channel, body) VALUES (?, ?, ?, ?)
         ON CONFLICT (bucket, event_id) DO NOTHING RETURNING 1",
        &[event.bucket.into(), (&event.event_id).into(), (&event.channel).into(), body.into()],
    )?;
    Ok(!inserted.is_empty())
}

/// All events that wait, the oldest first.
pub fn list_waiting(query: &dyn Query) -> Result<Vec<Waiting>, DatabaseError> {
    query
        .query("SELECT bucket, event_id, channel FROM inbound ORDER BY bucket, event_id", &[])?
        .iter()
        .map(|row| Ok(Waiting { bucket: row.integer(0)?, event_id: row.text(1)?, channel: row.text(2)? }))
        .collect()
}

/// The body of a waiting event; `None` once its portal has it.
pub fn event_body(query: &dyn Query, event: &Waiting) -> Result<Option<String>, DatabaseError> {
    let row = query.query_one(
        "SELECT body FROM inbound WHERE bucket = ? AND event_id = ?",
        &[event.bucket.into(), (&event.event_id).into()],
    )?;
    Ok(row.map(|row| row.optional_text(0)).transpose()?.flatten())
}

/// Takes events out that their portal has, or that nobody wants: their ids stay known.
pub fn finish_events(transaction: &dyn Transaction, events: &[Waiting]) -> Result<(), DatabaseError> {
    for event in events {
        transaction.execute(
            "DELETE FROM inbound WHERE bucket = ? AND event_id = ?",
            &[event.bucket.into(), (&event.event_id).into()],
        )?;
    }
    handed::remember(transaction, events)
}

/// A channel that has, or had, a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalEntry {
    /// The channel's id.
    pub channel: String,
    /// The portal.
    pub portal_id: String,
    /// What the channel is.
    pub kind: String,
    /// Its name when the portal was made.
    pub name: String,
    /// Whether it is bridged.
    pub active: bool,
}

fn portal_entry(row: &Row) -> Result<PortalEntry, DatabaseError> {
    Ok(PortalEntry {
        channel: row.text(0)?,
        portal_id: row.text(1)?,
        kind: row.text(2)?,
        name: row.text(3)?,
        active: row.flag(4)?,
    })
}

/// All portals.
pub fn list_portals(query: &dyn Query) -> Result<Vec<PortalEntry>, DatabaseError> {
    query
        .query("SELECT channel, portal_id, kind, name, active FROM portals ORDER BY channel", &[])?
        .iter()
        .map(portal_entry)
        .collect()
}

/// Writes a portal's row.
pub fn put_portal(transaction: &dyn Transaction, portal: &PortalEntry) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO portals (channel, portal_id, kind, name, active) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (channel) DO UPDATE SET kind = excluded.kind, name = excluded.name,
            active = excluded.active",
        &[
            (&portal.channel).into(),
            (&portal.portal_id).into(),
            (&portal.kind).into(),
            (&portal.name).into(),
            portal.active.into(),
        ],
    )?;
    Ok(())
}

/// Gives a channel's portal another remote id: the network renamed the channel.
pub fn rename_channel(transaction: &dyn Transaction, old: &str, new: &str) -> Result<(), DatabaseError> {
    transaction.execute("UPDATE OR IGNORE portals SET channel = ? WHERE channel = ?", &[new.into(), old.into()])?;
    Ok(())
}

/// The name of a channel that some message named, and when the network was asked for it.
pub fn find_channel_name(query: &dyn Query, channel: &str) -> Result<Option<(String, i64)>, DatabaseError> {
    query
        .query_one("SELECT name, refreshed_at FROM channels WHERE channel = ?", &[channel.into()])?
        .map(|row| Ok((row.text(0)?, row.integer(1)?)))
        .transpose()
}

/// Remembers a channel's name.
pub fn put_channel_name(
    transaction: &dyn Transaction,
    channel: &str,
    name: &str,
    refreshed_at: i64,
) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO channels (channel, name, refreshed_at) VALUES (?, ?, ?)",
        &[channel.into(), name.into(), refreshed_at.into()],
    )?;
    Ok(())
}
