package page

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"gatehouse/internal/id"
)

// Cursor is where a row stands in a list ordered by (created_at, id).
type Cursor struct {
	CreatedAt time.Time // UTC, in whole microseconds, as the databases keep it
	ID        id.ID
}

const (
	timeSize   = 8                       // microseconds since 1970, big-endian
	cursorSize = timeSize + len(id.ID{}) // bytes
	textSize   = (cursorSize*8 + 5) / 6  // base64url characters: 24 bytes fill 32 exactly, so no two texts mean the same
)

// lastMicro is the end of the year 9999, beyond which RFC 3339 and both databases' time texts stop agreeing.
const lastMicro = 253_402_300_800_000_000 - 1

// String returns the cursor as clients see it: 32 characters of base64url, which they must treat as opaque. A time between
// two microseconds is cut to the earlier one.
func (c Cursor) String() string {
	var raw [cursorSize]byte
	binary.BigEndian.PutUint64(raw[:timeSize], uint64(c.CreatedAt.UnixMicro()))
	copy(raw[timeSize:], c.ID[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// parseCursor reads what String wrote and nothing else. Times before 1970 or after 9999 are refused: no row has them, and a
// database may fail on them.
func parseCursor(text string) (Cursor, bool) {
	if len(text) != textSize {
		return Cursor{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	// The decoder passes over line breaks, so that a text of the right length may still come out short.
	if err != nil || len(raw) != cursorSize {
		return Cursor{}, false
	}
	micro := binary.BigEndian.Uint64(raw[:timeSize])
	if micro > lastMicro {
		return Cursor{}, false
	}
	return Cursor{CreatedAt: time.UnixMicro(int64(micro)).UTC(), ID: id.ID(raw[timeSize:])}, true
}
