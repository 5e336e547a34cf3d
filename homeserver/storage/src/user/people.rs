//! The schema step of pushers, presence and profile fields; their queries are in
//! [`super::pushers`], [`super::presence`] and [`super::profile_fields`].

/// The step.
pub(super) const STEP: &[&str] = &[
    "CREATE TABLE pushers (
        app_id TEXT NOT NULL,
        pushkey TEXT NOT NULL,
        device_id TEXT,
        settings TEXT NOT NULL,
        set_at INTEGER NOT NULL,
        cursor_pos INTEGER NOT NULL,
        cursor_key INTEGER NOT NULL,
        badge INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        retry_at INTEGER NOT NULL,
        PRIMARY KEY (app_id, pushkey)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE profile_fields (
        name TEXT PRIMARY KEY,
        value TEXT,
        mirrored INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE own_presence (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        chosen TEXT NOT NULL,
        status_msg TEXT,
        device TEXT NOT NULL,
        seen_at INTEGER NOT NULL,
        active_at INTEGER NOT NULL,
        told TEXT NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE presence (
        user_id TEXT PRIMARY KEY,
        changed_pos INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        presence TEXT NOT NULL,
        status_msg TEXT,
        active_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE presence_rooms (
        room_id TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID",
    // Too many, perhaps: a room says so when it is told something.
    "INSERT INTO presence_rooms (room_id) SELECT room_id FROM rooms WHERE membership = 'join' AND joined > 1",
];
