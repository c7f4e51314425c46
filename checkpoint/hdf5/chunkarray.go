package hdf5

import "math/bits"

// bit returns bit i of a map, in which the first bit is a byte's highest.
func bit(b []byte, i int) bool { return i/8 < len(b) && b[i/8]&(0x80>>(i%8)) != 0 }

// entries gives the chunks of n entries, of which the first has number i.
func (g *grid) entries(c *cursor, n, i int64, give func(int64, chunk) error) error {
	for k := range n {
		e := g.entry(c, len(g.d.filters) > 0)
		if c.err != nil {
			return c.err
		}
		if err := give(i+k, e); err != nil {
			return err
		}
	}
	return nil
}

// fixedArray walks the index of chunks whose number cannot grow.
func (g *grid) fixedArray() error {
	r, f := g.r, g.r.f
	give, err := g.linear()
	if err != nil {
		return err
	}
	c, err := r.signed(g.d.address, int64(12+f.offsets+f.lengths), "array of chunks", "FAHD", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	c.skip(1)
	width, pageBits, n, block := int(c.u8()), int(c.u8()), c.length(), c.address()
	if c.err != nil || block == undefined {
		return c.err
	}
	if width != g.entryBytes() || n < 0 || n > f.size/int64(width) || pageBits > 30 {
		return r.fail(c.at, "its array of chunks has %d entries of %d bytes in pages of 2^%d, expected entries of %d", n, width, pageBits, g.entryBytes())
	}
	front, page := int64(6+f.offsets), int64(1)<<pageBits
	if n <= page {
		c, err := r.signed(block, front+n*int64(width)+4, "array of chunks", "FADB", 0)
		if err != nil {
			return err
		}
		if err := c.sum(); err != nil {
			return err
		}
		c.skip(1 + f.offsets)
		return g.entries(c, n, 0, give)
	}
	pages := (n + page - 1) / page
	front += (pages + 7) / 8
	if c, err = r.signed(block, front+4, "array of chunks", "FADB", 0); err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	c.skip(1 + f.offsets)
	used := c.take(c.rest())
	return g.pages(block+uint64(front)+4, n, page, 0, func(p int64) bool { return bit(used, int(p)) }, give)
}

// pages walks n entries in pages, each with a checksum; i is the number of the
// first.
func (g *grid) pages(address uint64, n, page, i int64, used func(int64) bool, give func(int64, chunk) error) error {
	width := int64(g.entryBytes())
	if n > g.r.f.size/width {
		return g.r.fail(-1, "its array of chunks says it has %d entries, more than the file has bytes for", n)
	}
	if _, err := g.r.place(address, n*width+4*((n+page-1)/page), "array of chunks"); err != nil {
		return err
	}
	for p := int64(0); p*page < n; p++ {
		count := min(page, n-p*page)
		if used(p) {
			c, err := g.r.block(address, count*width+4, "array of chunks")
			if err != nil {
				return err
			}
			if err := c.sum(); err != nil {
				return err
			}
			if err := g.entries(c, count, i+p*page, give); err != nil {
				return err
			}
		}
		address += uint64(count*width) + 4
	}
	return nil
}

// extensible is the header of an extensible array: entries in an index block,
// then in data blocks that grow, then in secondary blocks of data blocks.
type extensible struct {
	*grid
	offsetBytes int
	first       int64 // entries in the index block
	least       int64 // entries in the smallest data block
	pointers    int64 // data blocks in the smallest secondary block
	page        int64
	next        int64 // number of the next entry
	give        func(int64, chunk) error
}

// extensibleArray walks the index of chunks that can grow along one dimension.
func (g *grid) extensibleArray() error {
	r, f := g.r, g.r.f
	give, err := g.linear()
	if err != nil {
		return err
	}
	c, err := r.signed(g.d.address, int64(16+f.offsets+6*f.lengths), "array of chunks", "EAHD", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	c.skip(1)
	width, most := int(c.u8()), int(c.u8())
	x := extensible{grid: g, offsetBytes: (most + 7) / 8, give: give}
	x.first, x.least, x.pointers = int64(c.u8()), int64(c.u8()), int64(c.u8())
	pageBits := int(c.u8())
	for range 6 {
		c.length()
	}
	index := c.address()
	if c.err != nil || index == undefined {
		return c.err
	}
	power := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	if width != g.entryBytes() || most > 64 || pageBits > 30 || !power(x.least) || !power(x.pointers) || most < bits.Len64(uint64(x.least)) {
		return r.fail(c.at, "its array of chunks has entries of %d bytes, 2^%d at most, blocks of %d and %d in pages of 2^%d; expected entries of %d", width, most, x.least, x.pointers, pageBits, g.entryBytes())
	}
	x.page = 1 << pageBits
	secondaries := 1 + most - (bits.Len64(uint64(x.least)) - 1)
	return x.index(index, secondaries)
}

// index walks the index block.
func (x *extensible) index(address uint64, secondaries int) error {
	f := x.r.f
	inline := 2 * (bits.Len64(uint64(x.pointers)) - 1) // secondary blocks whose data blocks are named here
	direct := 2 * (x.pointers - 1)
	rest := max(0, secondaries-inline)
	size := 6 + int64(f.offsets) + x.first*int64(x.entryBytes()) + (direct+int64(rest))*int64(f.offsets) + 4
	c, err := x.r.signed(address, size, "array of chunks", "EAIB", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	c.skip(1 + f.offsets)
	if err := x.entries(c, x.first, 0, x.give); err != nil {
		return err
	}
	x.next = x.first
	always := func(int64) bool { return true }
	for s := 0; s < inline; s++ {
		for range int64(1) << (s / 2) {
			if err := x.block(c.address(), x.entriesOf(s), always); err != nil {
				return err
			}
		}
	}
	for s := inline; s < secondaries; s++ {
		if err := x.secondary(c.address(), s); err != nil {
			return err
		}
	}
	return c.err
}

// entriesOf is how many entries each data block of a secondary block has.
func (x *extensible) entriesOf(s int) int64 {
	if s > 60 {
		return 1 << 50 // beyond what a file can hold
	}
	return x.least << ((s + 1) / 2)
}

// secondary walks a secondary block.
func (x *extensible) secondary(address uint64, s int) error {
	n, blocks := x.entriesOf(s), int64(1)<<min(s/2, 40)
	if address == undefined {
		x.next += n * blocks
		return nil
	}
	f := x.r.f
	pages := int64(0)
	if n > x.page {
		pages = n / x.page
	}
	front := int64(6 + f.offsets + x.offsetBytes)
	marks := (pages + 7) / 8 * blocks
	c, err := x.r.signed(address, front+marks+blocks*int64(f.offsets)+4, "array of chunks", "EASB", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	c.skip(1 + f.offsets + x.offsetBytes)
	used := c.take(int(marks))
	for b := range blocks {
		if err := x.block(c.address(), n, func(p int64) bool { return bit(used, int(b*pages+p)) }); err != nil {
			return err
		}
	}
	return c.err
}

// block walks a data block of n entries.
func (x *extensible) block(address uint64, n int64, used func(int64) bool) error {
	from := x.next
	x.next += n
	if address == undefined {
		return nil
	}
	f := x.r.f
	front := int64(6 + f.offsets + x.offsetBytes)
	size := front + 4
	if n <= x.page {
		size += n * int64(x.entryBytes())
	}
	c, err := x.r.signed(address, size, "array of chunks", "EADB", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	if n > x.page {
		return x.pages(address+uint64(size), n, x.page, from, used, x.give)
	}
	c.skip(1 + f.offsets + x.offsetBytes)
	return x.entries(c, n, from, x.give)
}
