//! What goes in comes out: types, limits of size, and what SQLite makes of bound values.

use super::{
    Case, Check,
    database::{prepare, scalar, write},
    ensure, ensure_equal, ensure_refused,
};
use crate::database::{Database, MAX_INTEGER, Row, Value};

pub(super) const CASES: &[Case] = &[
    ("Values come back as they were bound", values_come_back),
    ("Integers are exact up to 2^53", integers_are_exact),
    ("Integers beyond 2^53 are refused", large_integers_are_refused),
    ("A large integer in a result is refused", large_results_are_refused),
    ("A fraction in a result is refused", fractions_are_refused),
    ("Empty text and an empty blob are not NULL", empty_is_not_null),
    ("STRICT columns refuse values of another type", strict_columns_refuse),
    ("An integer in a text column becomes the text of a double", integers_in_text_columns),
    ("A flag is 0 or 1", flags_are_integers),
    ("Text and blobs of 1 MB are kept, of 3 MB refused", large_values),
    ("A bound integer limits a result and compares with columns", integers_limit_and_compare),
];

const MAKE: &[&str] = &[
    "DROP TABLE IF EXISTS conformance_values",
    "CREATE TABLE conformance_values (id TEXT PRIMARY KEY, number INTEGER, words TEXT, bytes BLOB, flag INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID",
];

fn values_come_back(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let bound = [
        Value::from("a"),
        Value::Integer(-7),
        Value::from("Grüße, 🎉 \u{1F469}\u{200D}\u{1F680} '\"\\ \u{FEFF}"),
        Value::Blob(vec![0, 1, 254, 255]),
    ];
    write(database, "INSERT INTO conformance_values (id, number, words, bytes) VALUES (?, ?, ?, ?)", &bound)?;
    write(
        database,
        "INSERT INTO conformance_values (id, number, words, bytes) VALUES (?, ?, ?, ?)",
        &["b".into(), Value::Null, Value::Null, Value::Null],
    )?;
    let rows = database.query("SELECT id, number, words, bytes FROM conformance_values ORDER BY id", &[])?;
    let wanted = vec![Row(bound.to_vec()), Row(vec!["b".into(), Value::Null, Value::Null, Value::Null])];
    ensure_equal(&rows, &wanted)?;
    let types = database.query(
        "SELECT typeof(number), typeof(words), typeof(bytes) FROM conformance_values WHERE id = ?",
        &["a".into()],
    )?;
    ensure_equal(&types, &vec![Row(vec!["integer".into(), "text".into(), "blob".into()])])
}

fn integers_are_exact(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    for integer in [0, 1, -1, 1_700_000_000_123, MAX_INTEGER, -MAX_INTEGER] {
        let rows = write(
            database,
            "INSERT INTO conformance_values (id, number) VALUES ('n', ?) ON CONFLICT (id) DO UPDATE SET number = excluded.number RETURNING number",
            &[integer.into()],
        )?;
        ensure_equal(&rows, &vec![Row(vec![integer.into()])])?;
        ensure_equal(&scalar(database, "SELECT number FROM conformance_values", &[])?, &integer.into())?;
        let found = database.query("SELECT id FROM conformance_values WHERE number = ?", &[integer.into()])?;
        ensure(found.len() == 1, format!("{integer} is not found by its value"))?;
    }
    Ok(())
}

fn large_integers_are_refused(database: &dyn Database) -> Check {
    for integer in [MAX_INTEGER + 1, -MAX_INTEGER - 1, i64::MAX, i64::MIN] {
        ensure_refused(database.query("SELECT ?", &[integer.into()]), "an integer beyond 2^53")?;
    }
    Ok(())
}

fn large_results_are_refused(database: &dyn Database) -> Check {
    ensure_refused(database.query("SELECT 9007199254740993 + 0", &[]), "an integer beyond 2^53 in a result")
}

