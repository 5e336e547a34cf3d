-- Whose account was deactivated: the name stays taken in `accounts` for ever, and an owner who
-- deactivated theirs no longer owns the server. A rebuilt room learns here what was erased.

CREATE TABLE deactivations (
    user_id TEXT PRIMARY KEY,
    deactivated_at INTEGER NOT NULL,  -- milliseconds since the epoch
    erased INTEGER NOT NULL           -- 1: who joins a room later is served redacted copies
) STRICT, WITHOUT ROWID;
