//! All or nothing: rows and the alarm alike.

use super::{
    Case, Check, Failure, Fixture, Outcome,
    database::{prepare, scalar, write},
    ensure, ensure_equal, ensure_refused,
};
use crate::database::{Database, DatabaseError, Value, transaction};

pub(super) const CASES: &[Case] = &[
    ("A transaction sees its own writes, and commits them", sees_its_own_writes),
    ("A failing third statement leaves nothing behind", failing_third_statement),
    ("An error of the work rolls back what succeeded", error_of_the_work),
    ("A table made in a failed transaction is not there", made_tables_roll_back),
    ("A failed statement that is caught does not end the transaction", caught_failure),
    ("A transaction inside a transaction is refused, and the outer one commits", nested),
    ("Writes outside of a transaction are refused", writes_outside),
    ("Reading inside of a transaction cannot write", reading_inside),
    ("After a failed transaction the next one works", next_one_works),
];

const MAKE: &[&str] = &[
    "DROP TABLE IF EXISTS conformance_rows",
    "CREATE TABLE conformance_rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT",
];

const PUT: &str = "INSERT INTO conformance_rows (id, body) VALUES (?, ?)";

fn row(id: i64) -> [Value; 2] {
    [id.into(), format!("row {id}").into()]
}

fn count(database: &dyn Database) -> Result<Value, Failure> {
    scalar(database, "SELECT COUNT(*) FROM conformance_rows", &[])
}

fn sees_its_own_writes(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let seen: i64 = transaction(database, |transaction| {
        transaction.execute(PUT, &row(1))?;
        transaction.execute(PUT, &row(2))?;
        let row = transaction.query_one("SELECT COUNT(*) FROM conformance_rows", &[])?;
        row.map_or(Ok(0), |row| row.integer(0))
    })
    .map_err(|error: DatabaseError| error)?;
    ensure_equal(&seen, &2)?;
    ensure_equal(&count(database)?, &Value::Integer(2))
}

fn failing_third_statement(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let outcome = transaction(database, |transaction| {
        transaction.execute(PUT, &row(1))?;
        transaction.execute(PUT, &row(2))?;
        transaction.execute(PUT, &row(1))
    });
    ensure_refused::<_, DatabaseError>(outcome, "a row that is there already")?;
    ensure_equal(&count(database)?, &Value::Integer(0))
}

fn error_of_the_work(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let outcome: Result<(), Failure> = transaction(database, |transaction| {
        transaction.execute(PUT, &row(1))?;
        Err(Failure("refused by a rule".to_owned()))
    });
    ensure(matches!(&outcome, Err(Failure(why)) if why == "refused by a rule"), "the work's own error was lost")?;
    ensure_equal(&count(database)?, &Value::Integer(0))
}

fn made_tables_roll_back(database: &dyn Database) -> Check {
    prepare(database, &["DROP TABLE IF EXISTS conformance_made"])?;
    let outcome: Result<(), Failure> = transaction(database, |transaction| {
        transaction.execute("CREATE TABLE conformance_made (id TEXT PRIMARY KEY) STRICT", &[])?;
        Err(Failure("refused".to_owned()))
    });
    ensure_refused(outcome, "the work's error")?;
    let there = database.query("SELECT 1 FROM sqlite_master WHERE name = 'conformance_made'", &[])?;
    ensure(there.is_empty(), "the table is there")
}

fn caught_failure(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    transaction(database, |transaction| {
        transaction.execute(PUT, &row(1))?;
        ensure_refused(transaction.execute(PUT, &row(1)), "a row that is there already")?;
        transaction.execute(PUT, &row(2))?;
        Ok::<_, Failure>(())
    })?;
    ensure_equal(&count(database)?, &Value::Integer(2))
}

fn nested(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    transaction(database, |transaction| {
        transaction.execute(PUT, &row(1))?;
        ensure_refused(write(database, PUT, &row(2)), "a transaction inside a transaction")?;
        transaction.execute(PUT, &row(3))?;
        Ok::<_, Failure>(())
    })?;
    ensure_equal(&scalar(database, "SELECT SUM(id) FROM conformance_rows", &[])?, &Value::Integer(4))
}

