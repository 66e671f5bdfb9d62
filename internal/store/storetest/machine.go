package storetest

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Machine is a computer whose wall clock somebody sets, while its monotonic time goes on. The zero value's clock is right.
type Machine struct{ ahead atomic.Int64 } // in seconds

// Set makes the wall clock show so much more than the time, to the second.
func (m *Machine) Set(ahead time.Duration) { m.ahead.Store(int64(ahead / time.Second)) }

// Now returns the time as such a machine tells it. Package time offers no way to set one without the other; this is how it lays
// a time out that has both.
func (m *Machine) Now() time.Time {
	t := time.Now()
	layout := (*struct {
		wall uint64 // 1 bit: there is a monotonic reading; 33 bits of seconds, 30 of nanoseconds
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	layout.wall += uint64(m.ahead.Load() << 30)
	return t
}
