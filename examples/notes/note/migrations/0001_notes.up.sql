CREATE TABLE notes (
    id         UUID        NOT NULL PRIMARY KEY,
    account_id UUID        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    title      TEXT        NOT NULL,
    text       TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- The order of an account's notes, page by page.
CREATE INDEX notes_account_id ON notes (account_id, created_at, id);
