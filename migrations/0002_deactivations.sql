-- Whose account was deactivated: the name stays taken in `accounts` for ever, and an owner who
-- deactivated theirs no longer owns the server.

CREATE TABLE deactivations (
    user_id TEXT PRIMARY KEY,
    deactivated_at INTEGER NOT NULL   -- milliseconds since the epoch
) STRICT, WITHOUT ROWID;
