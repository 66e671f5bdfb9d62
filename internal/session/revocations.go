package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// channel is where replicas hint each other at revocations.
const channel = "revoked"

// ending runs do in a transaction, and refuses the access tokens of the sessions that do ended: in this process from its
// return on, in every other within about a second. Call it outside any transaction: one that were rolled back later would leave
// this process refusing. Like every transaction, do may run more than once.
func (s *Service) ending(ctx context.Context, do func(context.Context) (ended []Session, err error)) error {
	var ended []Session
	err := s.db.Atomically(ctx, func(ctx context.Context) error {
		var err error
		if ended, err = do(ctx); err != nil || len(ended) == 0 {
			return err
		}
		return s.db.Notify(ctx, channel)
	})
	if err != nil {
		return err
	}
	s.revoked.add(ended)
	return nil
}

// end revokes the sessions that which selects and that were not revoked before, expired ones among them, and returns them with
// ID, AccountID, ExpiresAt and TokenExpiresAt. It is for the function given to ending, which makes it count.
func (s *Service) end(ctx context.Context, which func(*bun.UpdateQuery) *bun.UpdateQuery) ([]Session, error) {
	var ended []Session
	_, err := which(s.db.Conn(ctx).NewUpdate().Model(&ended)).
		Set("revoked_at = ?", s.now().UTC().Truncate(time.Microsecond)).
		Where("revoked_at IS NULL").
		Returning("id, account_id, expires_at, token_expires_at").
		Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}

// shards is how many parts the set is cut into, so that requests on many cores do not meet at one lock.
const shards = 64

// margin is how much longer than the last access token of its session a revocation is kept: clocks of replicas differ, and
// forgetting one too early would bring a dead session back to life.
const margin = time.Minute

// revocations is the set of the sessions that were revoked before their access tokens were dead. It is safe for concurrent use.
type revocations struct {
	shards [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	until map[id.ID]time.Time // when the revocation may be forgotten
	bound map[id.ID][]*bond   // what is to end with a session
	_     [64]byte            // keeps neighbouring locks out of one cache line
}

func newRevocations() *revocations {
	r := new(revocations)
	for i := range r.shards {
		r.shards[i].until = make(map[id.ID]time.Time)
		r.shards[i].bound = make(map[id.ID][]*bond)
	}
	return r
}

// shard returns where the session belongs: its id ends in random bits.
func (r *revocations) shard(sessionID id.ID) *shard {
	return &r.shards[sessionID[len(sessionID)-1]%shards]
}

// contains reports whether the session is known to be revoked. It allocates nothing.
func (r *revocations) contains(sessionID id.ID) bool {
	sh := r.shard(sessionID)
	sh.mu.RLock()
	_, revoked := sh.until[sessionID]
	sh.mu.RUnlock()
	return revoked
}

// add puts revoked sessions into the set; their ID and TokenExpiresAt are read.
func (r *revocations) add(sessions []Session) {
	for i := range sessions {
		sessionID := sessions[i].ID
		sh := r.shard(sessionID)
		sh.mu.Lock()
		sh.until[sessionID] = sessions[i].TokenExpiresAt.Add(margin)
		for _, b := range sh.bound[sessionID] {
			b.end(fault.Anonymous(fault.Revoked))
		}
		delete(sh.bound, sessionID)
		sh.mu.Unlock()
	}
}

// prune forgets the revocations in one shard whose tokens are dead at now. Called with 0, 1, 2, … it gets round them all
// and holds no lock for long.
func (r *revocations) prune(turn int, now time.Time) {
	sh := &r.shards[turn%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for sessionID, until := range sh.until {
		if now.After(until) {
			delete(sh.until, sessionID)
		}
	}
}
