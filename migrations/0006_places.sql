-- Rooms as places: what the directory shows of a room beyond its name, the lists of the networks
-- behind appservices, and what users report.

ALTER TABLE rooms ADD COLUMN avatar_url TEXT;
ALTER TABLE rooms ADD COLUMN room_type TEXT;
ALTER TABLE rooms ADD COLUMN join_rule TEXT;          -- NULL: the room has not mirrored it yet
ALTER TABLE rooms ADD COLUMN history_visibility TEXT;
ALTER TABLE rooms ADD COLUMN guest_access TEXT;
ALTER TABLE rooms ADD COLUMN search TEXT;             -- name, topic and canonical alias in lower case

-- Rooms mirror these with their next state event; those that are listed already shall not wait.
UPDATE rooms SET
    avatar_url = (SELECT json_extract(e.pdu, '$.content.url') FROM events e
        WHERE e.room_id = rooms.room_id AND json_extract(e.pdu, '$.type') = 'm.room.avatar'
            AND json_extract(e.pdu, '$.state_key') = '' AND e.rejected = 0 ORDER BY e.order_key DESC LIMIT 1),
    room_type = (SELECT json_extract(e.pdu, '$.content.type') FROM events e
        WHERE e.room_id = rooms.room_id AND e.order_key = 1),
    join_rule = (SELECT json_extract(e.pdu, '$.content.join_rule') FROM events e
        WHERE e.room_id = rooms.room_id AND json_extract(e.pdu, '$.type') = 'm.room.join_rules'
            AND json_extract(e.pdu, '$.state_key') = '' AND e.rejected = 0 ORDER BY e.order_key DESC LIMIT 1),
    history_visibility = (SELECT json_extract(e.pdu, '$.content.history_visibility') FROM events e
        WHERE e.room_id = rooms.room_id AND json_extract(e.pdu, '$.type') = 'm.room.history_visibility'
            AND json_extract(e.pdu, '$.state_key') = '' AND e.rejected = 0 ORDER BY e.order_key DESC LIMIT 1),
    guest_access = (SELECT json_extract(e.pdu, '$.content.guest_access') FROM events e
        WHERE e.room_id = rooms.room_id AND json_extract(e.pdu, '$.type') = 'm.room.guest_access'
            AND json_extract(e.pdu, '$.state_key') = '' AND e.rejected = 0 ORDER BY e.order_key DESC LIMIT 1),
    search = lower(COALESCE(name, '') || char(10) || COALESCE(topic, '') || char(10) || COALESCE(canonical_alias, ''))
WHERE listed = 1;

CREATE INDEX rooms_listed ON rooms (joined_members DESC, room_id) WHERE listed = 1;

-- Rooms that an appservice lists under a network of its own.
CREATE TABLE network_rooms (
    network TEXT NOT NULL,            -- <appservice id>|<network id>
    room_id TEXT NOT NULL,
    PRIMARY KEY (network, room_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX network_rooms_by_room ON network_rooms (room_id);

-- What users report, for the operator to read.
CREATE TABLE reports (
    created_at INTEGER NOT NULL,      -- milliseconds since the epoch
    report_id TEXT NOT NULL,
    reporter TEXT NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT,
    score INTEGER,                    -- from -100 to 0, as older clients send it
    PRIMARY KEY (created_at, report_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_by_reporter ON reports (reporter, created_at);
