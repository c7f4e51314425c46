package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/tensor"
)

// with is a value of the same type and mask under another name, of a shape.
func (v value) with(name string, dims ...int) value {
	return value{name: name, typ: v.typ, dims: dims, mask: v.mask}
}

// same is a value of the same type, mask and shape under another name.
func (v value) same(name string) value { return v.with(name, v.dims...) }

// unary adds a node of one input that keeps the shape.
func (b *builder) unary(op string, attrs graph.Attrs, x value) value {
	return x.same(b.Op(op, attrs, x.name))
}

func (b *builder) scalar(x float64) string { return b.Constant("", graph.Scalar(float32(x))) }

// floats adds a constant.
func (b *builder) floats(x []float32, shape ...int) (string, error) {
	v, err := graph.Of(x, shape...)
	if err != nil {
		return "", err
	}
	return b.Constant("", v), nil
}

// rank refuses values of another number of dimensions.
func rank(x value, n int) error {
	if len(x.dims) != n {
		return fmt.Errorf("its input has shape %s, expected %d dimensions", shown(x.dims), n)
	}
	return nil
}

// shown is a shape for an error, with ? for what is not known.
func shown(dims []int) string {
	s := "["
	for i, d := range dims {
		if i > 0 {
			s += " "
		}
		if d < 0 {
			s += "?"
		} else {
			s += fmt.Sprint(d)
		}
	}
	return s + "]"
}

// axis turns an axis that may count from the end into one from the start.
func axis(a, rank int) (int, error) {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d of %d dimensions", a, rank)
	}
	return a, nil
}

func (b *builder) transpose(x value, perm ...int) value {
	p, dims, same := make([]int64, len(perm)), make([]int, len(perm)), true
	for i, from := range perm {
		p[i], dims[i] = int64(from), x.dims[from]
		same = same && from == i
	}
	if same {
		return x
	}
	return x.with(b.Op("Transpose", graph.Attrs{"perm": p}, x.name), dims...)
}

// reshape gives x a shape of which at most one size is not known. A first size
// that is not known is that of x.
func (b *builder) reshape(x value, dims ...int) value {
	to := make([]int64, len(dims))
	for i, d := range dims {
		to[i] = int64(d)
	}
	if len(dims) > 0 && len(x.dims) > 0 && dims[0] == -1 && x.dims[0] == -1 {
		to[0] = 0
	}
	return x.with(b.Op("Reshape", nil, x.name, b.Ints(to...)), dims...)
}

func (b *builder) unsqueeze(x value, at int) value {
	return x.with(b.Op("Unsqueeze", nil, x.name, b.Ints(int64(at))), slices.Insert(slices.Clone(x.dims), at, 1)...)
}

func (b *builder) squeeze(x value, at int) value {
	return x.with(b.Op("Squeeze", nil, x.name, b.Ints(int64(at))), slices.Delete(slices.Clone(x.dims), at, at+1)...)
}

// size is the name of a value's size along an axis, as a vector of one.
func (b *builder) size(x value, axis int) string {
	if x.dims[axis] >= 0 {
		return b.Ints(int64(x.dims[axis]))
	}
	return b.Op("Shape", graph.Attrs{"start": int64(axis), "end": int64(axis + 1)}, x.name)
}

// slice takes [start, end) of an axis; negative ones count from the end.
func (b *builder) slice(x value, axis int, start, end int64) value {
	return x.with(b.Op("Slice", nil, x.name, b.Ints(start), b.Ints(end), b.Ints(int64(axis))), b.sliced(x, axis, start, end)...)
}

// sliced is the shape of a slice.
func (b *builder) sliced(x value, axis int, start, end int64) []int {
	dims := slices.Clone(x.dims)
	if n := int64(dims[axis]); n >= 0 {
		from, to := start, min(end, n)
		if from < 0 {
			from += n
		}
		if to < 0 {
			to += n
		}
		dims[axis] = int(max(0, to-from))
	} else if start == 0 && end > 0 && end < toEnd || start < 0 && end == toEnd {
		dims[axis] = int(max(end%toEnd, -start))
	}
	return dims
}

