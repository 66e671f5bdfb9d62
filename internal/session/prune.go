package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// stride is how many sessions are looked at in one go: some ten milliseconds' work for a database.
const stride = 10_000

// Prune removes sessions that ended before the given time and whose access tokens are dead, at most limit of them, and returns
// how many, and whether there are more to look at. The error is the database's.
//
// When a session ends changes with every refresh, so no index could tell cheaply which have. Prune walks through all sessions
// instead, in the order they were opened in and one stride at each call: the next one goes on where it stopped, and from the
// beginning once there are no more.
func (s *Service) Prune(ctx context.Context, before time.Time, limit int) (removed int, more bool, err error) {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	// A replica that starts must find every revocation whose access tokens another's clock may take for alive.
	if latest := s.now().Add(-margin); before.After(latest) {
		before = latest
	}
	last, err := s.strideFrom(ctx, s.pruned)
	if err != nil {
		return 0, false, fmt.Errorf("session: prune: %w", err)
	}
	removed, err = s.pruneBetween(ctx, s.pruned, last, before, limit)
	if err != nil {
		return 0, false, fmt.Errorf("session: prune: %w", err)
	}
	if removed == limit { // what else there is in this stride is for the next call
		return removed, true, nil
	}
	if last == beyond {
		s.pruned = id.ID{}
		return removed, false, nil
	}
	s.pruned = last
	return removed, true, nil
}

// beyond is behind every session.
var beyond = id.ID(bytes.Repeat([]byte{0xff}, len(id.ID{})))

// strideFrom returns the last session of the stride that begins behind the one given, or beyond.
func (s *Service) strideFrom(ctx context.Context, after id.ID) (id.ID, error) {
	var last id.ID
	err := s.db.Conn(ctx).NewSelect().Model((*Session)(nil)).Column("id").
		Where("id > ?", after).Order("id").Offset(stride-1).Limit(1).Scan(ctx, &last)
	if errors.Is(err, store.ErrNotFound) {
		return beyond, nil
	}
	return last, err
}

// pruneBetween removes the dead among the sessions behind after, up to and including last.
func (s *Service) pruneBetween(ctx context.Context, after, last id.ID, before time.Time, limit int) (int, error) {
	dead := s.db.Conn(ctx).NewSelect().Model((*Session)(nil)).Column("id").
		Where("id > ? AND id <= ?", after, last).
		Where("(expires_at < ?0 OR revoked_at < ?0) AND token_expires_at < ?0", before.UTC()).
		Order("id").Limit(int64(limit))
	result, err := s.db.Conn(ctx).NewDelete().Model((*Session)(nil)).Where("id IN (?)", dead).Exec(ctx)
	if err != nil {
		return 0, err
	}
	removed, err := result.RowsAffected()
	return int(removed), err
}
