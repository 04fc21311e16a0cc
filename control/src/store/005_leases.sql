-- What was changed at Cloudflare, what stood there before, and until when.
CREATE TABLE lease (
    id        BLOB PRIMARY KEY,             -- 8 bytes; its text is in every object's tag
    client    TEXT NOT NULL,
    zone      TEXT NOT NULL,
    zone_name TEXT NOT NULL,
    action    TEXT NOT NULL,
    nonce     BLOB,                         -- of the approval; NULL: automatic
    operator  INTEGER,
    transport TEXT,
    chat      INTEGER,
    said      TEXT NOT NULL,
    reason    TEXT NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    state     TEXT NOT NULL,                -- planned, active, ending, ended
    held      TEXT NOT NULL,                -- JSON: each change with what stood there before
    ending    TEXT                          -- how it ended
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_open ON lease (client) WHERE state <> 'ended';

-- The newest report of each agent that found a flood: what a mitigation is made from.
CREATE TABLE flood_report (
    agent  TEXT PRIMARY KEY REFERENCES agent (id),
    client TEXT NOT NULL,
    taken  INTEGER NOT NULL,                -- by our own clock
    report BLOB NOT NULL                    -- canonical, as the agent sent it
) STRICT, WITHOUT ROWID;

-- Clients whose floods are answered automatically.
CREATE TABLE armed (
    client   TEXT PRIMARY KEY,
    lease    BLOB NOT NULL,                 -- 8 bytes: names this arming in the audit log
    operator INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
