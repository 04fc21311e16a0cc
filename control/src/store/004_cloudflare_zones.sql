-- Zones of clients, each with the API token for it.
CREATE TABLE cloudflare_zone (
    zone       TEXT PRIMARY KEY,            -- 32 hexadecimal digits
    client     TEXT NOT NULL REFERENCES client (id),
    credential TEXT NOT NULL,               -- the API token, encrypted with SECMON_DATA_KEY (Fernet)
    added      INTEGER NOT NULL,            -- when the token was stored, seconds since the epoch
    name       TEXT NOT NULL,               -- what the API said of the zone when it was last asked: domain,
    plan       TEXT NOT NULL,               -- free, pro, business, enterprise,
    status     TEXT NOT NULL,               -- active, pending, …,
    paused     INTEGER NOT NULL,            -- 0 or 1,
    checked    INTEGER NOT NULL             -- and when that was
) STRICT, WITHOUT ROWID;
CREATE INDEX cloudflare_zone_by_client ON cloudflare_zone (client, name);

-- What no mitigation of a zone may hit, and what is looked at after one.
CREATE TABLE cloudflare_protection (
    zone  TEXT NOT NULL REFERENCES cloudflare_zone (zone) ON DELETE CASCADE,
    kind  TEXT NOT NULL,                    -- range, path, origin, probe
    value TEXT NOT NULL,
    PRIMARY KEY (zone, kind, value)
) STRICT, WITHOUT ROWID;
