// Command reports is a resource server with net/http: an API that lets in whoever has signed in to Gatehouse.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	issuer := cmp.Or(os.Getenv("ISSUER"), "http://localhost:8080")
	verifier := &Verifier{
		Issuer:   issuer,
		Audience: cmp.Or(os.Getenv("AUDIENCE"), "gatehouse"),
		Keys:     &Keys{URL: cmp.Or(os.Getenv("JWKS_URL"), issuer+"/.well-known/jwks.json")},
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, cmp.Or(os.Getenv("ADDR"), "127.0.0.1:4000"), routes(verifier)); err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

func routes(v *Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /me", v.protect(func(u *User) (any, error) {
		return map[string]any{"id": u.ID, "scopes": u.Scopes}, nil
	}))
	mux.Handle("GET /reports", v.protect(func(u *User) (any, error) {
		if err := u.Require("users:read"); err != nil {
			return nil, err
		}
		return map[string]any{"reports": []string{"Accounts opened this month"}}, nil
	}))
	return mux
}

// protect answers with what view returns for the user. Without a valid access token view is not called.
func (v *Verifier) protect(view func(*User) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = ""
		}
		user, err := v.Verify(r.Context(), strings.TrimSpace(token))
		var answer any
		if err == nil {
			answer, err = view(user)
		}
		status := http.StatusOK
		if err != nil {
			refused := new(Refused)
			if !errors.As(err, &refused) {
				slog.ErrorContext(r.Context(), "failed", "error", err)
				refused = &Refused{Status: http.StatusInternalServerError, Detail: "Internal error."}
			}
			if refused.Header != "" {
				w.Header().Set(refused.Header, refused.Value)
			}
			status, answer = refused.Status, map[string]string{"detail": refused.Detail}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			slog.DebugContext(r.Context(), "the client is gone", "error", err)
		}
	})
}

// serve answers until ctx ends.
func serve(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	slog.Info("listening", "url", "http://"+listener.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Shutdown(context.WithoutCancel(ctx))
	}
}
