package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// recurrent makes a stage of a node RNN, LSTM or GRU.
func (r *reader) recurrent(n *Node) error {
	rec, err := recurrent(n, r.weight, false)
	if err != nil {
		return err
	}
	v, err := r.get(rec.X)
	if err != nil {
		return err
	}
	x, err := r.data(v)
	if err != nil {
		return err
	}
	if x.stage != r.stage || x.part != 0 || x.last || r.headStage > 0 {
		return fmt.Errorf("its input is not what the layer before it gives")
	}
	if len(x.dims) != 3 || len(x.dims[0]) != 1 || len(x.dims[1]) != 1 || !slices.Equal(x.dims[2], r.feature[x.stage]) {
		return fmt.Errorf("its input does not have the dimensions time, batch, features")
	}
	t, b := x.dims[0][0], x.dims[1][0]
	if rec.BatchFirst {
		t, b = b, t
	}
	if len(r.net.Layers) == 0 {
		r.time, r.batch = t, b
		r.net.BatchFirst = t == 1
	}
	if t != r.time || b != r.batch || t == b {
		return fmt.Errorf("it takes for time what the first layer takes for the batch")
	}
	if x.sorted != 0 && x.sorted != 1+b {
		return fmt.Errorf("another axis of its input than the batch is in the order of the lengths")
	}
	if err := r.states(rec, x.sorted != 0); err != nil {
		return err
	}
	k := len(r.net.Layers)
	if k > 0 {
		if err := alike(r.net.Layers[0], rec); err != nil {
			return err
		}
	}
	r.net.Layers = append(r.net.Layers, rec)
	r.stage++
	h := featureOf(r.stage)
	r.size[h], r.size[axisDirection] = int64(rec.HiddenSize), int64(rec.Directions())
	r.feature[r.stage] = []axis{h}
	var d []axis
	if rec.Directions() == 2 {
		r.feature[r.stage] = []axis{axisDirection, h}
		d = []axis{axisDirection}
	}
	y := value{kind: isData, stage: r.stage, sorted: x.sorted, dims: [][]axis{{t}, d, {b}, {h}}}
	if rec.BatchFirst {
		y.dims = [][]axis{{b}, {t}, d, {h}}
	}
	final := value{kind: isFinal, nodes: []int{k}, byBatch: rec.BatchFirst, dims: make([][]axis, 3)}
	if x.sorted != 0 {
		final.sorted = 1 + 1 // the batch of [D,B,H]
	}
	cell := final
	cell.cell = true
	for name, v := range map[string]value{rec.Y: y, rec.YH: final, rec.YC: cell} {
		if name != "" {
			r.values[name] = v
		}
	}
	return nil
}

// alike says in what two nodes differ that one stacked layer cannot have.
func alike(a, b *Recurrent) error {
	switch {
	case a.Op != b.Op:
		return fmt.Errorf("it stands on %s; a stacked layer is of one kind", a.Node)
	case a.HiddenSize != b.HiddenSize:
		return fmt.Errorf("its hidden_size is %d and that of %s %d; a stacked layer has one", b.HiddenSize, a.Node, a.HiddenSize)
	case a.Direction != b.Direction, a.NoBias != b.NoBias, a.Clip != b.Clip, a.InputForget != b.InputForget,
		a.LinearBeforeReset != b.LinearBeforeReset, a.Peepholes != b.Peepholes, !slices.Equal(a.Activations, b.Activations), a.Lengths != b.Lengths:
		return fmt.Errorf("it has another direction, bias, activation or setting than %s; a stacked layer has one", a.Node)
	}
	return nil
}

// states follows initial states and lengths; sorted says that the batch is in
// the order of its lengths.
func (r *reader) states(rec *Recurrent, sorted bool) error {
	layer, d, order := int64(len(r.net.Layers)), int64(rec.Directions()), axis(0)
	if sorted {
		order = 1 + 1 // of [D,B,H]
	}
	for _, s := range []struct {
		name string
		to   *string
		what string
	}{{rec.H0, &r.net.H0, "initial_h"}, {rec.C0, &r.net.C0, "initial_c"}} {
		from := ""
		if s.name != "" {
			v, err := r.get(s.name)
			switch {
			case err != nil:
				return err
			case v.kind == isZeros || v.kind == isConstant && zeros(v.t):
			case v.kind == isInput && v.sorted != order:
				return fmt.Errorf("its %s and its input have the batch in different orders", s.what)
			case v.kind == isInput && rec.BatchFirst && (layer > 0 || v.lo != 0 || v.hi != -1):
				return fmt.Errorf("its %s, with layout 1, is not a whole input of the graph", s.what)
			case v.kind == isInput && (v.lo == layer*d && v.hi == (layer+1)*d || layer == 0 && v.lo == 0 && v.hi == -1):
				from = v.name
			default:
				return fmt.Errorf("its %s is neither zeros nor this layer's part of an input of the graph", s.what)
			}
		}
		if layer > 0 && from != *s.to {
			return fmt.Errorf("its %s comes from %q, that of the layer below from %q", s.what, from, *s.to)
		}
		*s.to = from
	}
	if rec.Lengths == "" && !sorted {
		return nil
	}
	v, err := r.get(rec.Lengths)
	if err != nil {
		return err
	}
	if v.kind != isInput || v.hi != -1 || len(v.dims) > 1 {
		return fmt.Errorf("its sequence_lens is not an input of the graph")
	}
	if (v.sorted != 0) != sorted {
		return fmt.Errorf("its sequence_lens and its input have the batch in different orders")
	}
	r.net.Lengths = v.name
	rec.Lengths = v.name
	return nil
}

