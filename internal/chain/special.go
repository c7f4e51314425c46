package chain

import (
	"math"

	"github.com/unroll-ml/unroll/internal/graph"
)

// special are the steps that are no functions of torch: what torch's layers
// return beside their output, or an index of it.
var special = map[string]bool{"last": true, "h_last": true, "h_n": true, "c_n": true}

// special makes one of them.
func (b *builder) special(s *step, v *value) (*value, error) {
	if s.called {
		return nil, b.failAt(s.pos, ErrArgument, "%s takes no arguments", s.name)
	}
	if s.name == "last" {
		if v.time < 0 {
			return nil, b.failAt(s.pos, ErrArgument, "last is the output at the last step, and here it is not known which dimension of %s is the steps: it follows a recurrent layer", dims(v.dims))
		}
		return b.picked(v, v.time, -1), nil
	}
	if v.rec == nil {
		return nil, b.failAt(s.pos, ErrArgument, "%s is a state of a recurrent layer and stands right after one", s.name)
	}
	r := v.rec
	switch s.name {
	case "h_n":
		return r.state(b, r.h, r.cfg.StateSize()), nil
	case "c_n":
		if r.c == "" {
			return nil, b.failAt(s.pos, ErrArgument, "c_n is the cell state of an LSTM, and the layer is a %s", r.cfg.Mode)
		}
		return r.state(b, r.c, r.cfg.HiddenSize), nil
	}
	h := &value{id: r.h, typ: v.typ, dims: []int{r.cfg.Layers() * r.cfg.Directions(), r.batch, r.cfg.StateSize()}, time: -1}
	switch {
	case r.cfg.Directions() == 1:
		h = b.picked(h, 0, -1)
	default:
		h = b.transposed(b.sliced(h, 0, -2, math.MaxInt64, 1), []int{1, 0, 2})
		h = b.shaped(h, []int{r.batch, 2 * r.cfg.StateSize()}, -1, "Reshape", graph.Attrs{"allowzero": int64(0)}, b.vector(0, int64(2*r.cfg.StateSize())))
	}
	if r.unbatched {
		h = b.squeezed(h, 0)
	}
	return h, nil
}

// index is v[...].
func (b *builder) index(v *value, list []item) (*value, error) {
	count, dots := 0, false
	for _, it := range list {
		switch {
		case it.kind == '.' && dots:
			return nil, b.fail("an index has ... twice")
		case it.kind == '.':
			dots = true
		case it.kind != 'n':
			count++
		}
	}
	if count > v.rank() {
		return nil, b.fail("an index of %d parts, and the value has %d dimensions", count, v.rank())
	}
	axis := 0
	for _, it := range list {
		switch it.kind {
		case '.':
			axis += v.rank() - axis - after(list)
		case 'n':
			v = b.unsqueezed(v, axis)
			axis++
		case 'i':
			if n := v.dims[axis]; n >= 0 && (it.index >= int64(n) || it.index < -int64(n)) {
				return nil, b.fail("index %d of a dimension of size %d", it.index, n)
			}
			v = b.picked(v, axis, it.index)
		default:
			start, end := int64(0), int64(math.MaxInt64)
			if it.start != nil {
				start = *it.start
			}
			if it.end != nil {
				end = *it.end
			}
			if start != 0 || end != math.MaxInt64 || it.step != 1 {
				v = b.sliced(v, axis, start, end, it.step)
			}
			axis++
		}
	}
	return v, nil
}

// after counts the dimensions that the parts behind "..." take.
func after(list []item) (n int) {
	seen := false
	for _, it := range list {
		if seen && it.kind != 'n' {
			n++
		}
		seen = seen || it.kind == '.'
	}
	return n
}
