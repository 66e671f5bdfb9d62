package account_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "ann")
		gone := register(t, service, "gone@example.com", "gone")
		disable(t, service, gone.ID)

		for name, c := range map[string]account.Credentials{
			"address":                     {Email: ptr("ann@example.com"), Password: goodPassword},
			"address in another spelling": {Email: ptr(" ANN@Example.com"), Password: goodPassword},
			"username":                    {Username: ptr("ann"), Password: goodPassword},
			"username in another case":    {Username: ptr("Ann"), Password: goodPassword},
		} {
			if a, err := service.Authenticate(t.Context(), c); err != nil || a.ID != ann.ID {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}

		want := fault.UserErrors{{
			Code: fault.InvalidCredentials, Message: "The e-mail address or username is unknown, or the password is wrong.",
		}}
		for name, c := range map[string]account.Credentials{
			"unknown address":           {Email: ptr("who@example.com"), Password: goodPassword},
			"unknown username":          {Username: ptr("who"), Password: goodPassword},
			"no address at all":         {Email: ptr("ann"), Password: goodPassword},
			"empty address":             {Email: ptr(""), Password: goodPassword},
			"no username at all":        {Username: ptr("ann@example.com"), Password: goodPassword},
			"wrong password":            {Email: ptr("ann@example.com"), Password: "wrong horse battery staple"},
			"empty password":            {Email: ptr("ann@example.com")},
			"password with a tail":      {Email: ptr("ann@example.com"), Password: goodPassword + strings.Repeat(" ", 1<<18)},
			"unknown, endless password": {Email: ptr("who@example.com"), Password: strings.Repeat("x", 1<<18)},
			"disabled":                  {Email: ptr("gone@example.com"), Password: goodPassword},
			"disabled, by username":     {Username: ptr("gone"), Password: goodPassword},
			"disabled, wrong password":  {Email: ptr("gone@example.com"), Password: "wrong horse battery staple"},
		} {
			a, err := service.Authenticate(t.Context(), c)
			users, other := fault.Split(err)
			if diff := cmp.Diff(want, users); a != nil || other != nil || diff != "" {
				t.Errorf("%s: %v, %v (-want +got):\n%s", name, a, other, diff)
			}
		}

		for name, c := range map[string]account.Credentials{
			"neither": {Password: goodPassword},
			"both":    {Email: ptr("ann@example.com"), Username: ptr("ann"), Password: goodPassword},
		} {
			_, err := service.Authenticate(t.Context(), c)
			if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Code != fault.BadUserInput {
				t.Errorf("%s: %v, want BAD_USER_INPUT", name, err)
			}
		}
	})
}

// A fault of the database must be told from an unknown account, or an outage would look like a wrong password.
func TestAuthenticateWithoutDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		register(t, service, "ann@example.com", "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := service.Authenticate(ctx, account.Credentials{Email: ptr("ann@example.com"), Password: goodPassword})
		if users, other := fault.Split(err); other == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("user errors %v, %v", users, err)
		}
	})
}

func TestLoginRenewsAnOutdatedHash(t *testing.T) {
	t.Parallel()
	dearer := password.Params{Memory: 16, Time: 2, Threads: 1, SaltLength: 16, KeyLength: 32}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann := register(t, newService(db, cheap), "ann@example.com", "")
		gone := register(t, newService(db, cheap), "gone@example.com", "")
		service := newService(db, dearer)
		disable(t, service, gone.ID)
		hash := func(email string) string {
			a, err := service.ByEmail(t.Context(), email)
			if err != nil {
				t.Fatal(err)
			}
			return a.PasswordHash
		}
		login := func(email, password string) error {
			_, err := service.Authenticate(t.Context(), account.Credentials{Email: &email, Password: password})
			return err
		}

		expectCodes(t, login("ann@example.com", "wrong horse battery staple"), fault.InvalidCredentials)
		expectCodes(t, login("gone@example.com", goodPassword), fault.InvalidCredentials)
		if hash("ann@example.com") != ann.PasswordHash || hash("gone@example.com") != gone.PasswordHash {
			t.Error("a refused login changed the hash")
		}

		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := login("ann@example.com", goodPassword); err != nil {
					t.Errorf("one of many logins at once: %v", err)
				}
			})
		}
		group.Wait()
		renewed := hash("ann@example.com")
		if !strings.Contains(renewed, "m=16,t=2,p=1") {
			t.Errorf("after a login the hash has the parameters of %.30q", renewed)
		}
		if err := login("ann@example.com", goodPassword); err != nil || hash("ann@example.com") != renewed {
			t.Errorf("the login after that: %v, changed %t", err, hash("ann@example.com") != renewed)
		}
	})
}

func TestDisableAndRecordLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "")
		if err := service.RecordLogin(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} { // the second time changes nothing
			if disabled, err := service.Disable(t.Context(), ann.ID); err != nil || disabled != want {
				t.Fatalf("disabled %t, %v; want %t", disabled, err, want)
			}
			got, err := service.ByID(t.Context(), ann.ID)
			if err != nil || !got.Disabled() || !got.DisabledAt.Equal(noon) || !got.LastLoginAt.Equal(noon) {
				t.Errorf("disabled at %v, last login at %v: %v", got.DisabledAt, got.LastLoginAt, err)
			}
		}
		expectChanged(t, service.RecordLogin(t.Context(), ann))
		nobody := *ann
		nobody.ID = id.New(noon)
		expectChanged(t, service.RecordLogin(t.Context(), &nobody))
		_, err := service.Disable(t.Context(), nobody.ID)
		expectNotFound(t, err)
	})
}

// Whose account a refused password was aimed at is told to the audit log, and to nobody else.
func TestARefusalTellsWhoseItWas(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "ann")
		gone := register(t, service, "gone@example.com", "gone")
		disable(t, service, gone.ID)
		for name, test := range map[string]struct {
			username, password string
			want               *id.ID
		}{
			"unknown":  {"who", goodPassword, nil},
			"wrong":    {"ann", "wrong horse battery staple", &ann.ID},
			"disabled": {"gone", goodPassword, &gone.ID},
		} {
			_, err := service.Authenticate(t.Context(), account.Credentials{Username: &test.username, Password: test.password})
			refused, ok := errors.AsType[*account.Refused](err)
			if !ok || !cmp.Equal(refused.AccountID, test.want) {
				t.Errorf("%s: %v about %v, want %v", name, err, refused, test.want)
			}
			if ok && err.Error() != "user errors: INVALID_CREDENTIALS" {
				t.Errorf("%s: the error reads %q", name, err)
			}
		}
	})
}

func disable(t *testing.T, service *account.Service, accountID id.ID) {
	t.Helper()
	if _, err := service.Disable(t.Context(), accountID); err != nil {
		t.Fatal(err)
	}
}

func expectChanged(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, account.ErrChanged) {
		t.Errorf("error %v, want account.ErrChanged", err)
	}
}
