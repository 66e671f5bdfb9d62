package role_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/audit"
	"gatehouse/internal/auth"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/role"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func noonClock() time.Time { return noon }

func newService(t *testing.T, db *store.DB) *role.Service {
	t.Helper()
	registry, err := role.Default()
	if err != nil {
		t.Fatal(err)
	}
	return role.New(db, registry, audit.New(db, noonClock), noonClock)
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

// A grant and its entry in the audit log are one: each new one is recorded, once, with whoever gave it.
func TestGrantIsRecorded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service, log := newService(t, db), audit.New(db, noonClock)
		ann, bob, admin, session := newAccount(t, db), newAccount(t, db), newAccount(t, db), id.New(noon)
		signedIn := auth.NewContext(t.Context(), &auth.Caller{AccountID: admin, SessionID: session})
		expect := func(step string, accountID id.ID, want ...audit.Entry) {
			t.Helper()
			p, err := log.List(t.Context(), &accountID, page.Request{First: 10})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]audit.Entry, 0, len(p.Nodes))
			for _, e := range p.Nodes {
				got = append(got, *e)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(audit.Entry{}, "BaseModel", "ID", "CreatedAt"),
				cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want +got\n%s", step, diff)
			}
		}

		if err := service.Admit(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		if err := service.Admit(t.Context(), id.New(noon)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("admitted nobody: %v", err)
		}
		if roles, err := service.Of(t.Context(), ann); err != nil || !cmp.Equal(roles[ann], []string{role.User}) {
			t.Errorf("admitted: %v, %v", roles, err)
		}
		expect("admitted", ann)

		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := service.Grant(signedIn, ann, role.Admin); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		expect("granted by twenty at once", ann, audit.Entry{
			Event: audit.RoleGranted, ActorID: &admin, AccountID: &ann, SessionID: &session, Detail: role.Admin,
		})

		stop := errors.New("stop")
		err := db.Atomically(signedIn, func(ctx context.Context) error {
			if err := service.Grant(ctx, bob, role.Admin); err != nil {
				t.Error(err)
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		expect("rolled back", bob)
		for range 2 {
			if err := service.Grant(t.Context(), bob, role.Admin); err != nil {
				t.Fatal(err)
			}
		}
		expect("granted twice at the command line", bob,
			audit.Entry{Event: audit.RoleGranted, AccountID: &bob, Detail: role.Admin})
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

func TestOfOneIsWhatOfSays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(t, db)
		both, one, none := newAccount(t, db), newAccount(t, db), newAccount(t, db)
		for _, grant := range []struct {
			accountID id.ID
			role      string
		}{{both, role.User}, {both, role.Admin}, {one, role.User}} {
			if err := service.Grant(t.Context(), grant.accountID, grant.role); err != nil {
				t.Fatal(err)
			}
		}
		all, err := service.Of(t.Context(), both, one, none)
		if err != nil || len(all[both]) != 2 {
			t.Fatalf("%v: %v", all, err)
		}
		for _, accountID := range []id.ID{both, one, none, id.New(noon)} {
			got, err := service.OfOne(t.Context(), accountID)
			if diff := cmp.Diff(all[accountID], got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%v; (-Of +OfOne):\n%s", err, diff)
			}
		}
	})
}
