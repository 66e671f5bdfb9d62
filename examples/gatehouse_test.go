package examples_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/internal/server"
)

// issuer is where the services believe Gatehouse to be: an address that is known before Gatehouse listens, and that can be made
// unreachable.
type issuer struct {
	URL     string
	fetches atomic.Int64 // requests for the keys
	behind  atomic.Pointer[httputil.ReverseProxy]
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := new(issuer)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/jwks.json" {
			i.fetches.Add(1)
		}
		gatehouse := i.behind.Load()
		if gatehouse == nil {
			panic(http.ErrAbortHandler) // hangs up
		}
		gatehouse.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	i.URL = front.URL
	return i
}

// lead makes a Gatehouse reachable; none, if it is nil.
func (i *issuer) lead(t *testing.T, g *gatehouse) {
	t.Helper()
	if g == nil {
		i.behind.Store(nil)
		return
	}
	target, err := url.Parse(g.url)
	must(t, err)
	i.behind.Store(httputil.NewSingleHostReverseProxy(target))
}

// settings are what several Gatehouses on one database share.
type settings struct{ database, secret string }

// newSettings returns those of a new, migrated database. It is embedded: nothing here depends on which.
func newSettings(t *testing.T) settings {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	s := settings{"sqlite://" + t.TempDir() + "/gatehouse.db", base64.StdEncoding.EncodeToString(key)}
	s.command(t, "", "migrate")
	return s
}

// command runs a command of gatehouse on the database and returns what it printed.
func (s settings) command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out := new(output)
	if code := run(t.Context(), out, stdin, append(args, "--database-url="+s.database)); code != 0 {
		t.Fatalf("gatehouse %s ended with %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out.String()
}

func run(ctx context.Context, out io.Writer, stdin string, args []string) (code int) {
	return server.Program{Schema: graph.Schema}.Run(ctx, server.Process{
		Args: args, Lookup: func(string) (string, bool) { return "", false }, Stdin: strings.NewReader(stdin),
		Stdout: out, Stderr: out, Now: time.Now,
	})
}

// gatehouse is a running server.
type gatehouse struct{ url string }

// start starts a server and returns it when it listens. It drains when the test ends.
func (s settings) start(t *testing.T, flags ...string) *gatehouse {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out, ended := new(output), make(chan struct{})
	args := append([]string{
		"serve", "--addr=127.0.0.1:0", "--log-format=json", "--log-level=debug", "--database-url=" + s.database, "--secret=" + s.secret,
	}, flags...)
	go func() {
		defer close(ended)
		if code := run(ctx, out, "", args); code != 0 {
			t.Errorf("gatehouse ended with %d:\n%s", code, out)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("gatehouse said:\n%s", out)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.FailNow()
		default:
		}
		for line := range strings.Lines(out.String()) {
			var said struct{ Address string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Address != "" {
				return &gatehouse{"http://" + said.Address}
			}
		}
	}
	t.Fatalf("gatehouse does not listen:\n%s", out)
	return nil
}

const password = "kept by nobody but these tests"

// login returns what an account is given: its id, its access token and its refresh token.
func (g *gatehouse) login(t *testing.T, email string) (id, access, refresh string) {
	t.Helper()
	query := fmt.Sprintf(`mutation {
		login(input: {email: %q, password: %q}) { user { id } tokens { accessToken refreshToken } }
	}`, email, password)
	body, err := json.Marshal(map[string]string{"query": query})
	must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/graphql", bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	said, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	var answer struct {
		Data struct {
			Login struct {
				User   struct{ ID string }
				Tokens struct{ AccessToken, RefreshToken string }
			}
		}
	}
	if err := json.Unmarshal(said, &answer); err != nil || answer.Data.Login.Tokens.AccessToken == "" {
		t.Fatalf("login: %v %s", err, said)
	}
	login := answer.Data.Login
	return login.User.ID, login.Tokens.AccessToken, login.Tokens.RefreshToken
}
