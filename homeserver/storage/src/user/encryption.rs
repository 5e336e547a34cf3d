//! The schema step of to-device messages and device lists; their queries are in [`super::to_device`]
//! and [`super::device_lists`].

/// The step.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE to_device_outbox (
        seq INTEGER PRIMARY KEY,
        event_type TEXT NOT NULL,
        messages TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE to_device_sent (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        last_seq INTEGER NOT NULL,
        recent TEXT NOT NULL
    ) STRICT",
    "CREATE TABLE to_device_taken (
        sender TEXT PRIMARY KEY,
        seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE to_device (
        device_id TEXT NOT NULL,
        pos INTEGER NOT NULL,
        sender TEXT NOT NULL,
        event_type TEXT NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (device_id, pos)
    ) STRICT, WITHOUT ROWID",
];
