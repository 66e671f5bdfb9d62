// Package id owns identifiers: how they are made and which spelling of them is accepted.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ID identifies an account, a session or any other row. It is a UUID, so that databases store it natively.
type ID = uuid.UUID

// ErrMalformed reports a text that is not an ID.
var ErrMalformed = errors.New("id: not a UUID in its canonical form")

// New returns a UUIDv7 (RFC 9562 section 5.7): 48 bits of now in milliseconds, so that new rows land at the end of an
// index, then 74 random bits.
func New(now time.Time) ID {
	var u ID
	binary.BigEndian.PutUint64(u[:8], uint64(now.UnixMilli())<<16)
	rand.Read(u[6:]) // never fails: crypto/rand ends the process rather than return an error
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return u
}

// Parse reads the canonical form alone: 36 characters, lower case, hyphens. One spelling each keeps comparisons honest.
func Parse(text string) (ID, error) {
	u, err := uuid.Parse(text)
	if err != nil || u.String() != text {
		return ID{}, ErrMalformed
	}
	return u, nil
}
