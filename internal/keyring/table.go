package keyring

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// sealLabel separates sealed signing keys from whatever else the master secret seals.
const sealLabel = "signing key"

// row is a key as the table keeps it.
type row struct {
	bun.BaseModel `bun:"table:signing_keys"`

	KID       string     `bun:"kid,pk"`
	Algorithm Algorithm  `bun:"algorithm"`
	Number    int        `bun:"number"` // counts the keys of one algorithm from 1: what racing replicas agree by
	Sealed    []byte     `bun:"sealed"` // the private key in PKCS #8 (RFC 5208), under AES-256-GCM
	CreatedAt time.Time  `bun:"created_at"`
	RetiredAt *time.Time `bun:"retired_at"` // set: the key neither signs nor verifies any more
}

// additional binds a sealed key to its row: moved to another it does not open. Neither part can contain the colon.
func additional(kid string, algorithm Algorithm) []byte {
	return []byte(string(algorithm) + ":" + kid)
}

// table is where the keys are kept.
type table struct {
	db     *store.DB
	master *secret.Master
}

// loadOrMake returns the keys in force, oldest first, of which at least one is for algorithm: where there was none it is made.
func (t table) loadOrMake(ctx context.Context, algorithm Algorithm, now time.Time) ([]*Key, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	number, found := 1, false
	for _, r := range rows {
		if r.Algorithm == algorithm {
			number, found = r.Number+1, found || r.RetiredAt == nil
		}
	}
	if !found {
		if err := t.make(ctx, algorithm, number, now); err != nil {
			return nil, err
		}
	}
	return t.load(ctx)
}

// make adds a key under the given number, unless another replica has just added one: then that one is as good.
func (t table) make(ctx context.Context, algorithm Algorithm, number int, now time.Time) error {
	private, err := generate(algorithm)
	if err != nil {
		return err
	}
	key, err := newKey(algorithm, private)
	if err != nil {
		return err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("keyring: encoding a new key: %w", err)
	}
	sealed, err := t.master.Seal(sealLabel, plain, additional(key.ID, algorithm))
	if err != nil {
		return fmt.Errorf("keyring: sealing a new key: %w", err)
	}
	added := &row{KID: key.ID, Algorithm: algorithm, Number: number, Sealed: sealed, CreatedAt: now.UTC()}
	_, err = t.db.Conn(ctx).NewInsert().Model(added).On("CONFLICT (algorithm, number) DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keyring: adding a key: %w", err)
	}
	return nil
}

// load returns the keys in force, oldest first.
func (t table) load(ctx context.Context) ([]*Key, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]*Key, 0, len(rows))
	for _, r := range rows {
		if r.RetiredAt != nil {
			continue
		}
		key, err := t.open(r)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (t table) rows(ctx context.Context) ([]row, error) {
	var rows []row
	if err := t.db.Conn(ctx).NewSelect().Model(&rows).Order("algorithm", "number").Scan(ctx); err != nil {
		return nil, fmt.Errorf("keyring: reading the keys: %w", err)
	}
	return rows, nil
}

// open unseals the key of a row.
func (t table) open(r row) (*Key, error) {
	plain, err := t.master.Open(sealLabel, r.Sealed, additional(r.KID, r.Algorithm))
	if err != nil {
		return nil, fmt.Errorf("keyring: the signing key %s in the database does not open with this SECRET, because it was "+
			"sealed with another: start with that one (to change it, give both, the new one first, with a comma between them), "+
			"or delete the key's row from signing_keys, which ends every access token signed with it: %w", r.KID, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("keyring: decoding the signing key %s: %w", r.KID, err)
	}
	key, err := newKey(r.Algorithm, private)
	if err != nil {
		return nil, fmt.Errorf("the signing key %s: %w", r.KID, err)
	}
	if key.ID != r.KID {
		return nil, fmt.Errorf("keyring: the signing key %s is stored under the name %s", key.ID, r.KID)
	}
	return key, nil
}
