package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Concat, Squeeze, Unsqueeze, Transpose, Reshape: what becomes of the axes.

func (r *reader) concat(n *Node) (value, error) {
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return value{}, err
	}
	var vs []value
	for _, name := range n.Inputs {
		v, err := r.get(name)
		if err != nil {
			return v, err
		}
		vs = append(vs, v)
	}
	if len(vs) == 0 {
		return value{}, fmt.Errorf("it has no inputs")
	}
	all := func(k kind) bool { return !slices.ContainsFunc(vs, func(v value) bool { return v.kind != k }) }
	switch {
	case all(isConstant):
		ts := make([]*checkpoint.Tensor, len(vs))
		for i, v := range vs {
			ts[i] = v.t
		}
		t, err := r.concatConst(ts, int(along))
		return value{kind: isConstant, t: t}, err
	case all(isZeros):
		return vs[0], nil
	case all(isFinal) && (along == 0 || along == -3):
		out := value{kind: isFinal, cell: vs[0].cell, sorted: vs[0].sorted, dims: vs[0].dims}
		for _, v := range vs {
			if v.byBatch {
				return v, fmt.Errorf("it joins final states of nodes with layout 1")
			}
			if v.cell != out.cell || v.sorted != out.sorted {
				return v, fmt.Errorf("it mixes hidden and cell states, or orders of the batch")
			}
			for _, i := range v.nodes {
				if i != len(out.nodes) {
					return v, fmt.Errorf("it has the layers' final states in another order")
				}
				out.nodes = append(out.nodes, i)
			}
		}
		return out, r.spend(8 * int64(len(out.nodes)))
	case all(isData) && len(vs) == 2 && vs[0].part == 1 && vs[1].part == 2 && vs[0].stage == vs[1].stage && vs[0].last == vs[1].last && vs[0].sorted == vs[1].sorted:
		v := vs[0].clone()
		a, ok := place(along, len(v.dims))
		h := featureOf(v.stage)
		if ok && a == len(v.dims)-1 && slices.Equal(v.dims[a], []axis{h}) && slices.EqualFunc(v.dims, vs[1].dims, slices.Equal[[]axis]) {
			v.part, v.dims[a] = 0, []axis{axisDirection, h}
			return v, nil
		}
	default:
		out := value{kind: isSizes, rank: 1}
		for _, v := range vs {
			s, ok := r.sizesOf(v)
			if !ok || len(out.sizes)+len(s) > maxRank {
				return v, fmt.Errorf("it joins what no layer joins")
			}
			out.sizes = append(out.sizes, s...)
		}
		return out, nil
	}
	return value{}, fmt.Errorf("it joins what no layer joins")
}

func (r *reader) squeeze(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 1, "axes")
	if err != nil || !given {
		return v, orElse(err, "it names no axes")
	}
	rank := len(v.dims)
	if v.kind == isConstant {
		rank = len(v.t.Shape)
	} else if v.kind == isFinal {
		rank = 3
	}
	axes = slices.Clone(axes)
	for i, a := range axes {
		if a < 0 {
			axes[i] += int64(rank)
		}
	}
	slices.Sort(axes)
	for _, a := range slices.Backward(axes) {
		if v, err = r.drop(v, a); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (r *reader) unsqueeze(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 1, "axes")
	if err != nil || !given || len(axes) > maxRank {
		return v, orElse(err, "it names no axes")
	}
	if v.kind == isSizes && len(axes) == 1 && v.rank == 0 {
		v.rank = 1
		return v, nil
	}
	switch v.kind {
	case isConstant:
		shape := slices.Clone(v.t.Shape)
		axes = slices.Clone(axes)
		for i, a := range axes {
			if a < 0 {
				axes[i] += int64(len(shape) + len(axes))
			}
		}
		slices.Sort(axes)
		for _, a := range axes {
			if a < 0 || a > int64(len(shape)) {
				return v, fmt.Errorf("axis %d of %d", a, len(shape))
			}
			shape = slices.Insert(shape, int(a), 1)
		}
		t, err := withShape(v.t, shape)
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	}
	return v, fmt.Errorf("it adds a dimension to what has none missing")
}

func (r *reader) transpose(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	perm, given, err := r.ints(n, -1, "perm")
	if err != nil {
		return v, err
	}
	if v.kind == isConstant {
		p := make([]int, len(v.t.Shape))
		for i := range p {
			p[i] = len(p) - 1 - i
			if given && len(perm) == len(p) {
				p[i] = int(perm[i])
			}
		}
		if !isPermutation(p) {
			return v, fmt.Errorf("perm %v of %v", perm, v.t.Shape)
		}
		t, err := r.transposeConst(v.t, p)
		return value{kind: isConstant, t: t}, err
	}
	d, err := r.data(v)
	if v.kind == isFinal && !v.cell && !v.byBatch && len(v.nodes) == 1 && v.nodes[0] == len(r.net.Layers)-1 { // [D,B,H]
		d, err = value{kind: isData, stage: r.stage, last: true, sorted: r.sortedData(v), dims: [][]axis{r.feature[r.stage][:len(r.feature[r.stage])-1], {r.batch}, {featureOf(r.stage)}}}, nil
	}
	if err != nil {
		return v, err
	}
	p := make([]int, len(perm))
	for i, x := range perm {
		p[i] = int(x)
	}
	if len(p) != len(d.dims) || !isPermutation(p) {
		return v, fmt.Errorf("perm %v of %d dimensions", perm, len(d.dims))
	}
	out := d.clone()
	for i, x := range p {
		out.dims[i] = d.dims[x]
	}
	return out, nil
}

func isPermutation(p []int) bool {
	s := slices.Clone(p)
	slices.Sort(s)
	for i, x := range s {
		if i != x {
			return false
		}
	}
	return true
}

func (r *reader) reshape(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	to, err := r.get(n.input(1))
	if err != nil {
		return v, err
	}
	target, ok := r.sizesOf(to)
	if !ok {
		return v, fmt.Errorf("its shape is nothing that can be followed")
	}
	switch v.kind {
	case isConstant:
		ints := make([]int64, len(target))
		for i, s := range target {
			if len(s.axes) > 0 {
				return v, fmt.Errorf("a constant's shape depends on the input")
			}
			ints[i] = s.n
		}
		t, err := reshapeConst(v.t, ints)
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	case isSizes:
		return v, nil
	}
	d, err := r.data(v)
	if err != nil {
		return v, err
	}
	dims, ok := reshape(d.dims, target, func(a axis) int64 { return r.size[a] })
	if !ok {
		return v, fmt.Errorf("its shape does not follow the dimensions of its input")
	}
	d.dims = dims
	return d, nil
}

// multiply: only sizes are multiplied, and what Keras's embedding does to
// tokens below 0.
func (r *reader) multiply(n *Node) (value, error) {
	a, err := r.get(n.input(0))
	if err != nil {
		return a, err
	}
	b, err := r.get(n.input(1))
	if err != nil {
		return b, err
	}
	if m, ok := r.masked(a, b); ok {
		return m, nil
	}
	x, ok1 := r.sizesOf(a)
	y, ok2 := r.sizesOf(b)
	if !ok1 || !ok2 || len(x) != 1 || len(y) != 1 {
		return a, fmt.Errorf("a network of embedding, recurrent layers and linear head multiplies nothing")
	}
	return timesSize(value{kind: isSizes, rank: max(a.rank, b.rank), sizes: x}, y[0])
}
