package account_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestLookups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		a, err := service.Prepare(t.Context(), account.Registration{
			Email: "Ann@b\u00fccher.example", Password: goodPassword, Username: ptr("Ann.Lee"), Name: ptr("Ann Lee"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := service.Insert(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		bare := register(t, service, "bare@example.com", "")
		if err := service.RecordLogin(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		disable(t, service, a.ID)
		a.LastLoginAt, a.DisabledAt = ptr(noon), ptr(noon)

		ctx := t.Context()
		for name, find := range map[string]func() (*account.Account, error){
			"address":                func() (*account.Account, error) { return service.ByEmail(ctx, " ann@XN--bcher-kva.example") },
			"address in Unicode":     func() (*account.Account, error) { return service.ByEmail(ctx, "ANN@B\u00dcCHER.example") },
			"username":               func() (*account.Account, error) { return service.ByUsername(ctx, "ANN.LEE ") },
			"id, and what is hidden": func() (*account.Account, error) { return withSecrets(a)(service.ByID(ctx, a.ID)) },
		} {
			got, err := find()
			if err != nil {
				t.Errorf("by %s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(a, got); diff != "" {
				t.Errorf("by %s (-want +got):\n%s", name, diff)
			}
		}
		got, err := withSecrets(bare)(service.ByID(t.Context(), bare.ID))
		if diff := cmp.Diff(bare, got); err != nil || diff != "" {
			t.Errorf("bare by id: %v (-want +got):\n%s", err, diff)
		}

		_, err = service.ByID(t.Context(), id.New(noon))
		expectNotFound(t, err)
		for _, text := range []string{"", "@", "nobody", "nobody@example.com", "not an address@", "ann.lee@", "x"} {
			_, err := service.ByEmail(t.Context(), text)
			expectNotFound(t, err)
			_, err = service.ByUsername(t.Context(), text)
			expectNotFound(t, err)
		}
	})
}

// withSecrets checks that a look-up by id left out what must not be shown, and puts it back for the comparison.
func withSecrets(full *account.Account) func(*account.Account, error) (*account.Account, error) {
	return func(got *account.Account, err error) (*account.Account, error) {
		if err != nil {
			return nil, err
		}
		if got.PasswordHash != "" || got.EmailKey != "" || got.UsernameKey != nil {
			return nil, errors.New("the look-up by id reads a secret or a key")
		}
		got.PasswordHash, got.EmailKey, got.UsernameKey = full.PasswordHash, full.EmailKey, full.UsernameKey
		return got, nil
	}
}

func TestListWalksAllAccountsOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		// Fractions of different lengths, and four accounts in each microsecond: the ids decide among those.
		moments := []time.Duration{0, time.Second, time.Microsecond, 10 * time.Microsecond, 100 * time.Millisecond, time.Hour}
		service := newService(db, cheap)
		want := make([]*account.Account, 0, 24)
		for i := range cap(want) {
			a, err := service.Prepare(t.Context(), account.Registration{
				Email: fmt.Sprintf("a%d@example.com", i), Password: goodPassword,
			})
			if err != nil {
				t.Fatal(err)
			}
			a.CreatedAt = noon.Truncate(time.Second).Add(moments[i%len(moments)])
			if err := service.Insert(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			want = append(want, a)
		}
		slices.SortFunc(want, func(a, b *account.Account) int {
			if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
				return c
			}
			return slices.Compare(a.ID[:], b.ID[:])
		})
		for _, size := range []int{1, 5, 6, 23, 24, 100} {
			var got []*account.Account
			request := page.Request{First: size}
			for {
				listed, err := service.List(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, listed.Nodes...)
				if full := len(listed.Nodes) == size; listed.HasNext && !full || len(got) > len(want) {
					t.Fatalf("%d nodes on a page of %d, %d in all", len(listed.Nodes), size, len(got))
				}
				if !listed.HasNext {
					break
				}
				request.After = listed.Cursors[len(listed.Cursors)-1]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
		for _, impossible := range []page.Request{{First: 0}, {First: 101}, {First: 5, After: "nonsense"}} {
			_, err := service.List(t.Context(), impossible)
			if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Code != fault.BadUserInput {
				t.Errorf("%+v: %v, want BAD_USER_INPUT", impossible, err)
			}
		}
	})
}
