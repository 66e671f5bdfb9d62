package role_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/id"
	"gatehouse/internal/role"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newService(t *testing.T, db *store.DB) *role.Service {
	t.Helper()
	registry, err := role.Default()
	if err != nil {
		t.Fatal(err)
	}
	return role.New(db, registry, func() time.Time { return noon })
}

// newAccount inserts the row that grants refer to.
func newAccount(t *testing.T, db *store.DB) id.ID {
	t.Helper()
	accountID := id.New(noon)
	email := fmt.Sprintf("%s@example.com", accountID)
	_, err := db.Conn(t.Context()).NewRaw(
		"INSERT INTO accounts (id, email, email_key, password_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
		accountID, email, email, "none", noon, noon).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return accountID
}

func TestGrants(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(t, db)
		both, one, none := newAccount(t, db), newAccount(t, db), newAccount(t, db)
		for _, grant := range []struct {
			accountID id.ID
			role      string
		}{{both, role.User}, {both, role.Admin}, {one, role.User}, {one, role.User}, {both, role.Admin}} {
			if err := service.Grant(t.Context(), grant.accountID, grant.role); err != nil {
				t.Fatalf("grant %s: %v", grant.role, err)
			}
		}
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := service.Grant(t.Context(), one, role.User); err != nil {
					t.Errorf("one of many grants at once: %v", err)
				}
			})
		}
		group.Wait()

		got, err := service.Of(t.Context(), none, one, both, id.New(noon))
		want := map[id.ID][]string{both: {role.Admin, role.User}, one: {role.User}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got, err := service.Of(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("of nobody: %v, %v", got, err)
		}
	})
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(t, db)
		accountID := newAccount(t, db)
		err := service.Grant(t.Context(), accountID, "admin")
		if !errors.Is(err, role.ErrUnknown) || !strings.Contains(err.Error(), "USER, ADMIN") {
			t.Errorf("unknown role: %v", err)
		}
		if err := service.Grant(t.Context(), id.New(noon), role.Admin); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown account: %v", err)
		}
		if got, err := service.Of(t.Context(), accountID); err != nil || len(got) != 0 {
			t.Errorf("a refused grant left %v, %v", got, err)
		}
	})
}
