-- What people show and where they are notified: profile fields beyond name and avatar, and which
-- accounts share a push key, so that a phone that changes hands is not told of the former account.

CREATE TABLE profile_fields (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,              -- JSON
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE pushkeys (
    key_hash TEXT NOT NULL,           -- hex SHA-256 of app id and push key
    user_id TEXT NOT NULL,
    PRIMARY KEY (key_hash, user_id)
) STRICT, WITHOUT ROWID;
