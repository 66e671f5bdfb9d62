package gqlhttp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"gatehouse/internal/auth"
	"gatehouse/internal/gqlhttp"
	"gatehouse/internal/operation"
)

// bare is the least of a handler that has the same executor answer well-behaved clients: it looks at no header, has no bound but
// the body's end, and keeps nothing for the next request.
func bare(x *operation.Executor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Query         string
			OperationName string
			Variables     map[string]any
		}
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		if err := decoder.Decode(&req); err != nil {
			http.Error(w, "no JSON", http.StatusBadRequest)
			return
		}
		response := x.Execute(r.Context(), operation.Request{
			Query: req.Query, OperationName: req.OperationName, Variables: req.Variables,
		})
		body, err := response.MarshalJSON()
		if err != nil {
			http.Error(w, "no answer", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", jsonType)
		_, _ = w.Write(body)
	})
}

// BenchmarkLayer holds the handler against the bare one, with the execution, which both share, and without it.
func BenchmarkLayer(b *testing.B) {
	body := []byte(`{"query":"query Greet($name: String) { hello(name: $name) }","variables":{"name":"Ada"}}`)
	x, logger, _ := newExecutor(b)
	for _, side := range []struct {
		name    string
		handler http.Handler
	}{
		{"gatehouse", gqlhttp.New(x, gqlhttp.Config{Logger: logger})},
		{"bare", bare(x)},
	} {
		b.Run(side.name, func(b *testing.B) {
			reader := bytes.NewReader(body)
			r := newRequest(b, &auth.Caller{}, reader)
			r.Header.Set("Accept", strictType)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				clear(w.header)
				side.handler.ServeHTTP(w, r)
			}
		})
	}
}
