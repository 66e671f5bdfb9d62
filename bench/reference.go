package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// referenceCommand makes this program the bare server; bench starts itself with it, so that both servers under load are
// processes of their own.
const referenceCommand = "reference"

// reference is the bare handler that Gatehouse is held against: it verifies the same access token with golang-jwt and runs
// the same query natively on pgx, and does nothing else. No GraphQL, no rules, no revocation, no limits, no log.
func reference(pool *pgxpool.Pool, key *ecdsa.PublicKey) http.Handler {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("http://localhost:8080"), jwt.WithAudience("gatehouse"),
		jwt.WithExpirationRequired(),
	)
	publicKey := func(*jwt.Token) (any, error) { return key, nil }

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var operation struct {
			Query string `json:"query"`
		}
		if err := json.NewDecoder(r.Body).Decode(&operation); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims jwt.RegisteredClaims
		if _, err := parser.ParseWithClaims(raw, &claims, publicKey); err != nil {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		var me struct {
			ID    string `json:"id"`
			Email string `json:"email"`
		}
		row := pool.QueryRow(r.Context(), "SELECT id::text, email FROM accounts WHERE id = $1", claims.Subject)
		if err := row.Scan(&me.ID, &me.Email); err != nil {
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		// A client that hung up is no concern of the reference's.
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"me": me}})
	})
}

// serveReference serves the bare handler on a free port, which it prints, until the process is ended.
func serveReference(ctx context.Context, out io.Writer, lookup func(string) (string, bool)) error {
	pem, _ := lookup("PUBLIC_KEY")
	key, err := jwt.ParseECPublicKeyFromPEM([]byte(pem))
	if err != nil {
		return err
	}
	database, _ := lookup("DATABASE_URL")
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	// The timeouts are Gatehouse's, so that both arm the same timers.
	server := &http.Server{
		Handler:           reference(pool, key),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       60 * time.Second,
	}
	return server.Serve(listener)
}

// bareServer is a running reference.
type bareServer struct {
	address string
	cmd     *exec.Cmd
}

// startReference starts the bare server on the house's PostgreSQL database.
func (h *house) startReference(ctx context.Context) (*bareServer, error) {
	key, err := h.publicKey(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, referenceCommand)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+h.database, "PUBLIC_KEY="+string(key))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the bare server did not start: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	return &bareServer{address: strings.TrimSpace(address), cmd: cmd}, nil
}

// stop ends the bare server.
func (b *bareServer) stop() {
	_ = b.cmd.Process.Kill() // it has nothing to lose, and nothing to say about how it ends
	_ = b.cmd.Wait()
}
