-- A refresh token carries the session's id, a generation and the salt under a MAC; only what it is compared with is kept.
-- The sessions of before have no refresh token: no token carries an empty salt. They end with their access tokens.
ALTER TABLE sessions ADD COLUMN salt BYTEA NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN previous_until TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE sessions ADD COLUMN grace_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN grace_until TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE sessions ADD COLUMN absolute_expires_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE sessions ADD COLUMN token_expires_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';

UPDATE sessions SET absolute_expires_at = expires_at, token_expires_at = expires_at;

-- The order in which an account's sessions are listed. Refreshing must never change a column that is in an index: PostgreSQL
-- then updates the row within its page (HOT) and touches no index at all.
DROP INDEX sessions_account_id;
CREATE INDEX sessions_account_id ON sessions (account_id, created_at, id);
