//! The schema step of to-device messages and device lists; their queries are in [`super::to_device`],
//! [`super::device_lists`] and [`super::keys_news`].

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
    "CREATE TABLE shared_rooms (
        room_id TEXT PRIMARY KEY,
        joined_pos INTEGER NOT NULL,
        left_pos INTEGER,
        members TEXT
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX shared_rooms_joined ON shared_rooms (joined_pos)",
    "CREATE INDEX shared_rooms_left ON shared_rooms (left_pos) WHERE left_pos IS NOT NULL",
    "CREATE INDEX shared_rooms_unknown ON shared_rooms (room_id) WHERE members IS NULL",
    // Who is in them is asked for.
    "INSERT INTO shared_rooms (room_id, joined_pos, left_pos, members) SELECT room_id, 0, NULL, NULL FROM rooms WHERE membership = 'join'",
    "CREATE TABLE device_lists (
        user_id TEXT PRIMARY KEY,
        changed_pos INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX device_lists_changed ON device_lists (changed_pos)",
    "CREATE TABLE keys_news (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        version INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        told INTEGER NOT NULL,
        changed_at INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE key_counts (
        device_id TEXT PRIMARY KEY,
        changed_pos INTEGER NOT NULL,
        one_time_keys TEXT NOT NULL,
        fallback_keys TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
];
