package store_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store/migrations"
)

// upTo returns the program's migrations as they were before the one with the given name.
func upTo(t *testing.T, name string) fs.FS {
	t.Helper()
	files := make(fstest.MapFS)
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n >= name {
			continue
		}
		content, err := fs.ReadFile(migrations.Files, n)
		if err != nil {
			t.Fatal(err)
		}
		files[n] = &fstest.MapFile{Data: content}
	}
	return files
}

// Sessions from before there were refresh tokens have none, and end with their access tokens.
func TestOldSessionsEndAsTheyWould(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		ctx := t.Context()
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		old := reopen(t, url, 20*time.Second)
		old.SetMigrations(upTo(t, "0006"))
		if err := old.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		account, session := id.New(now), id.New(now)
		for _, statement := range []string{
			`INSERT INTO accounts (id, email, email_key, password_hash, created_at, updated_at) VALUES (?0, 'a', 'a', '', ?2, ?2)`,
			`INSERT INTO sessions (id, account_id, created_at, last_seen_at, auth_time, expires_at, user_agent, ip_address, amr)
			VALUES (?1, ?0, ?2, ?2, ?2, ?3, '', '', 'pwd')`,
		} {
			if _, err := old.Conn(ctx).NewRaw(statement, account, session, now, now.Add(time.Hour)).Exec(ctx); err != nil {
				t.Fatal(err)
			}
		}

		today := reopen(t, url, 20*time.Second)
		if err := today.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		var salt []byte
		var generation int
		var absolute, token, previous, grace time.Time
		err := today.QueryRow(ctx, `SELECT salt, generation, absolute_expires_at, token_expires_at, previous_until, grace_until
			FROM sessions WHERE id = $1`, session).Scan(&salt, &generation, &absolute, &token, &previous, &grace)
		if err != nil {
			t.Fatal(err)
		}
		if len(salt) != 0 || generation != 0 || !absolute.Equal(now.Add(time.Hour)) || !token.Equal(now.Add(time.Hour)) ||
			previous.After(time.Unix(0, 0)) || grace.After(time.Unix(0, 0)) {
			t.Errorf("salt %x, generation %d, absolute %v, token %v, previous %v, grace %v",
				salt, generation, absolute, token, previous, grace)
		}
	})
}
