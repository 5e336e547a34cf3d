//! All cases of an object's database, and the shorthand that they are written in.

use super::{Case, Failure, Fixture, Outcome, migrations, statements, transactions, values};
use crate::database::{Database, DatabaseError, Row, Value, transaction};

/// Runs all cases of an object's database.
pub async fn database(fixture: &dyn Fixture) -> Vec<Outcome> {
    let groups: [&[Case]; 4] = [values::CASES, statements::CASES, transactions::CASES, migrations::CASES];
    let database = fixture.database();
    let mut outcomes: Vec<_> =
        groups.into_iter().flatten().map(|(name, run)| Outcome::of(*name, run(database.as_ref()))).collect();
    outcomes.extend(transactions::alarms(fixture).await);
    outcomes
}

/// Runs one statement in a transaction of its own.
pub(super) fn write(database: &dyn Database, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, DatabaseError> {
    transaction(database, |transaction| transaction.execute(sql, params))
}

/// Runs statements without parameters in one transaction.
pub(super) fn prepare(database: &dyn Database, statements: &[&'static str]) -> Result<(), DatabaseError> {
    transaction(database, |transaction| {
        for statement in statements {
            transaction.execute(statement, &[])?;
        }
        Ok(())
    })
}

/// The only value of the only row.
pub(super) fn scalar(database: &dyn Database, sql: &'static str, params: &[Value]) -> Result<Value, Failure> {
    let mut rows = database.query(sql, params)?;
    match (rows.pop(), rows.is_empty()) {
        (Some(Row(mut values)), true) if values.len() == 1 => Ok(values.pop().unwrap_or(Value::Null)),
        _ => Err(Failure(format!("not exactly one value: {sql}"))),
    }
}
