package session_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/request"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestListShowsLiveSessionsNewestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		r.sync(t)
		a, first := r.register(t, "ann@example.com")
		_, lees := r.register(t, "lee@example.com")
		want := []id.ID{first.SessionID}
		for i := range 6 {
			if i > 2 { // the first four in the same microsecond
				r.clock.set(r.clock.now().Add(time.Second))
			}
			want = append(want, r.login(t, "ann@example.com").SessionID)
		}
		r.sync(t)
		ended, expired := want[2], want[4]
		if err := r.Revoke(t.Context(), r.caller(t, first.Access.Token), ended); err != nil {
			t.Fatal(err)
		}
		execute(t, db, "UPDATE sessions SET expires_at = ? WHERE id = ?", r.clock.now(), expired)
		want = slices.DeleteFunc(want, func(of id.ID) bool { return of == ended || of == expired })

		all := r.list(t, a.ID, page.Request{First: 100})
		if all.HasNext || all.HasPrevious || len(all.Nodes) != len(want) {
			t.Errorf("%d sessions, more after %t and before %t; want %d", len(all.Nodes), all.HasNext, all.HasPrevious, len(want))
		}
		var paged []id.ID
		for next := (page.Request{First: 2}); ; {
			p := r.list(t, a.ID, next)
			for _, row := range p.Nodes {
				paged = append(paged, row.ID)
			}
			if !p.HasNext {
				break
			}
			next.After = p.Cursors[len(p.Cursors)-1]
		}
		for i, row := range all.Nodes {
			if row.ID != paged[i] || !slices.Contains(want, row.ID) || row.AccountID != a.ID {
				t.Errorf("session %d is %s of %s, on its page %s", i, row.ID, row.AccountID, paged[i])
			}
			if i > 0 && row.CreatedAt.After(all.Nodes[i-1].CreatedAt) {
				t.Errorf("session %d is newer than the one before it", i)
			}
		}
		if other := r.list(t, id.New(noon), page.Request{First: 1}); len(other.Nodes) != 0 || other.HasNext {
			t.Errorf("an unknown account has %d sessions", len(other.Nodes))
		}
		if newest := all.Nodes[0]; newest.ID == lees.SessionID || newest.CreatedAt != r.clock.now().UTC() {
			t.Errorf("the newest is %+v", newest)
		}
	})
}

func TestListShowsWhereASessionIs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		ctx := request.NewContext(t.Context(), request.Info{
			Address: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		})
		a, tokens, err := r.Register(ctx, account.Registration{Email: "ann@example.com", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		row := r.list(t, a.ID, page.Request{First: 1}).Nodes[0]
		if row.ID != tokens.SessionID || row.IPAddress != "192.0.2.1" || row.Device() != "Firefox on Linux" ||
			!row.CreatedAt.Equal(noon) || !row.LastSeenAt.Equal(noon) || !row.ExpiresAt.Equal(noon.Add(idle)) {
			t.Errorf("the session is %+v, %s", row, row.Device())
		}
	})
}

func TestListRefusesImpossiblePages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := install(t, db).start(t, nil)
		for _, request := range []page.Request{{}, {First: 101}, {First: 1, After: "x"}} {
			_, err := r.List(t.Context(), id.New(noon), request)
			if refusal, ok := errors.AsType[*fault.Error](err); !ok || refusal.Code != fault.BadUserInput {
				t.Errorf("%+v: %v, want BAD_USER_INPUT", request, err)
			}
		}
	})
}

func (r *replica) list(t *testing.T, accountID id.ID, request page.Request) page.Page[*session.Session] {
	t.Helper()
	p, err := r.List(t.Context(), accountID, request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
