//! The native twin of workerd's databases, on `rusqlite` with the same limits and bindings.
//!
//! [`NativeDatabase`] stands for an object's SQLite, [`NativeDirectory`] for D1. Integers are bound
//! as doubles, as workerd does, so that a column of the wrong affinity fails here too.

mod migrations;

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::LocalBoxFuture;
use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};

use crate::{
    database::{Database, DatabaseError, MAX_INTEGER, Query, Row, Transaction, Value, Work},
    directory::{Directory, Statement},
};

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements run.
    pub statements: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Rows inserted, changed or deleted, without their entries in indexes.
    pub rows_changed: u64,
    /// Transactions that set the alarm.
    pub alarms_set: u64,
}

impl Counts {
    /// What was done since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            statements: self.statements - before.statements,
            commits: self.commits - before.commits,
            rows_changed: self.rows_changed - before.rows_changed,
            alarms_set: self.alarms_set - before.alarms_set,
        }
    }
}

/// An in-memory SQLite database with the limits of a Durable Object's.
pub struct NativeDatabase {
    connection: Connection,
    control: Arc<AtomicBool>,
    alarm: Cell<Option<i64>>,
    counts: Cell<Counts>,
    open: Cell<bool>,
}

impl NativeDatabase {
    /// An empty database in memory.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        Self::new(Connection::open_in_memory().map_err(DatabaseError::new)?)
    }

    /// A database in a file, which may exist.
    pub fn at(path: &std::path::Path) -> Result<Self, DatabaseError> {
        Self::new(Connection::open(path).map_err(DatabaseError::new)?)
    }

    fn new(mut connection: Connection) -> Result<Self, DatabaseError> {
        let limits = [
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
            (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
            (Limit::SQLITE_LIMIT_LENGTH, 2_097_152),
        ];
        for (limit, value) in limits {
            connection.set_limit(limit, value).map_err(DatabaseError::new)?;
        }
        connection.execute_batch("PRAGMA foreign_keys = ON").map_err(DatabaseError::new)?;
        let control = Arc::new(AtomicBool::new(false));
        let allowed = control.clone();
        connection
            .authorizer(Some(move |context: AuthContext<'_>| authorize(context, allowed.load(Ordering::Relaxed))))
            .map_err(DatabaseError::new)?;
        Ok(Self { connection, control, alarm: Cell::new(None), counts: Cell::default(), open: Cell::new(false) })
    }

    /// Everything in the database as SQL, to be kept and opened by later versions.
    pub fn dump(&self) -> Result<String, DatabaseError> {
        let mut text = String::new();
        let schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid";
        for entry in self.run(schema, &[])? {
            text.push_str(&entry.text(2)?);
            text.push_str(";\n");
            if entry.text(0)? != "table" {
                continue;
            }
            let table = entry.text(1)?;
            for row in self.run(&format!("SELECT * FROM {table}"), &[])? {
                let values: Vec<String> = row.0.iter().map(literal).collect();
                text.push_str(&format!("INSERT INTO {table} VALUES ({});\n", values.join(", ")));
            }
        }
        Ok(text)
    }

    /// A database in memory as it was dumped.
    pub fn from_dump(dump: &str) -> Result<Self, DatabaseError> {
        let database = Self::in_memory()?;
        database.connection.execute_batch(dump).map_err(DatabaseError::new)?;
        Ok(database)
    }

    /// When the object's alarm rings.
    pub fn alarm(&self) -> Option<i64> {
        self.alarm.get()
    }

    /// Takes the alarm, as the platform does when it rings.
    pub fn take_alarm(&self) -> Option<i64> {
        self.alarm.take()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Begins or ends a transaction.
    fn control(&self, sql: &str) -> Result<(), DatabaseError> {
        self.control.store(true, Ordering::Relaxed);
        let outcome = self.connection.execute_batch(sql).map_err(DatabaseError::new);
        self.control.store(false, Ordering::Relaxed);
        outcome
    }

    fn run(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let before = self.connection.total_changes();
        let outcome = run(&self.connection, sql, params);
        let mut counts = self.counts.get();
        counts.statements += 1;
        counts.rows_changed += self.connection.total_changes() - before;
        self.counts.set(counts);
        outcome
    }
}

/// A value as SQL text.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(integer) => integer.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }
    }
}

/// Refuses what workerd refuses: ATTACH, pragmas, temporary tables, and transactions of a
/// statement's own (`control` is true while the port itself begins or ends one).
fn authorize(context: AuthContext<'_>, control: bool) -> Authorization {
    match context.action {
        AuthAction::Transaction { .. } if control => Authorization::Allow,
        // What SQLite itself runs within an ALTER TABLE; workerd allows it too.
        AuthAction::Pragma { pragma_name: "quick_check", .. } => Authorization::Allow,
        // What a full-text index runs to see that nobody else changed it.
        AuthAction::Pragma { pragma_name: "data_version", .. } => Authorization::Allow,
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Pragma { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// Whether an integer survives as a double.
fn is_exact(integer: i64) -> bool {
    integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs()
}

fn run(connection: &Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
    run_bound(connection, sql, params).map_err(|error| DatabaseError(format!("{} in {sql}", error.0)))
}

fn run_bound(connection: &Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
    let mut statement = connection.prepare(sql).map_err(DatabaseError::new)?;
    if statement.parameter_count() != params.len() {
        return Err(DatabaseError(format!("{} parameters bound to {}", params.len(), statement.parameter_count())));
    }
    for (index, value) in params.iter().enumerate() {
        let index = index + 1;
        match value {
            Value::Null => statement.raw_bind_parameter(index, None::<i64>),
            #[expect(clippy::cast_precision_loss, reason = "workerd binds integers as doubles; the range was checked")]
            Value::Integer(integer) if is_exact(*integer) => statement.raw_bind_parameter(index, *integer as f64),
            Value::Integer(integer) => {
                return Err(DatabaseError(format!("{integer} is too large to be bound")));
            }
            Value::Text(text) => statement.raw_bind_parameter(index, text),
            Value::Blob(blob) => statement.raw_bind_parameter(index, blob),
        }
        .map_err(DatabaseError::new)?;
    }
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut result = Vec::new();
    while let Some(row) = rows.next().map_err(DatabaseError::new)? {
        let values = (0..columns)
            .map(|column| {
                Ok(match row.get_ref(column).map_err(DatabaseError::new)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(integer) if is_exact(integer) => Value::Integer(integer),
                    ValueRef::Integer(_) => {
                        return Err(DatabaseError::new("an integer beyond 2^53 in a result"));
                    }
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "workerd hands back doubles; only whole ones are ours"
                    )]
                    ValueRef::Real(real) if real.fract() == 0.0 => Value::Integer(real as i64),
                    ValueRef::Real(_) => {
                        return Err(DatabaseError::new("a fractional number in a result"));
                    }
                    ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).map_err(DatabaseError::new)?),
                    ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
                })
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        result.push(Row(values));
    }
    Ok(result)
}

impl Query for NativeDatabase {
    fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let reads =
            self.connection.prepare(sql).map_err(|error| DatabaseError(format!("{error} in {sql}")))?.readonly();
        if !reads {
            return Err(DatabaseError(format!("a write outside a transaction: {sql}")));
        }
        self.run(sql, params)
    }
}

