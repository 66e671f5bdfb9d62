package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoKeys reports a table in which no key is in force, so that there is none to replace.
var ErrNoKeys = errors.New("keyring: there are no signing keys in the database yet")

// Rotation is what came of replacing the signing key.
type Rotation struct {
	Key     Info     // the key that signs next
	Added   bool     // false: it was there already
	Retired []string // the kids of the keys that were retired with it
}

// Rotate adds a key of the algorithm that is signed with at present. It is published at once, and signs when the lead is over;
// every key that it supersedes verifies until the last token that such a key can have signed is dead. While a key is
// published already it adds none, so that calling it twice does no harm. The error is [ErrNoKeys] when there is none to replace.
func (t *Table) Rotate(ctx context.Context) (Rotation, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return Rotation{}, err
	}
	current := signing(rows, "", t.now())
	if current == nil {
		return Rotation{}, ErrNoKeys
	}
	algorithm := current.Algorithm
	added, err := t.rotate(ctx, algorithm, func(rows []row, now time.Time) bool { return published(rows, algorithm, now) == nil })
	if err != nil {
		return Rotation{}, err
	}
	if added != nil {
		return Rotation{Key: added.info(t.now()), Added: true}, nil
	}
	if rows, err = t.rows(ctx); err != nil {
		return Rotation{}, err
	}
	next := published(rows, algorithm, t.now())
	if next == nil {
		next = signing(rows, algorithm, t.now()) // whose time came meanwhile
	}
	if next == nil {
		return Rotation{}, ErrNoKeys
	}
	return Rotation{Key: next.info(t.now())}, nil
}

// rotate adds a key of algorithm where due says so of the rows that are there, and returns it; nil when it was not due, or
// another process was quicker. Where there was none it signs at once.
func (t *Table) rotate(ctx context.Context, algorithm Algorithm, due func(rows []row, now time.Time) bool) (*row, error) {
	// Asked before as well as inside the transaction: making a key can take a second, which none may last.
	if rows, err := t.rows(ctx); err != nil || !due(rows, t.now()) {
		return nil, err
	}
	added, err := t.draft(algorithm)
	if err != nil {
		return nil, err
	}
	err = t.db.Atomically(ctx, func(ctx context.Context) error {
		rows, err := t.rows(ctx)
		if err != nil {
			return err
		}
		now := t.now()
		if !due(rows, now) {
			return errRaced
		}
		added.CreatedAt, added.SignsAt = now, now
		replaced := signing(rows, algorithm, now)
		if replaced != nil {
			added.SignsAt = now.Add(t.lead)
		}
		if err := t.insert(ctx, &added, rows); err != nil {
			return err
		}
		if replaced == nil {
			return nil
		}
		return t.supersede(ctx, replaced, &added)
	})
	if errors.Is(err, errRaced) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &added, nil
}

// supersede sets the end of every key whose place the added one takes: those of its algorithm, and those of others that are
// older than the one it replaces. Younger ones may belong to servers with another setting.
func (t *Table) supersede(ctx context.Context, replaced, added *row) error {
	_, err := t.db.Conn(ctx).NewUpdate().Model((*row)(nil)).
		Set("superseded_at = ?", added.SignsAt).
		Where("kid <> ?", added.KID).Where("superseded_at IS NULL").Where("retired_at IS NULL").
		Where("(algorithm = ? OR signs_at < ?)", added.Algorithm, replaced.SignsAt).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("keyring: superseding a key: %w", err)
	}
	return nil
}

// Revoke replaces a key that has leaked: a new one signs at once, and all others are retired at once, the published one too.
// Every access token there is dies with them; whoever holds a refresh token gets a new one. The error is [ErrNoKeys] when
// there is none to replace.
func (t *Table) Revoke(ctx context.Context) (Rotation, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return Rotation{}, err
	}
	current := signing(rows, "", t.now())
	if current == nil {
		return Rotation{}, ErrNoKeys
	}
	added, err := t.draft(current.Algorithm)
	if err != nil {
		return Rotation{}, err
	}
	var retired []string
	for err = errRaced; errors.Is(err, errRaced) && ctx.Err() == nil; {
		err = t.db.Atomically(ctx, func(ctx context.Context) error {
			rows, err := t.rows(ctx)
			if err != nil {
				return err
			}
			added.CreatedAt = t.now()
			added.SignsAt = added.CreatedAt
			if err := t.insert(ctx, &added, rows); err != nil {
				return err
			}
			retired, err = t.retire(ctx, added.CreatedAt, "kid <> ?", added.KID)
			return err
		})
	}
	if err != nil {
		return Rotation{}, err
	}
	info := added.info(added.SignsAt)
	info.Phase = Signing
	return Rotation{Key: info, Added: true, Retired: retired}, nil
}

// retire retires the keys that are not yet, where the condition holds, and erases their private halves. It returns their kids.
func (t *Table) retire(ctx context.Context, now time.Time, where string, argument any) (kids []string, err error) {
	err = t.db.Atomically(ctx, func(ctx context.Context) error {
		kids = nil // of an attempt that was rolled back
		_, err := t.db.Conn(ctx).NewUpdate().Model((*row)(nil)).
			Set("retired_at = ?", now).Set("sealed = ?", []byte{}).
			Where("retired_at IS NULL").Where(where, argument).
			Returning("kid").
			Exec(ctx, &kids)
		if err != nil {
			return fmt.Errorf("keyring: retiring keys: %w", err)
		}
		for _, kid := range kids {
			if err := t.changed(ctx, KeyRetired, kid); err != nil {
				return err
			}
		}
		return nil
	})
	return kids, err
}

// reseal seals the key of a row under the first secret if an older one did, and reports whether it had to.
func (t *Table) reseal(ctx context.Context, r *row) (bool, error) {
	sealed, older, err := t.master.Reseal(sealLabel, r.Sealed, r.additional())
	if err == nil && older {
		_, err = t.db.Conn(ctx).NewUpdate().Model((*row)(nil)).
			Set("sealed = ?", sealed).
			Where("kid = ?", r.KID).Where("sealed = ?", r.Sealed). // unless another replica has sealed or retired it meanwhile
			Exec(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("keyring: sealing the signing key %s again: %w", r.KID, err)
	}
	return older, nil
}

// lengthen notes that a server signs tokens with the key of a row that live for the table's tokenTTL.
func (t *Table) lengthen(ctx context.Context, r *row) error {
	ttl := int64(t.tokenTTL / time.Second)
	if r.TokenTTL >= ttl {
		return nil
	}
	_, err := t.db.Conn(ctx).NewUpdate().Model((*row)(nil)).
		Set("token_ttl = ?", ttl).
		Where("kid = ?", r.KID).Where("token_ttl < ?", ttl).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("keyring: noting how long tokens live: %w", err)
	}
	return nil
}
