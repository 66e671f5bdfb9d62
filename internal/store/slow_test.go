package store_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestSlowStatementsAreLoggedByShape(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var step, elapsed atomic.Int64 // each look at the clock finds it a step further
	now := func() time.Time { return epoch.Add(time.Duration(elapsed.Add(step.Load()))) }
	db, err := store.Open(t.Context(), store.Config{
		URL: storetest.URL(t, storetest.SQLite), Timeout: 20 * time.Second, Logger: logger, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	withNotes(t, db)

	if err := insert(t.Context(), db, newNote(canary)); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("a fast statement was logged: %s", &log)
	}
	step.Store(int64(6 * time.Second))
	if err := insert(t.Context(), db, newNote(canary+"2")); err != nil {
		t.Fatal(err)
	}
	got := log.String()
	if !strings.Contains(got, "operation=INSERT table=notes took=6s") {
		t.Errorf("logged %q", got)
	}
	if strings.Contains(got, canary) {
		t.Errorf("the log quotes a value: %q", got)
	}
}
