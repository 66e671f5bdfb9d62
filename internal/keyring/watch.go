package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// interval is how often Watch looks at the table; between two looks it listens for hints.
const interval = time.Second

// Watch calls Sync at once, then every second and whenever another process hints at a change, and returns ctx's error when ctx
// ends. It logs when Sync begins to fail and when it works again.
func (r *Ring) Watch(ctx context.Context) error {
	if r.table == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	hints := r.table.db.Listen(ctx, channel)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := false
	for {
		err := r.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			r.logger.ErrorContext(ctx, "the signing keys cannot be looked after", "error", err)
		case err == nil && failing:
			r.logger.InfoContext(ctx, "the signing keys can be looked after again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-hints:
		}
	}
}

// Sync learns what has changed in the table, and does what is due: it retires keys whose last token is dead, seals under the
// first secret what an older one sealed, and replaces a signing key that is too old. Replicas that do so at once do it once.
// Watch does nothing else.
func (r *Ring) Sync(ctx context.Context) error {
	if r.table == nil {
		return nil
	}
	r.syncing.Lock()
	defer r.syncing.Unlock()
	if err := r.look(ctx); err != nil {
		return err
	}
	return errors.Join(r.keep(ctx), r.retire(ctx), r.rotate(ctx))
}

// look reads the table, and first makes a key when none is in force for the ring's algorithm.
func (r *Ring) look(ctx context.Context) error {
	r.looking.Lock()
	defer r.looking.Unlock()
	rows, err := r.table.rows(ctx)
	if err != nil {
		return err
	}
	missing := func(rows []row, now time.Time) bool { return signing(rows, r.algorithm, now) == nil }
	if missing(rows, r.now()) {
		if _, err := r.table.rotate(ctx, r.algorithm, missing); err != nil {
			return err
		}
		if rows, err = r.table.rows(ctx); err != nil {
			return err
		}
	}
	r.learn(ctx, rows)
	return nil
}

// learn makes rows what the ring knows. Keys that it has already are not opened again; those no longer in force are let go.
func (r *Ring) learn(ctx context.Context, rows []row) {
	known, now := r.state.Load(), r.now()
	for i := range rows {
		row := &rows[i]
		if !row.inForce(now) {
			continue
		}
		before, ok := known.byID[row.KID]
		if ok && (before.key != nil || before.err != nil && bytes.Equal(before.Sealed, row.Sealed)) {
			row.key, row.err = before.key, before.err
			continue
		}
		if row.key, row.err = r.table.open(row); row.err != nil {
			r.logger.ErrorContext(ctx, "a signing key does not open", "kid", row.KID, "error", row.err)
		}
	}
	next := newState(rows, known.final)
	if signs := signing(rows, r.algorithm, now); signs != nil && signs.key != nil {
		next.final = signs.key
	}
	r.state.Store(next)
}

// keep does once for every key what a server that uses it has to: see that the first secret seals it, and that it outlives the
// tokens which that server signs with it.
func (r *Ring) keep(ctx context.Context) error {
	rows, now := r.state.Load().rows, r.now()
	for i := range rows {
		row := &rows[i]
		if row.key == nil || r.kept[row.KID] {
			continue
		}
		resealed, err := r.table.reseal(ctx, row)
		if err != nil {
			return err
		}
		if resealed {
			r.logger.InfoContext(ctx, "a signing key is sealed under the new secret", "kid", row.KID)
		}
		if row.Algorithm == r.algorithm && (row.SupersededAt == nil || now.Before(*row.SupersededAt)) {
			if err := r.table.lengthen(ctx, row); err != nil {
				return err
			}
		}
		r.kept[row.KID] = true
	}
	return nil
}

// retire retires the keys that are due.
func (r *Ring) retire(ctx context.Context) error {
	now := r.table.now()
	rows := r.state.Load().rows
	for i := range rows {
		row := &rows[i]
		if row.RetiredAt != nil || row.inForce(now) {
			continue
		}
		retired, err := r.table.retire(ctx, now, "kid = ?", row.KID)
		if err != nil {
			return err
		}
		if len(retired) > 0 {
			r.logger.InfoContext(ctx, "a signing key is retired", "kid", row.KID)
		}
	}
	return nil
}

// rotate replaces the signing key when it is too old, or when servers with another algorithm have set its end.
func (r *Ring) rotate(ctx context.Context) error {
	due := func(rows []row, now time.Time) bool {
		current := signing(rows, r.algorithm, now)
		if current == nil || published(rows, r.algorithm, now) != nil {
			return false
		}
		return current.SupersededAt != nil || r.every > 0 && now.Sub(current.SignsAt) >= r.every
	}
	if !due(r.state.Load().rows, r.table.now()) {
		return nil
	}
	added, err := r.table.rotate(ctx, r.algorithm, due)
	if err != nil {
		return fmt.Errorf("keyring: rotating on schedule: %w", err)
	}
	if added != nil {
		r.logger.InfoContext(ctx, "a signing key is published", "kid", added.KID, "signsAt", added.SignsAt)
	}
	return r.look(ctx)
}
