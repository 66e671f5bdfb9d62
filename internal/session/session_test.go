package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/request"
	"gatehouse/internal/role"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestRegisterOpensASession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		ctx := request.NewContext(t.Context(), request.Info{Address: "192.0.2.1", UserAgent: "curl/8 (\u2713)"})
		a, tokens, err := r.Register(ctx, account.Registration{Email: "ann@example.com", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		if !tokens.RefreshExpiresAt.Equal(noon.Add(idle)) || !tokens.Access.ExpiresAt.Equal(noon.Add(lifetime)) {
			t.Errorf("tokens %+v", tokens)
		}
		caller, err := r.Authenticate(t.Context(), tokens.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		if caller.AccountID != a.ID || !caller.AuthTime.Equal(noon) ||
			!slices.Equal(caller.Roles, []string{role.User}) || !slices.Equal(caller.AMR, []string{"pwd"}) {
			t.Errorf("caller %+v", caller)
		}

		var row session.Session
		err = db.Conn(t.Context()).NewSelect().Model(&row).Where("id = ?", caller.SessionID).Scan(t.Context())
		if err != nil {
			t.Fatalf("the session that the token names: %v", err)
		}
		want := session.Session{
			ID: tokens.SessionID, AccountID: a.ID, CreatedAt: noon, LastSeenAt: noon, AuthTime: noon,
			ExpiresAt: noon.Add(idle), AbsoluteExpiresAt: noon.Add(absolute), TokenExpiresAt: noon.Add(lifetime),
			UserAgent: "curl/8 (\u2713)", IPAddress: "192.0.2.1", AMR: "pwd",
			Salt: row.Salt, PreviousUntil: noon, GraceUntil: noon,
		}
		if diff := cmp.Diff(want, row); diff != "" || len(row.Salt) != 16 {
			t.Errorf("row (-want +got):\n%s", diff)
		}
	})
}

func TestLoginOpensASession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r := in.start(t, nil)
		r.sync(t)
		ann, first := r.register(t, "ann@example.com")
		if err := r.roles.Grant(t.Context(), ann.ID, role.Admin); err != nil {
			t.Fatal(err)
		}
		r.clock.set(noon.Add(time.Minute))
		r.sync(t)
		email := "ANN@example.com"
		a, tokens, err := r.Login(t.Context(), account.Credentials{Email: &email, Password: goodPassword})
		if err != nil || a.ID != ann.ID {
			t.Fatalf("account %v: %v", a, err)
		}
		before, err := r.Authenticate(t.Context(), first.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		now, err := r.Authenticate(t.Context(), tokens.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		if before.SessionID == now.SessionID || !now.AuthTime.Equal(noon.Add(time.Minute)) {
			t.Errorf("session %s, then %s at %s", before.SessionID, now.SessionID, now.AuthTime)
		}
		admin := in.registry.Vocabulary().Set(in.registry.Scopes([]string{role.Admin})...)
		if !slices.Equal(now.Roles, []string{role.Admin, role.User}) || now.Scopes != admin {
			t.Errorf("an administrator has the roles %q and the scopes %v", now.Roles, now.Scopes)
		}
		if stored, err := r.accounts.ByID(t.Context(), ann.ID); err != nil || !stored.LastLoginAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("last login at %v: %v", stored.LastLoginAt, err)
		}

		_, _, err = r.Login(t.Context(), account.Credentials{Email: &email, Password: "wrong horse battery staple"})
		if users, other := fault.Split(err); other != nil || len(users) != 1 || users[0].Code != fault.InvalidCredentials {
			t.Errorf("wrong password: %v", err)
		}
		if sessions := count(t, db, "sessions"); sessions != 2 {
			t.Errorf("%d sessions, want 2", sessions)
		}
	})
}

