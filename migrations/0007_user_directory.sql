-- The user directory: who may be found by whom, and by which name.

-- Rooms that anybody can join or read: their members may be found by everybody.
CREATE TABLE open_rooms (
    room_id TEXT PRIMARY KEY,
    is_open INTEGER NOT NULL,         -- 1: public join rule or world-readable history
    position INTEGER NOT NULL         -- the room's position that this shows
) STRICT, WITHOUT ROWID;

INSERT INTO open_rooms (room_id, is_open, position)
SELECT room_id, MAX(opens), MAX(position) FROM (
    SELECT room_id, json_extract(pdu, '$.content.join_rule') IS 'public' AS opens,
        COALESCE(position, 0) AS position, MAX(order_key)
    FROM events WHERE rejected = 0 AND json_extract(pdu, '$.type') = 'm.room.join_rules' GROUP BY room_id
    UNION ALL
    SELECT room_id, json_extract(pdu, '$.content.history_visibility') IS 'world_readable' AS opens,
        COALESCE(position, 0) AS position, MAX(order_key)
    FROM events WHERE rejected = 0 AND json_extract(pdu, '$.type') = 'm.room.history_visibility' GROUP BY room_id
) GROUP BY room_id;

-- The display name in lower case of all languages, which SQLite cannot make.
ALTER TABLE profiles ADD COLUMN folded_name TEXT;
UPDATE profiles SET folded_name = lower(displayname) WHERE displayname IS NOT NULL;
