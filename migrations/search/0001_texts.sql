-- The full-text index of what was said: a database of its own, since an export refuses one with a virtual table.
-- It can be emptied at any time; `cargo xtask rebuild-search` fills it anew.

-- How far each room is indexed. The number stands for the room in the rowids of `texts`.
CREATE TABLE indexed_rooms (
    number INTEGER PRIMARY KEY,
    room_id TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL
) STRICT;

-- One row an event: rowid = number * 2^33 + the event's place in its room. The texts themselves are not kept, only
-- their words; so an event costs one row written, however long it is.
CREATE VIRTUAL TABLE texts USING fts5(
    body,                             -- content.body of m.room.message; of an edit its new text
    name,                             -- content.name of m.room.name
    topic,                            -- content.topic of m.room.topic
    sender UNINDEXED,
    ts UNINDEXED,                     -- origin_server_ts
    content = '',
    contentless_delete = 1,
    contentless_unindexed = 1,
    tokenize = 'unicode61 remove_diacritics 2'
);
