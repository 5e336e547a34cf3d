//! The tables of relations and of times, and how the events of an older room fill them.

/// The schema step; it also fills the tables from the events that an older room has.
pub const STEP: &[&str] = &[
    // `valid`: whether it counts in its parent's aggregation (an edit by somebody else does not).
    "CREATE TABLE relations (
        parent TEXT NOT NULL,
        rel_type TEXT NOT NULL,
        order_key INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        sender TEXT NOT NULL,
        ts INTEGER NOT NULL,
        annotation TEXT,
        valid INTEGER NOT NULL,
        PRIMARY KEY (parent, rel_type, order_key)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE aggregations (
        parent TEXT PRIMARY KEY,
        replacement INTEGER,
        thread_count INTEGER NOT NULL,
        thread_latest INTEGER
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX threads_by_latest ON aggregations (thread_latest) WHERE thread_latest IS NOT NULL",
    "CREATE TABLE thread_participants (
        root TEXT NOT NULL,
        user_id TEXT NOT NULL,
        PRIMARY KEY (root, user_id)
    ) STRICT, WITHOUT ROWID",
    super::super::times::TABLE,
    // The JSON functions name what canonical JSON holds; the limits are those of an append.
    "INSERT INTO relations (parent, rel_type, order_key, event_type, sender, ts, annotation, valid)
     SELECT c.parent, c.rel_type, c.order_key, c.type, c.sender, c.ts, c.annotation,
        CASE c.rel_type
            WHEN 'm.replace' THEN coalesce(c.sender = p.sender AND c.type = p.type AND c.state_key IS NULL
                AND p.state_key IS NULL AND (c.type = 'm.room.encrypted' OR c.new_content = 'object')
                AND coalesce(json_extract(p.pdu, '$.content.\"m.relates_to\".rel_type'), '') <> 'm.replace', 0)
            WHEN 'm.thread' THEN json_extract(p.pdu, '$.content.\"m.relates_to\".rel_type') IS NULL
            ELSE 1
        END
     FROM (
        SELECT order_key, type, sender, state_key,
            json_extract(pdu, '$.content.\"m.relates_to\".event_id') AS parent,
            json_type(pdu, '$.content.\"m.relates_to\".event_id') AS parent_type,
            json_extract(pdu, '$.content.\"m.relates_to\".rel_type') AS rel_type,
            json_type(pdu, '$.content.\"m.relates_to\".rel_type') AS rel_type_type,
            json_extract(pdu, '$.origin_server_ts') AS ts,
            CASE json_type(pdu, '$.content.\"m.relates_to\".key')
                WHEN 'text' THEN json_extract(pdu, '$.content.\"m.relates_to\".key') END AS annotation,
            json_type(pdu, '$.content.\"m.new_content\"') AS new_content
        FROM events WHERE redacted_by IS NULL AND rejected = 0 AND instr(pdu, '\"m.relates_to\"') > 0
     ) c LEFT JOIN events p ON p.event_id = c.parent
     WHERE c.parent_type = 'text' AND c.rel_type_type = 'text'
        AND length(c.parent) BETWEEN 1 AND 255 AND length(c.rel_type) BETWEEN 1 AND 255",
    "INSERT INTO aggregations (parent, replacement, thread_count, thread_latest)
     SELECT g.parent,
        (SELECT r.order_key FROM relations r JOIN events e ON e.order_key = r.order_key
            WHERE r.parent = g.parent AND r.rel_type = 'm.replace' AND r.valid = 1
            ORDER BY r.ts DESC, e.event_id DESC LIMIT 1),
        (SELECT COUNT(*) FROM relations r WHERE r.parent = g.parent AND r.rel_type = 'm.thread' AND r.valid = 1),
        (SELECT MAX(order_key) FROM relations r WHERE r.parent = g.parent AND r.rel_type = 'm.thread' AND r.valid = 1)
     FROM (SELECT DISTINCT parent FROM relations WHERE rel_type IN ('m.replace', 'm.thread') AND valid = 1) g",
    "INSERT INTO thread_participants (root, user_id)
     SELECT DISTINCT parent, sender FROM relations WHERE rel_type = 'm.thread' AND valid = 1",
];

/// What a rebuild empties.
pub const WIPE: [&str; 4] =
    ["DELETE FROM relations", "DELETE FROM aggregations", "DELETE FROM thread_participants", "DELETE FROM time_blocks"];
