//! What Cron looks at in D1: all objects, a few at a time, and rows that should agree.

use super::{Directory, Statement, run};
use crate::database::DatabaseError;

/// The classes whose objects D1 lists, as contracts spell them, with the statement that lists the
/// names after one.
const LISTS: [(&str, &str); 6] = [
    ("Room", "SELECT room_id FROM rooms WHERE room_id > ? ORDER BY room_id LIMIT ?"),
    ("User", "SELECT user_id FROM accounts WHERE user_id > ? ORDER BY user_id LIMIT ?"),
    ("UserKeys", "SELECT DISTINCT user_id FROM device_keys WHERE user_id > ? ORDER BY user_id LIMIT ?"),
    ("Appservice", "SELECT id FROM appservices WHERE id > ? ORDER BY id LIMIT ?"),
    ("Login", "SELECT login_id FROM bridge_logins WHERE login_id > ? ORDER BY login_id LIMIT ?"),
    ("Portal", "SELECT portal_id FROM portals WHERE portal_id > ? ORDER BY portal_id LIMIT ?"),
];

/// The classes that D1 lists.
pub fn classes() -> impl Iterator<Item = &'static str> {
    LISTS.iter().map(|(class, _)| *class)
}

/// Where the last round ended: (class, name); a class that was never swept is missing.
pub async fn positions(directory: &dyn Directory) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = run(directory, "SELECT class, after FROM sweeps", vec![]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// For each class of `after` at most `limit` names that follow the one given, in order. One trip.
pub async fn list_after(
    directory: &dyn Directory,
    after: &[(&str, String)],
    limit: u32,
) -> Result<Vec<Vec<String>>, DatabaseError> {
    let statements = after
        .iter()
        .filter_map(|(class, after)| {
            let (_, sql) = LISTS.iter().find(|(listed, _)| listed == class)?;
            Some(Statement::new(sql, vec![after.into(), limit.into()]))
        })
        .collect();
    let results = directory.batch(statements).await?;
    results.iter().map(|rows| rows.iter().map(|row| row.text(0)).collect()).collect()
}

/// Remembers where this round ended. An empty name starts over.
pub async fn set_positions(directory: &dyn Directory, after: &[(&str, String)]) -> Result<(), DatabaseError> {
    let statements = after.iter().map(|(class, after)| {
        Statement::new(
            "INSERT INTO sweeps (class, after) VALUES (?, ?) ON CONFLICT (class) DO UPDATE SET after = excluded.after WHERE after <> excluded.after",
            vec![(*class).into(), after.into()],
        )
    });
    directory.batch(statements.collect()).await?;
    Ok(())
}

/// Rows of two tables that should agree and do not, as the class and name of the object that
/// writes the missing or stale one. At most 50 of each kind, since the objects that are poked now
/// leave room for others the next day.
pub async fn disagreements(directory: &dyn Directory) -> Result<Vec<Disagreement>, DatabaseError> {
    let statements = CHECKS.iter().map(|check| Statement::new(check.sql, vec![])).collect();
    let results = directory.batch(statements).await?;
    let mut found = Vec::new();
    for (check, rows) in CHECKS.iter().zip(results) {
        for row in rows {
            found.push(Disagreement { what: check.what, class: check.class, name: row.text(0)? });
        }
    }
    Ok(found)
}

/// Two rows that do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What is wrong.
    pub what: &'static str,
    /// The class of the object that can put it right.
    pub class: &'static str,
    /// Its name.
    pub name: String,
}

struct Check {
    what: &'static str,
    class: &'static str,
    sql: &'static str,
}

const CHECKS: [Check; 6] = [
    Check {
        what: "a membership in a room without a row",
        class: "Room",
        sql: "SELECT DISTINCT m.room_id FROM memberships m LEFT JOIN rooms r ON r.room_id = m.room_id WHERE r.room_id IS NULL LIMIT 50",
    },
    Check {
        what: "an alias of a room without a row",
        class: "Room",
        sql: "SELECT DISTINCT a.room_id FROM aliases a LEFT JOIN rooms r ON r.room_id = a.room_id WHERE r.room_id IS NULL LIMIT 50",
    },
    Check {
        what: "a count of joined members that differs from the memberships",
        class: "Room",
        sql: "SELECT r.room_id FROM rooms r LEFT JOIN (SELECT room_id, COUNT(*) AS joined FROM memberships WHERE membership = 'join' GROUP BY room_id) m ON m.room_id = r.room_id WHERE r.joined_members <> COALESCE(m.joined, 0) LIMIT 50",
    },
    Check {
        what: "an account without a profile",
        class: "User",
        sql: "SELECT a.user_id FROM accounts a LEFT JOIN profiles p ON p.user_id = a.user_id WHERE p.user_id IS NULL AND a.appservice_id IS NULL LIMIT 50",
    },
    Check {
        what: "a portal of a login without a row",
        class: "Portal",
        sql: "SELECT p.portal_id FROM portals p LEFT JOIN bridge_logins l ON l.login_id = p.login_id WHERE l.login_id IS NULL LIMIT 50",
    },
    Check {
        what: "a portal in a room without a row",
        class: "Portal",
        sql: "SELECT p.portal_id FROM portals p LEFT JOIN rooms r ON r.room_id = p.room_id WHERE p.room_id IS NOT NULL AND r.room_id IS NULL LIMIT 50",
    },
];
