package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse/internal/keyring"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest/cluster"
)

// The queries that are measured.
const (
	meQuery    = `{"query":"{ me { id email } }"}`
	loginQuery = `{"query":"mutation ($e: String!, $p: String!) { login(input: {email: $e, password: $p}) ` +
		`{ tokens { accessToken } } }","variables":` + credentials + `}`
	registerQuery = `{"query":"mutation ($e: String!, $p: String!) { register(input: {email: $e, password: $p}) ` +
		`{ tokens { accessToken } } }","variables":` + credentials + `}`
	credentials = `{"e":"` + email + `","p":"` + password + `"}`

	email    = "bench@example.com"
	password = "seven rivers meet here" // of an account that lives for minutes, on loopback
)

// crowdedEmail is the address of the account that a flood of logins is for.
const crowdedEmail = "other-" + email

// as returns a request that registers or logs in for the account of another address.
func as(address, query string) string { return strings.Replace(query, email, address, 1) }

// house is what all measurements share: the binary, a PostgreSQL database of its own, the master secret.
type house struct {
	dir      string
	binary   string
	secret   string
	cluster  *cluster.Cluster
	database string // URL of the PostgreSQL database
	client   http.Client
	access   string // an access token, once somebody has signed in
}

func newHouse(ctx context.Context, dir string) (*house, error) {
	binary, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	rand.Read(random)
	h := &house{dir: dir, binary: binary, secret: base64.StdEncoding.EncodeToString(random)}
	if h.cluster, err = cluster.Find(ctx, cluster.Options{Install: true, Log: os.Stderr}); err != nil {
		return nil, err
	}
	if h.database, err = createDatabase(ctx, h.cluster.URL()); err != nil {
		return nil, errors.Join(err, h.cluster.Stop())
	}
	return h, nil
}

func (h *house) close() error { return h.cluster.Stop() }

// sqlite is the URL of the embedded database.
func (h *house) sqlite() string { return "sqlite://" + filepath.Join(h.dir, "gatehouse.db") }

// createDatabase makes a fresh database on the server and returns its URL.
func createDatabase(ctx context.Context, server string) (string, error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	name := "bench_" + strings.ToLower(rand.Text())
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	// Both servers get this URL, so both have as many connections: the comparison is of what is done with them.
	query := u.Query()
	query.Set("pool_max_conns", "16")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// visit runs Gatehouse on the database for as long as do takes, with further settings as NAME=value.
func (h *house) visit(ctx context.Context, database string, do func(*server) error, settings ...string) error {
	s, err := start(ctx, h.binary, database, h.secret, settings...)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.stop())
}

// signIn returns an access token of the account that the queries ask for.
func (h *house) signIn(ctx context.Context, s *server) (string, error) {
	query := loginQuery
	if h.access == "" {
		query = registerQuery
	}
	var data map[string]struct{ Tokens holder }
	if err := h.post(ctx, s, query, &data); err != nil {
		return "", err
	}
	for _, payload := range data {
		h.access = payload.Tokens.AccessToken
	}
	if h.access == "" {
		return "", errors.New("signing in: no access token")
	}
	return h.access, nil
}

// refresh returns a new access token of a session.
func (h *house) refresh(ctx context.Context, s *server, refreshToken string) (string, error) {
	var data struct{ Refresh struct{ Tokens holder } }
	if err := h.post(ctx, s, fmt.Sprintf(refreshQuery, refreshToken), &data); err != nil {
		return "", err
	}
	if data.Refresh.Tokens.AccessToken == "" {
		return "", errors.New("refreshing: no access token")
	}
	return data.Refresh.Tokens.AccessToken, nil
}

// post sends an operation and reads the data of the answer.
func (h *house) post(ctx context.Context, s *server, body string, data any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/graphql", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return err
	}
	answer := struct{ Data any }{data}
	return errors.Join(json.NewDecoder(response.Body).Decode(&answer), response.Body.Close())
}

// publicKey returns the PEM of the key that verifies Gatehouse's tokens.
func (h *house) publicKey(ctx context.Context) ([]byte, error) {
	master, err := secret.Parse(h.secret)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{URL: h.database})
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(ctx, db, master, time.Now, keyring.Config{Algorithm: keyring.ES256})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	der, err := x509.MarshalPKIXPublicKey(ring.Signing().Public)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = pem.Encode(&text, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return text.Bytes(), err
}
