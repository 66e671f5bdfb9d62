package gqlhttp_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/fault"
	"gatehouse/internal/gqlhttp"
)

// listen sends an operation and returns the answer.
func (l *live) listen(t testing.TB, token, accept, document string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url, query(document))
	must(t, err)
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("Accept", accept)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := l.client.Do(r)
	must(t, err)
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func text(t testing.TB, answer *http.Response) string {
	t.Helper()
	all, err := io.ReadAll(answer.Body)
	must(t, err)
	return string(all)
}

// TestEvents: an operation of any type, as the distinct connections mode of graphql-sse has it.
func TestEvents(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	for document, want := range map[string]string{
		`subscription { count(to: 2) }`: "event: next\ndata: {\"data\":{\"count\":1}}\n\n" +
			"event: next\ndata: {\"data\":{\"count\":2}}\n\nevent: complete\ndata:\n\n",
		`{ hello }`: "event: next\ndata: {\"data\":{\"hello\":\"world\"}}\n\nevent: complete\ndata:\n\n",
		`subscription { pulse }`: "event: next\ndata: " + `{"errors":[{"message":"Sign in first: send the access token as ` +
			`\"Authorization: Bearer <token>\".","locations":[{"line":1,"column":16}],"path":["pulse"],"extensions":` +
			`{"code":"UNAUTHENTICATED","coordinate":"Subscription.pulse","reason":"MISSING","requestId":"the-request-id"}}]}` +
			"\n\nevent: complete\ndata:\n\n",
	} {
		answer := l.listen(t, "", "text/event-stream", document)
		if got := text(t, answer); got != ":\n\n"+want || answer.StatusCode != http.StatusOK ||
			answer.Header.Get("Content-Type") != "text/event-stream" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v\ngot  %q\nwant %q", document, answer.StatusCode, answer.Header, got, want)
		}
	}
	// Whoever takes JSON too gets JSON.
	const plainType = jsonType + "; charset=utf-8"
	for accept, want := range map[string]string{
		"application/json, text/event-stream": plainType, "text/event-stream, */*;q=0.1": plainType,
		"Text/Event-Stream;q=0.5, text/html": "text/event-stream", "text/event-stream;q=0": plainType,
	} {
		answer := l.listen(t, "", accept, `{ hello }`)
		if got := answer.Header.Get("Content-Type"); got != want {
			t.Errorf("%s: %d, %s", accept, answer.StatusCode, got)
		}
	}
}

// TestEventsEnd: a stream ends with its caller's access token, and says so; a line break in a result does not end an event.
func TestEventsEnd(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{Keepalive: 20 * time.Millisecond})
	answer := l.listen(t, "ann", "text/event-stream", `subscription { pulse }`)
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	l.source.tick(3)
	lines := bufio.NewScanner(answer.Body)
	alive := 0
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data") {
		if lines.Text() == ":" {
			alive++
		}
	}
	if lines.Text() != `data: {"data":{"pulse": 3}}` {
		t.Errorf("got %q", lines.Text())
	}
	for alive < 3 && lines.Scan() {
		if lines.Text() == ":" {
			alive++
		}
	}
	l.sessions.end("ann", fault.Anonymous(fault.Expired))
	var rest strings.Builder
	for lines.Scan() {
		rest.WriteString(lines.Text() + "\n")
	}
	if got := rest.String(); !strings.Contains(got, `"reason":"EXPIRED"`) || !strings.HasSuffix(got, "event: complete\ndata:\n\n") {
		t.Errorf("the end is %q", got)
	}
	eventually(t, "nobody listens", func() bool { return l.source.listening() == 0 })
}

// TestEventsDrain: a stream is broken off, so that its client comes back. TestEventsGone: whoever hangs up is not waited for.
func TestEventsDrain(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{})
	answer := l.listen(t, "ann", "text/event-stream", `subscription { pulse }`)
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	must(t, l.Drain(t.Context()))
	if got := text(t, answer); got != ":\n\n" {
		t.Errorf("got %q", got)
	}
	refused := l.listen(t, "ann", "text/event-stream", `subscription { pulse }`)
	if refused.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new one: %d", refused.StatusCode)
	}
}

func TestEventsGone(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{PerAccount: 1})
	answer := l.listen(t, "ann", "text/event-stream", `subscription { pulse }`)
	eventually(t, "it listens", func() bool { return l.source.listening() == 1 })
	if second := l.listen(t, "ann", "text/event-stream", `{ hello }`); second.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a second one: %d", second.StatusCode)
	}
	must(t, answer.Body.Close())
	eventually(t, "nobody listens", func() bool { return l.source.listening() == 0 })
}

// TestEventsWithoutBody: HEAD gets the header of a stream, and nothing waits for events that nobody would be told of.
func TestEventsWithoutBody(t *testing.T) {
	l := newLive(t, gqlhttp.LiveConfig{PerAccount: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 2 { // on one connection
		r, err := http.NewRequestWithContext(ctx, http.MethodHead, l.url+"?query=subscription{pulse}", http.NoBody)
		must(t, err)
		r.Header.Set("Accept", "text/event-stream")
		r.Header.Set("Authorization", "Bearer ann")
		answer, err := l.client.Do(r)
		must(t, err)
		must(t, answer.Body.Close())
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || got != "text/event-stream" {
			t.Errorf("%d, %s", answer.StatusCode, got)
		}
	}
}
