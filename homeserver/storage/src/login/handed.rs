//! The ids of events that left the inbound log, a few hundred a row: a retry is known by them.

use std::collections::BTreeMap;

use super::Waiting;
use crate::database::{DatabaseError, Query, Transaction};

/// The schema step: `inbound` kept them before, each in a row without a body.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE handed (
        bucket INTEGER NOT NULL,
        channel TEXT NOT NULL,
        part INTEGER NOT NULL,
        ids TEXT NOT NULL,
        PRIMARY KEY (bucket, channel, part)
    ) STRICT, WITHOUT ROWID",
    "INSERT INTO handed (bucket, channel, part, ids)
        SELECT bucket, channel, 0, json_group_array(event_id) FROM inbound WHERE body IS NULL GROUP BY bucket, channel",
    "DELETE FROM inbound WHERE body IS NULL",
    "ALTER TABLE login RENAME COLUMN scan_from TO tidied_in",
];

/// How many bytes of ids a row takes before the next one is begun.
const PART_BYTES: usize = 4_096;

fn quoted(event_id: &str) -> Result<String, DatabaseError> {
    serde_json::to_string(event_id).map_err(DatabaseError::new)
}

/// Whether an event was handed over.
pub(super) fn knows(query: &dyn Query, event: &Waiting) -> Result<bool, DatabaseError> {
    let found = query.query_one(
        "SELECT 1 FROM handed WHERE bucket = ? AND channel = ? AND instr(ids, ?) > 0 LIMIT 1",
        &[event.bucket.into(), (&event.channel).into(), quoted(&event.event_id)?.into()],
    )?;
    Ok(found.is_some())
}

/// Remembers events as handed over: one row for each minute that they were sent in.
pub(super) fn remember(transaction: &dyn Transaction, events: &[Waiting]) -> Result<(), DatabaseError> {
    let mut minutes = BTreeMap::<(i64, &str), Vec<&str>>::new();
    for event in events {
        minutes.entry((event.bucket, &event.channel)).or_default().push(&event.event_id);
    }
    for ((bucket, channel), new) in minutes {
        let last = transaction
            .as_query()
            .query_one(
                "SELECT part, ids FROM handed WHERE bucket = ? AND channel = ? ORDER BY part DESC LIMIT 1",
                &[bucket.into(), channel.into()],
            )?
            .map(|row| Ok::<_, DatabaseError>((row.integer(0)?, row.text(1)?)))
            .transpose()?;
        let (part, ids) = match last {
            Some((part, ids)) if ids.len() < PART_BYTES => (part, ids),
            Some((part, _)) => (part.saturating_add(1), "[]".to_owned()),
            None => (0, "[]".to_owned()),
        };
        let mut all: Vec<String> = serde_json::from_str(&ids).map_err(DatabaseError::new)?;
        all.extend(new.into_iter().map(str::to_owned));
        let ids = serde_json::to_string(&all).map_err(DatabaseError::new)?;
        transaction.execute(
            "INSERT INTO handed (bucket, channel, part, ids) VALUES (?, ?, ?, ?)
             ON CONFLICT (bucket, channel, part) DO UPDATE SET ids = excluded.ids",
            &[bucket.into(), channel.into(), part.into(), ids.into()],
        )?;
    }
    Ok(())
}

/// Forgets the ids of events sent before this bucket.
pub fn forget(transaction: &dyn Transaction, before: i64) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM handed WHERE bucket < ?", &[before.into()])?;
    Ok(())
}
