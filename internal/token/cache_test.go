package token

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/keyring"
)

// However many tokens there are, those that are remembered stay as few as maxVerified says.
func TestVerifiedTokensAreBounded(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	ring, err := keyring.Open(t.Context(), nil, nil, now,
		keyring.Config{Algorithm: keyring.HS256, JWTSecret: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s := New(ring, nil, now, Config{})
	for i := range maxVerified + 1_000 {
		s.verified.Set(digestOf(strconv.Itoa(i)), &auth.Caller{})
	}
	s.verified.CleanUp() // what is over the bound goes in the background otherwise
	if n := s.verified.EstimatedSize(); n > maxVerified || n < maxVerified/2 {
		t.Errorf("%d tokens are remembered, want about %d", n, maxVerified)
	}
}
