-- What was counted on agents' hosts when they were looked at: what the next look is compared with.
CREATE TABLE sample (
    agent    TEXT NOT NULL REFERENCES agent (id),
    taken    INTEGER NOT NULL,              -- by our own clock, seconds since the epoch
    boot     BLOB NOT NULL,                 -- the host's boot id, 16 bytes
    counters TEXT NOT NULL,                 -- JSON: [["disk-free","/var",123],…]
    PRIMARY KEY (agent, taken)
) STRICT, WITHOUT ROWID;
