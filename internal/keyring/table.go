package keyring

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// sealLabel separates sealed signing keys from whatever else the master secret seals.
const sealLabel = "signing key"

// channel is where [store.DB.Listen] hints at changes of the table.
const channel = "keys"

// row is a key as the table keeps it. Times are UTC, to the microsecond.
type row struct {
	bun.BaseModel `bun:"table:signing_keys"`

	KID          string     `bun:"kid,pk"`
	Algorithm    Algorithm  `bun:"algorithm"`
	Number       int        `bun:"number"` // counts the keys of one algorithm from 1: what racing replicas agree by
	Sealed       []byte     `bun:"sealed"` // the private key in PKCS #8 (RFC 5208), under AES-256-GCM; empty once retired
	CreatedAt    time.Time  `bun:"created_at"`
	SignsAt      time.Time  `bun:"signs_at"`
	SupersededAt *time.Time `bun:"superseded_at"` // when another begins to sign in its place
	TokenTTL     int64      `bun:"token_ttl"`     // seconds; the longest of all servers that have had the key
	RetiredAt    *time.Time `bun:"retired_at"`    // set: the key neither signs nor verifies any more

	key *Key  // the key, in a ring; nil when it is retired or does not open
	err error // why it does not open
}

// Change is something that happened to a key.
type Change int

// The changes.
const (
	KeyAdded Change = iota
	KeyRetired
)

// Table is the keys as the database has them, for whoever looks after them beside the servers that use them. It is safe for
// concurrent use, by any number of processes.
type Table struct {
	db       *store.DB
	master   *secret.Master
	now      func() time.Time
	lead     time.Duration
	tokenTTL time.Duration
	record   func(context.Context, Change, string) error
}

// NewTable returns the table of the keys in db, which are sealed under master. Of cfg it heeds PublishLead, TokenTTL and Record.
func NewTable(db *store.DB, master *secret.Master, now func() time.Time, cfg Config) *Table {
	record := cfg.Record
	if record == nil {
		record = func(context.Context, Change, string) error { return nil }
	}
	return &Table{
		db: db, master: master, record: record, lead: cfg.PublishLead, tokenTTL: cfg.TokenTTL,
		now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
	}
}

// List returns every key that there is or was, the oldest of an algorithm first.
func (t *Table) List(ctx context.Context) ([]Info, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	now := t.now()
	current := signing(rows, "", now)
	infos := make([]Info, len(rows))
	for i := range rows {
		r := &rows[i]
		infos[i] = r.info(now)
		infos[i].Sealed = t.seal(r)
		if r == current {
			infos[i].Phase = Signing
		}
	}
	return infos, nil
}

func (t *Table) rows(ctx context.Context) ([]row, error) {
	var rows []row
	if err := t.db.Conn(ctx).NewSelect().Model(&rows).Order("algorithm", "number").Scan(ctx); err != nil {
		return nil, fmt.Errorf("keyring: reading the keys: %w", err)
	}
	return rows, nil
}

// additional binds a sealed key to its row: moved to another it does not open. Neither part can contain the colon.
func (r *row) additional() []byte { return []byte(string(r.Algorithm) + ":" + r.KID) }

// seal returns which secret the private key of a row is sealed under.
func (t *Table) seal(r *row) Seal {
	if r.RetiredAt != nil {
		return SealErased
	}
	switch _, older, err := t.master.Reseal(sealLabel, r.Sealed, r.additional()); {
	case err != nil:
		return SealOther
	case older:
		return SealOlder
	default:
		return SealFirst
	}
}

// open unseals the key of a row.
func (t *Table) open(r *row) (*Key, error) {
	plain, err := t.master.Open(sealLabel, r.Sealed, r.additional())
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

// draft makes a new key, which is in no table yet: it has neither a number nor times.
func (t *Table) draft(algorithm Algorithm) (row, error) {
	private, err := generate(algorithm)
	if err != nil {
		return row{}, err
	}
	key, err := newKey(algorithm, private)
	if err != nil {
		return row{}, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return row{}, fmt.Errorf("keyring: encoding a new key: %w", err)
	}
	r := row{KID: key.ID, Algorithm: algorithm, TokenTTL: int64(t.tokenTTL / time.Second)}
	if r.Sealed, err = t.master.Seal(sealLabel, plain, r.additional()); err != nil {
		return row{}, fmt.Errorf("keyring: sealing a new key: %w", err)
	}
	return r, nil
}

// errRaced reports that somebody else was quicker.
var errRaced = errors.New("keyring: another process added a key at the same time")

// insert adds a drafted key after those that are there. The error is errRaced when its number was taken meanwhile.
func (t *Table) insert(ctx context.Context, added *row, there []row) error {
	added.Number = 1
	for i := range there {
		if there[i].Algorithm == added.Algorithm {
			added.Number = there[i].Number + 1
		}
	}
	result, err := t.db.Conn(ctx).NewInsert().Model(added).On("CONFLICT (algorithm, number) DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keyring: adding a key: %w", err)
	}
	inserted, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("keyring: adding a key: %w", err)
	}
	if inserted == 0 {
		return errRaced
	}
	return t.changed(ctx, KeyAdded, added.KID)
}

// changed records a change in its transaction, and has everybody told when that commits.
func (t *Table) changed(ctx context.Context, change Change, kid string) error {
	if err := t.record(ctx, change, kid); err != nil {
		return fmt.Errorf("keyring: recording a change: %w", err)
	}
	return t.db.Notify(ctx, channel)
}
