CREATE TABLE sessions (
    id           UUID        NOT NULL PRIMARY KEY,
    account_id   UUID        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at   TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    auth_time    TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    revoked_at   TIMESTAMPTZ,
    user_agent   TEXT        NOT NULL,
    ip_address   TEXT        NOT NULL,
    amr          TEXT        NOT NULL -- RFC 8176 methods, separated by spaces
);

CREATE INDEX sessions_account_id ON sessions (account_id);

-- Read every second by every replica, so it holds only what they look for.
CREATE INDEX sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
