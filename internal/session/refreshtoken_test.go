package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var mutants = flag.Int("mutants", 20_000, "how many bad refresh tokens are presented")

// The two installations' master secrets, drawn once for these tests.
const (
	ours   = "q0sVxYfH3mJtO2c8bWkzR5nD1gPaE7uLiKj4yTQ6vXw="
	theirs = "Zk3pQ9vXc1LrT8eYwB5nHs0uJ2gMd7iFaO6tKxV4bRE="
)

func keysOf(t testing.TB, secrets string) refreshKeys {
	t.Helper()
	master, err := secret.Parse(secrets)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := newRefreshKeys(master)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func minted(t testing.TB, keys refreshKeys, c refreshClaims) string {
	t.Helper()
	token, err := keys.mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// draw makes up what a token says.
func draw(r *rand.Rand) refreshClaims {
	c := refreshClaims{sessionID: id.New(noon), generation: r.Int32N(1000)}
	for i := range c.salt {
		c.salt[i] = byte(r.Uint32())
	}
	return c
}

func TestRefreshTokenSaysWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, ours)
	r := rand.New(rand.NewPCG(1, 2))
	for _, generation := range []int32{0, 1, 255, 256, 1<<31 - 1} {
		want := draw(r)
		want.generation = generation
		text := minted(t, keys, want)
		got, ok := keys.parse(text)
		if !ok || got != want {
			t.Errorf("parsed %+v, %t; want %+v", got, ok, want)
		}
		if text != minted(t, keys, want) {
			t.Error("made again, it is another")
		}
	}
}

// The format is a contract with the tokens that are out there.
func TestRefreshTokenFormat(t *testing.T) {
	t.Parallel()
	c := refreshClaims{sessionID: id.ID{0x01, 0x9c, 15: 0xff}, generation: 258, salt: [saltSize]byte{1, 2, 15: 3}}
	got := minted(t, keysOf(t, ours), c)
	// Computed apart from this code, from what the comments at the format and at secret.Master.Key say.
	const want = "ghrt_AQGcAAAAAAAAAAAAAAAAAP8AAAECAQIAAAAAAAAAAAAAAAAAAx5PkgNQpNKRJdRycKG8vbHL8MasSNa-zFOBF9zJzjP3"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefreshTokenNeedsASecret(t *testing.T) {
	t.Parallel()
	keys, err := newRefreshKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.mint(refreshClaims{}); !errors.Is(err, errNoSecret) {
		t.Errorf("minted without a secret: %v", err)
	}
	if _, ok := keys.parse(minted(t, keysOf(t, ours), refreshClaims{})); ok {
		t.Error("read without a secret")
	}
}

// A forger has genuine tokens of several sessions, of ours and of another installation, and changes them in every way.
type forger struct {
	*rand.Rand
	genuine []string
	claims  []refreshClaims
	known   map[string]bool
	foreign refreshKeys
}

func newForger(t testing.TB, keys refreshKeys) *forger {
	t.Helper()
	f := &forger{Rand: rand.New(rand.NewPCG(3, 4)), known: make(map[string]bool), foreign: keysOf(t, theirs)}
	for range 50 {
		c := draw(f.Rand)
		for range 4 { // four generations of each session
			text := minted(t, keys, c)
			f.genuine, f.claims, f.known[text] = append(f.genuine, text), append(f.claims, c), true
			c.generation++
		}
	}
	return f
}

func (f *forger) pick() string { return f.genuine[f.IntN(len(f.genuine))] }

// raw returns the bytes of a genuine token.
func (f *forger) raw() []byte {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(f.pick(), refreshPrefix))
	if err != nil {
		return nil
	}
	return raw
}

func encode(raw []byte) string { return refreshPrefix + base64.RawURLEncoding.EncodeToString(raw) }

// char returns a random character, of the alphabet mostly.
func (f *forger) char() string {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \r\n\t\x00%.é"
	runes := []rune(chars)
	return string(runes[f.IntN(len(runes))])
}

// signed returns the token that says raw up to the MAC, with the MAC that make returns for it.
func signed(raw []byte, mac func(said []byte) []byte) string {
	return encode(append(slices.Clone(raw[:macAt]), mac(raw[:macAt])...))
}

