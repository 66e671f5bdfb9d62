package note_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/examples/notes/note"
	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// room is a database with the table of notes and two accounts.
type room struct {
	*note.Service

	db       *store.DB
	ada, bob id.ID
	now      time.Time
}

func each(t *testing.T, test func(t *testing.T, r *room)) {
	t.Helper()
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(t.Context(), store.Config{
				URL: storetest.MigratedURL(t, kind), Timeout: 20 * time.Second,
				Beside: []store.Migrations{{Name: "notes", Files: note.Migrations}},
			})
			must(t, err)
			t.Cleanup(func() { must(t, db.Close()) })
			must(t, db.Migrate(t.Context()))
			r := &room{db: db, now: noon}
			clock := func() time.Time { return r.now }
			accounts := account.New(db, password.New(password.Config{Params: password.Params{Memory: 8, Time: 1}}), clock)
			for email, accountID := range map[string]*id.ID{"ada@example.com": &r.ada, "bob@example.com": &r.bob} {
				a, err := accounts.Prepare(t.Context(), account.Registration{Email: email, Password: "a long enough secret"})
				must(t, err)
				must(t, accounts.Insert(t.Context(), a))
				*accountID = a.ID
			}
			r.Service = note.New(db, clock)
			test(t, r)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keep keeps a note, a second after the last.
func (r *room) keep(t *testing.T, accountID id.ID, title string) *note.Note {
	t.Helper()
	r.now = r.now.Add(time.Second)
	kept, err := r.Create(t.Context(), note.Draft{AccountID: accountID, Title: title})
	must(t, err)
	return kept
}

func codes(err error) []fault.Code {
	users, _ := fault.Split(err)
	var found []fault.Code
	for _, e := range users {
		found = append(found, e.Code)
	}
	return found
}

func TestCreate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *room) {
		long := func(n int) string { return strings.Repeat("ö", n) }
		for name, c := range map[string]struct {
			draft note.Draft
			want  []fault.Code
		}{
			"longest":       {note.Draft{AccountID: r.ada, Title: long(100), Text: long(10_000)}, nil},
			"everything":    {note.Draft{AccountID: r.ada, Text: long(10_001)}, []fault.Code{note.InvalidTitle, note.InvalidText}},
			"only spaces":   {note.Draft{AccountID: r.ada, Title: " \t "}, []fault.Code{note.InvalidTitle}},
			"too long":      {note.Draft{AccountID: r.ada, Title: long(101)}, []fault.Code{note.InvalidTitle}},
			"for a nobody":  {note.Draft{AccountID: id.New(noon), Title: "Milk"}, []fault.Code{note.NoSuchAccount}},
			"for no one":    {note.Draft{Title: "Milk"}, []fault.Code{note.NoSuchAccount}},
			"with a quote'": {note.Draft{AccountID: r.ada, Title: "'; DROP TABLE notes; --", Text: "?"}, nil},
		} {
			kept, err := r.Create(t.Context(), c.draft)
			if got := codes(err); !slices.Equal(got, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
				continue
			}
			if err != nil {
				continue
			}
			read, err := r.Get(t.Context(), r.ada, kept.ID)
			if err != nil || *read != *kept || read.Title != c.draft.Title || read.Text != c.draft.Text {
				t.Errorf("%s: kept %v, read %v, %v", name, kept, read, err)
			}
		}
	})
}

// TestAnotherAccountsNote: knowing a note's id is of no use to whoever it does not belong to.
func TestAnotherAccountsNote(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *room) {
		milk := r.keep(t, r.ada, "Milk")
		if found, err := r.Get(t.Context(), r.bob, milk.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get: %v, %v", found, err)
		}
		if err := r.Delete(t.Context(), r.bob, milk.ID); !slices.Equal(codes(err), []fault.Code{note.NoSuchNote}) {
			t.Errorf("delete: %v", err)
		}
		if found, err := r.List(t.Context(), r.bob, page.Request{First: 10}); err != nil || len(found.Nodes) != 0 {
			t.Errorf("list: %v, %v", found, err)
		}
		must(t, r.Delete(t.Context(), r.ada, milk.ID))
		if err := r.Delete(t.Context(), r.ada, milk.ID); !slices.Equal(codes(err), []fault.Code{note.NoSuchNote}) {
			t.Errorf("delete again: %v", err)
		}
	})
}

// TestList walks through the pages: each note once, in order, whatever other accounts keep in between.
func TestList(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *room) {
		var want []string
		for _, title := range strings.Fields("one two three four five") {
			r.keep(t, r.ada, title)
			r.keep(t, r.bob, "not Ada's")
			want = append(want, title)
		}
		var got []string
		request := page.Request{First: 2}
		for {
			found, err := r.List(t.Context(), r.ada, request)
			must(t, err)
			for _, n := range found.Nodes {
				got = append(got, n.Title)
			}
			if !found.HasNext {
				break
			}
			request.After = found.Cursors[len(found.Cursors)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if _, err := r.List(t.Context(), r.ada, page.Request{}); err == nil {
			t.Error("a page of no notes is not refused")
		}
	})
}

// TestNotesGoWithTheirAccount: a deleted account leaves nothing behind.
func TestNotesGoWithTheirAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *room) {
		r.keep(t, r.ada, "Milk")
		r.keep(t, r.bob, "Eggs")
		_, err := r.db.Conn(t.Context()).NewRaw("DELETE FROM accounts WHERE id = ?", r.ada).Exec(t.Context())
		must(t, err)
		var left int
		must(t, r.db.QueryRow(t.Context(), "SELECT count(*) FROM notes").Scan(&left))
		if left != 1 {
			t.Errorf("%d notes are left, want Bob's alone", left)
		}
	})
}

func TestCount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *room) {
		r.keep(t, r.ada, "Milk")
		r.keep(t, r.bob, "Eggs")
		if n, err := r.Count(t.Context()); n != 2 || err != nil {
			t.Errorf("%d notes, %v; want everybody's, which are 2", n, err)
		}
	})
}
