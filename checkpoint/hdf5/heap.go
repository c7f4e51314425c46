package hdf5

import "bytes"

// localHeap is the heap of the names in a group of the old kind.
type localHeap struct{ *cursor }

func (r *reader) localHeap(address uint64) (localHeap, error) {
	front := 8 + 2*r.f.lengths + r.f.offsets
	c, err := r.signed(address, int64(front), "heap of names", "HEAP", 0)
	if err != nil {
		return localHeap{}, err
	}
	c.skip(3)
	size := c.length()
	c.length() // free space
	data, err := r.block(c.address(), size, "heap of names")
	return localHeap{data}, err
}

// name returns the text at an offset.
func (h localHeap) name(offset uint64) (string, error) {
	if offset >= uint64(len(h.b)) {
		return "", h.r.fail(h.at, "a name is at byte %d of a heap of %d", offset, len(h.b))
	}
	b, _, ok := bytes.Cut(h.b[offset:], []byte{0})
	if !ok {
		return "", h.r.fail(h.at+int64(offset), "a name has no end")
	}
	if len(b) > maxPath {
		return "", h.r.fail(h.at+int64(offset), "a name has %d bytes, at most %d are read", len(b), maxPath)
	}
	return clean(b), h.r.spend(h.at, int64(len(b)))
}

// global returns the bytes that an element of variable length points to: its
// length, and collection and index of the global heap.
func (r *reader) global(element []byte) ([]byte, error) {
	c := &cursor{r: r, b: element, what: "element of variable length"}
	n, address, index := c.u32(), c.address(), c.u32()
	if n == 0 {
		return nil, nil
	}
	if c.err != nil {
		return nil, c.err
	}
	items, ok := r.heaps[address]
	if !ok {
		var err error
		if items, err = r.collection(address); err != nil {
			return nil, err
		}
		if r.heaps == nil {
			r.heaps = map[uint64]map[uint16][]byte{}
		}
		r.heaps[address] = items
	}
	b, ok := items[uint16(index)]
	if !ok || index > 0xffff || uint64(n) > uint64(len(b)) {
		return nil, r.fail(-1, "a string of %d bytes is object %d of the global heap at address %d, which has %d bytes there", n, index, address, len(b))
	}
	return b[:n], nil
}

// collection reads one collection of the global heap.
func (r *reader) collection(address uint64) (map[uint16][]byte, error) {
	front := int64(8 + r.f.lengths)
	c, err := r.signed(address, front, "global heap", "GCOL", 1)
	if err != nil {
		return nil, err
	}
	c.skip(3)
	size := c.length()
	if size < front {
		return nil, r.fail(c.at, "its global heap has %d bytes, expected at least %d", size, front)
	}
	if c, err = r.block(address, size, "global heap"); err != nil {
		return nil, err
	}
	c.skip(int(front))
	items := map[uint16][]byte{}
	for c.rest() >= int(front) {
		index := c.u16()
		c.skip(6)
		n := c.length()
		if index == 0 {
			break // free space
		}
		if err := r.spend(c.here(), 64); err != nil { // its place in the map
			return nil, err
		}
		if n < 0 || n > int64(c.rest()) {
			return nil, r.fail(c.here(), "object %d of the global heap has %d bytes, %d are left", index, n, c.rest())
		}
		items[index] = c.take(int(n))
		c.skip(min(int(-n&7), c.rest()))
	}
	return items, c.err
}
