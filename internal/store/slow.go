package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/uptrace/bun"
)

// slowHook logs the shape of statements that take longer than the threshold. Bun's text of a statement has the values in it
// and is not looked at.
type slowHook struct {
	logger    *slog.Logger
	now       func() time.Time
	threshold time.Duration
}

type startKey struct{}

// BeforeQuery implements [bun.QueryHook].
func (h *slowHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return context.WithValue(ctx, startKey{}, h.now())
}

// AfterQuery implements [bun.QueryHook].
func (h *slowHook) AfterQuery(ctx context.Context, event *bun.QueryEvent) {
	start, ok := ctx.Value(startKey{}).(time.Time)
	if !ok || event.IQuery == nil {
		return
	}
	if took := h.now().Sub(start); took > h.threshold {
		h.logger.DebugContext(ctx, "slow statement",
			"operation", event.IQuery.Operation(), "table", event.IQuery.GetTableName(), "took", took)
	}
}
