package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Filters by their registered number.
const (
	filterDeflate  = 1
	filterShuffle  = 2
	filterFletcher = 3
	filterLZF      = 32000
)

var filterNames = map[uint16]string{
	filterDeflate: "deflate", filterShuffle: "shuffle", filterFletcher: "fletcher32", filterLZF: "lzf",
	4: "szip", 5: "nbit", 6: "scale-offset", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2",
}

// filter is one step that chunks went through.
type filter struct {
	id     uint16
	values []uint32
}

// filters reads the list of a dataset's filters, in the order of writing.
func (c *cursor) filters() ([]filter, error) {
	at := c.here()
	version, n := c.u8(), int(c.u8())
	if c.err == nil && (version < 1 || version > 2 || n > maxFilters) {
		return nil, c.r.fail(at, "its list of filters has version %d and %d filters, expected version 1 or 2 and at most %d", version, n, maxFilters)
	}
	if version == 1 {
		c.skip(6)
	}
	list := make([]filter, 0, n)
	for range n {
		f := filter{id: c.u16()}
		name := 0
		if version == 1 || f.id >= 256 {
			name = int(c.u16())
		}
		c.skip(2)
		values := int(c.u16())
		label := c.take(name)
		if version == 1 {
			c.skip(-name & 7)
		}
		for i := range values {
			if v := c.u32(); i < 8 {
				f.values = append(f.values, v)
			}
			if c.err != nil {
				return nil, c.err
			}
		}
		if version == 1 && values%2 == 1 {
			c.skip(4)
		}
		for _, before := range list {
			if before.id == f.id {
				return nil, c.r.fail(at, "its chunks went through filter %s twice", filterNames[f.id])
			}
		}
		switch f.id {
		case filterDeflate, filterShuffle, filterFletcher, filterLZF:
		default:
			known := filterNames[f.id]
			if known == "" {
				known = clean(bytes.TrimRight(label, "\x00"))
			}
			return nil, c.r.fail(at, "its chunks went through filter %d (%s), which is not read; write it with deflate, shuffle, fletcher32 or lzf", f.id, short(known))
		}
		list = append(list, f)
	}
	return list, c.err
}

// work is memory for undoing filters, used again for every chunk.
type work struct{ out, spare []byte }

// next returns n bytes that the last two steps do not use.
func (w *work) next(n int) []byte {
	w.out, w.spare = w.spare, w.out
	if cap(w.out) < n {
		w.out = make([]byte, n)
	}
	return w.out[:n]
}

// undo brings a stored chunk back to size bytes, element by element of the
// given size. mask says which filters were left out. The result is valid until
// the next call.
func (w *work) undo(filters []filter, mask uint32, b []byte, size, element int) ([]byte, error) {
	for i := len(filters) - 1; i >= 0; i-- {
		if mask&(1<<i) != 0 {
			continue
		}
		// A filter may come before one that adds a checksum of 4 bytes.
		most := size + 4*i
		var err error
		switch f := filters[i]; f.id {
		case filterDeflate:
			b, err = w.inflate(b, most)
		case filterShuffle:
			if len(f.values) > 0 {
				element = int(f.values[0])
			}
			b = unshuffle(w.next(len(b)), b, element)
		case filterFletcher:
			b, err = fletcher(b)
		case filterLZF:
			b, err = lzf(w.next(most)[:0], b, most)
		}
		if err != nil {
			return nil, fmt.Errorf("filter %s: %w", filterNames[filters[i].id], err)
		}
	}
	if len(b) != size {
		return nil, fmt.Errorf("it becomes %d bytes, expected %d", len(b), size)
	}
	return b, nil
}

var inflaters sync.Pool // of io.ReadCloser that are zlib.Resetter

// inflate undoes deflate; more than most bytes are refused.
func (w *work) inflate(b []byte, most int) ([]byte, error) {
	z, _ := inflaters.Get().(io.ReadCloser)
	var err error
	if z == nil {
		z, err = zlib.NewReader(bytes.NewReader(b))
	} else {
		err = z.(zlib.Resetter).Reset(bytes.NewReader(b), nil)
	}
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(z)
	// What deflate can make of these bytes is an upper limit too.
	out := w.next(min(most, 1032*len(b)) + 1)
	n, err := io.ReadFull(z, out)
	switch {
	case err == nil:
		return nil, fmt.Errorf("it becomes more than %d bytes", len(out)-1)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n > 0 && ended(z):
		return out[:n], nil
	}
	return nil, err
}

// ended tells the end of the data from data that is cut off, which
// io.ReadFull does not.
func ended(z io.Reader) bool {
	var b [1]byte
	_, err := z.Read(b[:])
	return err == io.EOF
}

// unshuffle undoes shuffle, which puts the first bytes of all elements first,
// then the second ones. Bytes past the last whole element stay.
func unshuffle(out, b []byte, element int) []byte {
	if element < 2 || element > len(b) {
		return b
	}
	n := len(b) / element
	for j := range element {
		for i, v := range b[j*n : (j+1)*n] {
			out[i*element+j] = v
		}
	}
	copy(out[n*element:], b[n*element:])
	return out
}

// fletcher compares and removes the checksum at the end.
func fletcher(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%d bytes have no checksum", len(b))
	}
	n := len(b) - 4
	want := binary.LittleEndian.Uint32(b[n:])
	var lo, hi uint32
	for i := 0; i < n; i += 2 {
		v := uint32(b[i]) << 8
		if i+1 < n {
			v |= uint32(b[i+1])
		}
		lo = (lo + v) % 65535
		hi = (hi + lo) % 65535
	}
	// HDF5 counts modulo 65535 with 65535 in the place of 0 for sums that are
	// not all zeros; both are the same residue.
	same := func(a, b uint32) bool { return a%65535 == b%65535 }
	if !same(want&0xffff, lo) || !same(want>>16, hi) {
		return nil, fmt.Errorf("its checksum is %08x, the bytes have %04x%04x", want, hi, lo)
	}
	return b[:n], nil
}

// lzf undoes Marc Lehmann's LZF; more than most bytes are refused.
func lzf(out, b []byte, most int) ([]byte, error) {
	errCut := errors.New("it is cut off")
	for len(b) > 0 {
		ctrl := int(b[0])
		b = b[1:]
		if ctrl < 32 { // literals
			n := ctrl + 1
			if n > len(b) {
				return nil, errCut
			}
			if len(out)+n > most {
				return nil, fmt.Errorf("it becomes more than %d bytes", most)
			}
			out, b = append(out, b[:n]...), b[n:]
			continue
		}
		n := ctrl >> 5
		if n == 7 {
			if len(b) == 0 {
				return nil, errCut
			}
			n, b = n+int(b[0]), b[1:]
		}
		if len(b) == 0 {
			return nil, errCut
		}
		back := ctrl&31<<8 + int(b[0]) + 1
		b = b[1:]
		n += 2
		if back > len(out) {
			return nil, fmt.Errorf("it goes back %d bytes of %d", back, len(out))
		}
		if len(out)+n > most {
			return nil, fmt.Errorf("it becomes more than %d bytes", most)
		}
		for range n {
			out = append(out, out[len(out)-back])
		}
	}
	return out, nil
}
