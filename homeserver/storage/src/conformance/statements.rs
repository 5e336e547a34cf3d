//! What statements can do, and the limits that the platform sets them.

use super::{
    Case, Check,
    database::{prepare, scalar, write},
    ensure, ensure_equal, ensure_refused,
};
use crate::database::{Database, Row, Value};

pub(super) const CASES: &[Case] = &[
    ("RETURNING gives the rows that were written", returning),
    ("An upsert into a table WITHOUT ROWID keeps one row", upsert_without_rowid),
    ("Rows come in the order asked for, columns in the order selected", order),
    ("Unique, check and foreign key constraints hold", constraints),
    ("JSON functions read and build", json),
    ("One parameter carries thousands of values", many_values_in_one_parameter),
    ("A statement takes 100 parameters and no more", parameters),
    ("As many values as parameters, no more and no fewer", parameter_count),
    ("A LIKE pattern has 50 bytes at most", like_pattern),
    ("A compound SELECT has five terms at most", compound_select),
    ("A statement has 100,000 bytes at most", statement_length),
    ("Statements that the platform refuses are refused", refused_statements),
];

const MAKE: &[&str] = &[
    "DROP TABLE IF EXISTS conformance_lines",
    "CREATE TABLE conformance_lines (room TEXT NOT NULL, position INTEGER NOT NULL CHECK (position > 0), body TEXT NOT NULL, PRIMARY KEY (room, position)) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX conformance_lines_by_body ON conformance_lines (body) WHERE body <> ''",
];

const PUT: &str = "INSERT INTO conformance_lines (room, position, body) VALUES (?, ?, ?)";

fn line(room: &str, position: i64, body: &str) -> [Value; 3] {
    [room.into(), position.into(), body.into()]
}

fn returning(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    for position in 1..=3 {
        write(database, PUT, &line("a", position, &format!("line {position}")))?;
    }
    let rows = write(
        database,
        "UPDATE conformance_lines SET body = body || '!' WHERE position >= ? RETURNING position, body",
        &[Value::Integer(2)],
    )?;
    let mut bodies: Vec<_> = rows.iter().map(|row| row.text(1)).collect::<Result<_, _>>()?;
    bodies.sort();
    ensure_equal(&bodies, &vec!["line 2!".to_owned(), "line 3!".to_owned()])?;
    let gone = write(database, "DELETE FROM conformance_lines WHERE room = ? RETURNING position", &["a".into()])?;
    ensure_equal(&gone.len(), &3)?;
    let none = write(database, "DELETE FROM conformance_lines WHERE room = ? RETURNING position", &["a".into()])?;
    ensure(none.is_empty(), "a row was deleted twice")
}

fn upsert_without_rowid(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    const UPSERT: &str = "INSERT INTO conformance_lines (room, position, body) VALUES (?, ?, ?) ON CONFLICT (room, position) DO UPDATE SET body = excluded.body WHERE excluded.body > body RETURNING body";
    ensure_equal(&write(database, UPSERT, &line("a", 1, "m"))?, &vec![Row(vec!["m".into()])])?;
    ensure_equal(&write(database, UPSERT, &line("a", 1, "z"))?, &vec![Row(vec!["z".into()])])?;
    // An older value never wins, and says so by returning nothing.
    ensure_equal(&write(database, UPSERT, &line("a", 1, "b"))?, &Vec::new())?;
    let ignored =
        "INSERT INTO conformance_lines (room, position, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING body";
    ensure_equal(&write(database, ignored, &line("a", 1, "q"))?, &Vec::new())?;
    ensure_equal(&scalar(database, "SELECT body FROM conformance_lines", &[])?, &"z".into())
}

fn order(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    for (position, body) in [(10, "ten"), (9, "nine"), (2, "two"), (100, "hundred")] {
        write(database, PUT, &line("a", position, body))?;
    }
    let rows = database.query(
        "SELECT body, position, room AS \"1\", position AS \"0\" FROM conformance_lines ORDER BY position DESC",
        &[],
    )?;
    let positions: Vec<_> = rows.iter().map(|row| row.integer(1)).collect::<Result<_, _>>()?;
    ensure_equal(&positions, &vec![100, 10, 9, 2])?;
    let first = Row(vec!["hundred".into(), Value::Integer(100), "a".into(), Value::Integer(100)]);
    ensure_equal(&rows.first(), &Some(&first))?;
    let same_names = database.query_one("SELECT a.position, b.position FROM conformance_lines a JOIN conformance_lines b ON b.position = a.position * a.position WHERE a.position = 10", &[])?;
    ensure_equal(&same_names, &Some(Row(vec![Value::Integer(10), Value::Integer(100)])))
}

