-- The keys are the canonical forms of what people typed. COLLATE "C" compares them byte by byte, as SQLite does.
CREATE TABLE accounts (
    id             UUID        NOT NULL PRIMARY KEY,
    email          TEXT        NOT NULL,
    email_key      TEXT        COLLATE "C" NOT NULL,
    username       TEXT,
    username_key   TEXT        COLLATE "C",
    name           TEXT,
    email_verified BOOLEAN     NOT NULL DEFAULT FALSE,
    password_hash  TEXT        NOT NULL,
    disabled_at    TIMESTAMPTZ,
    last_login_at  TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT accounts_email_key UNIQUE (email_key),
    CONSTRAINT accounts_username_key UNIQUE (username_key)
);

CREATE INDEX accounts_created_at ON accounts (created_at, id);
