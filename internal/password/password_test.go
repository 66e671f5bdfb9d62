package password_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/fault"
	"gatehouse/internal/password"
)

// cheap makes hashes that cost microseconds, for tests in which the cost is not the matter.
func cheap() password.Config {
	return password.Config{Params: password.Params{Memory: 64, Time: 1}}
}

// TestReferenceImplementationVectors holds the known answers for argon2id, version 19, of the reference implementation by
// Argon2's authors (its src/test.c), as far as they are within our limits: one more asks for 256 MiB, and must be refused.
func TestReferenceImplementationVectors(t *testing.T) {
	t.Parallel()
	hasher := password.New(password.Config{})
	for _, test := range []struct{ password, phc string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"password", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"},
		{"password", "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"},
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"},
	} {
		if ok, _, err := hasher.Verify(t.Context(), test.phc, test.password); !ok || err != nil {
			t.Errorf("%s: %t, %v", test.phc, ok, err)
		}
	}
	const tooMuch = "$argon2id$v=19$m=262144,t=2,p=1$c29tZXNhbHQ$eP4eyR+zqlZX1y5xCFTkw9m5GYx0L5YWwvCFvtlbLow"
	if ok, _, err := hasher.Verify(t.Context(), tooMuch, "password"); ok || !errors.Is(err, password.ErrMalformed) {
		t.Errorf("256 MiB: %t, %v; want ErrMalformed", ok, err)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	hasher := password.New(password.Config{})
	const plain = "correct horse battery staple"
	phc, err := hasher.Hash(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	if !form.MatchString(phc) {
		t.Errorf("%s doesn't have the form %s", phc, form)
	}
	ok, rehash, err := hasher.Verify(t.Context(), phc, plain)
	if !ok || rehash || err != nil {
		t.Errorf("Verify: %t, %t, %v; want true, false, nil", ok, rehash, err)
	}
	for _, wrong := range []string{"", "Correct horse battery staple", plain + " ", plain + "\x00"} {
		if ok, rehash, err := hasher.Verify(t.Context(), phc, wrong); ok || rehash || err != nil {
			t.Errorf("Verify(%q): %t, %t, %v; want false, false, nil", wrong, ok, rehash, err)
		}
	}
	if again, err := hasher.Hash(t.Context(), plain); again == phc || err != nil {
		t.Errorf("the same hash twice: the salt is not random (%v)", err)
	}
}

// A stored hash of the empty password, which no account should have, must not let in whoever sends a password without end.
func TestVerifyRefusesEndlessPasswords(t *testing.T) {
	t.Parallel()
	hasher := password.New(cheap())
	longest := strings.Repeat("\uac01", password.MaxBytes/3) // nothing grows more than Hangul when it is decomposed
	for plain, typed := range map[string]string{
		"":      strings.Repeat("x", 4*password.MaxBytes+1),
		longest: longest + strings.Repeat(" ", 1<<20),
	} {
		phc, err := hasher.Hash(t.Context(), plain)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, err := hasher.Verify(t.Context(), phc, typed); ok || err != nil {
			t.Errorf("%d bytes for a password of %d: %t, %v", len(typed), len(plain), ok, err)
		}
	}
	phc, err := hasher.Hash(t.Context(), longest)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := hasher.Verify(t.Context(), phc, norm.NFD.String(longest)); !ok || err != nil {
		t.Errorf("the longest password in its longest form: %t, %v", ok, err)
	}
}

func TestHashDoesNotDependOnUnicodeForm(t *testing.T) {
	t.Parallel()
	hasher := password.New(cheap())
	phc, err := hasher.Hash(t.Context(), "caf\u00e9 \u1e9b\u0323 \uac00")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := hasher.Verify(t.Context(), phc, "cafe\u0301 \u017f\u0323\u0307 \u1100\u1161"); !ok || err != nil {
		t.Errorf("decomposed: %t, %v", ok, err)
	}
	// NFC, not NFKC: compatibility forms are other passwords.
	if ok, _, err := hasher.Verify(t.Context(), phc, "caf\u00e9 \u1e69 \uac00"); ok || err != nil {
		t.Errorf("compatibility form: %t, %v", ok, err)
	}
}

func TestRehash(t *testing.T) {
	t.Parallel()
	const plain = "correct horse battery staple"
	current := password.Params{Memory: 64, Time: 2, Threads: 2, SaltLength: 16, KeyLength: 32}
	for name, old := range map[string]password.Params{
		"less memory":    {Memory: 32, Time: 2, Threads: 2, SaltLength: 16, KeyLength: 32},
		"more memory":    {Memory: 128, Time: 2, Threads: 2, SaltLength: 16, KeyLength: 32},
		"fewer passes":   {Memory: 64, Time: 1, Threads: 2, SaltLength: 16, KeyLength: 32},
		"fewer lanes":    {Memory: 64, Time: 2, Threads: 1, SaltLength: 16, KeyLength: 32},
		"shorter salt":   {Memory: 64, Time: 2, Threads: 2, SaltLength: 8, KeyLength: 32},
		"shorter key":    {Memory: 64, Time: 2, Threads: 2, SaltLength: 16, KeyLength: 16},
		"nothing at all": current,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phc, err := password.New(password.Config{Params: old}).Hash(t.Context(), plain)
			if err != nil {
				t.Fatal(err)
			}
			hasher := password.New(password.Config{Params: current})
			ok, rehash, err := hasher.Verify(t.Context(), phc, plain)
			if want := old != current; !ok || rehash != want || err != nil {
				t.Errorf("%t, %t, %v; want true, %t, nil", ok, rehash, err, want)
			}
			if ok, rehash, err := hasher.Verify(t.Context(), phc, "wrong"); ok || rehash || err != nil {
				t.Errorf("wrong password: %t, %t, %v; want false, false, nil", ok, rehash, err)
			}
		})
	}
}