fn constraints(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    prepare(
        database,
        &[
            "DROP TABLE IF EXISTS conformance_children",
            "DROP TABLE IF EXISTS conformance_parents",
            "CREATE TABLE conformance_parents (id TEXT PRIMARY KEY) STRICT",
            "CREATE TABLE conformance_children (id TEXT PRIMARY KEY, parent TEXT NOT NULL REFERENCES conformance_parents (id)) STRICT",
        ],
    )?;
    write(database, PUT, &line("a", 1, "same"))?;
    ensure_refused(write(database, PUT, &line("a", 1, "other")), "a primary key taken")?;
    ensure_refused(write(database, PUT, &line("b", 1, "same")), "a unique value taken")?;
    ensure_refused(write(database, PUT, &line("b", 0, "zero")), "a value that a CHECK forbids")?;
    // A partial index holds for its rows only.
    write(database, PUT, &line("b", 1, ""))?;
    write(database, PUT, &line("b", 2, ""))?;
    let orphan = write(database, "INSERT INTO conformance_children (id, parent) VALUES ('c', 'nobody')", &[]);
    ensure_refused(orphan, "a child without a parent")
}

fn json(database: &dyn Database) -> Check {
    let document = r#"{"type":"m.room.message","content":{"body":"hi","n":7},"list":["a","b"],"none":null}"#;
    let row = database.query_one(
        "SELECT json_extract(?1, '$.content.body'), ?1 ->> '$.type', json_extract(?1, '$.content.n'), json_extract(?1, '$.none'), json_extract(?1, '$.missing'), json_array_length(?1, '$.list'), json_valid('{'), json_group_array(value) FROM json_each(?1, '$.list')",
        &[document.into()],
    )?;
    let wanted = vec![
        "hi".into(),
        "m.room.message".into(),
        Value::Integer(7),
        Value::Null,
        Value::Null,
        Value::Integer(2),
        Value::Integer(0),
        r#"["a","b"]"#.into(),
    ];
    ensure_equal(&row, &Some(Row(wanted)))
}

fn many_values_in_one_parameter(database: &dyn Database) -> Check {
    let ids: Vec<String> = (0..5_000).map(|number| format!("$event{number}")).collect();
    let list = serde_json::to_string(&ids).unwrap_or_default();
    let row = database.query_one("SELECT COUNT(*), MIN(value), MAX(key) FROM json_each(?)", &[list.into()])?;
    ensure_equal(&row, &Some(Row(vec![Value::Integer(5_000), "$event0".into(), Value::Integer(4_999)])))
}

/// A text that lives for ever, since statements are constants everywhere else.
fn made(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}

fn parameters(database: &dyn Database) -> Check {
    let with = |count: usize| made(format!("SELECT {}", vec!["?"; count].join(", ")));
    let values: Vec<_> = (0..101).map(Value::Integer).collect();
    let (fitting, all) = (values.get(..100).unwrap_or_default(), values.as_slice());
    ensure_equal(&database.query(with(100), fitting)?, &vec![Row(fitting.to_vec())])?;
    ensure_refused(database.query(with(101), all), "a statement of 101 parameters")
}

fn parameter_count(database: &dyn Database) -> Check {
    ensure_refused(database.query("SELECT ?, ?", &[Value::Null]), "a value too few")?;
    ensure_refused(database.query("SELECT ?", &[Value::Null, Value::Null]), "a value too many")
}

fn like_pattern(database: &dyn Database) -> Check {
    let text = "x".repeat(60);
    let like = "SELECT ? LIKE ?";
    let fitting = scalar(database, like, &[text.as_str().into(), format!("{}%", "x".repeat(49)).into()])?;
    ensure_equal(&fitting, &Value::Integer(1))?;
    ensure_refused(
        database.query(like, &[text.into(), format!("{}%", "x".repeat(50)).into()]),
        "a LIKE pattern of 51 bytes",
    )
}

fn compound_select(database: &dyn Database) -> Check {
    let five = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5";
    ensure_equal(&database.query(five, &[])?.len(), &5)?;
    let six = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6";
    ensure_refused(database.query(six, &[]), "a compound SELECT of six terms")
}

fn statement_length(database: &dyn Database) -> Check {
    let of_length = |length: usize| made(format!("SELECT '{}'", "x".repeat(length - "SELECT ''".len())));
    ensure_equal(&database.query(of_length(90_000), &[])?.len(), &1)?;
    ensure_refused(database.query(of_length(100_010), &[]), "a statement of more than 100,000 bytes")
}

fn refused_statements(database: &dyn Database) -> Check {
    let refused = [
        "BEGIN",
        "COMMIT",
        "SAVEPOINT here",
        "PRAGMA user_version = 3",
        "PRAGMA journal_mode = DELETE",
        "ATTACH DATABASE ':memory:' AS other",
        "CREATE TEMP TABLE conformance_temporary (id TEXT) STRICT",
    ];
    for statement in refused {
        ensure_refused(write(database, statement, &[]), statement)?;
    }
    Ok(())
}
