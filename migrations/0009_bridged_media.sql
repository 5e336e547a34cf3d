-- Links to files for people without an account here: what is too large for a network that a room is bridged to.

CREATE TABLE media_links (
    link_id TEXT PRIMARY KEY,         -- random: whoever has it may read
    media_id TEXT NOT NULL,
    made_at INTEGER NOT NULL          -- milliseconds since the epoch
) STRICT, WITHOUT ROWID;
