package hdf5

import "math"

// Ways to index the chunks of a dataset.
const (
	indexTree1      = 0 // version 1 B-tree; the numbers below are the format's
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexTree2      = 5
)

// layout is where the bytes of a dataset are.
type layout struct {
	compact []byte // in the header itself, if inline
	inline  bool
	chunk   []int64 // shape of a chunk; nil if there are none
	element int64   // bytes of an element, as the chunks count them
	address uint64
	length  int64 // of contiguous bytes; -1 if it does not say
	index   uint8
	wide    bool // stored sizes have 8 bytes, whatever the chunks' size

	stored int64  // bytes of a single chunk with filters
	mask   uint32 // filters left out of it
	at     int64  // file offset, for errors
}

const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
	layoutVirtual    = 3
)

func (c *cursor) layout() (layout, error) {
	at := c.here()
	l := layout{at: at, length: -1}
	version := c.u8()
	switch {
	case c.err != nil:
		return l, c.err
	case version < 3 || version > 5:
		return l, c.r.fail(at, "its layout has version %d, expected 3 to 5", version)
	}
	switch kind := c.u8(); kind {
	case layoutCompact:
		l.inline = true
		l.compact = c.take(int(c.u16()))
	case layoutContiguous:
		l.address, l.length = c.address(), c.length()
	case layoutChunked:
		if version == 3 {
			n := int(c.u8())
			l.address = c.address()
			return l, c.chunkShape(&l, n, 4)
		}
		return c.newChunks(l, version)
	case layoutVirtual:
		return l, c.r.fail(at, "it is a virtual dataset, put together from others, which is not read")
	default:
		return l, c.r.fail(at, "its layout is of class %d, expected 0 to 3", kind)
	}
	return l, c.err
}

// chunkShape reads the n numbers of a chunk's shape, the last of which is the
// size of an element.
func (c *cursor) chunkShape(l *layout, n, width int) error {
	if c.err == nil && (n < 2 || n > maxRank+1) {
		return c.r.fail(l.at, "its chunks have %d dimensions, expected 1 to %d", n-1, maxRank)
	}
	l.chunk = make([]int64, 0, n)
	for range n {
		v := c.uint(width)
		if c.err == nil && (v == 0 || v > math.MaxUint32) {
			return c.r.fail(l.at, "a dimension of its chunks is %d", v)
		}
		l.chunk = append(l.chunk, int64(v))
	}
	l.chunk, l.element = l.chunk[:n-1], l.chunk[n-1]
	return c.err
}

// newChunks reads the layout of chunks that HDF5 1.10 and later write.
func (c *cursor) newChunks(l layout, version uint8) (layout, error) {
	flags, n, width := c.u8(), int(c.u8()), int(c.u8())
	if c.err == nil && (width == 0 || width > 8) {
		return l, c.r.fail(l.at, "dimensions of its chunks have %d bytes, expected 1 to 8", width)
	}
	if err := c.chunkShape(&l, n, width); err != nil {
		return l, err
	}
	if flags&1 != 0 {
		return l, c.r.fail(l.at, "its chunks at the edge have no filters, which is not read")
	}
	l.index = c.u8()
	switch l.index {
	case indexSingle:
		l.stored = -1
		if flags&2 != 0 {
			l.stored, l.mask = c.length(), c.u32()
		}
	case indexImplicit:
	case indexFixed:
		c.skip(1)
	case indexExtensible:
		c.skip(5)
	case indexTree2:
		c.skip(6)
	default:
		return l, c.r.fail(l.at, "its chunks are indexed in way %d, expected 1 to 5", l.index)
	}
	// In version 5 the stored size of a chunk always has 8 bytes.
	l.wide = version == 5
	l.address = c.address()
	return l, c.err
}

// layoutFits checks a dataset's layout against its shape. It returns how many
// bytes reading it makes: for chunks, those of whole chunks.
func (r *reader) layoutFits(d *dataset, at int64) (int64, error) {
	l := &d.layout
	switch {
	case l.inline:
		if int64(len(l.compact)) < d.bytes {
			return 0, r.fail(at, "its %d elements need %d bytes, its header has %d", d.count, d.bytes, len(l.compact))
		}
	case l.chunk == nil:
		if len(d.filters) > 0 {
			return 0, r.fail(at, "it has filters but no chunks")
		}
		if l.address == undefined || d.bytes == 0 {
			break // nothing was written
		}
		if l.length >= 0 && l.length < d.bytes {
			return 0, r.fail(at, "its %d elements need %d bytes, %d are stored", d.count, d.bytes, l.length)
		}
		offset, err := r.place(l.address, d.bytes, "data")
		if err != nil {
			return 0, err
		}
		d.info.Offset = offset
	default:
		return r.chunksFit(d, at)
	}
	return d.bytes, nil
}

func (r *reader) chunksFit(d *dataset, at int64) (int64, error) {
	l := &d.layout
	if len(l.chunk) != len(d.space.dims) || l.element != int64(d.kind.size) {
		return 0, r.fail(at, "its chunks of shape %v with elements of %d bytes do not divide its shape %v with elements of %d", l.chunk, l.element, d.space.dims, d.kind.size)
	}
	// Chunks at the edge are stored whole; their bytes count.
	padded, chunk := l.element, l.element
	for i, c := range l.chunk {
		n := (d.space.dims[i] + c - 1) / c * c
		if d.space.dims[i] > math.MaxInt64-c || n > 0 && padded > math.MaxInt64/n || chunk > math.MaxInt64/c {
			return 0, r.fail(at, "its chunks of shape %v have more bytes than an int64 counts", l.chunk)
		}
		padded, chunk = padded*n, chunk*c
	}
	if padded == 0 {
		return 0, nil
	}
	if chunk > math.MaxUint32 {
		return 0, r.fail(at, "a chunk of shape %v has %d bytes, at most %d are read", l.chunk, chunk, uint32(math.MaxUint32))
	}
	return padded, nil
}
