package id_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/id"
)

func TestNewIsUUIDv7(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{
		time.Unix(0, 0),
		time.Date(2022, 2, 22, 14, 22, 22, 0, time.FixedZone("", -5*60*60)), // the example of RFC 9562 appendix A.6
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		made := id.New(now)
		if made.Version() != 7 || made.Variant() != uuid.RFC4122 {
			t.Errorf("%s is version %d, %s", made, made.Version(), made.Variant())
		}
		if sec, nsec := made.Time().UnixTime(); sec != now.Unix() || nsec/1e6 != int64(now.Nanosecond())/1e6 {
			t.Errorf("%s says %d.%09d, want %v", made, sec, nsec, now)
		}
	}
	// RFC 9562 appendix A.6 has 0x017F22E279B0 milliseconds.
	if got := id.New(time.UnixMilli(0x017F22E279B0)).String(); !strings.HasPrefix(got, "017f22e2-79b0-7") {
		t.Errorf("%s, want 017f22e2-79b0-7…", got)
	}
}

func TestNewRisesWithTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	last := id.New(now)
	for range 1000 {
		now = now.Add(time.Millisecond)
		next := id.New(now)
		if bytes.Compare(last[:], next[:]) >= 0 || last.String() >= next.String() {
			t.Fatalf("%s doesn't come before %s", last, next)
		}
		last = next
	}
}

func TestNewNeverRepeats(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	seen := make(map[id.ID]bool)
	var anyOf, allOf id.ID
	for i := range allOf {
		allOf[i] = 0xff
	}
	for range 10_000 {
		made := id.New(now)
		if seen[made] {
			t.Fatalf("%s twice", made)
		}
		seen[made] = true
		for i, b := range made {
			anyOf[i] |= b
			allOf[i] &= b
		}
	}
	// Of one millisecond, all 74 bits beside the time, the version and the variant vary.
	for i, fixed := range []byte{6: 0xf0, 7: 0, 8: 0xc0, 15: 0} {
		if i >= 6 && anyOf[i]&^allOf[i] != ^fixed {
			t.Errorf("byte %d varies in %08b, want %08b", i, anyOf[i]&^allOf[i], ^fixed)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const canonical = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
	got, err := id.Parse(canonical)
	if err != nil || got.String() != canonical {
		t.Errorf("%s, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"capitals":         strings.ToUpper(canonical),
		"one capital":      strings.Replace(canonical, "f", "F", 1),
		"braces":           "{" + canonical + "}",
		"URN":              "urn:uuid:" + canonical,
		"no hyphens":       strings.ReplaceAll(canonical, "-", ""),
		"other hyphens":    strings.ReplaceAll(canonical, "-", "_"),
		"cut short":        canonical[:35],
		"too long":         canonical + "0",
		"space":            canonical + " ",
		"leading space":    " " + canonical,
		"not hex":          strings.Replace(canonical, "c", "g", 1),
		"NUL":              canonical[:35] + "\x00",
		"full-width":       strings.Replace(canonical, "0", "０", 1),
		"a quote":          canonical[:35] + "'",
		"quote and longer": canonical + "' OR '1'='1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := id.Parse(text); !errors.Is(err, id.ErrMalformed) || got != (id.ID{}) {
				t.Errorf("%s, %v; want ErrMalformed", got, err)
			}
		})
	}
}

// FuzzParse: what is accepted has one spelling.
func FuzzParse(f *testing.F) {
	f.Add("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	f.Add("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}")
	f.Add("urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := id.Parse(text)
		if err == nil && (got.String() != text || len(text) != 36) {
			t.Errorf("%q is also spelled %q", text, got)
		}
		if err != nil && !errors.Is(err, id.ErrMalformed) {
			t.Errorf("%v, want ErrMalformed", err)
		}
	})
}