// Whatever fails after the account or the session was inserted must take all of it along.
func TestNothingHalfMadeStays(t *testing.T) {
	t.Parallel()
	// So many scopes make a token that is too long to be minted.
	scopes := make([]role.Scope, 200)
	all := make([]string, len(scopes))
	for i := range scopes {
		all[i] = fmt.Sprintf("%s:%d", strings.Repeat("x", 60), i)
		scopes[i] = role.Scope{Name: all[i], Description: "Makes tokens long."}
	}
	unmintable, err := role.NewRegistry(scopes, []role.Role{{Name: role.User, Description: "Everybody.", Scopes: all}})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		healthy := install(t, db)
		ann, _ := healthy.start(t, nil).register(t, "ann@example.com")
		withRegistry := func(registry *role.Registry) installation {
			return installation{db: db, master: healthy.master, registry: registry, grace: grace}
		}
		for _, tt := range []struct {
			name        string
			in          installation
			breakIt     string
			mendIt      string
			loginsBreak bool
		}{
			{"mint fails", withRegistry(unmintable), "", "", true},
			{
				"grant fails", healthy,
				"ALTER TABLE account_roles RENAME COLUMN granted_at TO at", "ALTER TABLE account_roles RENAME COLUMN at TO granted_at", false,
			},
			{
				"session insert fails", healthy,
				"ALTER TABLE sessions RENAME COLUMN amr TO rma", "ALTER TABLE sessions RENAME COLUMN rma TO amr", true,
			},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := tt.in.start(t, nil)
				if tt.breakIt != "" {
					execute(t, db, tt.breakIt)
				}
				_, tokens, err := r.Register(t.Context(), account.Registration{Email: "lee@example.com", Password: goodPassword})
				if users, other := fault.Split(err); other == nil {
					t.Errorf("register: %v, want a fault", users)
				}
				if tokens.Access.Token != "" {
					t.Error("register failed and yet gave a token")
				}
				if tt.loginsBreak {
					_, tokens, err := r.Login(t.Context(), account.Credentials{Email: &ann.Email, Password: goodPassword})
					if users, other := fault.Split(err); other == nil || tokens.Access.Token != "" {
						t.Errorf("login: %v, want a fault and no token", users)
					}
				}
				if tt.mendIt != "" {
					execute(t, db, tt.mendIt)
				}
				expectOneOfEach(t, db)
				if stored, err := r.accounts.ByID(t.Context(), ann.ID); err != nil || stored.LastLoginAt != nil {
					t.Errorf("last login at %v: %v", stored.LastLoginAt, err)
				}
			})
		}
		// What failed because of us and not of the person can be done again.
		healthy.start(t, nil).register(t, "lee@example.com")
	})
}

func TestManyRegistrationsOfOneAddressMakeOneSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		var made, taken atomic.Int64
		var group sync.WaitGroup
		for i := range 100 {
			// The bits of i decide on the case of the letters.
			email := []byte("abcdefg@example.com")
			for bit := range 7 {
				if i>>bit&1 == 1 {
					email[bit] -= 'a' - 'A'
				}
			}
			group.Go(func() {
				_, _, err := r.Register(t.Context(), account.Registration{Email: string(email), Password: goodPassword})
				switch users, other := fault.Split(err); {
				case err == nil:
					made.Add(1)
				case other == nil && len(users) == 1 && users[0].Code == fault.EmailTaken:
					taken.Add(1)
				default:
					t.Errorf("register: %v", err)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 || taken.Load() != 99 {
			t.Errorf("%d made, %d taken", made.Load(), taken.Load())
		}
		expectOneOfEach(t, db)
	})
}

func TestDisablingBeatsEveryLogin(t *testing.T) {
	t.Parallel()
	const workers, logins = 10, 100 // ten at a time, so that disabling gets in between
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		in := install(t, db)
		r, other := in.start(t, nil), in.start(t, nil)
		r.sync(t)
		for round := range 3 {
			a, _ := r.register(t, fmt.Sprintf("ann%d@example.com", round))
			tokens := make(chan string, logins)
			var begun, refused atomic.Int64
			var group sync.WaitGroup
			for range workers {
				group.Go(func() {
					for begun.Add(1) <= logins {
						_, opened, err := r.Login(t.Context(), account.Credentials{Email: &a.Email, Password: goodPassword})
						switch users, fatal := fault.Split(err); {
						case err == nil:
							tokens <- opened.Access.Token
						case fatal == nil && users[0].Code == fault.InvalidCredentials:
							refused.Add(1)
						default:
							t.Errorf("login: %v", err)
						}
					}
				})
			}
			early := []string{<-tokens, <-tokens, <-tokens}
			if err := r.DisableAccount(t.Context(), a.ID); err != nil {
				t.Fatal(err)
			}
			group.Wait()
			close(tokens)
			if refused.Load() == 0 {
				t.Error("every login was quicker than disabling: this was no race")
			}
			if left := count(t, db, "sessions WHERE revoked_at IS NULL"); left != 0 {
				t.Errorf("%d sessions outlived their account", left)
			}
			other.sync(t)
			for raw := range tokens {
				early = append(early, raw)
			}
			for _, raw := range early {
				r.expect(t, raw, "REVOKED")
				other.expect(t, raw, "REVOKED")
			}
		}
	})
}

func TestDisableAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		ann, anns := r.register(t, "ann@example.com")
		_, lees := r.register(t, "lee@example.com")
		for range 2 {
			if err := r.DisableAccount(t.Context(), ann.ID); err != nil {
				t.Fatal(err)
			}
		}
		r.expect(t, anns.Access.Token, "REVOKED")
		r.expect(t, lees.Access.Token, "")
		if err := r.DisableAccount(t.Context(), id.New(noon)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown account: %v", err)
		}

		// Rolled back, it must not have happened here either.
		_, mias := r.register(t, "mia@example.com")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mia, err := r.Authenticate(t.Context(), mias.Access.Token)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.DisableAccount(ctx, mia.AccountID); err == nil {
			t.Error("disabled although the caller had gone")
		}
		r.expect(t, mias.Access.Token, "")
	})
}
