-- What an account has open is listed, ended and counted; what has ended is in nobody's way. A login then looks at no more rows than
-- an account may have open, however often its people logged out since housekeeping came by.
DROP INDEX sessions_account_id;
CREATE INDEX sessions_account_id ON sessions (account_id, created_at, id) WHERE revoked_at IS NULL;
