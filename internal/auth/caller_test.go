package auth_test

import (
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

func TestFromContext(t *testing.T) {
	t.Parallel()
	nobody := auth.FromContext(t.Context())
	if nobody.SignedIn() || nobody.Refusal.Reason != fault.Missing {
		t.Errorf("without a caller the context gives %+v, want an anonymous one without a credential", nobody)
	}
	alice := &auth.Caller{AccountID: id.ID{1}}
	ctx := auth.NewContext(t.Context(), alice)
	if got := auth.FromContext(ctx); got != alice {
		t.Errorf("the context gives %+v, want the caller that was put in", got)
	}
	bob := &auth.Caller{AccountID: id.ID{2}}
	if got := auth.FromContext(auth.NewContext(ctx, bob)); got != bob {
		t.Errorf("the context gives %+v, want the caller that was put in last", got)
	}
}

func TestSignedIn(t *testing.T) {
	t.Parallel()
	if !(&auth.Caller{AccountID: id.ID{1}}).SignedIn() {
		t.Error("a caller without a refusal is not signed in")
	}
	for _, refusal := range []*fault.Error{fault.Anonymous(fault.Revoked), fault.Outage(nil)} {
		if auth.Anonymous(refusal).SignedIn() {
			t.Errorf("a caller refused with %s is signed in", refusal.Code)
		}
	}
}