fn fractions_are_refused(database: &dyn Database) -> Check {
    // Integers are bound as doubles: half of one is a fraction.
    ensure_refused(database.query("SELECT ? / 2", &[Value::Integer(3)]), "a fraction")?;
    ensure_equal(&scalar(database, "SELECT CAST(? AS INTEGER) / 2", &[Value::Integer(3)])?, &Value::Integer(1))
}

fn empty_is_not_null(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    write(
        database,
        "INSERT INTO conformance_values (id, words, bytes) VALUES ('', ?, ?)",
        &["".into(), Value::Blob(Vec::new())],
    )?;
    let rows = database.query("SELECT id, words, bytes, words IS NULL, bytes IS NULL FROM conformance_values", &[])?;
    let wanted = Row(vec!["".into(), "".into(), Value::Blob(Vec::new()), Value::Integer(0), Value::Integer(0)]);
    ensure_equal(&rows, &vec![wanted])
}

fn strict_columns_refuse(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let text_as_number =
        write(database, "INSERT INTO conformance_values (id, number) VALUES ('x', ?)", &["abc".into()]);
    ensure_refused(text_as_number, "text in an integer column")?;
    let blob_as_text =
        write(database, "INSERT INTO conformance_values (id, words) VALUES ('x', ?)", &[Value::Blob(vec![1])]);
    ensure_refused(blob_as_text, "a blob in a text column")?;
    let text_as_blob = write(database, "INSERT INTO conformance_values (id, bytes) VALUES ('x', ?)", &["abc".into()]);
    ensure_refused(text_as_blob, "text in a blob column")?;
    let null = write(database, "INSERT INTO conformance_values (id, flag) VALUES ('x', ?)", &[Value::Null]);
    ensure_refused(null, "NULL in a NOT NULL column")?;
    ensure_equal(&scalar(database, "SELECT COUNT(*) FROM conformance_values", &[])?, &Value::Integer(0))
}

fn integers_in_text_columns(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    write(database, "INSERT INTO conformance_values (id, words) VALUES ('x', ?)", &[Value::Integer(3)])?;
    ensure_equal(&scalar(database, "SELECT words FROM conformance_values", &[])?, &"3.0".into())
}

fn flags_are_integers(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    write(database, "INSERT INTO conformance_values (id, flag) VALUES ('x', ?)", &[true.into()])?;
    let row = database.query_one("SELECT flag, 1 > 2 FROM conformance_values", &[])?;
    ensure_equal(&row, &Some(Row(vec![Value::Integer(1), Value::Integer(0)])))
}

fn large_values(database: &dyn Database) -> Check {
    prepare(database, MAKE)?;
    let words = "0123456789abcde\n".repeat(65_536);
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(1 << 20).collect();
    let insert = "INSERT INTO conformance_values (id, words, bytes) VALUES (?, ?, ?)";
    write(database, insert, &["words".into(), words.as_str().into(), Value::Null])?;
    write(database, insert, &["bytes".into(), Value::Null, bytes.clone().into()])?;
    let kept = database.query("SELECT words, bytes FROM conformance_values ORDER BY id DESC", &[])?;
    let wanted = vec![Row(vec![words.into(), Value::Null]), Row(vec![Value::Null, bytes.into()])];
    ensure(kept == wanted, "1 MB changed on its way")?;
    let too_large = write(database, insert, &["more".into(), "x".repeat(3 << 20).into(), Value::Null]);
    ensure_refused(too_large, "text of 3 MB")?;
    // The next case need not carry it along.
    prepare(database, &["DROP TABLE conformance_values"])?;
    Ok(())
}

fn integers_limit_and_compare(database: &dyn Database) -> Check {
    let rows = database.query(
        "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 10) SELECT n FROM counted WHERE n >= ? ORDER BY n LIMIT ?",
        &[Value::Integer(4), Value::Integer(3)],
    )?;
    let numbers: Vec<_> = rows.into_iter().flat_map(|Row(values)| values).collect();
    ensure_equal(&numbers, &vec![Value::Integer(4), Value::Integer(5), Value::Integer(6)])
}