struct NativeTransaction<'a> {
    database: &'a NativeDatabase,
    alarm: Cell<Option<i64>>,
}

impl Query for NativeTransaction<'_> {
    fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        self.database.query(sql, params)
    }
}

impl Transaction for NativeTransaction<'_> {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        self.database.run(sql, params)
    }

    fn set_alarm(&self, at: i64) -> Result<(), DatabaseError> {
        self.alarm.set(Some(at));
        Ok(())
    }

    fn as_query(&self) -> &dyn Query {
        self
    }
}

impl Database for NativeDatabase {
    fn transact(&self, work: Work<'_>) -> Result<(), DatabaseError> {
        if self.open.replace(true) {
            return Err(DatabaseError::new("a transaction inside a transaction"));
        }
        let transaction = NativeTransaction { database: self, alarm: Cell::new(None) };
        let outcome = self.control("BEGIN IMMEDIATE").and_then(|()| work(&transaction));
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.control(end);
        self.open.set(false);
        outcome?;
        ended?;
        let mut counts = self.counts.get();
        if let Some(at) = transaction.alarm.get() {
            self.alarm.set(Some(at));
            counts.alarms_set += 1;
        }
        counts.commits += 1;
        self.counts.set(counts);
        Ok(())
    }

    fn as_query(&self) -> &dyn Query {
        self
    }
}

/// A D1 database with the repository's migrations applied.
pub struct NativeDirectory {
    database: NativeDatabase,
    /// Set to make every batch fail, as when D1 refuses writes.
    pub refuse: Rc<Cell<bool>>,
}

impl NativeDirectory {
    /// A database in memory to which the SQL of `migrations` was applied in order.
    pub fn with_migrations<'a>(migrations: impl IntoIterator<Item = &'a str>) -> Result<Self, DatabaseError> {
        let database = NativeDatabase::in_memory()?;
        for migration in migrations {
            database.connection.execute_batch(migration).map_err(DatabaseError::new)?;
        }
        Ok(Self { database, refuse: Rc::default() })
    }

    /// A database that was dumped, with the migrations that came later applied.
    pub fn from_dump<'a>(dump: &str, later: impl IntoIterator<Item = &'a str>) -> Result<Self, DatabaseError> {
        let database = NativeDatabase::from_dump(dump)?;
        for migration in later {
            database.connection.execute_batch(migration).map_err(DatabaseError::new)?;
        }
        Ok(Self { database, refuse: Rc::default() })
    }

    /// The database itself.
    pub fn database(&self) -> &NativeDatabase {
        &self.database
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.database.counts()
    }
}

impl NativeDirectory {
    /// D1 hands each row back as an object: of two columns of one name it would lose one.
    fn refuse_columns_of_one_name(&self, sql: &str) -> Result<(), DatabaseError> {
        let statement = self.database.connection.prepare(sql).map_err(DatabaseError::new)?;
        let mut names: Vec<_> = statement.column_names().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() == count { Ok(()) } else { Err(DatabaseError(format!("two columns of one name in {sql}"))) }
    }
}

impl Directory for NativeDirectory {
    fn batch(&self, statements: Vec<Statement>) -> LocalBoxFuture<'_, Result<Vec<Vec<Row>>, DatabaseError>> {
        Box::pin(async move {
            if self.refuse.get() {
                return Err(DatabaseError::new("D1 refuses"));
            }
            let mut results = Vec::new();
            self.database.transact(&mut |transaction| {
                results.clear();
                for statement in &statements {
                    self.refuse_columns_of_one_name(statement.sql)?;
                    results.push(transaction.execute(statement.sql, &statement.params)?);
                }
                Ok(())
            })?;
            Ok(results)
        })
    }
}
