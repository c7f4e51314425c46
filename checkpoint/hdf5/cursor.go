package hdf5

import (
	"encoding/binary"
	"math"
)

// undefined is the address of what is not there.
const undefined = math.MaxUint64

// reader reads structures of a file within a budget of bytes. It belongs to
// one goroutine.
type reader struct {
	f     *File
	path  string // the object being read, for errors
	left  int64
	heaps map[uint64]map[uint16][]byte // collections of the global heap by address
}

func (f *File) reader(path string) *reader {
	return &reader{f: f, path: path, left: metaFixed + metaFactor*f.size}
}

func (r *reader) fail(at int64, format string, args ...any) error {
	return r.f.fail(r.path, at, format, args...)
}

// spend takes n bytes of the budget.
func (r *reader) spend(at, n int64) error {
	if n > r.left {
		return r.fail(at, "the file's structures repeat each other: they need more than %d bytes, %d times the file's size and 1 MiB", metaFixed+metaFactor*r.f.size, metaFactor)
	}
	r.left -= n
	return nil
}

// place turns an address into a file offset at which n bytes are in the file.
func (r *reader) place(address uint64, n int64, what string) (int64, error) {
	if address == undefined {
		return 0, r.fail(-1, "the address of its %s is not set", what)
	}
	if n < 0 || n > r.f.size || address > uint64(r.f.size-n) || int64(address) > r.f.size-n-r.f.base {
		return 0, r.fail(-1, "its %s of %d bytes at address %d reaches beyond the file's %d bytes", what, uint64(n), address, r.f.size)
	}
	return int64(address) + r.f.base, nil
}

// block reads n bytes at an address.
func (r *reader) block(address uint64, n int64, what string) (*cursor, error) {
	at, err := r.place(address, n, what)
	if err != nil {
		return nil, err
	}
	if err := r.spend(at, n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if err := r.f.readAt(r.path, b, at); err != nil {
		return nil, err
	}
	return &cursor{r: r, b: b, at: at, what: what}, nil
}

// signed reads a block that begins with a signature and a version, and leaves
// the cursor behind them.
func (r *reader) signed(address uint64, n int64, what, signature string, version uint8) (*cursor, error) {
	c, err := r.block(address, n, what)
	if err != nil {
		return nil, err
	}
	if got := c.take(len(signature)); string(got) != signature {
		return nil, r.fail(c.at, "its %s begins with %q, expected %q", what, got, signature)
	}
	if got := c.u8(); got != version {
		return nil, r.fail(c.at+int64(len(signature)), "its %s has version %d, expected %d", what, got, version)
	}
	return c, c.err
}

// cursor walks over bytes of the file. The first read beyond their end sets
// err, and everything read from then on is zero.
type cursor struct {
	r    *reader
	b    []byte
	at   int64 // file offset of b[0]
	pos  int
	what string
	err  error
}

// here is the file offset of the next byte.
func (c *cursor) here() int64 { return c.at + int64(c.pos) }

func (c *cursor) rest() int { return len(c.b) - c.pos }

func (c *cursor) take(n int) []byte {
	if c.err == nil && (n < 0 || n > c.rest()) {
		c.err = c.r.fail(c.here(), "its %s ends after %d bytes, %d more are needed", c.what, len(c.b), n-c.rest())
	}
	if c.err != nil {
		return nil
	}
	c.pos += n
	return c.b[c.pos-n : c.pos : c.pos]
}

func (c *cursor) skip(n int) { c.take(n) }

// uint reads a little-endian number of n bytes, at most 8.
func (c *cursor) uint(n int) uint64 {
	var v [8]byte
	copy(v[:], c.take(n))
	return binary.LittleEndian.Uint64(v[:])
}

func (c *cursor) u8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }

func (c *cursor) address() uint64 {
	v := c.uint(c.r.f.offsets)
	if v == undefined>>(64-8*c.r.f.offsets) {
		return undefined
	}
	return v
}

// length reads a length; what does not fit an int64 becomes -1, which every
// check refuses.
func (c *cursor) length() int64 {
	v := c.uint(c.r.f.lengths)
	if v > math.MaxInt64 {
		return -1
	}
	return int64(v)
}

// sub is a cursor over the next n bytes.
func (c *cursor) sub(n int, what string) *cursor {
	at := c.here()
	b := c.take(n)
	return &cursor{r: c.r, b: b, at: at, what: what, err: c.err}
}

// sum compares the checksum in the last four bytes with that of all before.
func (c *cursor) sum() error {
	if c.err != nil {
		return c.err
	}
	n := len(c.b) - 4
	if n < 0 {
		return c.r.fail(c.at, "its %s has no room for a checksum", c.what)
	}
	if want, got := binary.LittleEndian.Uint32(c.b[n:]), lookup3(c.b[:n]); want != got && !c.r.f.unchecked {
		return c.r.fail(c.at, "its %s is damaged: its checksum is %08x, the bytes have %08x", c.what, want, got)
	}
	c.b = c.b[:n]
	return nil
}

// lookup3 is Bob Jenkins's hash of that name (hashlittle), HDF5's checksum of
// structures.
func lookup3(b []byte) uint32 {
	n := uint32(len(b))
	x, y, z := 0xdeadbeef+n, 0xdeadbeef+n, 0xdeadbeef+n
	rot := func(v uint32, k uint) uint32 { return v<<k | v>>(32-k) }
	for len(b) > 12 {
		x += binary.LittleEndian.Uint32(b)
		y += binary.LittleEndian.Uint32(b[4:])
		z += binary.LittleEndian.Uint32(b[8:])
		x = (x - z) ^ rot(z, 4)
		z += y
		y = (y - x) ^ rot(x, 6)
		x += z
		z = (z - y) ^ rot(y, 8)
		y += x
		x = (x - z) ^ rot(z, 16)
		z += y
		y = (y - x) ^ rot(x, 19)
		x += z
		z = (z - y) ^ rot(y, 4)
		y += x
		b = b[12:]
	}
	if len(b) == 0 {
		return z
	}
	var last [12]byte
	copy(last[:], b)
	x += binary.LittleEndian.Uint32(last[:])
	y += binary.LittleEndian.Uint32(last[4:])
	z += binary.LittleEndian.Uint32(last[8:])
	z = (z ^ y) - rot(y, 14)
	x = (x ^ z) - rot(z, 11)
	y = (y ^ x) - rot(x, 25)
	z = (z ^ y) - rot(y, 16)
	x = (x ^ z) - rot(z, 4)
	y = (y ^ x) - rot(x, 14)
	return (z ^ y) - rot(y, 24)
}
