//! Schemas: how tables come to be, and how each class's reach their newest version.

use super::{
    Case, Check, Outcome,
    database::{prepare, scalar, write},
    ensure, ensure_equal, ensure_refused,
};
use crate::{
    appservice,
    database::{Database, Value},
    keys, login, portal, room,
    schema::{Steps, migrate, version},
    user,
};

/// The schema of each class.
pub const SCHEMAS: [(&str, Steps); 6] = [
    ("room", room::SCHEMA),
    ("user", user::SCHEMA),
    ("keys", keys::SCHEMA),
    ("appservice", appservice::SCHEMA),
    ("login", login::STEPS),
    ("portal", portal::STEPS),
];

/// Runs the migrations of one schema from version `from` on an empty database.
pub fn schema(database: &dyn Database, name: &str, steps: Steps, from: usize) -> Outcome {
    Outcome::of(
        format!("The schema of {name} migrates from version {from} to {}", steps.len()),
        from_version(database, steps, from),
    )
}

fn from_version(database: &dyn Database, steps: Steps, from: usize) -> Check {
    ensure_equal(&version(database.as_query())?, &0)?;
    migrate(database, steps.get(..from).unwrap_or(steps))?;
    migrate(database, steps)?;
    ensure_equal(&version(database.as_query())?, &steps.len())?;
    // Twice is once.
    migrate(database, steps)?;
    let loose = database.query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND sql NOT LIKE '%STRICT%'",
        &[],
    )?;
    ensure(loose.is_empty(), format!("tables that are not STRICT: {loose:?}"))
}

pub(super) const CASES: &[Case] = &[
    ("A database without a schema has version 0, and reading that makes none", version_of_nothing),
    ("Each earlier version migrates and keeps its rows", each_version_migrates),
    ("A step that fails leaves the version before", failing_step),
    ("A version newer than the program is refused", newer_version),
];

const STEPS: Steps = &[
    &["CREATE TABLE conformance_steps (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"],
    &["ALTER TABLE conformance_steps ADD COLUMN body TEXT NOT NULL DEFAULT 'none'"],
    &[
        "CREATE INDEX conformance_steps_by_body ON conformance_steps (body)",
        "UPDATE conformance_steps SET body = 'moved' WHERE body = 'none'",
    ],
];

fn clean(database: &dyn Database) -> Check {
    Ok(prepare(database, &["DROP TABLE IF EXISTS conformance_steps", "DROP TABLE IF EXISTS schema_version"])?)
}

fn version_of_nothing(database: &dyn Database) -> Check {
    clean(database)?;
    ensure_equal(&version(database.as_query())?, &0)?;
    let there = database.query("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'", &[])?;
    ensure(there.is_empty(), "reading the version made a table")
}

fn each_version_migrates(database: &dyn Database) -> Check {
    for from in 0..=STEPS.len() {
        clean(database)?;
        migrate(database, STEPS.get(..from).unwrap_or(STEPS))?;
        if from > 0 {
            write(database, "INSERT INTO conformance_steps (id) VALUES ('kept')", &[])?;
        }
        migrate(database, STEPS)?;
        ensure_equal(&version(database.as_query())?, &STEPS.len())?;
        let kept = database.query("SELECT id, body FROM conformance_steps", &[])?;
        ensure_equal(&kept.len(), &usize::from(from > 0))?;
    }
    clean(database)
}

fn failing_step(database: &dyn Database) -> Check {
    const BROKEN: Steps = &[
        &["CREATE TABLE conformance_steps (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"],
        &["INSERT INTO conformance_steps (id) VALUES ('half')", "INSERT INTO no_such_table (id) VALUES ('x')"],
    ];
    clean(database)?;
    migrate(database, BROKEN.get(..1).unwrap_or_default())?;
    ensure_refused(migrate(database, BROKEN), "a step that fails")?;
    ensure_equal(&version(database.as_query())?, &1)?;
    ensure_equal(&scalar(database, "SELECT COUNT(*) FROM conformance_steps", &[])?, &Value::Integer(0))?;
    clean(database)
}

fn newer_version(database: &dyn Database) -> Check {
    clean(database)?;
    migrate(database, STEPS)?;
    ensure_refused(migrate(database, STEPS.get(..1).unwrap_or_default()), "a newer version")?;
    ensure_equal(&version(database.as_query())?, &STEPS.len())?;
    clean(database)
}