fn writes_outside(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let writes = [
        "INSERT INTO conformance_rows (id, body) VALUES (1, 'x')",
        "insert into conformance_rows (id, body) values (1, 'x') returning id",
        "REPLACE INTO conformance_rows (id, body) VALUES (1, 'x')",
        "UPDATE conformance_rows SET body = 'x'",
        "DELETE FROM conformance_rows",
        "WITH made (id) AS (SELECT 1) INSERT INTO conformance_rows (id, body) SELECT id, 'x' FROM made",
        "CREATE TABLE conformance_outside (id TEXT PRIMARY KEY) STRICT",
        "DROP TABLE conformance_rows",
    ];
    for sql in writes {
        ensure_refused(database.query(sql, &[]), sql)?;
    }
    ensure_equal(&count(database)?, &Value::Integer(0))
}

fn reading_inside(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    transaction(database, |transaction| {
        ensure_refused(transaction.query("DELETE FROM conformance_rows", &[]), "a write by a query")?;
        ensure_refused(transaction.as_query().query("DELETE FROM conformance_rows", &[]), "a write by a reader")
    })
}

fn next_one_works(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    for _ in 0..3 {
        ensure_refused(write(database, "INSERT INTO conformance_rows (id, body) VALUES (1, NULL)", &[]), "NULL")?;
        ensure_refused(write(database, "INSERT INTO no_such_table VALUES (1)", &[]), "an unknown table")?;
    }
    write(database, PUT, &row(1))?;
    ensure_equal(&count(database)?, &Value::Integer(1))
}

/// The year 2100: it does not ring while the cases run.
const LATER: i64 = 4_102_444_800_000;

/// The cases of the alarm.
pub(super) async fn alarms(fixture: &dyn Fixture) -> Vec<Outcome> {
    vec![
        Outcome::of("A committed alarm is set", committed_alarm(fixture).await),
        Outcome::of("An alarm rolls back with its transaction, and can be set again", rolled_back_alarm(fixture).await),
        Outcome::of("An earlier alarm replaces a later one", earlier_alarm(fixture).await),
    ]
}

fn set(database: &dyn Database, at: i64) -> Result<(), DatabaseError> {
    transaction(database, |transaction| transaction.set_alarm(at))
}

fn set_and_fail(database: &dyn Database, at: i64) -> Check {
    let outcome: Result<(), Failure> = transaction(database, |transaction| {
        transaction.set_alarm(at)?;
        Err(Failure("refused".to_owned()))
    });
    ensure_refused(outcome, "the work's error")
}

async fn committed_alarm(fixture: &dyn Fixture) -> Check {
    fixture.disarm().await?;
    ensure_equal(&fixture.alarm().await?, &None)?;
    set(fixture.database().as_ref(), LATER)?;
    ensure_equal(&fixture.alarm().await?, &Some(LATER))?;
    Ok(fixture.disarm().await?)
}

async fn rolled_back_alarm(fixture: &dyn Fixture) -> Check {
    let database = fixture.database();
    fixture.disarm().await?;
    set_and_fail(database.as_ref(), LATER)?;
    ensure_equal(&fixture.alarm().await?, &None)?;
    set(database.as_ref(), LATER)?;
    ensure_equal(&fixture.alarm().await?, &Some(LATER))?;
    set_and_fail(database.as_ref(), LATER - 1_000)?;
    ensure_equal(&fixture.alarm().await?, &Some(LATER))?;
    Ok(fixture.disarm().await?)
}

async fn earlier_alarm(fixture: &dyn Fixture) -> Check {
    let database = fixture.database();
    fixture.disarm().await?;
    set(database.as_ref(), LATER)?;
    set(database.as_ref(), LATER - 1_000)?;
    ensure_equal(&fixture.alarm().await?, &Some(LATER - 1_000))?;
    Ok(fixture.disarm().await?)
}
