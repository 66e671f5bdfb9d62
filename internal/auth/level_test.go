package auth_test

import (
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

func TestLevelFollowsFromTheMethods(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		amr  []string
		want auth.Level
	}{
		"nothing":                   {nil, auth.LevelNone},
		"a password":                {[]string{"pwd"}, auth.LevelPassword},
		"a key alone":               {[]string{"hwk"}, auth.LevelPassword},
		"a fingerprint alone":       {[]string{"fpt"}, auth.LevelPassword},
		"said so":                   {[]string{"mfa"}, auth.LevelMulti},
		"said so, last":             {[]string{"pwd", "mfa"}, auth.LevelMulti},
		"knowledge and possession":  {[]string{"pwd", "otp"}, auth.LevelMulti},
		"possession and inherence":  {[]string{"swk", "face"}, auth.LevelMulti},
		"knowledge and inherence":   {[]string{"pin", "iris"}, auth.LevelMulti},
		"one kind, twice":           {[]string{"pwd", "pin", "kba"}, auth.LevelPassword},
		"one method, twice":         {[]string{"pwd", "pwd"}, auth.LevelPassword},
		"two messages to one phone": {[]string{"sms", "tel", "otp"}, auth.LevelPassword},
		"no factor":                 {[]string{"geo", "rba", "user", "wia", "mca"}, auth.LevelNone},
		"a factor and none":         {[]string{"pwd", "geo", "mca"}, auth.LevelPassword},
		"unknown":                   {[]string{"PWD", "MFA", ""}, auth.LevelNone},
	} {
		if got := (&auth.Caller{AMR: test.amr}).Level(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestLevelsRise(t *testing.T) {
	t.Parallel()
	last := auth.LevelNone
	for _, l := range auth.Levels() {
		if l <= last {
			t.Errorf("%q does not rise above %q", l, last)
		}
		if parsed, ok := auth.ParseLevel(l.String()); !ok || parsed != l {
			t.Errorf("%q is read as %q, %v", l, parsed, ok)
		}
		last = l
	}
	for _, name := range []string{"", "none", "MFA", "phr", "2"} {
		if l, ok := auth.ParseLevel(name); ok {
			t.Errorf("%q is read as %q", name, l)
		}
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	const own = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
	parsed, err := id.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	caller := &auth.Caller{AccountID: parsed}
	if !caller.Owns(own) {
		t.Error("one's own id is not one's own")
	}
	for i := range own {
		other := []byte(own)
		other[i] ^= 1
		if caller.Owns(string(other)) {
			t.Errorf("%s is one's own", other)
		}
	}
	for _, other := range []string{
		"", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "{" + own + "}", "urn:uuid:" + own, own + " ", " " + own, own + own, own[:35],
		"017f22e279b07cc398c4dc0c0c07398f", "00000000-0000-0000-0000-000000000000",
	} {
		if caller.Owns(other) {
			t.Errorf("%q is one's own", other)
		}
	}
	const zero = "00000000-0000-0000-0000-000000000000"
	if (&auth.Caller{}).Owns(zero) || auth.Anonymous(fault.Anonymous(fault.Missing)).Owns(zero) {
		t.Error("nobody owns the zero id")
	}
	signedOut := &auth.Caller{AccountID: parsed, Refusal: fault.Anonymous(fault.Expired)}
	if signedOut.Owns(own) {
		t.Error("an anonymous caller owns something")
	}
}

func TestOwnsAllocatesNothing(t *testing.T) {
	caller := &auth.Caller{AccountID: id.ID{1}}
	own := caller.AccountID.String()
	allocated := testing.AllocsPerRun(100, func() {
		if !caller.Owns(own) {
			t.Error("one's own id is not one's own")
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}
