//! The port for the SQLite database that one object owns.
//!
//! Reads go through [`Query::query`]; writes only exist inside [`transaction`], so a half-failed
//! command leaves nothing behind. workerd binds every integer as a double and has no booleans:
//! tables are `STRICT`, flags are `0`/`1` integers, and ids that may exceed 2^53 are text.

use std::fmt;

/// A value that is bound to a statement or read from a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// An integer; its magnitude must stay within 2^53.
    Integer(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The largest magnitude of an integer that survives workerd's binding as a double.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Why a statement or a transaction failed. The message never holds bound values.
#[derive(Clone, Debug, thiserror::Error)]
#[error("database: {0}")]
pub struct DatabaseError(pub String);

impl DatabaseError {
    /// An error with this message.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// One row of a result, read by column number.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The text in a column; an error if it is absent, `NULL` or of another type.
    pub fn text(&self, column: usize) -> Result<String, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.clone()),
            other => Err(mismatch(column, "text", other)),
        }
    }

    /// The text in a column, `None` for `NULL`.
    pub fn optional_text(&self, column: usize) -> Result<Option<String>, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// The integer in a column.
    pub fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Ok(*integer),
            other => Err(mismatch(column, "an integer", other)),
        }
    }

    /// The integer in a column, `None` for `NULL`.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.integer(column).map(Some),
        }
    }

    /// The flag in a column: any integer but 0 is true.
    pub fn flag(&self, column: usize) -> Result<bool, DatabaseError> {
        Ok(self.integer(column)? != 0)
    }

    /// The bytes in a column.
    pub fn blob(&self, column: usize) -> Result<Vec<u8>, DatabaseError> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes.clone()),
            other => Err(mismatch(column, "a blob", other)),
        }
    }
}

fn mismatch(column: usize, wanted: &str, found: Option<&Value>) -> DatabaseError {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "NULL",
        Some(Value::Integer(_)) => "an integer",
        Some(Value::Text(_)) => "text",
        Some(Value::Blob(_)) => "a blob",
    };
    DatabaseError(format!("column {column} should hold {wanted}, found {found}"))
}

/// Something that answers queries: the database, or a transaction on it.
pub trait Query {
    /// Runs one reading statement and returns all its rows.
    fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError>;

    /// The first row, if there is one.
    fn query_one(&self, sql: &'static str, params: &[Value]) -> Result<Option<Row>, DatabaseError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }
}

/// An open transaction: the only way to write.
pub trait Transaction: Query {
    /// Runs one writing statement (which may have a `RETURNING` clause) and returns its rows.
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError>;

    /// Arms the object's single alarm for a time in milliseconds since the epoch. Takes effect
    /// when the transaction commits.
    fn set_alarm(&self, at: i64) -> Result<(), DatabaseError>;

    /// This transaction as a reader.
    fn as_query(&self) -> &dyn Query;
}

/// The work of one transaction, type-erased; [`transaction`] is the comfortable form.
pub type Work<'a> = &'a mut dyn FnMut(&dyn Transaction) -> Result<(), DatabaseError>;

/// The SQLite database of one object.
pub trait Database: Query {
    /// Runs `work` in one transaction: commits on `Ok`, leaves no trace on `Err`.
    fn transact(&self, work: Work<'_>) -> Result<(), DatabaseError>;

    /// This database as a reader.
    fn as_query(&self) -> &dyn Query;
}

/// Runs `work` in one transaction of `database` and returns what it returned. An `Err` of any type
/// rolls everything back, alarms included.
pub fn transaction<T, E>(
    database: &dyn Database,
    mut work: impl FnMut(&dyn Transaction) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<DatabaseError>,
{
    let mut outcome = None;
    let committed = database.transact(&mut |transaction| match work(transaction) {
        Ok(value) => {
            outcome = Some(Ok(value));
            Ok(())
        }
        Err(error) => {
            outcome = Some(Err(error));
            Err(DatabaseError::new("rolled back"))
        }
    });
    match (committed, outcome) {
        (Ok(()), Some(outcome)) => outcome,
        (Err(_), Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => Err(DatabaseError::new("the transaction's work never ran").into()),
    }
}
