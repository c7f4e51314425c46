package onnx

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
)

// rules are the operators with one output, by what becomes of what is known.
var rules = map[string]func(*reader, *Node) (value, error){
	"Constant": (*reader).constantNode, "Identity": (*reader).same, "Dropout": (*reader).same, "Cast": (*reader).cast,
	"Shape": (*reader).shape, "ConstantOfShape": (*reader).ofShape, "Expand": (*reader).expand,
	"Gather": (*reader).gather, "Slice": (*reader).slice, "Concat": (*reader).concat,
	"Squeeze": (*reader).squeeze, "Unsqueeze": (*reader).unsqueeze,
	"Transpose": (*reader).transpose, "Reshape": (*reader).reshape, "Mul": (*reader).multiply,
	"MatMul": (*reader).matmul, "Gemm": (*reader).gemm, "Add": (*reader).add,
	"ReduceProd": (*reader).product, "Range": (*reader).rangeOf, "ScatterElements": (*reader).wayBack,
	"Less": (*reader).less, "Not": (*reader).not, "Where": (*reader).where,
}

// apply follows one node.
func (r *reader) apply(n *Node) error {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return fmt.Errorf("its domain is not ONNX's own; such a network has no such node")
	}
	switch n.Op {
	case "RNN", "LSTM", "GRU":
		return r.recurrent(n)
	case "Split":
		return r.split(n)
	case "TopK":
		return r.sort(n)
	}
	rule, ok := rules[n.Op]
	if !ok {
		return fmt.Errorf("a network of embedding, recurrent layers and linear head has no such operator")
	}
	v, err := rule(r, n)
	if err == nil && n.output(0) != "" {
		r.values[n.Outputs[0]] = v
	}
	return err
}

func (r *reader) constantNode(n *Node) (value, error) {
	for _, a := range n.Attributes {
		switch {
		case a.Name == "value" && a.Kind == Tensor && a.T.DType != checkpoint.Unknown:
			return value{kind: isConstant, t: a.T}, nil
		case a.Name == "value_int":
			t := checkpoint.OfInts("", []int64{a.I})
			t.Shape = []int{}
			return value{kind: isConstant, t: &t}, nil
		case a.Name == "value_ints":
			t := checkpoint.OfInts("", a.Ints)
			return value{kind: isConstant, t: &t}, nil
		}
	}
	return value{}, fmt.Errorf("its value is of no kind that is read")
}

// same passes its first input through; Dropout does so outside training.
func (r *reader) same(n *Node) (value, error) {
	if n.Op == "Dropout" && n.input(2) != "" {
		training, err := r.constant(n.input(2))
		if err != nil || !allZero(training.Data) {
			return value{}, orElse(err, "it is in training mode")
		}
	}
	return r.get(n.input(0))
}

func (r *reader) cast(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	to, err := n.intAttr("to", 0)
	if err != nil {
		return v, err
	}
	d, _ := elementType(to)
	if v.kind == isInput || v.kind == isData || v.kind == isFinal {
		whole := (d == checkpoint.I64 || d == checkpoint.I32) && r.isInteger(v)
		if !whole && !d.IsFloat() {
			return v, fmt.Errorf("it casts what a layer reads to %s", d)
		}
	}
	if v.kind != isConstant {
		return v, nil
	}
	v.t, err = castConst(v.t, d)
	return v, err
}

