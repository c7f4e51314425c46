package hdf5

import "math/bits"

// fractal is a fractal heap: it holds links and attributes where a group or
// dataset has many or large ones.
type fractal struct {
	r           *reader
	at          int64
	idLength    int
	offsetBytes int   // of an offset in the heap
	lengthBytes int   // of an object's length
	width       int   // blocks in a row
	start       int64 // size of a block in the first two rows
	largest     int64 // size from which on blocks are indirect
	root        uint64
	rows        int // of the root; 0: it is one block
	huge        uint64
	objects     map[uint64][2]uint64 // huge objects by their number: address, length
}

func (r *reader) fractal(address uint64) (*fractal, error) {
	f := r.f
	c, err := r.signed(address, int64(26+3*f.offsets+12*f.lengths), "fractal heap", "FRHP", 0)
	if err != nil {
		return nil, err
	}
	h := &fractal{r: r, at: c.at, idLength: int(c.u16())}
	if filters := c.u16(); filters != 0 {
		return nil, r.fail(c.at, "its fractal heap is compressed, which is not read")
	}
	if err := c.sum(); err != nil {
		return nil, err
	}
	c.skip(1)
	managed := c.u32()
	c.length()
	h.huge = c.address()
	c.length()
	c.address()
	for range 8 {
		c.length()
	}
	h.width = int(c.u16())
	h.start, h.largest = c.length(), c.length()
	space := int(c.u16())
	c.skip(2)
	h.root, h.rows = c.address(), int(c.u16())
	if c.err != nil {
		return nil, c.err
	}
	power := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	if !power(h.start) || !power(h.largest) || h.start > h.largest || h.width == 0 || !power(int64(h.width)) || space == 0 || space > 64 || h.rows > 64 {
		return nil, r.fail(c.at, "its fractal heap has %d blocks a row of %d to %d bytes, %d rows and offsets of %d bits, which no heap has", h.width, h.start, h.largest, h.rows, space)
	}
	h.offsetBytes = (space + 7) / 8
	h.lengthBytes = min((bits.Len64(uint64(h.largest))-1+7)/8, encoded(uint64(managed)))
	return h, nil
}

// object returns the bytes an identifier stands for.
func (h *fractal) object(id []byte) (*cursor, error) {
	c := &cursor{r: h.r, b: id, at: h.at, what: "identifier in a heap"}
	head := c.u8()
	if c.err == nil && head>>6 != 0 {
		return nil, h.r.fail(h.at, "an identifier in its fractal heap has version %d, expected 0", head>>6)
	}
	switch head >> 4 & 3 {
	case 0:
		offset, n := c.uint(h.offsetBytes), int64(c.uint(h.lengthBytes))
		if c.err != nil {
			return nil, c.err
		}
		return h.managed(offset, n)
	case 1:
		return h.hugeObject(c)
	case 2:
		n := int(head&15) + 1
		if h.idLength > 17 {
			n = int(head&15)<<8 + int(c.u8()) + 1
		}
		return c.sub(n, "object in a heap"), c.err
	}
	return nil, h.r.fail(h.at, "an identifier in its fractal heap has type 3, which there is not")
}

// row returns the size of the blocks in a row: the first two are equal, then
// each is twice the one before.
func (h *fractal) row(i int) int64 {
	if i--; i < 0 {
		i = 0
	}
	if i > 62-bits.Len64(uint64(h.start)) {
		return 1 << 62
	}
	return h.start << i
}

// managed finds an object in the heap's blocks: n bytes at an offset, which
// counts from the block at hand.
func (h *fractal) managed(offset uint64, n int64) (*cursor, error) {
	address, rows := h.root, h.rows
	front := int64(5 + h.r.f.offsets + h.offsetBytes)
	for level := 0; rows > 0; level++ {
		if level > maxDepth {
			return nil, h.r.fail(h.at, "blocks of its fractal heap nest more than %d deep", maxDepth)
		}
		// The row and the block of it in which the offset lies.
		row, before := 0, uint64(0)
		for ; row < rows; row++ {
			if all := uint64(h.row(row)) * uint64(h.width); offset-before < all {
				break
			} else {
				before += all
			}
		}
		if row == rows {
			return nil, h.r.fail(h.at, "an object at %d is beyond its fractal heap", offset)
		}
		size := h.row(row)
		column := int((offset - before) / uint64(size))
		offset = (offset - before) % uint64(size)
		entry := front + int64(row*h.width+column)*int64(h.r.f.offsets)
		if _, err := h.r.signed(address, front, "fractal heap", "FHIB", 0); err != nil {
			return nil, err
		}
		c, err := h.r.block(address+uint64(entry), int64(h.r.f.offsets), "fractal heap")
		if err != nil {
			return nil, err
		}
		address = c.address()
		if rows = 0; size > h.largest {
			// An indirect block of this size has as many rows as make it up.
			rows = bits.Len64(uint64(size)) - bits.Len64(uint64(h.start)*uint64(h.width)) + 1
		}
	}
	if n < 0 || offset > 1<<62 || int64(offset) < front {
		return nil, h.r.fail(h.at, "an object at %d of %d bytes lies in the front of a block of its fractal heap", offset, n)
	}
	if _, err := h.r.signed(address, 5, "fractal heap", "FHDB", 0); err != nil {
		return nil, err
	}
	return h.r.block(address+offset, n, "object in a heap")
}

// hugeObject finds an object outside the blocks: its place stands in the
// identifier, or in a B-tree under its number.
func (h *fractal) hugeObject(c *cursor) (*cursor, error) {
	f := h.r.f
	if f.offsets+f.lengths <= h.idLength-1 {
		address, n := c.address(), c.length()
		if c.err != nil {
			return nil, c.err
		}
		return h.r.block(address, n, "object in a heap")
	}
	number := c.uint(min(h.idLength-1, 8, c.rest()))
	if h.objects == nil {
		h.objects = map[uint64][2]uint64{}
		err := h.r.records(h.huge, treeHuge, "index of large objects", func(c *cursor) error {
			address, n := c.address(), c.length()
			h.objects[uint64(c.length())] = [2]uint64{address, uint64(n)}
			if c.err != nil {
				return c.err
			}
			return h.r.spend(c.at, 64)
		})
		if err != nil {
			return nil, err
		}
	}
	place, ok := h.objects[number]
	if !ok {
		return nil, h.r.fail(h.at, "there is no large object %d in its fractal heap", number)
	}
	return h.r.block(place[0], int64(place[1]), "object in a heap")
}
