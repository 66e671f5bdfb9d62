package soak

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/internal/store/storetest"
)

// deployments are how Gatehouse is run: one process on the embedded database, several on PostgreSQL.
var deployments = []struct {
	kind     string
	replicas int
}{
	{storetest.SQLite, 1},
	{storetest.Postgres, 3},
}

// callers is how many present one refresh token at once.
const callers = 100

// TestRefreshRace lets a hundred callers present one refresh token at once, over and over.
func TestRefreshRace(t *testing.T) {
	for _, d := range deployments {
		t.Run(d.kind, func(t *testing.T) {
			f := startFleet(t, d.kind, d.replicas)
			opened, err := f.replicas[0].register(t.Context(), newPerson())
			if err != nil {
				t.Fatal(err)
			}
			held := opened.Tokens
			rounds := times(10, 1000)
			for round := range rounds {
				successors := make([]tokens, callers)
				var presenting errgroup.Group
				for i := range callers {
					presenting.Go(func() (err error) {
						successors[i], err = f.at(i).refresh(t.Context(), held.RefreshToken)
						return err
					})
				}
				if err := presenting.Wait(); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				for i, successor := range successors {
					if successor.RefreshToken != successors[0].RefreshToken || successor.RefreshToken == held.RefreshToken {
						t.Fatalf("round %d: caller %d was given another successor than caller 0", round, i)
					}
					if i%10 != 0 {
						continue
					}
					if _, err := f.at(i+1).me(t.Context(), successor.AccessToken); err != nil {
						t.Fatalf("round %d: the access token of caller %d: %v", round, i, err)
					}
				}
				held = successors[callers-1]
			}
			proved(t, fmt.Sprintf("One refresh token presented by %d callers at once, %d rounds, %d process(es) on %s",
				callers, rounds, d.replicas, d.kind), "one successor each round, the same for all; nobody logged out, no error")
		})
	}
}

// at returns a replica, the same for the same i.
func (f *fleet) at(i int) *replica { return f.replicas[i%len(f.replicas)] }

// TestLostAnswers refreshes over connections that are cut before the answer is read, and tries again as a client does.
func TestLostAnswers(t *testing.T) {
	for _, d := range deployments {
		t.Run(d.kind, func(t *testing.T) {
			f := startFleet(t, d.kind, d.replicas)
			opened, err := f.replicas[0].register(t.Context(), newPerson())
			if err != nil {
				t.Fatal(err)
			}
			held := opened.Tokens
			lost := times(20, 1000)
			for i := range lost {
				f.at(i).refreshAndHangUp(t, held.RefreshToken, time.Duration(i%20)*200*time.Microsecond)
				first, err := f.at(i+1).refresh(t.Context(), held.RefreshToken)
				if err != nil {
					t.Fatalf("retry %d: %v", i, err)
				}
				second, err := f.at(i+2).refresh(t.Context(), held.RefreshToken)
				if err != nil {
					t.Fatalf("retry %d, once more: %v", i, err)
				}
				if first.RefreshToken != second.RefreshToken {
					t.Fatalf("retry %d: two successors of one token", i)
				}
				held = second
			}
			proved(t, fmt.Sprintf("%d refreshes whose answer was lost, each tried again twice, on %s", lost, d.kind),
				"the same successor for each retry")
		})
	}
}

// refreshAndHangUp sends a refresh and cuts the connection a moment later, whether an answer is there or not.
func (r *replica) refreshAndHangUp(t *testing.T, token string, moment time.Duration) {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	body := fmt.Sprintf(`{"query":%q,"variables":{"input":{"refreshToken":%q}}}`, strings.ReplaceAll(refresh, "\n\t\t", " "), token)
	_, err = fmt.Fprintf(connection,
		"POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		r.address, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(moment)
}

// TestReuseEndsTheSession presents a generation that is older than the grace window, as a thief would who came late; then
// everything is killed and started again.
func TestReuseEndsTheSession(t *testing.T) {
	const grace = time.Second
	for _, d := range deployments {
		t.Run(d.kind, func(t *testing.T) {
			f := startFleet(t, d.kind, d.replicas, "REFRESH_GRACE="+grace.String())
			rounds := times(1, 50)
			var slowest time.Duration
			var dead []tokens
			for round := range rounds {
				opened, err := f.replicas[0].register(t.Context(), newPerson())
				if err != nil {
					t.Fatal(err)
				}
				stolen, held := opened.Tokens.RefreshToken, opened.Tokens
				for range 2 {
					if held, err = f.at(round).refresh(t.Context(), held.RefreshToken); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(grace + grace/2)
				if _, err := f.at(round+1).refresh(t.Context(), stolen); !refused(err, "INVALID_REFRESH_TOKEN") {
					t.Fatalf("a stolen token was answered with %v", err)
				}
				slowest = max(slowest, f.untilRefused(t, held.AccessToken))
				dead = append(dead, held)
			}
			for _, r := range f.replicas {
				if err := r.kill(); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range f.replicas {
				if err := r.start(); err != nil {
					t.Fatal(err)
				}
				for _, held := range dead {
					if _, err := r.me(t.Context(), held.AccessToken); !refused(err, "UNAUTHENTICATED") {
						t.Errorf("after kill -9 and a restart the access token was answered with %v", err)
					}
					if _, err := r.refresh(t.Context(), held.RefreshToken); !refused(err, "INVALID_REFRESH_TOKEN") {
						t.Errorf("after kill -9 and a restart the refresh token was answered with %v", err)
					}
				}
			}
			proved(t, fmt.Sprintf("A generation older than the grace window presented, %d times, on %s; then kill -9 of all",
				rounds, d.kind),
				fmt.Sprintf("the session dead on every replica within %v, and after the restart", slowest.Round(time.Millisecond)))
		})
	}
}

// untilRefused returns how long it takes from now until every replica refuses the access token, and fails when that is more than
// a second in the full form.
func (f *fleet) untilRefused(t *testing.T, accessToken string) time.Duration {
	t.Helper()
	began := time.Now()
	for _, r := range f.replicas {
		for {
			_, err := r.me(t.Context(), accessToken)
			if refused(err, "UNAUTHENTICATED") {
				break
			}
			if err != nil {
				t.Fatalf("the access token of an ended session was answered with %v", err)
			}
			if time.Since(began) > patience {
				t.Fatal("an access token outlives its session")
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	took := time.Since(began)
	if took > atMost(time.Second) {
		t.Errorf("it took %v until every replica refused the access token of an ended session", took)
	}
	return took
}
