package account_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const nextPassword = "another horse, another staple"

func TestChangePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "ann")
		lee := register(t, service, "lee@example.com", "lee")
		change, err := service.PreparePassword(t.Context(), ann.ID, goodPassword, nextPassword)
		if err != nil {
			t.Fatal(err)
		}
		if err := login(t, service, ann.Email, goodPassword); err != nil {
			t.Errorf("preparing has changed something: %v", err)
		}
		changed, err := service.ChangePassword(t.Context(), change)
		if err != nil || changed.ID != ann.ID || changed.Email != ann.Email || !changed.UpdatedAt.Equal(noon) {
			t.Fatalf("changed to %+v: %v", changed, err)
		}
		expectCodes(t, login(t, service, ann.Email, goodPassword), fault.InvalidCredentials)
		for email, password := range map[string]string{ann.Email: nextPassword, lee.Email: goodPassword} {
			if err := login(t, service, email, password); err != nil {
				t.Errorf("%s: %v", email, err)
			}
		}
		// The password that the change was prepared for is gone.
		if _, err := service.ChangePassword(t.Context(), change); !errors.Is(err, account.ErrChanged) {
			t.Errorf("made a second time: %v", err)
		}
		expectChanged(t, service.RecordLogin(t.Context(), ann))
	})
}

func TestPreparePasswordListsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann.of.green.gables@example.com", "ann")
		for name, test := range map[string]struct {
			current, next string
			want          []string // field: code
		}{
			"wrong":          {"wrong horse", nextPassword, []string{"currentPassword: INVALID_CREDENTIALS"}},
			"empty":          {"", nextPassword, []string{"currentPassword: INVALID_CREDENTIALS"}},
			"too short":      {goodPassword, "short", []string{"newPassword: PASSWORD_TOO_SHORT"}},
			"too long":       {goodPassword, strings.Repeat("x", 1025), []string{"newPassword: PASSWORD_TOO_LONG"}},
			"common":         {goodPassword, "password1", []string{"newPassword: PASSWORD_COMPROMISED"}},
			"one's own name": {goodPassword, "ann.of.green.gables", []string{"newPassword: PASSWORD_COMPROMISED"}},
			"both": {
				"wrong horse", "short",
				[]string{"currentPassword: INVALID_CREDENTIALS", "newPassword: PASSWORD_TOO_SHORT"},
			},
		} {
			_, err := service.PreparePassword(t.Context(), ann.ID, test.current, test.next)
			users, other := fault.Split(err)
			var got []string
			for _, u := range users {
				got = append(got, u.Field[1]+": "+string(u.Code))
			}
			if other != nil || strings.Join(got, ", ") != strings.Join(test.want, ", ") {
				t.Errorf("%s: %q and %v, want %q", name, got, other, test.want)
			}
			refused, aimed := errors.AsType[*account.Refused](err)
			if wrong := strings.HasPrefix(test.want[0], "current"); aimed != wrong || aimed && *refused.AccountID != ann.ID {
				t.Errorf("%s: refused as %+v", name, refused)
			}
		}
		if err := login(t, service, ann.Email, goodPassword); err != nil {
			t.Errorf("a refused change changed something: %v", err)
		}
	})
}

func TestNobodyChangesThePasswordOfAnAccountThatIsGone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "")
		change, err := service.PreparePassword(t.Context(), ann.ID, goodPassword, nextPassword)
		if err != nil {
			t.Fatal(err)
		}
		disable(t, service, ann.ID)
		if _, err := service.ChangePassword(t.Context(), change); !errors.Is(err, account.ErrChanged) {
			t.Errorf("disabled in between: %v", err)
		}
		for _, accountID := range []id.ID{ann.ID, id.New(noon)} {
			_, err := service.PreparePassword(t.Context(), accountID, goodPassword, nextPassword)
			if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Reason != fault.Revoked {
				t.Errorf("got %v, want REVOKED", err)
			}
		}
	})
}

// Of many who know the same password and change it at once, one does.
func TestOneOfManyPasswordChangesIsMade(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "")
		var made, late atomic.Int64
		var prepared, group sync.WaitGroup
		prepared.Add(20)
		for range 20 {
			group.Go(func() {
				change, err := service.PreparePassword(t.Context(), ann.ID, goodPassword, nextPassword)
				prepared.Done()
				prepared.Wait()
				if err == nil {
					_, err = service.ChangePassword(t.Context(), change)
				}
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, account.ErrChanged):
					late.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 || late.Load() != 19 {
			t.Errorf("%d made, %d too late", made.Load(), late.Load())
		}
	})
}

// A login that hashes the password anew must still be recorded, and whoever verified the hash before is told to look again.
func TestLoginAfterAnotherHashedAnew(t *testing.T) {
	t.Parallel()
	dearer := password.Params{Memory: 16, Time: 2, Threads: 1, SaltLength: 16, KeyLength: 32}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann := register(t, newService(db, cheap), "ann@example.com", "")
		service := newService(db, dearer)
		renewed, err := service.Authenticate(t.Context(), account.Credentials{Email: &ann.Email, Password: goodPassword})
		if err != nil || renewed.PasswordHash == ann.PasswordHash {
			t.Fatalf("hashed anew: %t, %v", renewed.PasswordHash != ann.PasswordHash, err)
		}
		if err := service.RecordLogin(t.Context(), renewed); err != nil {
			t.Errorf("who hashed it anew: %v", err)
		}
		expectChanged(t, service.RecordLogin(t.Context(), ann))
	})
}

func TestLock(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "")
		if err := service.Lock(t.Context(), ann.ID); err != nil {
			t.Error(err)
		}
		expectNotFound(t, service.Lock(t.Context(), id.New(noon)))
	})
}

func login(t *testing.T, service *account.Service, email, password string) error {
	t.Helper()
	_, err := service.Authenticate(t.Context(), account.Credentials{Email: &email, Password: password})
	return err
}
