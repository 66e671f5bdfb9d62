-- When a key begins to sign. The keys of before signed from the start.
ALTER TABLE signing_keys ADD COLUMN signs_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
-- When another begins to sign in its place; NULL while none is to.
ALTER TABLE signing_keys ADD COLUMN superseded_at TIMESTAMPTZ;
-- How long the longest-lived token that it signs lives, in seconds. No setting has let one live for more than a day.
ALTER TABLE signing_keys ADD COLUMN token_ttl INTEGER NOT NULL DEFAULT 86400;

UPDATE signing_keys SET signs_at = created_at;
