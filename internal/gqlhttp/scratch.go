package gqlhttp

import (
	"bytes"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// keep is how large a buffer may have grown for another request to use it: more would let a few large bodies hold memory
// for good.
const keep = 64 << 10

// scratch is what reading one request needs and the next can use again.
type scratch struct {
	in      bytes.Buffer
	used    int64 // bytes of in that something was ever written to
	decoder *jsontext.Decoder
}

func newScratch() *scratch { return &scratch{decoder: jsontext.NewDecoder(new(bytes.Buffer))} }

// fill reads all of r.
func (s *scratch) fill(r io.Reader) (err error) {
	s.used, err = s.in.ReadFrom(r)
	return err
}

// hold takes a text in place of what was there.
func (s *scratch) hold(text string) {
	s.in.Reset()
	s.in.WriteString(text)
	s.used = max(s.used, int64(len(text)))
}

// wipe makes the scratch ready for another request, with nothing left in it of this one, whose body may hold a password.
// It reports false when the scratch is not worth keeping.
func (s *scratch) wipe() bool {
	if s.in.Cap() > keep {
		return false
	}
	s.in.Reset()
	clear(s.in.AvailableBuffer()[:s.used])
	s.used = 0
	return true
}
