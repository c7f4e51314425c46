package hdf5

import (
	"cmp"
	"slices"
)

// link is a member of a group.
type link struct {
	name    string
	address uint64
	soft    bool // soft or into another file: not followed
	order   int64
}

// links returns the members of a group from the messages of its header, and
// whether they say it is a group.
func (r *reader) links(messages []message) ([]link, bool, error) {
	var found []link
	group := false
	ordered := true
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgSymbols:
			group, ordered = true, false
			found, err = r.symbols(m.cursor, found)
		case msgLink:
			group = true
			var l link
			l, err = r.link(m.cursor)
			found = append(found, l)
		case msgLinkInfo:
			group = true
			found, err = r.denseLinks(m.cursor, found)
		}
		if err != nil {
			return nil, false, err
		}
	}
	for _, l := range found {
		ordered = ordered && l.order >= 0
	}
	slices.SortStableFunc(found, func(a, b link) int {
		if ordered && a.order != b.order {
			return cmp.Compare(a.order, b.order)
		}
		return cmp.Compare(a.name, b.name)
	})
	return found, group, nil
}

// symbols reads a group of the old kind: a B-tree of nodes of entries, whose
// names are in a heap.
func (r *reader) symbols(m *cursor, found []link) ([]link, error) {
	tree, heap := m.address(), m.address()
	if m.err != nil {
		return nil, m.err
	}
	names, err := r.localHeap(heap)
	if err != nil {
		return nil, err
	}
	err = r.tree1(tree, 0, r.f.lengths, "index of members", func(_ *cursor, node uint64) error {
		c, err := r.signed(node, 8, "list of members", "SNOD", 1)
		if err != nil {
			return err
		}
		c.skip(1)
		n := int(c.u16())
		size := 2*r.f.offsets + 24
		if c, err = r.block(node, int64(8+n*size), "list of members"); err != nil {
			return err
		}
		c.skip(8)
		for range n {
			e := c.sub(size, "list of members")
			offset := e.uint(r.f.offsets)
			l := link{address: e.address(), soft: e.u32() == 2, order: -1}
			if e.err != nil {
				return e.err
			}
			if l.name, err = names.name(offset); err != nil {
				return err
			}
			found = append(found, l)
		}
		return nil
	})
	return found, err
}

// tree1 walks a version 1 B-tree and calls each with a key of size bytes and
// the address beside it, of every leaf.
func (r *reader) tree1(address uint64, kind uint8, size int, what string, each func(key *cursor, child uint64) error) error {
	return r.node1(address, kind, size, -1, what, each)
}

func (r *reader) node1(address uint64, kind uint8, size, level int, what string, each func(key *cursor, child uint64) error) error {
	front := 8 + 2*r.f.offsets
	c, err := r.block(address, int64(front), what)
	if err != nil {
		return err
	}
	signature := c.take(4)
	k, l, n := c.u8(), int(c.u8()), int(c.u16())
	switch {
	case string(signature) != "TREE" || k != kind:
		return r.fail(c.at, "its %s begins with %q and type %d, expected \"TREE\" and %d", what, signature, k, kind)
	case l > maxDepth:
		return r.fail(c.at, "its %s has %d levels, at most %d are read", what, l, maxDepth)
	case level >= 0 && l != level-1:
		return r.fail(c.at, "its %s has a node of level %d below one of level %d", what, l, level)
	}
	pair := size + r.f.offsets
	if c, err = r.block(address+uint64(front), int64(n*pair+size), what); err != nil {
		return err
	}
	for range n {
		key := c.sub(size, what)
		child := c.address()
		if c.err != nil {
			return c.err
		}
		if l > 0 {
			err = r.node1(child, kind, size, l, what, each)
		} else {
			err = each(key, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// link reads the message of a member.
func (r *reader) link(c *cursor) (link, error) {
	at := c.here()
	version, flags := c.u8(), c.u8()
	if c.err == nil && version != 1 {
		return link{}, r.fail(at, "a link has version %d, expected 1", version)
	}
	kind := uint8(0)
	if flags&8 != 0 {
		kind = c.u8()
	}
	l := link{soft: kind != 0, order: -1}
	if flags&4 != 0 {
		l.order = int64(c.uint(8))
	}
	if flags&0x10 != 0 {
		c.skip(1) // ASCII or UTF-8
	}
	n := c.uint(1 << (flags & 3))
	if n > maxPath {
		return l, r.fail(at, "a name has %d bytes, at most %d are read", n, maxPath)
	}
	l.name = clean(c.take(int(n)))
	if kind == 0 {
		l.address = c.address()
	}
	if c.err != nil {
		return l, c.err
	}
	return l, r.spend(at, int64(len(l.name)))
}

// denseLinks reads the members that are in a fractal heap.
func (r *reader) denseLinks(c *cursor, found []link) ([]link, error) {
	at := c.here()
	version, flags := c.u8(), c.u8()
	if c.err == nil && version != 0 {
		return nil, r.fail(at, "its list of links has version %d, expected 0", version)
	}
	if flags&1 != 0 {
		c.skip(8)
	}
	heap, index := c.address(), c.address()
	if c.err != nil || heap == undefined {
		return found, c.err
	}
	h, err := r.fractal(heap)
	if err != nil {
		return nil, err
	}
	err = r.records(index, treeLinks, "index of links", func(c *cursor) error {
		c.skip(4) // hash of the name
		id := c.take(min(h.idLength, 7))
		if c.err != nil {
			return c.err
		}
		o, err := h.object(id)
		if err != nil {
			return err
		}
		l, err := r.link(o)
		found = append(found, l)
		return err
	})
	return found, err
}

// denseAttributes reads the attributes that are in a fractal heap.
func (r *reader) denseAttributes(c *cursor, found []Attribute) ([]Attribute, error) {
	at := c.here()
	version, flags := c.u8(), c.u8()
	if c.err == nil && version != 0 {
		return nil, r.fail(at, "its list of attributes has version %d, expected 0", version)
	}
	if flags&1 != 0 {
		c.skip(2)
	}
	heap, index := c.address(), c.address()
	if c.err != nil || heap == undefined {
		return found, c.err
	}
	h, err := r.fractal(heap)
	if err != nil {
		return nil, err
	}
	err = r.records(index, treeAttribute, "index of attributes", func(c *cursor) error {
		id, flags := c.take(min(h.idLength, 8)), c.u8()
		if c.err != nil {
			return c.err
		}
		o, err := h.object(id)
		if err == nil && flags&flagShared != 0 {
			err = r.fail(c.at, "an attribute is in the file's table of shared messages, which is not read")
		}
		if err != nil {
			return err
		}
		a, err := r.attribute(o)
		found = append(found, a)
		return err
	})
	return found, err
}
