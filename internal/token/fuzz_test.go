package token_test

import (
	"strings"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/keyring"
	"gatehouse/internal/token/tokentest"
)

// FuzzVerify starts from honest tokens and from every forged one. Whatever comes of them, the verifier answers, and accepts
// nothing but what was signed for it, byte for byte.
func FuzzVerify(f *testing.F) {
	s := newSetup(f, keyring.ES256)
	honest := make(map[string]bool)
	for range 3 {
		raw := s.mint(f, grant())
		honest[raw] = true
		f.Add(raw)
	}
	for _, a := range forge(f, s) {
		if raw, refused := auth.Bearer(a.Header); refused == nil && (a.Want == tokentest.Accept || a.By == tokentest.BySession) {
			honest[raw] = true
		}
		// Much longer ones would only slow the fuzzer down: their length is all that is looked at.
		if raw := strings.TrimPrefix(a.Header.Get("Authorization"), "Bearer "); len(raw) <= 2*auth.MaxCredential {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		caller, err := s.Verify(t.Context(), raw)
		if err == nil {
			if !honest[raw] || caller == nil || !caller.SignedIn() {
				t.Errorf("accepted %q as %+v", raw, caller)
			}
			return
		}
		got := refusal(t, caller, err)
		if got.Code != fault.Unauthenticated || got.Reason == "" || got.Reason == fault.Revoked {
			t.Errorf("%q is refused with %v, reason %q", raw, got, got.Reason)
		}
		if honest[raw] {
			t.Errorf("refused %q, which was minted: %v", raw, got)
		}
	})
}
