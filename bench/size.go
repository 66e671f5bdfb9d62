package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	refreshQuery = `{"query":"mutation ($t: String!) { refresh(input: {refreshToken: $t}) ` +
		`{ tokens { accessToken refreshToken } } }","variables":{"t":"%s"}}`
	lookupQuery = `{"query":"query ($id: ID!) { user(id: $id) { id email } }","variables":{"id":"%s"}}`
)

// signedIn is how many accounts take part when it is about sessions.
const signedIn = 64

// longGrace lets one refresh token be presented again and again. It is the longest there is.
const longGrace = "REFRESH_GRACE=5m"

// measureSize holds a server with a million accounts and sessions against one with a thousand.
func measureSize(ctx context.Context, h *house, p plan) ([]line, error) {
	few, many := 1_000, 1_000_000
	var lines []line
	err := h.visitCrowd(ctx, few, func(small *server, atSmall []holder, fewIDs []string) error {
		return h.visitCrowd(ctx, many, func(large *server, atLarge []holder, manyIDs []string) error {
			for _, c := range []struct {
				what     string
				ofSmall  []shot
				ofLarger []shot
			}{
				{"`me`", mes(small.address, atSmall), mes(large.address, atLarge)},
				{"`user(id:)`", lookups(small.address, atSmall, fewIDs), lookups(large.address, atLarge, manyIDs)},
				{"`refresh`", refreshes(small.address, atSmall), refreshes(large.address, atLarge)},
			} {
				ratio, err := compare(ctx, p, small.address, c.ofSmall, large.address, c.ofLarger)
				if err != nil {
					return fmt.Errorf("%s: %w", c.what, err)
				}
				lines = append(lines, line{
					what: c.what + " among a million accounts and sessions, cost against among a thousand", measured: ratio, limit: 1.2,
				})
			}
			return nil
		})
	})
	return lines, err
}

// compare returns the throughput of one server as a multiple of the other's, both measured in turns.
func compare(ctx context.Context, p plan, one string, ones []shot, other string, others []shot) (float64, error) {
	var first, second []float64
	for round := range p.rounds + 1 {
		a, err := throughput(ctx, one, p, ones...)
		if err != nil {
			return 0, err
		}
		b, err := throughput(ctx, other, p, others...)
		if err != nil {
			return 0, err
		}
		if round > 0 { // the first one warms both up
			first, second = append(first, a), append(second, b)
		}
	}
	return median(first) / median(second), nil
}

// holder is somebody who is signed in.
type holder struct{ AccessToken, RefreshToken string }

// register opens so many accounts.
func (h *house) register(ctx context.Context, s *server, n int) ([]holder, error) {
	held := make([]holder, n)
	for i := range held {
		body := as(fmt.Sprintf("bench-%d-%d@example.com", time.Now().UnixNano(), i), registerQuery)
		body = strings.Replace(body, "{ accessToken }", "{ accessToken refreshToken }", 1)
		var data struct{ Register struct{ Tokens holder } }
		if err := h.post(ctx, s, body, &data); err != nil {
			return nil, err
		}
		if held[i] = data.Register.Tokens; held[i].RefreshToken == "" {
			return nil, errors.New("registering: no tokens")
		}
	}
	return held, nil
}

func mes(address string, held []holder) []shot {
	shots := make([]shot, len(held))
	for i, one := range held {
		shots[i] = newShot(address, "/graphql", one.AccessToken, meQuery, `"email"`)
	}
	return shots
}

func refreshes(address string, held []holder) []shot {
	shots := make([]shot, len(held))
	for i, one := range held {
		shots[i] = newShot(address, "/graphql", "", fmt.Sprintf(refreshQuery, one.RefreshToken), `"refreshToken":"`)
	}
	return shots
}

// lookups asks for every one of the ids, as the first who is signed in.
func lookups(address string, held []holder, ids []string) []shot {
	shots := make([]shot, len(ids))
	for i, id := range ids {
		shots[i] = newShot(address, "/graphql", held[0].AccessToken, fmt.Sprintf(lookupQuery, id), `"email"`)
	}
	return shots
}
