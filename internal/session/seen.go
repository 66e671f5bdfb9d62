package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/id"
)

const (
	seenEvery  = time.Minute     // how old a session's LastSeenAt must be for another to be written
	writeEvery = 5 * time.Second // how often what was noted is written
	seenBatch  = 500             // sessions in one UPDATE
	slots      = 1 << 16
)

// sightings holds when sessions were last used, until that is written: a request leaves a note in memory and goes on. It is safe
// for concurrent use.
type sightings struct {
	// recent says of the sessions that were noted last in which second that was. A session's slot is by the last two bytes of its
	// id; in it stand the four bytes before those, all of them random, and the second. Two sessions that share a slot drive each
	// other out and are noted more often than they need to be, which writeBatch makes good. So all of it takes half a MiB,
	// however many sessions there are, and no lock.
	recent [slots]atomic.Uint64

	mu      sync.Mutex
	pending map[id.ID]time.Time // what is to be written
}

// sighting is a note on its way to the session's row.
type sighting struct {
	ID     id.ID     `bun:"type:uuid"`
	At     time.Time `bun:"type:timestamptz"`
	Before time.Time `bun:"type:timestamptz"` // a row that says later than this was written to by another replica
}

func newSightings() *sightings { return &sightings{pending: make(map[id.ID]time.Time)} }

// note remembers that the session was used at now, unless that was noted within the last minute. Then it allocates nothing and
// takes no lock.
func (s *sightings) note(sessionID id.ID, now time.Time) {
	slot := &s.recent[binary.BigEndian.Uint16(sessionID[14:])]
	name, second := binary.BigEndian.Uint32(sessionID[10:]), uint32(now.Unix())
	// Of the seconds, both ends may be nearly over or have just begun: only beyond 60 has a minute passed for certain.
	const minute = int32(seenEvery / time.Second)
	for swapped := false; !swapped; { // of many requests at once, one leaves the note
		was := slot.Load()
		if age := int32(second - uint32(was)); was>>32 == uint64(name) && -minute <= age && age <= minute {
			return
		}
		swapped = slot.CompareAndSwap(was, uint64(name)<<32|uint64(second))
	}
	s.mu.Lock()
	s.pending[sessionID] = now
	s.mu.Unlock()
}

// take returns what is to be written, in the order of the ids, so that replicas that write the same sessions lock their rows in
// the same order.
func (s *sightings) take() []sighting {
	s.mu.Lock()
	pending := s.pending
	s.pending = make(map[id.ID]time.Time)
	s.mu.Unlock()
	taken := make([]sighting, 0, len(pending))
	for sessionID, at := range pending {
		at = at.UTC().Truncate(time.Microsecond)
		taken = append(taken, sighting{ID: sessionID, At: at, Before: at.Add(-seenEvery)})
	}
	slices.SortFunc(taken, func(a, b sighting) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return taken
}

// putBack is for what was taken and could not be written. A newer note stays.
func (s *sightings) putBack(taken []sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, unwritten := range taken {
		if _, newer := s.pending[unwritten.ID]; !newer {
			s.pending[unwritten.ID] = unwritten.At
		}
	}
}

// writeSightings writes every few seconds when sessions were last used, until ctx ends, and then what is left.
func (s *Service) writeSightings(ctx context.Context) {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	lasting := context.WithoutCancel(ctx) // the store gives each call its deadline
	failing := false
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-ticker.C:
		}
		err := s.flush(lasting)
		if err != nil && !failing {
			s.logger.WarnContext(ctx, "it cannot be written when sessions were last seen; trying again", "every", writeEvery, "error", err)
		}
		failing = err != nil
	}
}

// flush writes when sessions were last used. What it cannot write it keeps for the next time.
func (s *Service) flush(ctx context.Context) error {
	taken := s.seen.take()
	for len(taken) > 0 {
		batch := taken[:min(seenBatch, len(taken))]
		if err := s.writeBatch(ctx, batch); err != nil {
			s.seen.putBack(taken)
			return fmt.Errorf("session: write when sessions were last seen: %w", err)
		}
		taken = taken[len(batch):]
	}
	return nil
}

// writeBatch writes into the rows of live sessions that nobody else has written to in the minute before.
func (s *Service) writeBatch(ctx context.Context, batch []sighting) error {
	return s.db.Atomically(ctx, func(ctx context.Context) error { // which tries again what lost to another
		_, err := s.db.Conn(ctx).NewUpdate().
			With("sighting", s.db.Conn(ctx).NewValues(&batch)).
			Model((*Session)(nil)).TableExpr("sighting").
			Set("last_seen_at = sighting.at").
			Where("session.id = sighting.id").
			Where("session.last_seen_at <= sighting.before").
			Where("session.revoked_at IS NULL").
			Exec(ctx)
		return err
	})
}
