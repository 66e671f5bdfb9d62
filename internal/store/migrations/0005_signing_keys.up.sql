CREATE TABLE signing_keys (
    kid        TEXT        NOT NULL PRIMARY KEY,
    algorithm  TEXT        NOT NULL,
    number     INTEGER     NOT NULL,
    sealed     BYTEA       NOT NULL, -- the private key, encrypted under the master secret
    created_at TIMESTAMPTZ NOT NULL,
    retired_at TIMESTAMPTZ,
    CONSTRAINT signing_keys_number UNIQUE (algorithm, number)
);
