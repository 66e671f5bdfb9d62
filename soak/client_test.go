package soak

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// errLost reports a request whose answer never came: what it asked for may or may not have been done.
var errLost = errors.New("the answer was lost")

// refusal is an answer that says no.
type refusal struct {
	status int
	code   string // extensions.code of a top-level error, or the code of a user error
	reason string // extensions.reason
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s %s", r.status, r.code, r.reason) }

// tokens is what a client holds of a session.
type tokens struct{ AccessToken, RefreshToken string }

// payload is what every mutation returns, as far as the proofs ask.
type payload struct {
	User   struct{ ID string }
	Tokens tokens

	UserErrors []struct{ Code string }
}

// person is an account and its password.
type person struct{ email, password string }

// newPerson makes up somebody whom nobody else has made up.
func newPerson() person {
	name := strings.ToLower(rand.Text())
	return person{name + "@example.com", "correct horse " + name[:8]}
}

// What the clients ask.
const (
	askMe    = `{ me { id } }`
	register = `mutation ($input: RegisterInput!) {
		done: register(input: $input) { user { id } tokens { accessToken refreshToken } userErrors { code } } }`
	login = `mutation ($input: LoginInput!) {
		done: login(input: $input) { user { id } tokens { accessToken refreshToken } userErrors { code } } }`
	refresh = `mutation ($input: RefreshInput!) {
		done: refresh(input: $input) { user { id } tokens { accessToken refreshToken } userErrors { code } } }`
	logout         = `mutation ($input: LogoutInput!) { done: logout(input: $input) { userErrors { code } } }`
	revokeSession  = `mutation ($input: RevokeSessionInput!) { done: revokeSession(input: $input) { userErrors { code } } }`
	changePassword = `mutation ($input: ChangePasswordInput!) {
		done: changePassword(input: $input) { tokens { accessToken refreshToken } userErrors { code } } }`
)

func (r *replica) register(ctx context.Context, p person) (payload, error) {
	return r.mutate(ctx, "", register, map[string]any{"email": p.email, "password": p.password})
}

func (r *replica) login(ctx context.Context, p person) (payload, error) {
	return r.mutate(ctx, "", login, map[string]any{"email": p.email, "password": p.password})
}

func (r *replica) refresh(ctx context.Context, token string) (tokens, error) {
	got, err := r.mutate(ctx, "", refresh, map[string]any{"refreshToken": token})
	return got.Tokens, err
}

// mutate sends a mutation with one input. An error is a *refusal, or wraps errLost.
func (r *replica) mutate(ctx context.Context, accessToken, mutation string, input map[string]any) (payload, error) {
	var data struct{ Done payload }
	if err := r.ask(ctx, accessToken, mutation, map[string]any{"input": input}, &data); err != nil {
		return payload{}, err
	}
	if wrong := data.Done.UserErrors; len(wrong) > 0 {
		return payload{}, &refusal{http.StatusOK, wrong[0].Code, ""}
	}
	return data.Done, nil
}

// me asks who is signed in. An error is a *refusal, or wraps errLost.
func (r *replica) me(ctx context.Context, accessToken string) (accountID string, err error) {
	var data struct{ Me struct{ ID string } }
	err = r.ask(ctx, accessToken, askMe, nil, &data)
	return data.Me.ID, err
}

// ask sends an operation and reads its data.
func (r *replica) ask(ctx context.Context, accessToken, query string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.address+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/graphql-response+json")
	if accessToken != "" {
		request.Header.Set("Authorization", "Bearer "+accessToken)
	}
	response, err := r.fleet.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	answer := struct {
		Data   any
		Errors []struct{ Extensions struct{ Code, Reason string } }
	}{Data: data}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("status %d: %w", response.StatusCode, err)
	}
	if len(answer.Errors) > 0 {
		said := answer.Errors[0].Extensions
		return &refusal{response.StatusCode, said.Code, said.Reason}
	}
	return nil
}

// refused reports whether err is a refusal with the code.
func refused(err error, code string) bool {
	said, ok := errors.AsType[*refusal](err)
	return ok && said.code == code
}
