//! The cases of D1.

use super::{Check, Outcome, ensure, ensure_equal, ensure_refused};
use crate::{
    database::{DatabaseError, MAX_INTEGER, Row, Value},
    directory::{Directory, Statement, run},
};

/// Runs all cases of D1. They make a table of their own and drop it in the end.
pub async fn directory(directory: &dyn Directory) -> Vec<Outcome> {
    let outcomes = vec![
        Outcome::of("D1: values come back as they were bound", values(directory).await),
        Outcome::of("D1: integers beyond 2^53 are refused", large_integers(directory).await),
        Outcome::of("D1: a batch is one transaction", batch_is_atomic(directory).await),
        Outcome::of("D1: each statement of a batch has its own rows", rows_of_each(directory).await),
        Outcome::of("D1: upserts return what they wrote", upserts(directory).await),
        Outcome::of("D1: columns come in the order selected", columns(directory).await),
        Outcome::of("D1: STRICT columns refuse values of another type", strict(directory).await),
        Outcome::of("D1: one parameter carries thousands of values", many_values(directory).await),
        Outcome::of("D1: an empty batch does nothing", empty_batch(directory).await),
    ];
    let _dropped = run(directory, DROP, vec![]).await;
    outcomes
}

const DROP: &str = "DROP TABLE IF EXISTS conformance_directory";
const PUT: &str = "INSERT INTO conformance_directory (id, number, words) VALUES (?, ?, ?)";
const ALL: &str = "SELECT id, number, words FROM conformance_directory ORDER BY id";

async fn make(directory: &dyn Directory) -> Result<(), DatabaseError> {
    let make =
        "CREATE TABLE conformance_directory (id TEXT PRIMARY KEY, number INTEGER, words TEXT) STRICT, WITHOUT ROWID";
    directory.batch(vec![Statement::new(DROP, vec![]), Statement::new(make, vec![])]).await?;
    Ok(())
}

fn put(id: &str, number: impl Into<Value>, words: impl Into<Value>) -> Statement {
    Statement::new(PUT, vec![id.into(), number.into(), words.into()])
}

async fn values(directory: &dyn Directory) -> Check {
    make(directory).await?;
    let words = "Grüße, 🎉 '\"\\";
    let written = vec![
        put("a", MAX_INTEGER, words),
        put("b", Value::Null, Value::Null),
        put("c", -1_i64, ""),
        put("d", true, "x".repeat(100_000)),
    ];
    directory.batch(written).await?;
    let rows = run(directory, ALL, vec![]).await?;
    let wanted = vec![
        Row(vec!["a".into(), MAX_INTEGER.into(), words.into()]),
        Row(vec!["b".into(), Value::Null, Value::Null]),
        Row(vec!["c".into(), Value::Integer(-1), "".into()]),
        Row(vec!["d".into(), Value::Integer(1), "x".repeat(100_000).into()]),
    ];
    ensure(rows == wanted, "values changed on their way")
}

async fn large_integers(directory: &dyn Directory) -> Check {
    make(directory).await?;
    let outcome = directory.batch(vec![put("a", 1_i64, ""), put("b", MAX_INTEGER + 1, "")]).await;
    ensure_refused(outcome, "an integer beyond 2^53")?;
    ensure_equal(&run(directory, ALL, vec![]).await?, &Vec::new())
}

async fn batch_is_atomic(directory: &dyn Directory) -> Check {
    make(directory).await?;
    let outcome = directory.batch(vec![put("a", 1_i64, "x"), put("b", 2_i64, "x"), put("a", 3_i64, "x")]).await;
    ensure_refused(outcome, "a row that is there already")?;
    ensure_equal(&run(directory, ALL, vec![]).await?, &Vec::new())
}

async fn rows_of_each(directory: &dyn Directory) -> Check {
    make(directory).await?;
    let find = "SELECT number FROM conformance_directory WHERE id = ?";
    let results = directory
        .batch(vec![
            put("a", 1_i64, "x"),
            Statement::new(find, vec!["a".into()]),
            Statement::new(find, vec!["nobody".into()]),
            put("b", 2_i64, "x"),
            Statement::new(find, vec!["b".into()]),
        ])
        .await?;
    let one = |number: i64| vec![Row(vec![number.into()])];
    ensure_equal(&results, &vec![vec![], one(1), vec![], vec![], one(2)])
}

async fn upserts(directory: &dyn Directory) -> Check {
    make(directory).await?;
    let upsert = "INSERT INTO conformance_directory (id, number, words) VALUES (?, ?, '') ON CONFLICT (id) DO UPDATE SET number = excluded.number WHERE excluded.number > number RETURNING number";
    for (number, wanted) in
        [(5_i64, vec![Row(vec![Value::Integer(5)])]), (3, vec![]), (9, vec![Row(vec![Value::Integer(9)])])]
    {
        ensure_equal(&run(directory, upsert, vec!["a".into(), number.into()]).await?, &wanted)?;
    }
    Ok(())
}

async fn columns(directory: &dyn Directory) -> Check {
    make(directory).await?;
    directory.batch(vec![put("a", 1_i64, "w")]).await?;
    let rows =
        run(directory, "SELECT words, id, number AS n, number + 1 AS m, 'z' AS a FROM conformance_directory", vec![])
            .await?;
    ensure_equal(&rows, &vec![Row(vec!["w".into(), "a".into(), Value::Integer(1), Value::Integer(2), "z".into()])])
}

async fn strict(directory: &dyn Directory) -> Check {
    make(directory).await?;
    ensure_refused(directory.batch(vec![put("a", "abc", "")]).await, "text in an integer column")
}

async fn many_values(directory: &dyn Directory) -> Check {
    let ids: Vec<String> = (0..5_000).map(|number| format!("@user{number}:example.org")).collect();
    let list = serde_json::to_string(&ids).unwrap_or_default();
    let rows = run(directory, "SELECT COUNT(*) AS count FROM json_each(?)", vec![list.into()]).await?;
    ensure_equal(&rows, &vec![Row(vec![Value::Integer(5_000)])])
}

async fn empty_batch(directory: &dyn Directory) -> Check {
    ensure(directory.batch(vec![]).await?.is_empty(), "an empty batch has results")
}
