-- Clients and their servers.
CREATE TABLE client (
    id      TEXT PRIMARY KEY,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
    id          TEXT PRIMARY KEY,
    client      TEXT NOT NULL REFERENCES client (id),
    address     TEXT NOT NULL,              -- host:port
    receipt_key BLOB NOT NULL,              -- Ed25519 public key, 32 bytes
    not_after   INTEGER NOT NULL,           -- end of its certificate, seconds since the epoch
    manifest    BLOB NOT NULL,              -- as issued, canonical
    created     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One-time numbers: never deleted.
CREATE TABLE nonce (
    nonce      BLOB PRIMARY KEY,            -- 8 bytes
    operator   INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE totp_step (
    operator   INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    PRIMARY KEY (operator, step)
) STRICT, WITHOUT ROWID;

-- Wrong codes of the last minutes, and until when an operator is locked out for them.
CREATE TABLE totp_failure (
    operator  INTEGER NOT NULL,
    failed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX totp_failure_by_operator ON totp_failure (operator, failed_at);

CREATE TABLE lockout (
    operator INTEGER PRIMARY KEY,
    until    INTEGER NOT NULL
) STRICT;

-- Approvals whose claim is committed and whose outcome is not final yet. The intent itself stands in the
-- audit log; after a crash it is found there by its nonce.
CREATE TABLE pending (
    nonce      BLOB PRIMARY KEY REFERENCES nonce (nonce),
    operator   INTEGER NOT NULL,
    action     TEXT NOT NULL,
    client     TEXT NOT NULL,
    transport  TEXT NOT NULL,
    chat       INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Verbatim, for ever: what the hosts signed.
CREATE TABLE receipt (
    agent     TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    intent    INTEGER NOT NULL,
    body      BLOB NOT NULL,
    signature BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (agent, seq)
) STRICT, WITHOUT ROWID;

-- Messages that the operators have not been sent yet.
CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    transport TEXT NOT NULL,
    chat      INTEGER NOT NULL,
    reply     TEXT NOT NULL                 -- JSON of the reply
) STRICT;

-- Single values: the Telegram offset.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
