package password_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
)

// golang.org/x/crypto/argon2 takes neither a secret nor associated data, and the one argon2id vector of RFC 9106 has both. So
// the vector cannot be put to it. Instead the RFC's own algorithm is written out below, as plainly as the RFC has it; the
// vector proves that this reference is right, and the reference, without secret and data, proves x/crypto right on many
// inputs. TestReferenceImplementationVectors adds the known answers of Argon2's authors, which x/crypto can reproduce.

func TestRFC9106Vector(t *testing.T) {
	t.Parallel()
	in := argon2Input{
		password: bytes.Repeat([]byte{1}, 32), salt: bytes.Repeat([]byte{2}, 16),
		secret: bytes.Repeat([]byte{3}, 8), data: bytes.Repeat([]byte{4}, 12),
		passes: 3, memory: 32, lanes: 4, tagSize: 32,
	}
	// RFC 9106 section 5.3
	const want = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
	if got := hex.EncodeToString(in.tag()); got != want {
		t.Errorf("tag %s, want %s", got, want)
	}
}

func TestLibraryAgreesWithRFC9106(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{91, 6})
	for range 60 {
		var dice [6]byte
		if _, err := random.Read(dice[:]); err != nil {
			t.Fatal(err)
		}
		in := argon2Input{
			password: make([]byte, dice[0]), salt: make([]byte, 8+dice[1]%57),
			passes: 1 + uint32(dice[2]%4), lanes: 1 + dice[3]%4, tagSize: 16 + uint32(dice[4]%100),
		}
		in.memory = 8*uint32(in.lanes) + uint32(dice[5])
		for _, field := range [][]byte{in.password, in.salt} {
			if _, err := random.Read(field); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(fmt.Sprintf("t=%d,m=%d,p=%d,%d", in.passes, in.memory, in.lanes, in.tagSize), func(t *testing.T) {
			t.Parallel()
			got := argon2.IDKey(in.password, in.salt, in.passes, in.memory, in.lanes, in.tagSize)
			if want := in.tag(); !bytes.Equal(got, want) {
				t.Errorf("x/crypto gives %x, RFC 9106 gives %x", got, want)
			}
		})
	}
}

// argon2Input is the input of Argon2id as RFC 9106 section 3.1 names it.
type argon2Input struct {
	password, salt, secret, data []byte
	passes, memory, tagSize      uint32
	lanes                        uint8
}

const (
	argon2idType = 2 // y
	segments     = 4 // SL, segments of a lane
	words        = 1024 / 8
	low          = 1<<32 - 1
)

type block [words]uint64

// tag computes the tag by RFC 9106 section 3.2; the comments name its steps.
func (in argon2Input) tag() []byte {
	// Step 1
	var h0 []byte
	for _, n := range []uint32{uint32(in.lanes), in.tagSize, in.memory, in.passes, argon2.Version, argon2idType} {
		h0 = le32(h0, uint64(n))
	}
	for _, field := range [][]byte{in.password, in.salt, in.secret, in.data} {
		h0 = append(le32(h0, uint64(len(field))), field...)
	}
	h0 = blake(64, h0)
	// Step 2
	columns := uint64(in.memory) / (4 * uint64(in.lanes)) * 4
	matrix := make([][]block, in.lanes)
	// Steps 3 and 4
	for i := range uint64(in.lanes) {
		matrix[i] = make([]block, columns)
		for j := range uint64(2) {
			matrix[i][j] = toBlock(variableHash(1024, le32(le32(bytes.Clone(h0), j), i)))
		}
	}
	// Steps 5 and 6, segment by segment as in section 3.4
	for pass := range uint64(in.passes) {
		for slice := range uint64(segments) {
			for lane := range uint64(in.lanes) {
				in.fillSegment(matrix, pass, slice, lane, columns)
			}
		}
	}
	// Steps 7 and 8
	var last block
	for _, lane := range matrix {
		last = xor(last, lane[columns-1])
	}
	return variableHash(in.tagSize, last.bytes())
}

func (in argon2Input) fillSegment(matrix [][]block, pass, slice, lane, columns uint64) {
	lanes, length := uint64(in.lanes), columns/segments
	for i := range length {
		j := slice*length + i
		if pass == 0 && j < 2 {
			continue
		}
		previous := matrix[lane][(j+columns-1)%columns]
		// Section 3.4.1: data-independent in the first half of the first pass, data-dependent from there on
		pseudo := previous[0]
		if pass == 0 && slice < segments/2 {
			address := block{pass, lane, slice, columns * lanes, uint64(in.passes), argon2idType, i/words + 1}
			address = compress(block{}, compress(block{}, address))
			pseudo = address[i%words]
		}
		// Section 3.4.2
		j1, j2 := pseudo&low, pseudo>>32
		from := j2 % lanes
		if pass == 0 && slice == 0 {
			from = lane
		}
		size, start := slice*length, uint64(0)
		if pass > 0 {
			size, start = columns-length, (slice+1)%segments*length
		}
		switch {
		case from == lane:
			size += i - 1
		case i == 0:
			size--
		}
		x := j1 * j1 >> 32
		y := size * x >> 32
		z := size - 1 - y
		next := compress(previous, matrix[from][(start+z)%columns])
		if pass > 0 {
			next = xor(next, matrix[lane][j])
		}
		matrix[lane][j] = next
	}
}

// compress is G of section 3.5: the permutation P over the rows, then the columns, of an 8 by 8 matrix of 16-byte registers.
func compress(x, y block) block {
	r := xor(x, y)
	z := r
	for i := range 8 {
		var row [16]*uint64
		for k := range 16 {
			row[k] = &z[16*i+k]
		}
		permute(row)
	}
	for i := range 8 {
		var column [16]*uint64
		for k := range 16 {
			column[k] = &z[16*(k/2)+2*i+k%2]
		}
		permute(column)
	}
	return xor(z, r)
}

// permute is P of section 3.6.
func permute(v [16]*uint64) {
	for i := range 4 {
		mix(v[i], v[4+i], v[8+i], v[12+i])
	}
	for i := range 4 {
		mix(v[i], v[4+(i+1)%4], v[8+(i+2)%4], v[12+(i+3)%4])
	}
}

// mix is GB of section 3.6.
func mix(a, b, c, d *uint64) {
	for _, rotation := range [][2]int{{32, 24}, {16, 63}} {
		*a += *b + 2*(*a&low)*(*b&low)
		*d = bits.RotateLeft64(*d^*a, -rotation[0])
		*c += *d + 2*(*c&low)*(*d&low)
		*b = bits.RotateLeft64(*b^*c, -rotation[1])
	}
}

// variableHash is H' of section 3.3.
func variableHash(size uint32, input []byte) []byte {
	input = append(le32(nil, uint64(size)), input...)
	if size <= 64 {
		return blake(size, input)
	}
	var out []byte
	v := blake(64, input)
	for left := size; left > 64; {
		out = append(out, v[:32]...)
		left -= 32
		v = blake(min(64, left), v)
	}
	return append(out, v...)
}

func blake(size uint32, input []byte) []byte {
	hash, err := blake2b.New(int(size), nil)
	if err != nil {
		return nil // for no size that RFC 9106 has
	}
	_, _ = hash.Write(input) // never fails: see hash.Hash
	return hash.Sum(nil)
}

// le32 appends the four low bytes of n.
func le32(to []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(to, n)[:len(to)+4] }

func toBlock(raw []byte) (b block) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return b
}

func (b block) bytes() (raw []byte) {
	for _, word := range b {
		raw = binary.LittleEndian.AppendUint64(raw, word)
	}
	return raw
}

func xor(a, b block) block {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
