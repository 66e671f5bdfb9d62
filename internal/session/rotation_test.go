package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/token"
)

// PostgreSQL updates a row within its page, and no index, only while no column changes that is in one.
func TestRefreshingChangesNoIndexedColumn(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t, kind)
			var indexes []string
			query := "SELECT COALESCE(sql, '') FROM sqlite_master WHERE type = 'index' AND tbl_name = 'sessions'"
			if kind == storetest.Postgres {
				query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'sessions'"
			}
			if err := db.Conn(t.Context()).NewRaw(query).Scan(t.Context(), &indexes); err != nil || len(indexes) < 3 {
				t.Fatalf("indexes %q: %v", indexes, err)
			}
			for _, statement := range []string{rotation, renewal} {
				changed := regexp.MustCompile(`(?m)^\s*([a-z_]+)\s+= `).FindAllStringSubmatch(statement, -1)
				if len(changed) < 7 {
					t.Fatalf("found %d changed columns", len(changed))
				}
				for _, column := range changed {
					for _, index := range indexes {
						// Ending a session may change the index of what has ended.
						if column[1] != "revoked_at" && regexp.MustCompile(`\b`+column[1]+`\b`).MatchString(index) {
							t.Errorf("%s is in %s", column[1], index)
						}
					}
				}
			}
		})
	}
}

// As PostgreSQL counts them, refreshes stay within their page (heap-only tuples).
func TestRefreshesAreHeapOnly(t *testing.T) {
	t.Parallel()
	const sessions, refreshes = 60, 20
	db := storetest.Open(t, storetest.Postgres)
	ctx := t.Context()
	r := rand.New(rand.NewPCG(5, 6))
	tokens := token.New(nil, nil, nil, token.Config{TTL: time.Minute})
	s, err := New(db, nil, nil, tokens, nil, func() time.Time { return noon }, Config{})
	if err != nil {
		t.Fatal(err)
	}
	execute := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Conn(ctx).NewRaw(statement, args...).Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	account := id.New(noon)
	execute(`INSERT INTO accounts (id, email, email_key, password_hash, created_at, updated_at) VALUES (?, 'a', 'a', '', ?1, ?1)`,
		account, noon)
	for range sessions {
		c := draw(r)
		row := &Session{
			ID: c.sessionID, AccountID: account, CreatedAt: noon, LastSeenAt: noon, AuthTime: noon, ExpiresAt: noon.Add(time.Hour),
			AbsoluteExpiresAt: noon.Add(time.Hour), TokenExpiresAt: noon, PreviousUntil: noon, GraceUntil: noon,
			Salt: c.salt[:], UserAgent: strings.Repeat("u", 120), IPAddress: "192.0.2.1", AMR: passwordMethod,
		}
		if _, err := db.Conn(ctx).NewInsert().Model(row).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for c.generation = range int32(refreshes) {
			if _, err := s.rotate(context.WithoutCancel(ctx), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	var updates, heapOnly int
	deadline := time.After(time.Minute) // the counts come with a delay
	for updates < sessions*refreshes {
		if err := db.QueryRow(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'").
			Scan(&updates, &heapOnly); err != nil {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatalf("%d updates were counted of %d", updates, sessions*refreshes)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Logf("%d of %d updates were heap-only", heapOnly, updates)
	if heapOnly*100 < updates*95 { // vacuum may be in the way of some
		t.Errorf("%d of %d updates were heap-only", heapOnly, updates)
	}
}

// What decides in the database decides alike where a row is at hand.
func TestAcceptsIsAccepted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		account := id.New(noon)
		if _, err := db.Conn(ctx).NewRaw(`INSERT INTO accounts (id, email, email_key, password_hash, created_at, updated_at)
			VALUES (?, 'a', 'a', '', ?1, ?1)`, account, noon).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		var rows []Session
		around := []time.Time{noon.Add(-time.Microsecond), noon, noon.Add(time.Microsecond)}
		for generation := range int32(4) {
			for from := range int32(4) {
				for _, previous := range around {
					for _, until := range around {
						rows = append(rows, Session{
							ID: id.New(noon), AccountID: account, Salt: []byte{},
							Generation: generation, GraceFrom: from, PreviousUntil: previous, GraceUntil: until,
						})
					}
				}
			}
		}
		if _, err := db.Conn(ctx).NewInsert().Model(&rows).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for generation := range int32(5) {
			got := map[id.ID]bool{}
			err := db.QueryRows(ctx, func(scan store.Scan) error {
				var found id.ID
				err := scan(&found)
				got[found] = true
				return err
			}, "SELECT id FROM sessions WHERE $1 >= 0 AND account_id = $2 AND "+accepted, generation, account, noon)
			if err != nil || generation < 4 && len(got) == 0 {
				t.Fatalf("%d accept generation %d: %v", len(got), generation, err)
			}
			for i := range rows {
				if row := &rows[i]; row.accepts(generation, noon) != got[row.ID] {
					t.Errorf("generation %d: the database says %t of %+v", generation, got[row.ID], row)
				}
			}
		}
	})
}

// However many sessions of an account have ended, a login looks at none of them.
func TestRoomIsMadeByTheIndexOfWhatLives(t *testing.T) {
	t.Parallel()
	for kind, ask := range map[string]struct{ prepare, explain, index string }{
		storetest.SQLite: {
			"SELECT 1", "EXPLAIN QUERY PLAN ?", "SELECT count(*) FROM sqlite_master WHERE name = 'sessions_account_id' AND sql",
		},
		storetest.Postgres: {
			"SET LOCAL enable_seqscan = off", // the table is empty
			"EXPLAIN ?", "SELECT count(*) FROM pg_indexes WHERE indexname = 'sessions_account_id' AND indexdef",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t, kind)
			s := &Service{db: db}
			var plan []map[string]any
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				if _, err := db.Conn(ctx).NewRaw(ask.prepare).Exec(ctx); err != nil {
					return err
				}
				return db.Conn(ctx).NewRaw(ask.explain, s.crowd(ctx, id.New(noon), id.New(noon), noon)).Scan(ctx, &plan)
			})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(fmt.Sprint(plan), "sessions_account_id") {
				t.Errorf("the plan is %v", plan)
			}
			var partial int
			err = db.QueryRow(t.Context(), ask.index+" LIKE '%revoked_at IS NULL%'").Scan(&partial)
			if err != nil || partial != 1 {
				t.Errorf("the index holds what has ended: %v", err)
			}
		})
	}
}
