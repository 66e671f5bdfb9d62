CREATE TABLE account_roles (
    account_id UUID        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    role       TEXT        NOT NULL,
    granted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, role)
);
