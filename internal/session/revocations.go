package session

import (
	"sync"
	"time"

	"gatehouse/internal/id"
)

// shards is how many parts the set is cut into, so that requests on many cores do not meet at one lock.
const shards = 64

// grace is how much longer than its session a revocation is kept: clocks of replicas differ, and forgetting one too
// early would bring a dead session back to life.
const grace = time.Minute

// revocations is the set of the sessions that were revoked before they expired. It is safe for concurrent use.
type revocations struct {
	shards [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	until map[id.ID]time.Time // when the revocation may be forgotten
	_     [64]byte            // keeps neighbouring locks out of one cache line
}

func newRevocations() *revocations {
	r := new(revocations)
	for i := range r.shards {
		r.shards[i].until = make(map[id.ID]time.Time)
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

// add puts revoked sessions into the set; their ID and ExpiresAt are read.
func (r *revocations) add(sessions []Session) {
	for i := range sessions {
		sh := r.shard(sessions[i].ID)
		sh.mu.Lock()
		sh.until[sessions[i].ID] = sessions[i].ExpiresAt.Add(grace)
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
