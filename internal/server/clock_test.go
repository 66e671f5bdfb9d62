package server

import (
	"testing"
	"time"

	"gatehouse/internal/store/storetest"
)

// TestClocksThatDiffer runs replicas whose machines disagree about the time, by more than a grace window lasts, and sets their
// clocks by an hour while people are signed in. Nobody is logged out, and no token lives longer for it.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	url, secret := storetest.URL(t, storetest.Postgres), "--secret="+newSecret()
	machines := make([]storetest.Machine, 3)
	replicas := make([]*testServer, len(machines))
	for i := range machines {
		machines[i].Set([]time.Duration{0, 30 * time.Second, -30 * time.Second}[i])
		replicas[i] = startProgram(t, gatehouse, machines[i].Now, url, secret, "--access-token-ttl=10s")
	}
	v := replicas[0].registered(t, firefox, "ada@example.com")
	var minted time.Time // the last access token: no later than that

	for _, set := range []time.Duration{0, time.Hour, -time.Hour} {
		for i := range machines {
			machines[i].Set(set + []time.Duration{0, 30 * time.Second, -30 * time.Second}[i])
		}
		for i := range replicas {
			// One rotates, and late tabs ask the others, whose clocks would say that the grace is over or has not begun.
			late := v.refresh
			v.server = replicas[i]
			v.mutate(t, "refresh", map[string]any{"refreshToken": late})
			minted = time.Now()
			for _, other := range replicas {
				got := other.ask(t, "", mutation("refresh"), map[string]any{"input": map[string]any{"refreshToken": late}})
				if got.at("refresh", "tokens", "refreshToken") != v.refresh {
					t.Fatalf("clocks set by %v: a late tab: %s", set, got.Body)
				}
				v.server = other
				v.expect(t, "")
			}
		}
	}

	var lived time.Duration // at least, when it was last accepted
	for _, r := range replicas {
		eventually(t, 30*time.Second, "the access token expires", func() bool {
			asked := time.Now()
			got := r.ask(t, v.access, meQuery, nil)
			if got.at("me", "email") != nil {
				lived = asked.Sub(minted)
			}
			return got.code() == "UNAUTHENTICATED"
		})
		v.server = r
		v.expect(t, "EXPIRED")
	}
	if lived > 11*time.Second {
		t.Errorf("an access token of 10 s lived for %v", lived)
	}
	v.mutate(t, "refresh", map[string]any{"refreshToken": v.refresh})
	v.expect(t, "")
}
