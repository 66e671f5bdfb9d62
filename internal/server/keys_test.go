package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/settings"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// keyHouse is an embedded database on which a server has started once, at a time that stands still.
type keyHouse struct {
	folder string
	now    time.Time
	names  []string // the kids in the order in which they were seen
}

func newKeyHouse(t *testing.T) *keyHouse {
	t.Helper()
	url := storetest.MigratedURL(t, storetest.SQLite)
	h := &keyHouse{
		folder: filepath.Dir(strings.TrimPrefix(url, "sqlite://")),
		now:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	master, err := secret.LoadOrCreate(filepath.Join(h.folder, "gatehouse.secret"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	_, err = keyring.Open(t.Context(), db, master, func() time.Time { return h.now }, keyring.Config{TokenTTL: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

var kidPattern = regexp.MustCompile(`[A-Za-z0-9_-]{43}`)

// say runs a command and returns what it wrote, with KEY1, KEY2, … for the kids, as wide as they are.
func (h *keyHouse) say(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs logBuffer
	code := gatehouse.Run(t.Context(), Process{
		Args:   append(args, "--database-url=sqlite://"+filepath.Join(h.folder, "gatehouse.db")),
		Lookup: noEnvironment, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Now: func() time.Time { return h.now },
	})
	if code != 0 {
		return errs.String()
	}
	if errs.String() != "" {
		t.Errorf("%v wrote to stderr: %s", args, errs.String())
	}
	return kidPattern.ReplaceAllStringFunc(out.String(), func(kid string) string {
		n := 0
		for n < len(h.names) && h.names[n] != kid {
			n++
		}
		if n == len(h.names) {
			h.names = append(h.names, kid)
		}
		return ("KEY" + string(rune('1'+n)) + strings.Repeat(".", len(kid)))[:len(kid)]
	})
}

func (h *keyHouse) wantSaid(t *testing.T, want string, args ...string) {
	t.Helper()
	// The words alone: how wide the columns are is no business of a test.
	fold := func(text string) string {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		for i, line := range lines {
			lines[i] = strings.Join(strings.Fields(strings.ReplaceAll(line, ".", "")), " ")
		}
		return strings.Join(lines, "\n")
	}
	if diff := cmp.Diff(fold(want), fold(h.say(t, args...))); diff != "" {
		t.Errorf("%v at %s said otherwise (-want +got):\n%s", args, h.now, diff)
	}
}

// TestKeysCommands tells the life of keys as the command line does.
func TestKeysCommands(t *testing.T) {
	t.Parallel()
	h := newKeyHouse(t)
	h.wantSaid(t, `
KEY   ALGORITHM  PHASE    CREATED               SIGNS                 RETIRES  SEALED
KEY1  ES256      signing  2026-03-01T12:00:00Z  2026-03-01T12:00:00Z  -        first`, "keys", "list")

	h.now = h.now.Add(time.Hour)
	h.wantSaid(t, `The key KEY2 is published, and signs from 2026-03-01T13:10:00Z on.`, "keys", "rotate")
	h.wantSaid(t, `Nothing to do: the key KEY2 is published already, and signs from 2026-03-01T13:10:00Z on.`, "keys", "rotate")
	h.wantSaid(t, `
KEY   ALGORITHM  PHASE      CREATED               SIGNS                 RETIRES               SEALED
KEY1  ES256      signing    2026-03-01T12:00:00Z  2026-03-01T12:00:00Z  2026-03-01T13:20:30Z  first
KEY2  ES256      published  2026-03-01T13:00:00Z  2026-03-01T13:10:00Z  -                     first`, "keys", "list")

	h.now = h.now.Add(10 * time.Minute)
	h.wantSaid(t, `The key KEY3 is published, and signs from 2026-03-01T14:10:00Z on.`, "keys", "rotate", "--key-publish-lead=1h")
	h.wantSaid(t, `
KEY   ALGORITHM  PHASE      CREATED               SIGNS                 RETIRES               SEALED
KEY1  ES256      verifying  2026-03-01T12:00:00Z  2026-03-01T12:00:00Z  2026-03-01T13:20:30Z  first
KEY2  ES256      signing    2026-03-01T13:00:00Z  2026-03-01T13:10:00Z  2026-03-01T14:10:30Z  first
KEY3  ES256      published  2026-03-01T13:10:00Z  2026-03-01T14:10:00Z  -                     first`, "keys", "list")

	h.now = h.now.Add(time.Minute)
	h.wantSaid(t, `
The key KEY4 signs from now on. Retired:
  KEY1
  KEY2
  KEY3`, "keys", "rotate", "--revoke")
	h.wantSaid(t, `
[
  {
    "kid": "KEY1",
    "algorithm": "ES256",
    "phase": "retired",
    "createdAt": "2026-03-01T12:00:00Z",
    "signsAt": "2026-03-01T12:00:00Z",
    "retiresAt": "2026-03-01T13:11:00Z",
    "sealed": "erased"
  },
  {
    "kid": "KEY2",
    "algorithm": "ES256",
    "phase": "retired",
    "createdAt": "2026-03-01T13:00:00Z",
    "signsAt": "2026-03-01T13:10:00Z",
    "retiresAt": "2026-03-01T13:11:00Z",
    "sealed": "erased"
  },
  {
    "kid": "KEY3",
    "algorithm": "ES256",
    "phase": "retired",
    "createdAt": "2026-03-01T13:10:00Z",
    "signsAt": "2026-03-01T14:10:00Z",
    "retiresAt": "2026-03-01T13:11:00Z",
    "sealed": "erased"
  },
  {
    "kid": "KEY4",
    "algorithm": "ES256",
    "phase": "signing",
    "createdAt": "2026-03-01T13:11:00Z",
    "signsAt": "2026-03-01T13:11:00Z",
    "retiresAt": null,
    "sealed": "first"
  }
]`, "keys", "list", "--json")

	another := newSecret()
	own, err := os.ReadFile(filepath.Join(h.folder, "gatehouse.secret"))
	if err != nil {
		t.Fatal(err)
	}
	list := func(secrets string) string { return h.say(t, "keys", "list", "--secret="+secrets) }
	for secrets, seal := range map[string]string{another + "," + string(own): "older", another: "other"} {
		if got := list(secrets); !strings.Contains(got, " "+seal+"\n") {
			t.Errorf("the list does not say that the secret is %s:\n%s", seal, got)
		}
	}
}

func TestKeysCommandsRefuse(t *testing.T) {
	t.Parallel()
	h := newKeyHouse(t)
	empty := storetest.MigratedURL(t, storetest.SQLite)
	bare := storetest.URL(t, storetest.SQLite)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "--database-url=" + empty}, `start "gatehouse" on it first, or set SECRET`},
		{[]string{"rotate", "--database-url=" + empty, "--secret=" + newSecret()}, "there is no signing key"},
		{[]string{"rotate", "--revoke", "--database-url=" + empty, "--secret=" + newSecret()}, "there is no signing key"},
		{[]string{"list", "--database-url=" + bare, "--secret=" + newSecret()}, "gatehouse migrate"},
		{[]string{"list", "--database-url=postgres://db/x"}, "set SECRET to the output of"},
		{[]string{"list", "--secret=hunter2hunter2hunter2hunter2"}, "SECRET: secret:"},
		{[]string{"rotate", "--secret-file=" + filepath.Join(h.folder, "none")}, "which does not exist"},
		{[]string{"rotate", "--key-publish-lead=soon"}, "write a duration such as 10m"},
		{[]string{"rotate", "--key-publish-lead=-1s"}, "KEY_PUBLISH_LEAD must be from 0s to 24h"},
		{[]string{"rotate", "--revoke", "--key-publish-lead=25h"}, "KEY_PUBLISH_LEAD must be from 0s to 24h"},
		{nil, "needs another word"},
	} {
		code, stdout, stderr := call(t, "", append([]string{"keys"}, c.args...)...)
		if c.args == nil && code != 0 { // kong says by itself which words there are
			continue
		}
		if code != 1 || stdout != "" || !oneLine(stderr) || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("keys %v: exit code %d, %s%s; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

// TestKeysBesideARunningServer replaces the keys of a server that runs.
func TestKeysBesideARunningServer(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			flags := []string{"--issuer=http://localhost:1"}
			if kind != storetest.SQLite {
				flags = append(flags, "--secret="+newSecret())
			}
			s := startServer(t, kind, flags...)
			rotate := func(args ...string) string {
				t.Helper()
				args = append([]string{"keys", "rotate", "--database-url=" + s.DatabaseURL}, append(args, flags[1:]...)...)
				code, stdout, stderr := call(t, "", args...)
				if code != 0 || stderr != "" {
					t.Fatalf("%v: exit code %d: %s", args, code, stderr)
				}
				return stdout
			}
			me := func(token string) answer { return s.ask(t, token, meQuery, nil) }
			token := s.register(t, "ada@example.com")

			document := s.send(t, http.MethodGet, "/.well-known/openid-configuration", "")
			var found struct {
				Issuer     string   `json:"issuer"`
				KeysURL    string   `json:"jwks_uri"`
				Algorithms []string `json:"id_token_signing_alg_values_supported"`
			}
			if err := json.Unmarshal([]byte(document.Body), &found); err != nil || found.Issuer != "http://localhost:1" ||
				!slices.Equal(found.Algorithms, []string{"ES256"}) || found.KeysURL != s.URL+"/.well-known/jwks.json" {
				t.Errorf("discovery: %s", document.Body)
			}
			first := s.kids(t)
			if len(first) != 1 {
				t.Fatalf("the set holds %v", first)
			}

			rotate()
			eventually(t, 20*time.Second, "the published key is in the set", func() bool { return len(s.kids(t)) == 2 })
			if !strings.HasPrefix(rotate(), "Nothing to do") {
				t.Error("rotating twice did something")
			}
			if got := me(token); got.at("me", "email") != "ada@example.com" {
				t.Errorf("after a rotation: %s", got.Body)
			}

			socket := s.dial(t, token)
			rotate("--revoke")
			eventually(t, 20*time.Second, "the token of the leaked key is refused", func() bool {
				got := me(token)
				return got.code() == "UNAUTHENTICATED" && got.Errors[0].Extensions["reason"] == "INVALID"
			})
			if _, err := hear(t, socket); websocket.CloseStatus(err) != 4403 {
				t.Errorf("a socket that was opened with it: %v", err)
			}
			if kids := s.kids(t); len(kids) != 1 || kids[0] == first[0] {
				t.Errorf("the set holds %v", kids)
			}
			if got := me(s.register(t, "grace@example.com")); got.at("me", "email") != "grace@example.com" {
				t.Errorf("with the new key: %s", got.Body)
			}

			var events []string
			err := s.db.Conn(t.Context()).NewRaw("SELECT event FROM audit_entries WHERE event LIKE 'KEY%' ORDER BY event").
				Scan(t.Context(), &events)
			want := []string{"KEY_ADDED", "KEY_ADDED", "KEY_ADDED", "KEY_RETIRED", "KEY_RETIRED"}
			if diff := cmp.Diff(want, events); err != nil || diff != "" {
				t.Errorf("the audit log differs, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// kids returns the key ids in the JWK set that the server shows.
func (s *testServer) kids(t *testing.T) []string {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	got := s.send(t, http.MethodGet, "/.well-known/jwks.json", "")
	if err := json.Unmarshal([]byte(got.Body), &set); err != nil || got.Status != http.StatusOK {
		t.Fatalf("the key set: %d %s", got.Status, got.Body)
	}
	kids := make([]string, len(set.Keys))
	for i, key := range set.Keys {
		kids[i] = key.Kid
	}
	return kids
}

func TestSharedSecretsHaveNoKeySet(t *testing.T) {
	t.Parallel()
	s := startServer(t, storetest.SQLite, "--signing-alg=HS256", "--jwt-secret="+newSecret())
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
		if got := s.send(t, http.MethodGet, path, ""); got.Status != http.StatusNotFound || !strings.Contains(got.Body, "HS256") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// Whoever has fetched the keys a moment before another was published fetches them again before it signs.
func TestCopiesOfTheKeySetEndBeforeANewKeySigns(t *testing.T) {
	t.Parallel()
	for _, lead := range []time.Duration{
		0, time.Second, time.Minute, 2 * time.Minute, 6 * time.Minute, 10 * time.Minute, 24 * time.Hour,
	} {
		cfg := &settings.Settings{Publishing: settings.Publishing{KeyPublishLead: lead}}
		age := discovery(cfg, nil).MaxAge
		if age < 0 || age > 5*time.Minute || age > 0 && age > lead-time.Minute {
			t.Errorf("published for %v, kept for %v", lead, age)
		}
		if lead >= 6*time.Minute && age != 5*time.Minute {
			t.Errorf("published for %v, kept for %v only", lead, age)
		}
	}
}
