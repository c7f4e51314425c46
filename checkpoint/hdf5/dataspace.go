package hdf5

import "math"

// dataspace is a shape. A null one has no elements and no dimensions.
type dataspace struct {
	dims, most []int64 // most: the largest each dimension may become; -1 without limit
	null       bool
	count      int64 // elements
}

// dataspace reads a shape.
func (c *cursor) dataspace() (dataspace, error) {
	at := c.here()
	version, rank, flags := c.u8(), int(c.u8()), c.u8()
	var s dataspace
	switch {
	case c.err != nil:
		return s, c.err
	case rank > maxRank:
		return s, c.r.fail(at, "it has %d dimensions, at most %d are read", rank, maxRank)
	case version == 1:
		c.skip(5)
	case version == 2:
		s.null = c.u8() == 2
	default:
		return s, c.r.fail(at, "its shape has version %d, expected 1 or 2", version)
	}
	s.dims, s.count = make([]int64, rank), 1
	for i := range s.dims {
		s.dims[i] = c.length()
	}
	for _, d := range s.dims {
		if d < 0 || d > 0 && s.count > math.MaxInt64/d {
			return s, c.r.fail(at, "its shape %v has more elements than an int64 counts", s.dims)
		}
		s.count *= d
	}
	s.most = s.dims
	if flags&1 != 0 {
		s.most = make([]int64, rank)
		for i := range s.most {
			s.most[i] = c.length()
			if s.most[i] >= 0 && s.most[i] < s.dims[i] {
				return s, c.r.fail(at, "dimension %d of its shape is %d, beyond its largest of %d", i, s.dims[i], s.most[i])
			}
		}
	}
	if s.null {
		s.count = 0
	}
	return s, c.err
}
