//! The port for D1, the relational model of the whole server, and its typed queries.
//!
//! D1 is a mirror that other objects fill through their outboxes: it answers questions across rooms
//! and users, and never authorises anything.

pub mod accounts;
pub mod aliases;
pub mod archive;
pub mod deactivations;
pub mod keys;
pub mod media;
pub mod media_links;
pub mod memberships;
pub mod owner_links;
pub mod profile_fields;
pub mod public_rooms;
pub mod pushkeys;
pub mod reports;
pub mod url_previews;

pub mod appservices;
pub mod bridges;
pub mod stuck;
pub mod sweeps;
pub mod user_directory;

use futures_util::future::LocalBoxFuture;

use crate::database::{DatabaseError, Row, Value};

/// One statement with its bound values.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The SQL text; constant, so that the platform can cache it.
    pub sql: &'static str,
    /// The values bound to its `?`s, in order.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement of this text with these values.
    pub fn new(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params }
    }
}

/// The D1 database.
pub trait Directory {
    /// Runs the statements in order as one transaction and returns the rows of each. One network
    /// trip, however many statements.
    fn batch(&self, statements: Vec<Statement>) -> LocalBoxFuture<'_, Result<Vec<Vec<Row>>, DatabaseError>>;
}

/// Runs one statement and returns its rows.
pub async fn run(directory: &dyn Directory, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, DatabaseError> {
    let results = directory.batch(vec![Statement::new(sql, params)]).await?;
    Ok(results.into_iter().next().unwrap_or_default())
}