func TestHashRefusesWhatVerifyWould(t *testing.T) {
	t.Parallel()
	for _, params := range []password.Params{
		{Memory: 1 << 30}, {Time: 1 << 20}, {Threads: 255}, {SaltLength: 4}, {KeyLength: 8},
	} {
		if phc, err := password.New(password.Config{Params: params}).Hash(t.Context(), "x"); err == nil {
			t.Errorf("%+v: %s", params, phc)
		}
	}
}

// allocated returns how many bytes fn allocates. Tests that use it must not run in parallel.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestHostileHashesCostNothing(t *testing.T) {
	hasher := password.New(password.Config{})
	const salt, key = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, phc := range []string{
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=131073,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=4294967295,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=1,p=255$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=1,p=1$" + salt + "$" + strings.Repeat("A", 64<<20),
		"$argon2id$v=19$m=256,t=1,p=1$" + strings.Repeat("A", 64<<20) + "$" + key,
		strings.Repeat("$", 64<<20),
	} {
		var err error
		if n := allocated(func() { _, _, err = hasher.Verify(t.Context(), phc, "password") }); n > 64<<10 {
			t.Errorf("%.40s… took %d bytes", phc, n)
		}
		if !errors.Is(err, password.ErrMalformed) {
			t.Errorf("%.40s…: %v, want ErrMalformed", phc, err)
		}
	}
}

func TestVerifyNothingDoesTheWorkOfVerify(t *testing.T) {
	hasher := password.New(password.Config{})
	phc, err := hasher.Hash(t.Context(), "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	verify := allocated(func() { _, _, err = hasher.Verify(t.Context(), phc, "wrong") })
	if err != nil {
		t.Fatal(err)
	}
	nothing := allocated(func() { err = hasher.VerifyNothing(t.Context(), "wrong") })
	if err != nil {
		t.Fatal(err)
	}
	const whole = 19456 << 10
	if verify < whole || nothing < whole || max(verify, nothing)-min(verify, nothing) > whole/100 {
		t.Errorf("Verify took %d bytes, VerifyNothing %d; want %d each", verify, nothing, whole)
	}
}

// TestFlood sends far more callers than there is room for: those with a place are served, the others are told when to come
// again, and all of them at once.
func TestFlood(t *testing.T) {
	t.Parallel()
	cfg := cheap()
	cfg.Params.Memory, cfg.Concurrency, cfg.Queue = 8<<10, 1, 4
	hasher := password.New(cfg)
	var served, refused atomic.Int32
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			err := hasher.VerifyNothing(t.Context(), "password")
			if err == nil {
				served.Add(1)
				return
			}
			known, ok := errors.AsType[*fault.Error](err)
			if !ok || known.Code != fault.Unavailable || known.RetryAfter <= 0 {
				t.Errorf("%v, want SERVICE_UNAVAILABLE with RetryAfter", err)
			}
			refused.Add(1)
		})
	}
	callers.Wait()
	if served.Load() < 5 || refused.Load() == 0 {
		t.Errorf("%d served, %d refused", served.Load(), refused.Load())
	}
	if _, err := hasher.Hash(t.Context(), "password"); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

func TestDoneContextIsNotServed(t *testing.T) {
	t.Parallel()
	hasher := password.New(cheap())
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err := hasher.Hash(ctx, "password")
	if known, ok := errors.AsType[*fault.Error](err); !ok || known.Code != fault.Unavailable {
		t.Errorf("%v, want SERVICE_UNAVAILABLE", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v doesn't have the context's error as its cause", err)
	}
}
