-- Media: random ids that clients know, over bytes that are stored once however often they are uploaded.

CREATE TABLE media (
    media_id TEXT PRIMARY KEY,        -- random: it reveals nothing of the bytes
    uploader TEXT NOT NULL,
    created_at INTEGER NOT NULL,      -- milliseconds since the epoch
    expires_at INTEGER,               -- until when its bytes may be uploaded; NULL for those that came with them
    hash TEXT,                        -- of its bytes; NULL until they are uploaded
    content_type TEXT,
    file_name TEXT,
    remote_source TEXT,               -- the address that the bytes were copied from
    used_at INTEGER NOT NULL          -- the last use, within a day
) STRICT, WITHOUT ROWID;
CREATE INDEX media_by_uploader ON media (uploader, media_id);
CREATE INDEX media_pending ON media (expires_at, uploader) WHERE hash IS NULL;

CREATE TABLE blobs (
    hash TEXT PRIMARY KEY,            -- hex SHA-256
    r2_key TEXT NOT NULL,             -- thumbnails lie beside it, under <r2_key>/<size>
    size INTEGER NOT NULL,
    uses INTEGER NOT NULL             -- how many rows of media have this hash; the row goes with the last
) STRICT, WITHOUT ROWID;

-- Keys that may be in R2 though no row of blobs names them: uploads under way, and bytes that nobody uses any more.
CREATE TABLE unowned_blobs (
    r2_key TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    doomed INTEGER NOT NULL           -- 1: its bytes are being deleted, and no upload may adopt it
) STRICT, WITHOUT ROWID;

CREATE TABLE url_previews (
    url TEXT PRIMARY KEY,
    body TEXT NOT NULL,               -- what /preview_url answers
    image_source TEXT,                -- the address that its image was copied from
    fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX url_previews_by_age ON url_previews (fetched_at);
