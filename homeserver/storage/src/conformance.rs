//! One suite for both implementations of the ports: `rusqlite` natively, and workerd inside the
//! Worker. What passes in one and fails in the other would make native tests prove the wrong thing.
//!
//! [`database`] runs the cases of an object's database, [`schema`] the migrations of one class,
//! [`directory`] those of D1, [`search`] those of the full-text index. Natively they run in `tests/conformance.rs`; inside workerd through the
//! operator's endpoint `storage-probe`. Cases leave nothing behind that another one could meet.

mod database;
mod directory;
mod migrations;
mod search;
mod statements;
mod transactions;
mod values;

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

pub use self::{
    database::database,
    directory::directory,
    migrations::{SCHEMAS, schema},
    search::search,
};
use crate::database::{Database, DatabaseError};

/// An object's database under test, with its alarm.
pub trait Fixture {
    /// The database.
    fn database(&self) -> Rc<dyn Database>;

    /// When the alarm rings; asked of the platform, not remembered.
    fn alarm(&self) -> LocalBoxFuture<'_, Result<Option<i64>, DatabaseError>>;

    /// Unsets the alarm.
    fn disarm(&self) -> LocalBoxFuture<'_, Result<(), DatabaseError>>;
}

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case, as a sentence.
    pub case: String,
    /// What was wrong; `None`: it passed.
    pub failure: Option<String>,
}

impl Outcome {
    fn of(case: impl Into<String>, outcome: Result<(), Failure>) -> Self {
        Self { case: case.into(), failure: outcome.err().map(|failure| failure.0) }
    }
}

/// Why a case fails.
#[derive(Debug)]
struct Failure(String);

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self(error.to_string())
    }
}

type Check = Result<(), Failure>;

/// A case on a database alone.
type Case = (&'static str, fn(&dyn Database) -> Check);

fn ensure(holds: bool, otherwise: impl Into<String>) -> Check {
    if holds { Ok(()) } else { Err(Failure(otherwise.into())) }
}

fn ensure_equal<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Check {
    ensure(found == wanted, format!("found {found:?}, wanted {wanted:?}"))
}

/// Fails unless the outcome is an error.
fn ensure_refused<T, E>(outcome: Result<T, E>, what: &str) -> Check {
    ensure(outcome.is_err(), format!("{what} was not refused"))
}
