package hdf5

import "math/bits"

// chunk is one chunk of a dataset: where it is stored, and its place in the
// grid of chunks.
type chunk struct {
	address uint64
	stored  int64
	mask    uint32
	place   []int64 // in chunks, not elements; not to be kept
}

// grid is how a dataset is divided.
type grid struct {
	r     *reader
	d     *dataset
	bytes int64   // of a chunk, without filters
	dims  []int64 // chunks along each dimension
	count int64   // chunks in all
	seen  int64
	place []int64
	each  func(chunk) error
}

// chunks calls each with every chunk that is stored.
func (r *reader) chunks(d *dataset, each func(chunk) error) error {
	g := &grid{r: r, d: d, bytes: d.element, count: 1, place: make([]int64, len(d.chunk)), each: each}
	for i, c := range d.chunk {
		n := (d.space.dims[i] + c - 1) / c
		g.bytes, g.count, g.dims = g.bytes*c, g.count*n, append(g.dims, n)
	}
	if d.address == undefined || g.count == 0 {
		return nil // nothing was written
	}
	switch d.index {
	case indexTree1:
		return g.tree1()
	case indexSingle:
		stored := d.stored
		if stored < 0 {
			stored = g.bytes
		}
		return g.give(chunk{address: d.address, stored: stored, mask: d.layout.mask, place: g.place})
	case indexImplicit:
		return g.implicit()
	case indexFixed:
		return g.fixedArray()
	case indexExtensible:
		return g.extensibleArray()
	default:
		return g.tree2()
	}
}

// give hands one chunk on, if it lies in the dataset's shape.
func (g *grid) give(c chunk) error {
	if c.address == undefined {
		return nil
	}
	for i, p := range c.place {
		if p < 0 || p >= g.dims[i] {
			return nil // of a larger shape the dataset once had
		}
	}
	if g.seen++; g.seen > g.count {
		return g.r.fail(g.d.layout.at, "it has more chunks than the %d of its shape", g.count)
	}
	// Deflate may lengthen what it cannot shorten, by far less than this.
	if c.stored < 0 || c.stored > 2*g.bytes+64 {
		return g.r.fail(g.d.layout.at, "a chunk of %d bytes says it has %d stored", g.bytes, uint64(c.stored))
	}
	return g.each(c)
}

func (g *grid) tree1() error {
	rank := len(g.dims)
	return g.r.tree1(g.d.address, 1, 8+8*(rank+1), "index of chunks", func(key *cursor, child uint64) error {
		c := chunk{address: child, stored: int64(key.u32()), mask: key.u32(), place: g.place}
		for i, n := range g.d.chunk {
			at := key.uint(8)
			if at%uint64(n) != 0 {
				return g.r.fail(key.at, "a chunk begins at %d of dimension %d, which is no multiple of %d", at, i, n)
			}
			c.place[i] = int64(at / uint64(n))
		}
		if key.err != nil {
			return key.err
		}
		return g.give(c)
	})
}

func (g *grid) tree2() error {
	kind, filtered := uint8(treeChunks), len(g.d.filters) > 0
	if filtered {
		kind = treeFiltered
	}
	return g.r.records(g.d.address, kind, "index of chunks", func(r *cursor) error {
		c := g.entry(r, filtered)
		c.place = g.place
		for i := range c.place {
			c.place[i] = int64(r.uint(8))
		}
		if r.err != nil {
			return r.err
		}
		return g.give(c)
	})
}

// entry reads where a chunk is stored.
func (g *grid) entry(r *cursor, filtered bool) chunk {
	c := chunk{address: r.address(), stored: g.bytes}
	if filtered {
		c.stored, c.mask = int64(r.uint(g.sizeBytes())), r.u32()
	}
	return c
}

// sizeBytes is how wide the stored size of a chunk is.
func (g *grid) sizeBytes() int {
	if g.d.wide {
		return 8
	}
	return min(8, 1+(bits.Len64(uint64(g.bytes))-1+8)/8)
}

// entryBytes is how wide an entry of an array of chunks is.
func (g *grid) entryBytes() int {
	if len(g.d.filters) > 0 {
		return g.r.f.offsets + g.sizeBytes() + 4
	}
	return g.r.f.offsets
}

// down returns, for each dimension in the order in which an array of chunks
// counts them, which dimension it is and how many chunks a step along it is.
// The one without limit, if there is one, comes first.
func (g *grid) down() (order []int, steps []int64, err error) {
	first := 0
	for i, m := range g.d.space.most {
		if m < 0 {
			first = i
			break
		}
	}
	order = append(order, first)
	for i := range g.dims {
		if i != first {
			order = append(order, i)
		}
	}
	steps = make([]int64, len(order))
	step := int64(1)
	for i := len(order) - 1; i >= 0; i-- {
		steps[i] = step
		if i == 0 {
			break
		}
		m, c := g.d.space.most[order[i]], g.d.chunk[order[i]]
		if m < 0 {
			return nil, nil, g.r.fail(g.d.layout.at, "two dimensions of its shape have no limit, but its chunks are in an array")
		}
		n := max(1, (m-1)/c+1)
		if step > (1<<62)/n {
			return nil, nil, g.r.fail(g.d.layout.at, "its largest shape %v has too many chunks", g.d.space.most)
		}
		step *= n
	}
	return order, steps, nil
}

// linear returns a function that gives the chunk with a number in an array.
func (g *grid) linear() (func(i int64, c chunk) error, error) {
	order, steps, err := g.down()
	if err != nil {
		return nil, err
	}
	return func(i int64, c chunk) error {
		for k, s := range steps {
			g.place[order[k]] = i / s
			i %= s
		}
		c.place = g.place
		return g.give(c)
	}, nil
}

// implicit chunks stand one after another.
func (g *grid) implicit() error {
	give, err := g.linear()
	if err != nil {
		return err
	}
	if len(g.d.filters) > 0 {
		return g.r.fail(g.d.layout.at, "its chunks have filters and no index")
	}
	all := int64(1)
	for i, m := range g.d.space.most {
		n := max(1, (m-1)/g.d.chunk[i]+1)
		if m < 0 || all > (1<<62)/n {
			return g.r.fail(g.d.layout.at, "its chunks have no index and no largest number")
		}
		all *= n
	}
	if all > g.r.f.size/max(1, g.bytes)+1 {
		return g.r.fail(g.d.layout.at, "its %d chunks of %d bytes are more than the file's %d bytes", all, g.bytes, g.r.f.size)
	}
	for i := range all {
		if err := give(i, chunk{address: g.d.address + uint64(i*g.bytes), stored: g.bytes}); err != nil {
			return err
		}
	}
	return nil
}
