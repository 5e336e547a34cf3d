-- The public keys of people's devices: what a UserKeysObject is rebuilt from. One-time keys stay with their object, since a copy
-- could be handed out twice.

CREATE TABLE device_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    -- The signed object, with every signature that others made of it.
    keys TEXT NOT NULL,
    display_name TEXT,
    PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cross_signing_keys (
    user_id TEXT NOT NULL,
    -- master, self_signing or user_signing
    usage TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (user_id, usage)
) STRICT, WITHOUT ROWID;
