package chain

import (
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/tensor"
)

// What functions and modules make nodes with.

// op adds a node whose output has the type and sizes of like.
func (b *builder) op(like *value, op string, attrs graph.Attrs, inputs ...string) *value {
	return &value{id: b.g.Op(op, attrs, inputs...), typ: like.typ, dims: like.dims, time: like.time}
}

// unary is op with v as its input.
func (b *builder) unary(v *value, op string, attrs graph.Attrs) *value {
	return b.op(v, op, attrs, v.id)
}

// shaped is op with other sizes, whose steps are at axis time.
func (b *builder) shaped(v *value, dims []int, time int, op string, attrs graph.Attrs, more ...string) *value {
	out := b.op(v, op, attrs, append([]string{v.id}, more...)...)
	out.dims, out.time = dims, time
	return out
}

// vector adds a constant of whole numbers, as axes and shapes are.
func (b *builder) vector(list ...int64) string { return b.g.Ints(list...) }

func wide(list []int) []int64 {
	out := make([]int64, len(list))
	for i, d := range list {
		out[i] = int64(d)
	}
	return out
}

// scalar adds a single number of a type.
func (b *builder) scalar(t graph.Type, x float64) string {
	var v graph.Value
	switch t {
	case graph.F64:
		v = graph.Scalar(x)
	case graph.I64:
		v = graph.Scalar(int64(x))
	case graph.Bool:
		v = graph.Scalar(x != 0)
	default:
		v = graph.Scalar(float32(x))
	}
	return b.g.Constant("", v)
}

// onnxType are ONNX's numbers of types, for Cast.
var onnxType = map[graph.Type]int64{graph.F32: 1, graph.I32: 6, graph.I64: 7, graph.Bool: 9, graph.F64: 11}

// cast converts; it adds a node where nothing changes too, so that a line makes
// the same nodes for numbers and indices.
func (b *builder) cast(v *value, t graph.Type) *value {
	out := b.unary(v, "Cast", graph.Attrs{"to": onnxType[t]})
	out.typ = t
	return out
}

// floating converts integers and truth values to the type of weights, as torch
// does where a function has real results.
func (b *builder) floating(v *value) *value {
	if isFloat(v.typ) {
		return v
	}
	return b.cast(v, b.opt.Type)
}

func isFloat(t graph.Type) bool { return t == graph.F32 || t == graph.F64 }

// weight adds a module's tensor as a constant, converted to the type of weights
// when it is first needed, and returns its name; empty if it is not there.
func (b *builder) weight(m *module, leaf string) string {
	info, ok := m.leaves[leaf]
	if !ok {
		return ""
	}
	if b.loaded[info.Name] {
		return info.Name
	}
	b.loaded[info.Name] = true
	load := func() (graph.Value, error) { return loadAs[float32](b.src, info.Name) }
	if b.opt.Type == graph.F64 {
		load = func() (graph.Value, error) { return loadAs[float64](b.src, info.Name) }
	}
	b.constants = append(b.constants, graph.Constant{Name: info.Name, Type: b.opt.Type, Shape: info.Shape, Load: load})
	return info.Name
}

func loadAs[F tensor.Float](src checkpoint.Source, name string) (graph.Value, error) {
	d, err := checkpoint.Float[F](src, name)
	if err != nil {
		return graph.Value{}, err
	}
	return graph.Of(d.Data, d.Shape...)
}

// full adds a constant of n equal numbers of the type of weights.
func (b *builder) full(n int, x float64) string {
	if b.opt.Type == graph.F64 {
		return b.g.Constant("", graph.Vector(slices.Repeat([]float64{x}, n)...))
	}
	return b.g.Constant("", graph.Vector(slices.Repeat([]float32{float32(x)}, n)...))
}

// transposed moves axis perm[i] to i.
func (b *builder) transposed(v *value, perm []int) *value {
	dims := make([]int, len(perm))
	for i, p := range perm {
		dims[i] = v.dims[p]
	}
	out := b.shaped(v, dims, slices.Index(perm, v.time), "Transpose", graph.Attrs{"perm": wide(perm)})
	out.of, out.perm = v, perm
	return out
}

// squeezed and unsqueezed take away and add an axis of size 1.
func (b *builder) squeezed(v *value, axis int) *value {
	return b.shaped(v, slices.Delete(slices.Clone(v.dims), axis, axis+1), moved(v.time, axis, -1), "Squeeze", nil, b.vector(int64(axis)))
}

func (b *builder) unsqueezed(v *value, axis int) *value {
	return b.shaped(v, slices.Insert(slices.Clone(v.dims), axis, 1), moved(v.time, axis, 1), "Unsqueeze", nil, b.vector(int64(axis)))
}

// moved is where the axis of steps goes when an axis is taken away (by -1) or
// added (by 1) at a place.
func moved(time, axis, by int) int {
	switch {
	case by < 0 && time == axis:
		return -1
	case time > axis, by > 0 && time == axis:
		return time + by
	}
	return time
}

// sliced is v from start to end of an axis.
func (b *builder) sliced(v *value, axis int, start, end, step int64) *value {
	out := b.shaped(v, slices.Clone(v.dims), v.time, "Slice", nil, b.vector(start), b.vector(end), b.vector(int64(axis)), b.vector(step))
	out.dims[axis] = slicedSize(v.dims[axis], start, end, step)
	return out
}

// slicedSize is how long a slice is, -1 where that is not known.
func slicedSize(n int, start, end, step int64) int {
	if n < 0 {
		return -1
	}
	size := int64(n)
	bound := func(i int64) int64 {
		if i < 0 {
			i += size
		}
		return min(max(i, 0), size)
	}
	return int((max(bound(end)-bound(start), 0) + step - 1) / step)
}

// picked is v at one index of an axis, which is gone.
func (b *builder) picked(v *value, axis int, index int64) *value {
	return b.shaped(v, slices.Delete(slices.Clone(v.dims), axis, axis+1), moved(v.time, axis, -1), "Gather", graph.Attrs{"axis": int64(axis)}, b.g.Constant("", graph.Scalar(index)))
}
