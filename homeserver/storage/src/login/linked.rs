//! Who the owner of a login is at a network whose login is a bot, and the code by which they say so.

use crate::database::{DatabaseError, Query, Transaction};

/// The step that adds this.
pub(super) const STEP: &[&str] = &["CREATE TABLE linked (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    person TEXT,
    name TEXT NOT NULL,
    told INTEGER NOT NULL,
    code TEXT,
    expires_at INTEGER NOT NULL,
    prepared INTEGER NOT NULL
) STRICT"];

/// Who the owner is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The network's id of the owner's own person; `None` while nobody said who that is.
    pub person: Option<String>,
    /// That person's name.
    pub name: String,
    /// Whether the owner was told of it.
    pub told: bool,
    /// The digest of the code that waits to be typed.
    pub code: Option<String>,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: i64,
    /// The generation of the token with which the network was last prepared for codes.
    pub prepared: i64,
}

impl Default for Linked {
    fn default() -> Self {
        Self { person: None, name: String::new(), told: true, code: None, expires_at: 0, prepared: 0 }
    }
}

/// Who the owner is there, as far as it is known.
pub fn get(query: &dyn Query) -> Result<Linked, DatabaseError> {
    let row = query.query_one("SELECT person, name, told, code, expires_at, prepared FROM linked", &[])?;
    let linked = row.map(|row| {
        Ok::<_, DatabaseError>(Linked {
            person: row.optional_text(0)?,
            name: row.text(1)?,
            told: row.flag(2)?,
            code: row.optional_text(3)?,
            expires_at: row.integer(4)?,
            prepared: row.integer(5)?,
        })
    });
    Ok(linked.transpose()?.unwrap_or_default())
}

/// Writes it: one row.
pub fn put(transaction: &dyn Transaction, linked: &Linked) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT OR REPLACE INTO linked (only, person, name, told, code, expires_at, prepared)
         VALUES (1, ?, ?, ?, ?, ?, ?)",
        &[
            linked.person.clone().into(),
            (&linked.name).into(),
            linked.told.into(),
            linked.code.clone().into(),
            linked.expires_at.into(),
            linked.prepared.into(),
        ],
    )?;
    Ok(())
}
