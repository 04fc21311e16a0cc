-- The walls that an agent's network process was missing when the audit log last said so. No row: none ever was.
CREATE TABLE sandbox (
    agent   TEXT PRIMARY KEY REFERENCES agent (id),
    missing TEXT NOT NULL                   -- names with spaces; '' when it is whole again
) STRICT, WITHOUT ROWID;
