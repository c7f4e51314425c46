package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Sequences of several lengths: PyTorch's pack_padded_sequence sorts the batch
// by length before the first layer and its results are put back into the
// caller's order after the last. A layer here takes lengths in any order, so
// the two cancel; that both are there, and the second undoes the first, is what
// these rules follow.

// sort: TopK of all lengths is the sorted lengths and the order that sorts.
func (r *reader) sort(n *Node) error {
	v, err := r.get(n.input(0))
	if err != nil {
		return err
	}
	k, err := r.get(n.input(1))
	if err != nil {
		return err
	}
	along, err := n.intAttr("axis", -1)
	if err != nil {
		return err
	}
	s, ok := r.sizesOf(k)
	whole := ok && len(s) == 1 && (slices.Equal(s[0].axes, []axis{axisRow}) || len(s[0].axes) == 0 && s[0].n > 0 && s[0].n == r.rowSize(v))
	if v.kind != isInput || len(v.dims) != 1 || v.sorted != 0 || along != 0 && along != -1 || !whole {
		return fmt.Errorf("it picks the largest of something else than all lengths")
	}
	sorted := v
	sorted.sorted = 1
	for i, out := range []value{sorted, {kind: isOrder, name: v.name}} {
		if n.output(i) != "" {
			r.values[n.output(i)] = out
		}
	}
	return nil
}

// rowSize is the length of a vector that is an input, 0 if dynamic.
func (r *reader) rowSize(v value) int64 {
	if in := r.inputs[v.name]; in != nil && len(in.Shape) == 1 {
		return in.Shape[0].Size
	}
	return 0
}

// rangeOf: 0, 1, 2, ... for as many as there are lengths.
func (r *reader) rangeOf(n *Node) (value, error) {
	var one [3][]size
	for i := range one {
		v, err := r.get(n.input(i))
		if err != nil {
			return v, err
		}
		s, ok := r.sizesOf(v)
		if !ok || len(s) != 1 {
			return v, fmt.Errorf("it counts no sizes")
		}
		one[i] = s
	}
	start, limit, step := one[0][0], one[1][0], one[2][0]
	if start.n != 0 || len(start.axes) > 0 || step.n != 1 || len(step.axes) > 0 || limit.n != 1 || !slices.Equal(limit.axes, []axis{axisRow}) {
		return value{}, fmt.Errorf("it counts something else than all sequences")
	}
	return value{kind: isRange}, nil
}

// wayBack: scattering 0, 1, 2, ... to the places of an order inverts it.
func (r *reader) wayBack(n *Node) (value, error) {
	var in [3]value
	for i := range in {
		v, err := r.get(n.input(i))
		if err != nil {
			return v, err
		}
		in[i] = v
	}
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return value{}, err
	}
	reduction, err := n.strAttr("reduction", "none")
	if err != nil {
		return value{}, err
	}
	counts := in[2].kind == isRange
	if t := in[2].t; in[2].kind == isConstant && !t.DType.IsFloat() && len(t.Shape) == 1 {
		ints, _, err := checkpoint.IntsOf(*t)
		counts = err == nil
		for i, x := range ints {
			counts = counts && x == int64(i)
		}
		counts = counts && int64(len(ints)) == r.rowSize(in[1])
	}
	if (in[0].kind != isNothing && in[0].kind != isConstant) || in[1].kind != isOrder || in[1].inverse || !counts || along != 0 || reduction != "none" {
		return value{}, fmt.Errorf("it inverts no order of sequences")
	}
	in[1].inverse = true
	return in[1], nil
}

// reorder takes the sequences of a batch in an order, or puts them back.
func (r *reader) reorder(v, order value, along int64) (value, error) {
	rank := len(v.dims)
	a, ok := place(along, rank)
	if !ok {
		return v, fmt.Errorf("axis %d of %d", along, rank)
	}
	at := axis(a)
	switch {
	case v.kind == isData && len(v.dims[a]) == 1:
		at = v.dims[a][0]
	case v.kind == isFinal && a == 1 && !v.byBatch, v.kind == isInput && v.lo == 0 && v.hi == -1:
	default:
		return v, fmt.Errorf("it puts into another order what is no batch")
	}
	from, to := axis(0), 1+at
	if order.inverse {
		from, to = to, from
	}
	if v.sorted != from {
		return v, fmt.Errorf("it puts a batch into the order of its lengths twice, or back without that")
	}
	if v.kind == isInput && len(v.dims) == 1 && v.name != order.name {
		return v, fmt.Errorf("it orders %q by the lengths %q", v.name, order.name)
	}
	v.sorted = to
	return v, nil
}

// sortedData is the mark of data made of final states.
func (r *reader) sortedData(v value) axis {
	if v.sorted != 0 {
		return 1 + r.batch
	}
	return 0
}

// product: of sizes only.
func (r *reader) product(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	keep, err := n.intAttr("keepdims", 1)
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 1, "axes")
	if err != nil {
		return v, err
	}
	s, ok := r.sizesOf(v)
	if !ok || given && !slices.Equal(axes, []int64{0}) {
		return v, fmt.Errorf("it multiplies something else than sizes")
	}
	out := value{kind: isSizes, rank: int(min(1, max(0, keep))), sizes: []size{{n: 1}}}
	for _, x := range s {
		if out, err = timesSize(out, x); err != nil {
			return v, err
		}
	}
	return out, nil
}

// timesSize multiplies a single size by another.
func timesSize(v value, x size) (value, error) {
	s := v.sizes[0]
	if s.n < 0 || x.n < 0 || s.n > 1<<31 || x.n > 1<<31 || len(s.axes)+len(x.axes) > maxRank {
		return v, fmt.Errorf("it multiplies sizes that are not known, or too large")
	}
	v.sizes = []size{{n: s.n * x.n, axes: slices.Concat(s.axes, x.axes)}}
	return v, nil
}
