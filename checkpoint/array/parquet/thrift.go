package parquet

import (
	"encoding/binary"
	"errors"
)

// walker walks a value in Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md)
// without keeping anything: it only makes sure that no length in it exceeds
// the bytes that follow, for the library allocates what a length says.
type walker struct{ b []byte }

var errThrift = errors.New("a length in it exceeds the bytes that follow, or it is nested too deep")

// maxDepth is above the deepest structure the format defines.
const maxDepth = 16

// bounded reports whether a struct begins b, all of its lengths in bounds.
func bounded(b []byte) error {
	w := walker{b}
	if !w.value(12, maxDepth) {
		return errThrift
	}
	return nil
}

func (w *walker) skip(n uint64) bool {
	if n > uint64(len(w.b)) {
		return false
	}
	w.b = w.b[n:]
	return true
}

func (w *walker) byte() (byte, bool) {
	if len(w.b) == 0 {
		return 0, false
	}
	c := w.b[0]
	w.b = w.b[1:]
	return c, true
}

func (w *walker) varint() (uint64, bool) {
	v, n := binary.Uvarint(w.b)
	return v, n > 0 && w.skip(uint64(n))
}

// value walks one value of a type.
func (w *walker) value(t byte, depth int) bool {
	switch t {
	case 1, 2, 3: // a boolean as an element, or a byte
		return w.skip(1)
	case 4, 5, 6:
		_, ok := w.varint()
		return ok
	case 7:
		return w.skip(8)
	case 8:
		n, ok := w.varint()
		return ok && w.skip(n)
	case 9, 10:
		c, ok := w.byte()
		n := uint64(c >> 4)
		if ok && n == 15 {
			n, ok = w.varint()
		}
		return ok && w.elements(n, depth, c&15)
	case 11:
		n, ok := w.varint()
		if !ok || n == 0 {
			return ok
		}
		c, ok := w.byte()
		return ok && w.elements(n, depth, c>>4, c&15)
	case 12:
		return depth > 0 && w.fields(depth-1)
	}
	return false
}

// elements walks n times values of the types; each takes at least one byte.
func (w *walker) elements(n uint64, depth int, types ...byte) bool {
	if depth == 0 || n > uint64(len(w.b)) {
		return false
	}
	for range n {
		for _, t := range types {
			if !w.value(t, depth-1) {
				return false
			}
		}
	}
	return true
}

func (w *walker) fields(depth int) bool {
	for {
		c, ok := w.byte()
		if !ok || c == 0 {
			return ok
		}
		if c>>4 == 0 { // the field's number follows
			if _, ok := w.varint(); !ok {
				return false
			}
		}
		if t := c & 15; t != 1 && t != 2 && !w.value(t, depth) {
			return false
		}
	}
}