// toEnd is an end beyond all sizes.
const toEnd = 1 << 62

// flip turns an axis around.
func (b *builder) flip(x value, axis int) value {
	return x.same(b.Op("Slice", nil, x.name, b.Ints(-1), b.Ints(-toEnd), b.Ints(int64(axis)), b.Ints(-1)))
}

// merged is the size of an axis where two values meet.
func merged(a, b int) int {
	switch {
	case a == 1 || a < 0 && b > 1:
		return b
	default:
		return a
	}
}

// binary adds a node of two values that broadcast.
func (b *builder) binary(op string, x, y value) value {
	return x.with(b.Op(op, nil, x.name, y.name), together(x.dims, y.dims)...)
}

// together are the dimensions of two values that broadcast.
func together(x, y []int) []int {
	n := max(len(x), len(y))
	dims := make([]int, n)
	for i := range dims {
		dims[i] = 1
		if k := i - n + len(x); k >= 0 {
			dims[i] = x[k]
		}
		if k := i - n + len(y); k >= 0 {
			dims[i] = merged(dims[i], y[k])
		}
	}
	return dims
}

// numbers reads a weight as float32.
func (b *builder) numbers(l *keras.Layer, role string) (tensor.Dense, error) {
	w, ok := l.Weight(role)
	if !ok {
		return tensor.Dense{}, wrong(l, "the file has no weight %s of it", role)
	}
	return checkpoint.Float[float32](b.m, w.Name)
}

// weight adds a weight as a constant of the given shape, which is read when the
// program needs it. change, if not nil, makes its elements of those in the file.
func (b *builder) weight(l *keras.Layer, role string, shape []int, change func([]float32) []float32) (string, error) {
	w, ok := l.Weight(role)
	if !ok {
		return "", wrong(l, "the file has no weight %s of it", role)
	}
	n, err := tensor.Size(shape)
	if err != nil || n != w.Len() {
		return "", wrong(l, "weight %s has shape %v, expected that of %v", role, w.Shape, shape)
	}
	name := fmt.Sprintf("%s#%d", w.Name, len(b.load))
	b.load = append(b.load, graph.Constant{Name: name, Type: graph.F32, Shape: shape, Load: func() (graph.Value, error) {
		d, err := checkpoint.Float[float32](b.m, w.Name)
		if err != nil {
			return graph.Value{}, err
		}
		if change != nil {
			d.Data = change(d.Data)
		}
		return graph.Of(d.Data, shape...)
	}})
	return name, nil
}

// computed adds a constant that is worked out when the program needs it.
func (b *builder) computed(what string, shape []int, make func() ([]float32, error)) string {
	name := fmt.Sprintf("%s#%d", what, len(b.load))
	b.load = append(b.load, graph.Constant{Name: name, Type: graph.F32, Shape: shape, Load: func() (graph.Value, error) {
		data, err := make()
		if err != nil {
			return graph.Value{}, err
		}
		return graph.Of(data, shape...)
	}})
	return name
}

// shaped checks a weight's number of dimensions and returns its shape.
func shaped(l *keras.Layer, role string, rank int) ([]int, error) {
	w, ok := l.Weight(role)
	if !ok {
		return nil, wrong(l, "the file has no weight %s of it", role)
	}
	if len(w.Shape) != rank || slices.Contains(w.Shape, 0) {
		return nil, wrong(l, "weight %s has shape %v, expected %d dimensions above 0", role, w.Shape, rank)
	}
	return w.Shape, nil
}

// first moves the channels behind the batch, last moves them to the end.
func (b *builder) first(x value) value {
	perm := []int{0, len(x.dims) - 1}
	for i := 1; i < len(x.dims)-1; i++ {
		perm = append(perm, i)
	}
	return b.transpose(x, perm...)
}

func (b *builder) last(x value) value {
	perm := []int{0}
	for i := 2; i < len(x.dims); i++ {
		perm = append(perm, i)
	}
	return b.transpose(x, append(perm, 1)...)
}
