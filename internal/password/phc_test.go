package password

import (
	"errors"
	"strings"
	"testing"
)

const (
	goodSalt = "c29tZXNhbHQ"
	goodKey  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	goodPHC  = "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + goodKey
)

func TestParse(t *testing.T) {
	t.Parallel()
	hash, err := parse(goodPHC)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Params{Memory: 256, Time: 2, Threads: 1, SaltLength: 8, KeyLength: 32}); hash.params != want {
		t.Errorf("%+v, want %+v", hash.params, want)
	}
	if string(hash.salt) != "somesalt" || len(hash.key) != 32 {
		t.Errorf("salt %q, key %x", hash.salt, hash.key)
	}
}

func TestParseTakesTheLimitsThemselves(t *testing.T) {
	t.Parallel()
	for _, params := range []Params{
		DefaultParams(),
		{Memory: maxMemory, Time: maxTime, Threads: maxThreads, SaltLength: maxSalt, KeyLength: maxKey},
		{Memory: 8, Time: 1, Threads: 1, SaltLength: minSalt, KeyLength: minKey},
	} {
		phc := encoded{params: params, salt: make([]byte, params.SaltLength), key: make([]byte, params.KeyLength)}.String()
		if hash, err := parse(phc); err != nil || hash.params != params {
			t.Errorf("%s: %+v, %v", phc, hash.params, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const tail = "$" + goodSalt + "$" + goodKey
	for name, phc := range map[string]string{
		"nothing":             "",
		"dollars":             "$$$$$",
		"bcrypt":              "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
		"argon2i":             "$argon2i$v=19$m=256,t=2,p=1" + tail,
		"argon2d":             "$argon2d$v=19$m=256,t=2,p=1" + tail,
		"capitals":            "$Argon2id$v=19$m=256,t=2,p=1" + tail,
		"version 16":          "$argon2id$v=16$m=256,t=2,p=1" + tail,
		"no version":          "$argon2id$m=256,t=2,p=1" + tail,
		"other order":         "$argon2id$v=19$t=2,m=256,p=1" + tail,
		"key id":              "$argon2id$v=19$m=256,t=2,p=1,keyid=Zm9v" + tail,
		"no lanes":            "$argon2id$v=19$m=256,t=2" + tail,
		"leading zero":        "$argon2id$v=19$m=0256,t=2,p=1" + tail,
		"plus":                "$argon2id$v=19$m=+256,t=2,p=1" + tail,
		"minus":               "$argon2id$v=19$m=256,t=-2,p=1" + tail,
		"hex number":          "$argon2id$v=19$m=0x100,t=2,p=1" + tail,
		"underscore":          "$argon2id$v=19$m=2_56,t=2,p=1" + tail,
		"space":               "$argon2id$v=19$m= 256,t=2,p=1" + tail,
		"overflow":            "$argon2id$v=19$m=4294967552,t=2,p=1" + tail,
		"overflow of a byte":  "$argon2id$v=19$m=256,t=2,p=257" + tail,
		"no memory":           "$argon2id$v=19$m=0,t=2,p=1" + tail,
		"no passes":           "$argon2id$v=19$m=256,t=0,p=1" + tail,
		"zero lanes":          "$argon2id$v=19$m=256,t=2,p=0" + tail,
		"memory below lanes":  "$argon2id$v=19$m=15,t=2,p=2" + tail,
		"memory over limit":   "$argon2id$v=19$m=131073,t=2,p=1" + tail,
		"passes over limit":   "$argon2id$v=19$m=256,t=11,p=1" + tail,
		"lanes over limit":    "$argon2id$v=19$m=256,t=2,p=17" + tail,
		"salt of 7 bytes":     "$argon2id$v=19$m=256,t=2,p=1$AAAAAAAAAA$" + goodKey,
		"salt of 65 bytes":    "$argon2id$v=19$m=256,t=2,p=1$" + strings.Repeat("A", 87) + "$" + goodKey,
		"key of 15 bytes":     "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + strings.Repeat("A", 20),
		"key of 65 bytes":     "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + strings.Repeat("A", 87),
		"no salt":             "$argon2id$v=19$m=256,t=2,p=1$$" + goodKey,
		"no key":              "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$",
		"no key field":        "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt,
		"one more field":      goodPHC + "$",
		"leading text":        "x" + goodPHC,
		"trailing line break": goodPHC + "\n",
		"break in the salt":   "$argon2id$v=19$m=256,t=2,p=1$c29t\nZXNhbHQ$" + goodKey,
		"padding":             goodPHC + "=",
		"loose bits":          "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt[:10] + "R$" + goodKey,
		"URL alphabet":        "$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + strings.ReplaceAll(goodKey, "/", "_"),
		"NUL":                 goodPHC + "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if hash, err := parse(phc); !errors.Is(err, ErrMalformed) {
				t.Errorf("%+v, %v; want ErrMalformed", hash, err)
			}
		})
	}
}

// FuzzParse: what parse takes is within the limits and has one spelling.
func FuzzParse(f *testing.F) {
	f.Add(goodPHC)
	f.Add(New(Config{}).decoy)
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$$")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, phc string) {
		hash, err := parse(phc)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || hash.salt != nil || hash.key != nil || hash.params != (Params{}) {
				t.Errorf("refused with %v and %+v", err, hash)
			}
			return
		}
		if !hash.params.withinLimits() || hash.params.Memory > maxMemory {
			t.Errorf("%+v is beyond the limits", hash.params)
		}
		if int(hash.params.SaltLength) != len(hash.salt) || int(hash.params.KeyLength) != len(hash.key) {
			t.Errorf("%+v doesn't describe %d and %d bytes", hash.params, len(hash.salt), len(hash.key))
		}
		if again := hash.String(); again != phc {
			t.Errorf("%q is also spelled %q", again, phc)
		}
	})
}

// TestDecoyCostsWhatANewHashCosts: VerifyNothing goes the way of Verify, so it is this hash that makes them alike.
func TestDecoyCostsWhatANewHashCosts(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Params: Params{Memory: 64, Time: 3, Threads: 2, SaltLength: 8, KeyLength: 16}}} {
		hasher := New(cfg)
		if decoy, err := parse(hasher.decoy); err != nil || decoy.params != cfg.Params.orDefault() {
			t.Errorf("%s: %v", hasher.decoy, err)
		}
	}
}