func (r *reader) shape(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	out := value{kind: isSizes, rank: 1}
	if v.kind == isConstant {
		for _, d := range v.t.Shape {
			out.sizes = append(out.sizes, size{n: int64(d)})
		}
	} else if v.kind == isOrder || v.kind == isInput && len(v.dims) == 1 {
		out.sizes = []size{{n: 1, axes: []axis{axisRow}}}
	} else if d, ok := r.sized(v); ok {
		for _, dim := range d.dims {
			s := size{n: 1}
			for _, a := range dim {
				if k := r.size[a]; k > 0 {
					s.n *= k
				} else {
					s.axes = append(s.axes, a)
				}
			}
			out.sizes = append(out.sizes, s)
		}
	} else {
		for range v.dims {
			out.sizes = append(out.sizes, size{n: -1, axes: []axis{-1}})
		}
	}
	start, err := n.intAttr("start", 0)
	if err != nil {
		return v, err
	}
	end, err := n.intAttr("end", int64(len(out.sizes)))
	if err != nil {
		return v, err
	}
	lo, hi, ok := span(start, end, len(out.sizes))
	if !ok {
		return v, fmt.Errorf("start %d and end %d of %d", start, end, len(out.sizes))
	}
	out.sizes = out.sizes[lo:hi]
	return out, nil
}

// sized is data whose sizes a Shape may tell: any, but of the graph's inputs only
// the main one. The sizes of initial states are not followed.
func (r *reader) sized(v value) (value, bool) {
	if v.kind == isInput && v.name != r.main {
		return v, false
	}
	d, err := r.data(v)
	return d, err == nil
}

// ofShape: zeros are initial states, and integers what a ScatterElements
// overwrites.
func (r *reader) ofShape(n *Node) (value, error) {
	a := n.attribute("value")
	switch {
	case a != nil && a.T != nil && !a.T.DType.IsFloat():
		return value{kind: isNothing}, nil
	case a != nil && (a.T == nil || !zeros(a.T)):
		return value{}, fmt.Errorf("its value is not a floating-point 0")
	}
	return value{kind: isZeros}, nil
}

func (r *reader) expand(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err == nil && (v.kind == isConstant && zeros(v.t) || v.kind == isZeros) {
		return value{kind: isZeros}, nil
	}
	return v, orElse(err, "it expands something else than zeros")
}

func orElse(err error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", what)
}

func (r *reader) gather(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	index, err := r.get(n.input(1))
	if err != nil {
		return v, err
	}
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return v, err
	}
	if v.kind == isConstant && (index.kind == isInput || index.kind == isData) {
		return r.embed(v.t, index, along)
	}
	if index.kind == isOrder {
		return r.reorder(v, index, along)
	}
	if index.kind != isConstant || index.t.DType.IsFloat() {
		return v, fmt.Errorf("its index is not a constant number")
	}
	ints, _, err := checkpoint.IntsOf(*index.t)
	if err != nil {
		return v, err
	}
	if s, ok := r.sizesOf(v); ok && along == 0 && len(index.t.Shape) <= 1 && len(ints) <= maxRank {
		out := value{kind: isSizes, rank: len(index.t.Shape)}
		for _, x := range ints {
			i, ok := place(x, len(s))
			if !ok {
				return v, fmt.Errorf("index %d of %d", x, len(s))
			}
			out.sizes = append(out.sizes, s[i])
		}
		return out, nil
	}
	if len(ints) != 1 {
		return v, fmt.Errorf("its index is not one number")
	}
	lo, hi := ints[0], ints[0]+1
	if hi == 0 {
		hi = 1<<63 - 1
	}
	cut, err := r.cut(v, along, lo, hi)
	if err != nil || len(index.t.Shape) == 1 {
		return cut, err
	}
	return r.drop(cut, along)
}

// embed: a table of floats indexed by the graph's input is an embedding.
func (r *reader) embed(table *checkpoint.Tensor, index value, along int64) (value, error) {
	index.tokens = false
	d, err := r.data(index)
	if err != nil {
		return d, err
	}
	if along != 0 || len(table.Shape) != 2 || !table.DType.IsFloat() || d.stage != 0 || len(d.dims) != 2 || r.stage != 0 {
		return d, fmt.Errorf("it is not the embedding [V,E] of tokens [T,B] that begins a network")
	}
	r.stage = 1
	d = d.clone()
	d.stage, r.net.Embedding = 1, table
	f := featureOf(1)
	r.feature[1], r.size[f] = []axis{f}, int64(table.Shape[1])
	d.dims = append(d.dims, []axis{f})
	return d, nil
}