// head makes a stage of a linear layer on data: weight [N,D*H].
func (r *reader) head(d value, w *checkpoint.Tensor) (value, error) {
	f := r.feature[d.stage]
	switch {
	case len(r.net.Layers) == 0:
		return d, fmt.Errorf("a linear layer before the recurrent ones")
	case r.headStage > 0:
		return d, fmt.Errorf("a second linear layer after the recurrent ones")
	case d.stage != r.stage || d.part != 0 || len(d.dims) == 0 || !slices.Equal(d.dims[len(d.dims)-1], f):
		return d, fmt.Errorf("a linear layer on something else than the top layer's output")
	}
	width := int64(1)
	for _, a := range f {
		width *= r.size[a]
	}
	if !w.DType.IsFloat() || len(w.Shape) != 2 || int64(w.Shape[1]) != width {
		return d, fmt.Errorf("a linear layer with weights of shape %v on %d features", w.Shape, width)
	}
	r.stage++
	r.headStage, r.net.Head, r.net.Final = r.stage, w, d.last
	out := d.clone()
	a := featureOf(r.stage)
	r.size[a], r.feature[r.stage] = int64(w.Shape[0]), []axis{a}
	out.stage, out.last, out.dims[len(out.dims)-1] = r.stage, false, []axis{a}
	return out, nil
}

func (r *reader) matmul(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	w, err := r.constant(n.input(1))
	if err != nil {
		return v, err
	}
	d, err := r.data(v)
	if err != nil {
		return v, err
	}
	if len(w.Shape) != 2 {
		return v, fmt.Errorf("its matrix has shape %v", w.Shape)
	}
	t, err := r.transposeConst(&w, []int{1, 0})
	if err != nil {
		return v, err
	}
	return r.head(d, t)
}

func (r *reader) gemm(n *Node) (value, error) {
	for name, want := range map[string]float32{"alpha": 1, "beta": 1} {
		if a := n.attribute(name); a != nil && a.F != want {
			return value{}, fmt.Errorf("%s is %v", name, a.F)
		}
	}
	transA, err := n.intAttr("transA", 0)
	if err != nil {
		return value{}, err
	}
	transB, err := n.intAttr("transB", 0)
	if err != nil {
		return value{}, err
	}
	w, err := r.constant(n.input(1))
	if err != nil {
		return value{}, err
	}
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	if v, err = r.data(v); err != nil {
		return v, err
	}
	t := &w
	if transB == 0 && len(w.Shape) == 2 {
		if t, err = r.transposeConst(&w, []int{1, 0}); err != nil {
			return v, err
		}
	}
	if transA != 0 || len(v.dims) != 2 {
		return v, fmt.Errorf("its first input is transposed or no matrix")
	}
	out, err := r.head(v, t)
	if err != nil || n.input(2) == "" {
		return out, err
	}
	return r.bias(out, n.input(2))
}

func (r *reader) add(n *Node) (value, error) {
	a, err := r.get(n.input(0))
	if err != nil {
		return a, err
	}
	b, err := r.get(n.input(1))
	if err != nil {
		return b, err
	}
	if v, ok := r.added(a, b); ok {
		return v, nil
	}
	switch {
	case a.kind == isData && b.kind == isConstant:
		return r.bias(a, n.input(1))
	case b.kind == isData && a.kind == isConstant:
		return r.bias(b, n.input(0))
	}
	return a, fmt.Errorf("it adds something else than the head's bias")
}

func (r *reader) bias(d value, name string) (value, error) {
	t, err := r.constant(name)
	if err != nil {
		return d, err
	}
	if r.headStage == 0 || d.stage != r.headStage || r.biased {
		return d, fmt.Errorf("it adds something else than the head's bias")
	}
	if !t.DType.IsFloat() || t.Len() != r.net.Head.Shape[0] || len(t.Shape) == 0 || t.Shape[len(t.Shape)-1] != t.Len() {
		return d, fmt.Errorf("a bias of shape %v on %d outputs", t.Shape, r.net.Head.Shape[0])
	}
	one, err := withShape(&t, []int{t.Len()})
	r.net.Bias, r.biased = one, true
	return d, err
}
