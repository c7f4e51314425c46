package hdf5

import "math/bits"

// Types of version 2 B-trees that are read.
const (
	treeHuge      = 1  // objects of a fractal heap outside its blocks
	treeLinks     = 5  // links by the hash of their name
	treeAttribute = 8  // attributes likewise
	treeChunks    = 10 // chunks
	treeFiltered  = 11 // chunks with filters
)

// tree2 is the header of a version 2 B-tree.
type tree2 struct {
	r       *reader
	what    string
	kind    uint8
	node    int64
	record  int
	counted int   // bytes of a node's number of records
	sums    []int // bytes of a subtree's number of records, by depth
}

// encoded is how many bytes the format uses for numbers up to n.
func encoded(n uint64) int { return max(1, (bits.Len64(n)+7)/8) }

// records calls each with every record of a tree. each must not keep the
// cursor.
func (r *reader) records(address uint64, kind uint8, what string, each func(*cursor) error) error {
	f := r.f
	c, err := r.signed(address, int64(22+f.offsets+f.lengths), what, "BTHD", 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	t := tree2{r: r, what: what, kind: c.u8()}
	t.node, t.record = int64(c.u32()), int(c.u16())
	depth := int(c.u16())
	c.skip(2) // when nodes are split and merged
	root, n := c.address(), int(c.u16())
	if c.err != nil {
		return c.err
	}
	if t.kind != kind || t.record == 0 || t.node < 16+int64(t.record) || depth > maxDepth {
		return r.fail(c.at, "its %s is of type %d, in nodes of %d bytes with records of %d, %d levels deep; expected type %d and at most %d levels", what, t.kind, t.node, t.record, depth, kind, maxDepth)
	}
	if root == undefined {
		return nil
	}
	t.sizes(depth)
	return t.walk(root, n, depth, each)
}

// sizes works out how wide the numbers beside the pointers to children are.
func (t *tree2) sizes(depth int) {
	most := uint64(t.node-10) / uint64(t.record)
	t.counted = encoded(most)
	t.sums = make([]int, depth+1)
	total := most
	for d := 1; d <= depth; d++ {
		pointer := t.r.f.offsets + t.counted + t.sums[d-1]
		n := uint64(max(0, t.node-10-int64(pointer))) / uint64(t.record+pointer)
		hi, lo := bits.Mul64(n+1, total)
		if total = lo + n; hi != 0 || total < lo {
			total = 1<<64 - 1
		}
		t.sums[d] = encoded(total)
	}
}

func (t *tree2) walk(address uint64, n, depth int, each func(*cursor) error) error {
	signature, size := "BTLF", int64(6+n*t.record)
	pointer := 0
	if depth > 0 {
		signature = "BTIN"
		pointer = t.r.f.offsets + t.counted
		if depth > 1 {
			pointer += t.sums[depth-1]
		}
		size += int64(n+1) * int64(pointer)
	}
	if size+4 > t.node {
		return t.r.fail(-1, "its %s has a node of %d records, more than fit into %d bytes", t.what, n, t.node)
	}
	c, err := t.r.signed(address, size+4, t.what, signature, 0)
	if err != nil {
		return err
	}
	if err := c.sum(); err != nil {
		return err
	}
	if kind := c.u8(); kind != t.kind {
		return t.r.fail(c.at, "its %s has a node of type %d, expected %d", t.what, kind, t.kind)
	}
	records := c.sub(n*t.record, t.what)
	for i := range n + 1 {
		if depth > 0 {
			p := c.sub(pointer, t.what)
			child, count := p.address(), int(p.uint(t.counted))
			if p.err != nil {
				return p.err
			}
			if err := t.walk(child, count, depth-1, each); err != nil {
				return err
			}
		}
		if i == n {
			break
		}
		one := records.sub(t.record, t.what)
		if one.err != nil {
			return one.err
		}
		if err := each(one); err != nil {
			return err
		}
	}
	return nil
}
