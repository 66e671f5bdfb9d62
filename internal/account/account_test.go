package account_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/fault"
	"gatehouse/internal/password"
	"gatehouse/internal/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

const goodPassword = "correct horse battery staple"

// cheap makes hashing cost next to nothing.
var cheap = password.Params{Memory: 8, Time: 1, Threads: 1, SaltLength: 8, KeyLength: 16}

func newService(db *store.DB, params password.Params) *account.Service {
	return account.New(db, password.New(password.Config{Params: params, Queue: 1000}), func() time.Time { return noon })
}

// register makes an account with the good password; username may be empty for none.
func register(t *testing.T, service *account.Service, email, username string) *account.Account {
	t.Helper()
	r := account.Registration{Email: email, Password: goodPassword}
	if username != "" {
		r.Username = &username
	}
	a, err := service.Prepare(t.Context(), r)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if err := service.Insert(t.Context(), a); err != nil {
		t.Fatalf("insert: %v", err)
	}
	return a
}

// codes returns the codes of err's user errors; an error of any other kind fails the test.
func codes(t *testing.T, err error) []fault.Code {
	t.Helper()
	users, other := fault.Split(err)
	if other != nil {
		t.Fatalf("not a user error: %v", other)
	}
	codes := make([]fault.Code, 0, len(users))
	for _, u := range users {
		codes = append(codes, u.Code)
	}
	return codes
}

func expectCodes(t *testing.T, err error, want ...fault.Code) {
	t.Helper()
	if got := codes(t, err); !slices.Equal(got, want) {
		t.Errorf("codes %q, want %q", got, want)
	}
}

func expectNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v, want store.ErrNotFound", err)
	}
}

func ptr[T any](value T) *T { return &value }
