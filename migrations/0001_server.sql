-- The relational model of the server: who and what exists, and the archive of all events.
-- Objects fill it through their outboxes, so rows arrive in any order and there are no foreign keys.

CREATE TABLE accounts (
    user_id TEXT PRIMARY KEY,
    owner INTEGER NOT NULL,           -- 1: owns the server
    appservice_id TEXT,               -- the appservice that registered its own user
    created_at INTEGER NOT NULL       -- milliseconds since the epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE profiles (
    user_id TEXT PRIMARY KEY,
    displayname TEXT,
    avatar_url TEXT,
    revision INTEGER NOT NULL         -- the writer's counter: an older write never wins
) STRICT, WITHOUT ROWID;

CREATE TABLE owner_links (
    token_hash TEXT PRIMARY KEY,      -- hex SHA-256 of the link's secret
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
    room_id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    creator TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    listed INTEGER NOT NULL,          -- 1: in the public directory
    name TEXT,
    topic TEXT,
    canonical_alias TEXT,
    joined_members INTEGER NOT NULL,
    position INTEGER NOT NULL         -- the position that this row shows
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    membership TEXT NOT NULL,
    event_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
    alias TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_room ON aliases (room_id);

-- The archive: every event as it was signed. Never used to authorise, nor by /sync.
CREATE TABLE events (
    room_id TEXT NOT NULL,
    order_key INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    position INTEGER,                 -- NULL: imported history
    pdu TEXT NOT NULL,                -- the signed event; pruned once it was redacted
    transaction_key TEXT,             -- <device>|<transaction id> of the sender
    rejected INTEGER NOT NULL,
    visibility TEXT NOT NULL,         -- the history visibility in force
    redacted_by TEXT,
    PRIMARY KEY (room_id, order_key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_by_id ON events (event_id);

CREATE TABLE receipts (
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    receipt_type TEXT NOT NULL,
    thread_id TEXT NOT NULL,          -- '': unthreaded
    event_id TEXT NOT NULL,
    ts INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id, receipt_type, thread_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE appservices (
    id TEXT PRIMARY KEY,
    registration TEXT NOT NULL,       -- JSON, without its tokens
    as_token_hash TEXT NOT NULL,      -- hex HMAC of the token
    hs_token_enc TEXT NOT NULL,       -- encrypted with the master key
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bridge_logins (
    login_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,              -- the Matrix user
    network TEXT NOT NULL,
    team TEXT,                        -- NULL while the login is pending
    remote_user TEXT,
    name TEXT,
    state TEXT NOT NULL,              -- pending | connected | bad_credentials | disconnected
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bridge_logins_by_remote ON bridge_logins (network, team, remote_user) WHERE remote_user IS NOT NULL;

CREATE TABLE portals (
    portal_id TEXT PRIMARY KEY,
    login_id TEXT NOT NULL,
    remote_id TEXT NOT NULL,          -- an attribute: the network may change it
    kind TEXT NOT NULL,
    room_id TEXT,
    name TEXT,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX portals_by_login ON portals (login_id);

CREATE TABLE ghosts (
    user_id TEXT PRIMARY KEY,
    network TEXT NOT NULL,
    team TEXT NOT NULL,
    remote_user TEXT NOT NULL,
    name TEXT,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which event shows which remote message: the mirror of the portals' maps.
CREATE TABLE message_map (
    portal_id TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (portal_id, remote_id, part)
) STRICT, WITHOUT ROWID;

-- Objects whose outbox has work older than a minute; Cron pokes them.
CREATE TABLE stuck (
    class TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (class, name)
) STRICT, WITHOUT ROWID;

-- Where the round-robin check of all objects goes on.
CREATE TABLE sweeps (
    class TEXT PRIMARY KEY,
    after TEXT NOT NULL
) STRICT, WITHOUT ROWID;
