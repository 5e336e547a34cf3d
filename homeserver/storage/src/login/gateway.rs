//! How far a login has heard a network that tells everything on one connection.

use crate::database::{DatabaseError, Query, Transaction};

/// The step that adds this.
pub(super) const STEP: &[&str] = &["CREATE TABLE gateway (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    saved TEXT NOT NULL
) STRICT"];

/// What the connection has to know after an eviction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The session's id; empty before there was one.
    pub session: String,
    /// The number of the last event of the session that is stored, or of no interest.
    pub seq: i64,
    /// What the connection itself wants to be kept: opaque here.
    pub saved: String,
}

/// How far the login has heard; `None` before the first connection.
pub fn get(query: &dyn Query) -> Result<Option<Heard>, DatabaseError> {
    let row = query.query_one("SELECT session, seq, saved FROM gateway", &[])?;
    row.map(|row| Ok(Heard { session: row.text(0)?, seq: row.integer(1)?, saved: row.text(2)? })).transpose()
}

/// Forgets it: a new token makes a new connection.
pub fn forget(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM gateway", &[])?;
    Ok(())
}

/// Writes it: one row.
pub fn put(transaction: &dyn Transaction, heard: &Heard) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO gateway (only, session, seq, saved) VALUES (1, ?, ?, ?)",
        &[(&heard.session).into(), heard.seq.into(), (&heard.saved).into()],
    )?;
    Ok(())
}
