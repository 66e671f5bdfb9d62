package request_test

import (
	"context"
	"testing"

	"gatehouse/internal/request"
)

func TestContextCarriesInfo(t *testing.T) {
	t.Parallel()
	outer := request.Info{ID: "r1", Address: "192.0.2.1", UserAgent: "curl/8", Operation: &request.Operation{}}
	ctx, cancel := context.WithCancel(request.NewContext(t.Context(), outer))
	defer cancel()
	got := request.FromContext(ctx)
	if got != outer {
		t.Errorf("%+v, want %+v", got, outer)
	}
	got.Operation.Name, got.Operation.Type = "Me", "query"
	if again := request.FromContext(ctx); *again.Operation != (request.Operation{Name: "Me", Type: "query"}) {
		t.Errorf("what was noted is lost: %+v", again.Operation)
	}
	inner := request.Info{ID: "r2"}
	if got := request.FromContext(request.NewContext(ctx, inner)); got != inner {
		t.Errorf("%+v, want the inner %+v", got, inner)
	}
}

func TestNoInfoOutsideARequest(t *testing.T) {
	t.Parallel()
	if got := request.FromContext(t.Context()); got != (request.Info{}) {
		t.Errorf("%+v, want none", got)
	}
}
