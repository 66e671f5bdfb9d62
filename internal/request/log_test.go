package request_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/internal/request"
)

func TestLinesCarryTheRequestsID(t *testing.T) {
	t.Parallel()
	inside := request.NewContext(t.Context(), request.Info{ID: "r1"})
	for _, test := range []struct {
		name string
		log  func(context.Context, *slog.Logger)
		want string
	}{
		{"plain", func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "said", "a", 1) }, "a=1"},
		{"with attributes", func(ctx context.Context, l *slog.Logger) { l.With("a", 1).InfoContext(ctx, "said") }, "a=1"},
		{"in a group", func(ctx context.Context, l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "said", "a", 1) }, "g.a=1"},
		{"below the level", func(ctx context.Context, l *slog.Logger) { l.DebugContext(ctx, "said") }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			logger := slog.New(request.LogHandler(slog.NewTextHandler(&text, nil)))
			test.log(inside, logger)
			if test.want == "" {
				if text.Len() > 0 {
					t.Errorf("logged %s", &text)
				}
				return
			}
			if line := text.String(); !strings.Contains(line, test.want) || !strings.Contains(line, "requestId=r1\n") {
				t.Errorf("logged %s", line)
			}
			text.Reset()
			test.log(t.Context(), logger)
			if line := text.String(); !strings.Contains(line, test.want) || strings.Contains(line, "requestId") {
				t.Errorf("outside a request it logged %s", line)
			}
		})
	}
}
