package web_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/request"
	"gatehouse/internal/web"
)

func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) {
		cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			*request.FromContext(r.Context()).Operation = request.Operation{
				Name: "Ask" + strings.Repeat("Long", 40), Type: "query",
			}
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short and stout")
		})
	})
	s.ask(t, "POST", "/graphql?"+canary, "Authorization: Bearer "+canary, "Cookie: "+canary, "X-Anything: "+canary,
		"User-Agent: "+canary, "X-Request-Id: id-1")
	entry := s.entry(t)
	for name, want := range map[string]any{
		"msg": "request", "method": "POST", "route": "/graphql", "status": 418.0, "ms": 0.0, "bytes": 15.0, "requestId": "id-1",
		"operation": ("Ask" + strings.Repeat("Long", 40))[:64], "type": "query", "account": accountID.String(),
	} {
		if entry[name] != want {
			t.Errorf("%s is %v, want %v", name, entry[name], want)
		}
		delete(entry, name)
	}
	delete(entry, "time")
	delete(entry, "level")
	if len(entry) != 0 {
		t.Errorf("the log says more: %v", entry)
	}
}

func TestAccessLogHoldsNothingMadeUp(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) {
		cfg.GraphQL = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("saw " + canary) })
	})
	s.ask(t, "GET", "/"+canary, "X-Request-Id: "+canary+"!")
	s.ask(t, canary, "/"+canary+"?"+canary)
	s.ask(t, "POST", "/graphql?q="+canary, "Authorization: "+canary, "Referer: "+canary)
	s.ask(t, canary, "/healthz")
	s.ask(t, "GET", "/", "Accept: "+canary, "X-Forwarded-For: "+canary)
	if log := s.log.String(); strings.Contains(log, canary) || strings.Count(log, `"msg":"request"`) != 5 {
		t.Error(log)
	}
}

func TestProbesAreNotLogged(t *testing.T) {
	t.Parallel()
	s := newSite(nil)
	s.ask(t, "GET", "/healthz")
	s.ask(t, "GET", "/readyz")
	if s.log.Len() > 0 {
		t.Errorf("logged %s", s.log.String())
	}
	s.ask(t, "POST", "/readyz")
	if got := s.entry(t)["status"]; got != 405.0 {
		t.Errorf("logged %v", got)
	}
}

func TestPanicBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(func(cfg *web.Config) {
		cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9999")
			w.Header().Set("X-Quotient", strconv.Itoa(1/len(r.TransferEncoding)))
		})
	})
	response := s.ask(t, "POST", "/graphql", "X-Request-Id: id-1")
	want := fmt.Sprintf("{\"errors\":[{\"message\":%q,\"extensions\":{\"code\":%q,\"requestId\":\"id-1\"}}]}",
		fault.InternalMessage, fault.Internal)
	if got := body(t, response); response.StatusCode != http.StatusInternalServerError || got != want {
		t.Errorf("got %d %s", response.StatusCode, got)
	}
	if response.Header.Get("Content-Length") != "" {
		t.Error("the length of the answer that never came is still announced")
	}
	if got := s.ask(t, "GET", "/healthz"); got.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d", got.StatusCode)
	}
	for _, want := range []string{"integer divide by zero", "web_test.TestPanicBeforeTheAnswer", `"status":500`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, s.log.String())
		}
	}
}

func TestPanicAmidTheAnswer(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]any{"panic": "torn", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(func(cfg *web.Config) {
				cfg.GraphQL = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, `{"data":`)
					_ = http.NewResponseController(w).Flush()
					panic(cause)
				})
			})
			server := httptest.NewServer(s)
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/graphql", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(response.Body); err == nil {
				t.Error("half an answer looks whole")
			}
			_ = response.Body.Close()
			server.Close() // what the handler logs is there
			if got := strings.Contains(s.log.String(), `"msg":"panic"`); got != (name == "panic") {
				t.Errorf("logged %s", s.log.String())
			}
		})
	}
}

// BenchmarkAround measures what everything around GraphQL costs a signed-in request, the log line included.
func BenchmarkAround(b *testing.B) {
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	handler := web.New(web.Config{
		Logger: slog.New(request.LogHandler(slog.NewJSONHandler(log, nil))), Now: time.Now,
		GraphQL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			*request.FromContext(r.Context()).Operation = request.Operation{Name: "Me", Type: "query"}
		}),
		Authenticator: anyToken{},
		Ready:         func(context.Context) error { return nil },
	})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", http.NoBody)
	r.Header.Set("Authorization", "Bearer a.b.c")
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
