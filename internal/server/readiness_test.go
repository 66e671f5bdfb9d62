package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/web"
)

func TestReadinessAsksOnceASecond(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	down := errors.New("down")
	asked := 0
	var answer error
	r := &readiness{now: func() time.Time { return now }, check: func(ctx context.Context) error {
		asked++
		return errors.Join(answer, ctx.Err())
	}}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for i, step := range []struct {
		wait   time.Duration
		answer error
		want   error
		asked  int
	}{
		{0, nil, nil, 1}, // whoever asked has gone, which says nothing of the database
		{0, down, nil, 1},
		{999 * time.Millisecond, down, nil, 1},
		{time.Millisecond, down, down, 2},
		{0, nil, down, 2},
		{time.Second, nil, nil, 3},
		{time.Second, fmt.Errorf("check: %w", store.ErrSchemaOlder), store.ErrSchemaOlder, 4},
		{time.Second, fmt.Errorf("check: %w", store.ErrSchemaNewer), nil, 5}, // as while newer servers take over
	} {
		now, answer = now.Add(step.wait), step.answer
		if err := r.Check(gone); !errors.Is(err, step.want) || asked != step.asked {
			t.Errorf("step %d: %v after %d questions, want %v after %d", i, err, asked, step.want, step.asked)
		}
	}
	r.drain()
	if err := r.Check(t.Context()); !errors.Is(err, web.ErrDraining) || asked != 5 {
		t.Errorf("draining: %v after %d questions", err, asked)
	}
}
