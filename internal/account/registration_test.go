package account_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestPrepareListsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	service := newService(nil, cheap)
	_, err := service.Prepare(t.Context(), account.Registration{
		Email: "ann", Password: "short", Username: ptr("a@b"), Name: ptr(" "),
	})
	users, other := fault.Split(err)
	if other != nil {
		t.Fatal(other)
	}
	fields := map[fault.Code]string{}
	for _, u := range users {
		fields[u.Code] = strings.Join(u.Field, ".")
		if u.Message == "" {
			t.Errorf("%s says nothing", u.Code)
		}
	}
	want := map[fault.Code]string{
		fault.InvalidEmail: "input.email", fault.InvalidUsername: "input.username", fault.InvalidName: "input.name",
		fault.PasswordTooShort: "input.password",
	}
	for code, field := range want {
		if fields[code] != field {
			t.Errorf("%s has the field %q, want %q", code, fields[code], field)
		}
	}
}

func TestPrepareKeepsBothForms(t *testing.T) {
	t.Parallel()
	a, err := newService(nil, cheap).Prepare(t.Context(), account.Registration{
		Email: " Rene\u0301@B\u00fccher.example ", Password: goodPassword, Username: ptr(" ReneE "), Name: ptr(" Rene\u0301e "),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"email", a.Email, "Ren\u00e9@B\u00fccher.example"},
		{"email key", a.EmailKey, "ren\u00e9@xn--bcher-kva.example"},
		{"username", *a.Username, "ReneE"},
		{"username key", *a.UsernameKey, "renee"},
		{"name", *a.Name, "Ren\u00e9e"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s %+q, want %+q", tt.what, tt.got, tt.want)
		}
	}
	if !strings.HasPrefix(a.PasswordHash, "$argon2id$") || !a.CreatedAt.Equal(noon) || !a.UpdatedAt.Equal(noon) {
		t.Errorf("hash %.10q, created %s, updated %s", a.PasswordHash, a.CreatedAt, a.UpdatedAt)
	}
	if text := a.LogValue().String(); text != a.ID.String() {
		t.Errorf("logged as %q, want its id alone", text)
	}
}

// spellings returns 100 ways to type one address.
func spellings() []string {
	all := make([]string, 0, 100)
	for _, local := range []string{
		"ren\u00e9.stra\u00dfe", "rene\u0301.stra\u00dfe", "REN\u00c9.STRA\u1e9eE", "RENE\u0301.STRASSE", "Rene\u0301.Strasse",
	} {
		for _, domain := range []string{
			"b\u00fccher.example", "bu\u0308cher.example", "B\u00dcCHER.Example",
			"xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE",
		} {
			for _, frame := range []string{"%s@%s", " %s@%s", "%s@%s\n", "\u3000%s@%s\u00a0"} {
				all = append(all, fmt.Sprintf(frame, local, domain))
			}
		}
	}
	return all
}

func TestOneAddressInManySpellingsIsOneAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		typed := spellings()
		if distinct := len(slices.Compact(slices.Sorted(slices.Values(typed)))); distinct != 100 {
			t.Fatalf("%d spellings, want 100", distinct)
		}
		prepared := make([]*account.Account, len(typed))
		for i, email := range typed {
			a, err := service.Prepare(t.Context(), account.Registration{Email: email, Password: goodPassword})
			if err != nil {
				t.Fatalf("%+q: %v", email, err)
			}
			prepared[i] = a
		}
		failures := make([]error, len(typed))
		start := make(chan struct{})
		var group sync.WaitGroup
		for i, a := range prepared {
			group.Go(func() {
				<-start
				failures[i] = db.Atomically(t.Context(), func(ctx context.Context) error { return service.Insert(ctx, a) })
			})
		}
		close(start)
		group.Wait()

		made := 0
		for _, err := range failures {
			if err == nil {
				made++
				continue
			}
			expectCodes(t, err, fault.EmailTaken)
		}
		if made != 1 {
			t.Errorf("%d accounts were made, want 1", made)
		}
		var rows int
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM accounts").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d rows (%v), want 1", rows, err)
		}
	})
}

func TestInsertSaysWhatIsTaken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		service := newService(db, cheap)
		ann := register(t, service, "ann@example.com", "ann")
		register(t, service, "lee@example.com", "lee")
		register(t, service, "nameless@example.com", "")
		register(t, service, "nameless2@example.com", "") // no username is no username, however often

		for _, tt := range []struct {
			name, email string
			username    *string
			want        []fault.Code
		}{
			{"address", "ANN@example.com", nil, []fault.Code{fault.EmailTaken}},
			{"address, own username", "ANN@example.com", ptr("other"), []fault.Code{fault.EmailTaken}},
			{"username", "new@example.com", ptr("ANN"), []fault.Code{fault.UsernameTaken}},
			{"both, of one account", "ann@example.com", ptr("Ann"), []fault.Code{fault.EmailTaken, fault.UsernameTaken}},
			{"both, of two accounts", "ann@example.com", ptr("lee"), []fault.Code{fault.EmailTaken, fault.UsernameTaken}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				for _, within := range []func(context.Context, func(context.Context) error) error{
					db.Atomically, func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) },
				} {
					a, err := service.Prepare(t.Context(), account.Registration{
						Email: tt.email, Password: goodPassword, Username: tt.username,
					})
					if err != nil {
						t.Fatal(err)
					}
					err = within(t.Context(), func(ctx context.Context) error { return service.Insert(ctx, a) })
					expectCodes(t, err, tt.want...)
					users, _ := fault.Split(err)
					for _, u := range users {
						field := map[fault.Code]string{fault.EmailTaken: "email", fault.UsernameTaken: "username"}[u.Code]
						if !slices.Equal(u.Field, []string{"input", field}) {
							t.Errorf("%s has the field %q", u.Code, u.Field)
						}
					}
					_, err = service.ByID(t.Context(), a.ID)
					expectNotFound(t, err)
				}
			})
		}
		if found, err := service.ByEmail(t.Context(), "ann@example.com"); err != nil || found.ID != ann.ID {
			t.Errorf("the first account is %v (%v) now", found, err)
		}
	})
}
