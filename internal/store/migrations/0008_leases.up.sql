CREATE TABLE leases (
    job        TEXT        NOT NULL PRIMARY KEY,
    holder     UUID        NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
