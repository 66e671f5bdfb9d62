package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/audit"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// tally counts the entries of one event.
func tally(t *testing.T, db *store.DB, event audit.Event) int {
	t.Helper()
	return count(t, db, fmt.Sprintf("audit_entries WHERE event = '%s'", event))
}

// Of the logins that race with a change of the password, those with the old one either are refused or are ended by it.
func TestChangingThePasswordBeatsEveryLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, other := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		a, mine := r.register(t, "ann@example.com")
		caller := r.caller(t, mine.Access.Token)
		var mu sync.Mutex
		var early []string
		var refused atomic.Int64
		var changed atomic.Bool
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				for last := false; !last; {
					last = changed.Load() // one more, which comes too late
					_, opened, err := r.Login(t.Context(), account.Credentials{Email: &a.Email, Password: goodPassword})
					switch users, fatal := fault.Split(err); {
					case err == nil:
						mu.Lock()
						early = append(early, opened.Access.Token)
						mu.Unlock()
					case fatal == nil && users[0].Code == fault.InvalidCredentials:
						refused.Add(1)
					default:
						t.Errorf("login: %v", err)
					}
				}
			})
		}
		eventually(t, "some are early", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(early) >= 3
		})
		_, renewed, err := r.ChangePassword(t.Context(), caller, session.PasswordChange{
			CurrentPassword: goodPassword, NewPassword: nextPassword,
		})
		changed.Store(true)
		group.Wait()
		if err != nil {
			t.Fatal(err)
		}
		other.sync(t)
		for _, raw := range early {
			r.expect(t, raw, "REVOKED")
			other.expect(t, raw, "REVOKED")
		}
		r.expect(t, renewed.Access.Token, "")
		if live := count(t, db, "sessions WHERE revoked_at IS NULL"); live != 1 {
			t.Errorf("%d sessions live, want the one that changed the password", live)
		}
		if rows := count(t, db, "sessions"); rows != 1+len(early) || tally(t, db, audit.LoggedIn) != len(early) ||
			tally(t, db, audit.LoginFailed) != int(refused.Load()) {
			t.Errorf("%d sessions and %d entries, %d of failure; %d logins and %d refused",
				rows, tally(t, db, audit.LoggedIn), tally(t, db, audit.LoginFailed), len(early), refused.Load())
		}
	})
}

// Whatever a refresh hands out while somebody ends the session is dead when that has returned.
func TestEveryEndBeatsEveryRefresh(t *testing.T) {
	t.Parallel()
	const callers = 100
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, other := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		for name, end := range ways {
			v := r.victim(t, id.New(noon).String()+"@example.com")
			handed := make(chan session.Tokens, callers)
			enough := make(chan struct{})
			var begun atomic.Int64
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					if begun.Add(1) > callers/2 {
						<-enough
					}
					_, tokens, err := r.Refresh(t.Context(), v.tokens.Refresh.Reveal())
					users, fatal := fault.Split(err)
					switch {
					case err == nil:
						handed <- tokens
					case fatal != nil || users[0].Code != fault.InvalidRefreshToken:
						t.Errorf("%s: refresh: %v", name, err)
					}
				})
			}
			first := <-handed
			close(enough)
			end(t, r, v)
			group.Wait()
			close(handed)
			other.sync(t)
			late := 0
			for tokens := range handed {
				if tokens.Refresh != first.Refresh {
					t.Errorf("%s: two refresh tokens live", name)
				}
				r.expect(t, tokens.Access.Token, "REVOKED")
				other.expect(t, tokens.Access.Token, "REVOKED")
				late++
			}
			r.expect(t, first.Access.Token, "REVOKED")
			r.expectNoRefresh(t, first.Refresh)
			if late == callers-1 {
				t.Logf("%s: every refresh was quicker", name)
			}
		}
	})
}

func TestOneOfManyLogoutsEndsTheSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		_, tokens := r.register(t, "ann@example.com")
		caller := r.caller(t, tokens.Access.Token)
		var ended atomic.Int64
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				n, err := r.Logout(t.Context(), caller, "", i%2 == 0)
				if err != nil {
					t.Error(err)
				}
				ended.Add(int64(n))
			})
		}
		group.Wait()
		if ended.Load() != 1 || tally(t, db, audit.LoggedOut) != 1 {
			t.Errorf("%d ended, %d entries", ended.Load(), tally(t, db, audit.LoggedOut))
		}
	})
}

// Two that end several sessions of an account must not take their rows in different orders, so each takes the account's first.
func TestLogoutEverywhereWaitsForTheAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		a, tokens := r.register(t, "ann@example.com")
		caller := r.caller(t, tokens.Access.Token)
		ended := make(chan error, 1)
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if err := r.accounts.Lock(ctx, a.ID); err != nil {
				return err
			}
			go func() {
				_, err := r.Logout(t.Context(), caller, "", true)
				ended <- err
			}()
			select {
			case err := <-ended:
				t.Errorf("it did not wait: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.expect(t, tokens.Access.Token, "REVOKED")
	})
}

// Everything that ends several sessions, from several of them at once: none may wait for another in a circle, and nothing is
// left when all is done.
func TestManyEndsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		a, opened := r.register(t, "ann@example.com")
		mine := []session.Tokens{opened}
		for range 19 {
			mine = append(mine, r.login(t, "ann@example.com"))
		}
		var changed, ended atomic.Int64
		var group sync.WaitGroup
		for i := range 100 {
			tokens := mine[i%len(mine)]
			caller := r.caller(t, tokens.Access.Token)
			group.Go(func() {
				var err error
				var n int
				switch i / len(mine) {
				case 0:
					n, err = r.Logout(t.Context(), caller, tokens.Refresh.Reveal(), true)
					ended.Add(int64(n))
				case 1:
					_, _, err = r.ChangePassword(t.Context(), caller, session.PasswordChange{
						CurrentPassword: goodPassword, NewPassword: fmt.Sprintf("%s %d", nextPassword, i),
					})
					if err == nil {
						changed.Add(1)
					}
				case 2:
					err = r.Revoke(t.Context(), caller, mine[(i+1)%len(mine)].SessionID)
				case 3:
					err = r.DisableAccount(t.Context(), a.ID)
				default:
					_, _, err = r.Refresh(t.Context(), tokens.Refresh.Reveal())
				}
				refusal, refused := errors.AsType[*fault.Error](err)
				if users, _ := fault.Split(err); err != nil && users == nil && (!refused || refusal.Reason != fault.Revoked) {
					t.Errorf("act %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if live := count(t, db, "sessions WHERE revoked_at IS NULL"); live != 0 {
			t.Errorf("%d sessions live in a disabled account", live)
		}
		for _, tokens := range mine {
			r.expect(t, tokens.Access.Token, "REVOKED")
			r.expectNoRefresh(t, tokens.Refresh)
		}
		if int(changed.Load()) != tally(t, db, audit.PasswordChanged) || tally(t, db, audit.AccountDisabled) != 1 {
			t.Errorf("%d changes, %d entries; %d of disabling", changed.Load(), tally(t, db, audit.PasswordChanged),
				tally(t, db, audit.AccountDisabled))
		}
		if changed.Load() > 1 {
			t.Errorf("the password was changed %d times from the same one", changed.Load())
		}
	})
}
