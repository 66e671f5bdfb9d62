-- What happened stays when the account or the session it names is gone, so nothing is referenced. Nothing looks an entry up by
-- its id alone: the key is the order in which the log is read and forgotten.
CREATE TABLE audit_entries (
    created_at TIMESTAMPTZ NOT NULL,
    id         UUID        NOT NULL,
    event      TEXT        NOT NULL,
    actor_id   UUID,
    account_id UUID,
    session_id UUID,
    ip_address TEXT        NOT NULL,
    user_agent TEXT        NOT NULL,
    request_id TEXT        NOT NULL,
    detail     TEXT        NOT NULL,
    PRIMARY KEY (created_at, id)
);

CREATE INDEX audit_entries_account_id ON audit_entries (account_id, created_at, id);
