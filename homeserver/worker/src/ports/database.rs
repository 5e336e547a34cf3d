//! An object's SQLite database as the core's [`Database`].
//!
//! Writing happens only inside the storage's `transactionSync`, which `worker` does not bind and
//! [`raw`] does: several statements outside of it would stay when a later one fails. The alarm is
//! set through the same raw storage, so that it commits and rolls back with the rows.

mod raw;
mod statement;

use std::{cell::Cell, rc::Rc};

use hubbub_core::context::Clock as _;
use hubbub_storage::database::{Database, DatabaseError, Query, Row, Transaction, Value, Work};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, js_sys::Array};

use self::{
    raw::{Sql, Storage},
    statement::Statement,
};
use super::{clock::PlatformClock, values};
use crate::{
    javascript::database_error,
    operations::{Counts, count},
};

/// How late an alarm may ring before it is taken for lost and set anew.
const ALARM_PATIENCE_MS: i64 = 60_000;

/// The SQLite database and the alarm of one object.
pub struct ObjectDatabase {
    storage: Storage,
    sql: Sql,
    open: Cell<bool>,
    alarm: Cell<Alarm>,
    commits: Cell<u64>,
}

/// What is known of the object's single alarm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alarm {
    /// The object has just been opened: nothing.
    Unknown,
    /// It rang, and was not set since.
    Unset,
    /// It rings at this time.
    At(i64),
}

impl ObjectDatabase {
    /// The database of the object that `state` belongs to.
    pub fn new(state: &State) -> Result<Self, DatabaseError> {
        let storage: Storage = state.storage().as_raw().unchecked_ref::<JsValue>().clone().unchecked_into();
        let sql = storage.sql().map_err(database_error)?;
        Ok(Self { storage, sql, open: Cell::new(false), alarm: Cell::new(Alarm::Unknown), commits: Cell::new(0) })
    }

    /// How many transactions were committed since the object was opened: while it stays the same,
    /// nothing changed.
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Notes that no alarm is set any more.
    pub fn forget_alarm(&self) {
        self.alarm.set(Alarm::Unset);
    }

    /// Notes that the alarm rings now.
    pub fn alarm_rang(&self) {
        self.forget_alarm();
        count(Counts { alarms_rung: 1, ..Counts::default() });
    }

    /// Makes sure that the alarm rings at `at` or earlier.
    ///
    /// One that is known to ring before is left alone: setting it again is billed as a row written,
    /// and whoever handles it looks at all work that is left.
    pub fn arm(&self, at: i64) -> Result<(), DatabaseError> {
        let overdue_since = PlatformClock.now() - ALARM_PATIENCE_MS;
        if matches!(self.alarm.get(), Alarm::At(armed) if armed <= at && armed > overdue_since) {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact")]
        let time = at as f64;
        // The promise is not awaited: the write belongs to the open transaction already.
        let _stored = self.storage.set_alarm(time).map_err(database_error)?;
        self.alarm.set(Alarm::At(at));
        count(Counts { alarms_set: 1, ..Counts::default() });
        Ok(())
    }

    fn run(&self, statement: &Statement, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let cursor = self.sql.exec(&statement.text, values::bind(params)?).map_err(database_error)?;
        let rows = if statement.returns_rows {
            rows(&cursor.raw().and_then(|rows| rows.to_array()).map_err(database_error)?)
        } else {
            Ok(Vec::new())
        };
        count(Counts {
            rows_read: values::count(cursor.rows_read()),
            rows_written: values::count(cursor.rows_written()),
            ..Counts::default()
        });
        rows
    }
}

fn rows(rows: &Array) -> Result<Vec<Row>, DatabaseError> {
    rows.iter()
        .map(|row| {
            let cells = row.unchecked_into::<Array>();
            cells.iter().map(|cell| values::read(&cell)).collect::<Result<_, _>>().map(Row)
        })
        .collect()
}

/// The statement that failed, for the log.
fn named(error: DatabaseError, sql: &str) -> DatabaseError {
    DatabaseError(format!("{} in {sql}", error.0))
}

impl Query for ObjectDatabase {
    fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let statement = statement::of(sql);
        if !statement.reads {
            return Err(DatabaseError(format!("a write outside a transaction: {sql}")));
        }
        self.run(&statement, params).map_err(|error| named(error, sql))
    }
}

struct ObjectTransaction<'a>(&'a ObjectDatabase);

impl Query for ObjectTransaction<'_> {
    fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        self.0.query(sql, params)
    }
}

impl Transaction for ObjectTransaction<'_> {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let statement: Rc<Statement> = statement::of(sql);
        self.0.run(&statement, params).map_err(|error| named(error, sql))
    }

    fn set_alarm(&self, at: i64) -> Result<(), DatabaseError> {
        self.0.arm(at)
    }

    fn as_query(&self) -> &dyn Query {
        self
    }
}

impl Database for ObjectDatabase {
    fn transact(&self, work: Work<'_>) -> Result<(), DatabaseError> {
        if self.open.replace(true) {
            return Err(DatabaseError::new("a transaction inside a transaction"));
        }
        let alarm_before = self.alarm.get();
        let mut failed = None;
        let committed = self.storage.transaction_sync(&mut || {
            work(&ObjectTransaction(self)).map(|()| JsValue::UNDEFINED).map_err(|error| {
                // Throwing is what rolls back.
                let thrown = JsValue::from_str(&error.0);
                failed = Some(error);
                thrown
            })
        });
        self.open.set(false);
        if failed.is_some() || committed.is_err() {
            self.alarm.set(alarm_before);
        } else {
            self.commits.set(self.commits.get().wrapping_add(1));
        }
        match failed {
            Some(error) => Err(error),
            None => committed.map(|_| ()).map_err(database_error),
        }
    }

    fn as_query(&self) -> &dyn Query {
        self
    }
}