// ways is how tokens are forged. What comes out may be genuine by chance.
func (f *forger) ways(t testing.TB) []func() string {
	t.Helper()
	fields := []int{versionAt, sessionAt, generationAt, saltAt, macAt, refreshSize}
	insert := func(text string, at int, what string) string { return text[:at] + what + text[at:] }
	return []func() string{
		func() string { return f.pick()[:f.IntN(refreshLength)] },
		func() string { return f.pick()[1+f.IntN(refreshLength-1):] },
		func() string { // a bit of the text
			text := []byte(f.pick())
			text[f.IntN(len(text))] ^= 1 << f.IntN(8)
			return string(text)
		},
		func() string { // bits of the content
			raw := f.raw()
			for range 1 + f.IntN(3) {
				raw[f.IntN(len(raw))] ^= 1 << f.IntN(8)
			}
			return encode(raw)
		},
		func() string { // a field of another session or generation
			raw, other := f.raw(), f.raw()
			field := f.IntN(len(fields) - 1)
			copy(raw[fields[field]:fields[field+1]], other[fields[field]:fields[field+1]])
			return encode(raw)
		},
		func() string { // the beginning of one, the end of another
			at := f.IntN(refreshLength)
			return f.pick()[:at] + f.pick()[at:]
		},
		func() string { // two swapped or overwritten stretches
			raw := f.raw()
			at, length := f.IntN(len(raw)), 1+f.IntN(8)
			copy(raw[at:min(at+length, len(raw))], f.raw()[f.IntN(len(raw)):])
			return encode(raw)
		},
		func() string { return f.pick() + f.char() },
		func() string { return f.char() + f.pick() },
		func() string { return insert(f.pick(), f.IntN(refreshLength), f.char()) },
		func() string { // as long as a genuine one, since the decoder passes over line breaks
			text := insert(f.pick(), len(refreshPrefix)+f.IntN(refreshLength-len(refreshPrefix)), "\n")
			return text[:refreshLength]
		},
		func() string { return encode(append(f.raw(), byte(f.Uint32()))) },
		func() string { return encode(f.raw()[:f.IntN(refreshSize)]) },
		func() string { return refreshPrefix + base64.StdEncoding.EncodeToString(f.raw()) },
		func() string { return refreshPrefix + base64.URLEncoding.EncodeToString(append(f.raw(), 0)) },
		func() string { return strings.ToUpper(f.pick()) },
		func() string { return strings.ToLower(f.pick()) },
		func() string { return refreshPrefix + f.pick() },
		func() string { return "ghat_" + strings.TrimPrefix(f.pick(), refreshPrefix) },
		func() string { return strings.TrimPrefix(f.pick(), refreshPrefix) },
		func() string { // of another installation
			token, err := f.foreign.mint(f.claims[f.IntN(len(f.claims))])
			if err != nil {
				t.Error(err)
			}
			return token.Reveal()
		},
		func() string { // another generation, under the old MAC
			raw := f.raw()
			binary.BigEndian.PutUint32(raw[generationAt:], f.Uint32())
			return encode(raw)
		},
		func() string { // a hash that needs no key
			return signed(f.raw(), func(said []byte) []byte {
				sum := sha256.Sum256(append([]byte(refreshPrefix), said...))
				return sum[:]
			})
		},
		func() string { // the right way, under the session's salt, which a forger may have seen
			return signed(f.raw(), func(said []byte) []byte { return refreshMAC(said[saltAt:], said) })
		},
		func() string { // the right key material for another purpose
			return signed(f.raw(), func(said []byte) []byte {
				mac := hmac.New(sha256.New, []byte(ours))
				mac.Write(said)
				return mac.Sum(nil)
			})
		},
		func() string { return signed(f.raw(), func([]byte) []byte { return make([]byte, sha256.Size) }) },
		func() string {
			raw := make([]byte, refreshSize)
			for i := range raw {
				raw[i] = byte(f.Uint32())
			}
			raw[versionAt] = refreshVersion
			return encode(raw)
		},
		func() string { // anything
			var text strings.Builder
			for range f.IntN(2 * refreshLength) {
				text.WriteString(f.char())
			}
			return text.String()
		},
	}
}

// What is not genuine is told by itself: here the database is closed, so that whatever asked it would fail with another error.
func TestForgedRefreshTokensNeverReachTheDatabase(t *testing.T) {
	t.Parallel()
	master, err := secret.Parse(ours)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: storetest.MigratedURL(t, storetest.SQLite)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, nil, nil, nil, nil, func() time.Time { return noon }, Config{Master: master})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	nobody := auth.Anonymous(fault.Anonymous(fault.Missing))
	refuses := func(text string) bool {
		_, _, err := s.Refresh(t.Context(), text)
		users, _ := fault.Split(err)
		_, err = s.Logout(t.Context(), nobody, text, true)
		others, _ := fault.Split(err)
		return len(users) == 1 && users[0].Code == fault.InvalidRefreshToken && (len(others) == 1 || text == "")
	}
	f := newForger(t, s.keys)
	for _, text := range f.genuine[:10] { // or this would prove nothing
		if refuses(text) {
			t.Fatal("a genuine token did not reach the database")
		}
	}
	ways := f.ways(t)
	presented := make([]int, len(ways))
	for i := range *mutants {
		way := i % len(ways)
		text := ways[way]()
		if f.known[text] {
			continue
		}
		presented[way]++
		if !refuses(text) {
			t.Fatalf("way %d: %q was not refused by itself", way, text)
		}
	}
	for way, n := range presented {
		if n < *mutants/len(ways)/4 {
			t.Errorf("way %d came up with %d bad tokens only", way, n)
		}
	}
}

func FuzzRefreshToken(f *testing.F) {
	keys := keysOf(f, ours)
	forger := newForger(f, keys)
	for _, way := range forger.ways(f) {
		f.Add(way())
	}
	f.Add(forger.pick())
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := keys.parse(text); ok && minted(t, keys, c) != text {
			t.Errorf("%q is a second spelling", text)
		}
	})
}

func BenchmarkParseRefreshToken(b *testing.B) {
	keys := keysOf(b, ours)
	text := minted(b, keys, refreshClaims{sessionID: id.New(noon)})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := keys.parse(text); !ok {
			b.Fatal("refused")
		}
	}
}
