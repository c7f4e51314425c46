package graph

import "slices"

// Files of quantised models in the form QDQ keep float operators and say with
// QuantizeLinear and DequantizeLinear around them which numbers are integers. Compile
// puts an operator of integers in the place of
//
//	DequantizeLinear of both sides, [of the bias,] MatMul, Gemm or Conv [, Relu] [, QuantizeLinear]
//
// where one scale belongs to the whole left side, one or one for each output to the
// right side, and the bias is int32 without a zero point. What else reads a
// DequantizeLinear reads its float32.

// Quantised says what of a program with integers runs on integers.
type Quantised struct {
	// Integers counts the products and convolutions that do; Floats names those that
	// have integers as weights and do not, with the reason.
	Integers int
	Floats   []string
}

// fuser looks for the pattern in one body.
type fuser struct {
	c       *compiler
	g       *Graph
	own     map[string]int
	nodes   []*node
	reads   [][]string
	readers map[string][]int // of each name; -1: it is an output
}

// fuse replaces nodes and what they read.
func (c *compiler) fuse(g *Graph, own map[string]int, nodes []*node, reads [][]string) {
	if !slices.ContainsFunc(nodes, func(n *node) bool { return n.Op == "DequantizeLinear" }) {
		return
	}
	f := &fuser{c, g, own, nodes, reads, map[string][]int{}}
	for i, list := range reads {
		for _, name := range list {
			f.readers[name] = append(f.readers[name], i)
		}
	}
	for _, o := range g.Outputs {
		f.readers[o.Name] = append(f.readers[o.Name], -1)
	}
	for i, n := range nodes {
		if n.row == nil || domain(n.Domain) != "" {
			continue
		}
		fused, why := f.of(n.Node)
		switch {
		case why != "":
			c.quantised.Floats = append(c.quantised.Floats, n.Part()+": "+why)
		case fused != nil:
			c.quantised.Integers++
			f.put(i, fused)
		}
	}
}

// put puts a fused node in the place of node i, and of the QuantizeLinear that alone
// reads it.
func (f *fuser) put(i int, fused *Node) {
	at := i
	if q, last := f.quantizer(i); q != nil {
		fused.Inputs = append(fused.Inputs[:fusedPlaces.sy:fusedPlaces.sy], q.input(1), q.input(2))
		fused.Outputs, at = q.Outputs, last
	}
	for len(fused.Inputs) > 0 && fused.Inputs[len(fused.Inputs)-1] == "" {
		fused.Inputs = fused.Inputs[:len(fused.Inputs)-1]
	}
	f.nodes[at] = &node{Node: fused, row: &rowsOf(Own, fused.Op)[0]}
	f.reads[at] = fused.Inputs
}

// of returns the fused node of a node, without its output's scale; or why there is
// none, empty where its weights are no integers.
func (f *fuser) of(n *Node) (fused *Node, why string) {
	axis := map[string]int{"MatMul": -1, "Gemm": 1, "Conv": 0}
	along, known := axis[n.Op]
	w, ok := f.dequantized(n.input(1))
	if !ok || !n.IsRecurrent() && !known && n.Op != "ConvTranspose" || !w.bytes() {
		return nil, ""
	}
	switch {
	case n.IsRecurrent():
		return nil, "the states that it multiplies are not integers"
	case n.Op == "ConvTranspose":
		return nil, "there is no operator of integers for it"
	}
	x, ok := f.dequantized(n.input(0))
	fused = &Node{Name: n.Part(), Op: fusedProduct, Domain: Own, Outputs: n.Outputs[:1], Attrs: Attrs{}}
	switch {
	case !ok:
		return nil, "what its weights multiply is not quantised"
	case !x.bytes():
		return nil, "it is not told that what its weights multiply is of 8 bits"
	case !f.single(x.scale):
		return nil, "what its weights multiply has more scales than one"
	}
	if n.Op == "Gemm" {
		if v, _ := n.Attrs["transA"].(int64); v != 0 {
			return nil, "its left side is transposed"
		}
		if v, ok := n.Attrs["beta"].(float32); ok && v != 1 && n.input(2) != "" {
			return nil, "its beta is not 1"
		}
		if v, _ := n.Attrs["transB"].(int64); v != 0 {
			along = 0
		}
	}
	if !f.single(w.scale) && !f.along(w, along) {
		return nil, "its weights' scales do not belong to outputs"
	}
	var bias, biasScale string
	if b := n.input(2); b != "" && n.Op != "MatMul" {
		d, ok := f.dequantized(b)
		if !ok || d.typ != I32 || !f.zeroIsZero(d.zero) {
			return nil, "its bias is not of 32-bit integers"
		}
		bias, biasScale = d.x, d.scale
	}
	if n.Op == "Conv" {
		fused.Op = fusedConvolution
	}
	for name, a := range n.Attrs {
		if name != "transA" && name != "beta" {
			fused.Attrs[name] = a
		}
	}
	fused.Inputs = []string{x.x, x.scale, x.zero, w.x, w.scale, w.zero, bias, biasScale, "", ""}
	return fused, ""
}

// dequantized is what a DequantizeLinear reads.
type dequantized struct {
	x, scale, zero string
	axis           int64
	typ            Type // None: not told
}

func (d dequantized) bytes() bool { return d.typ == I8 || d.typ == U8 }

// producer returns the node that makes a name here, or nil.
func (f *fuser) producer(name string) *node {
	if i, ok := f.own[name]; ok && i >= 0 && name != "" {
		return f.nodes[i]
	}
	return nil
}

func (f *fuser) dequantized(name string) (d dequantized, ok bool) {
	n := f.producer(name)
	if n == nil || n.row == nil || n.Op != "DequantizeLinear" || domain(n.Domain) != "" {
		return d, false
	}
	if b, _ := n.Attrs["block_size"].(int64); b != 0 {
		return d, false
	}
	d = dequantized{x: n.input(0), scale: n.input(1), zero: n.input(2), axis: 1}
	if a, ok := n.Attrs["axis"].(int64); ok {
		d.axis = a
	}
	if d.typ, _ = f.typeOf(d.zero); d.typ == None {
		d.typ, _ = f.typeOf(d.x)
	}
	return d, true
}

// constant returns a constant of this body, or nil.
func (f *fuser) constant(name string) *Constant {
	if i, ok := f.own[name]; ok && i <= -2 {
		return &f.g.Constants[-2-i]
	}
	return nil
}

// typeOf returns a value's type and shape as far as they are told without planning:
// None and nil.
func (f *fuser) typeOf(name string) (Type, []int) {
	if c := f.constant(name); c != nil {
		return c.Type, c.Shape
	}
	for _, in := range f.g.Inputs {
		if in.Name == name {
			return in.Type, nil
		}
	}
	n := f.producer(name)
	if n == nil {
		return None, nil
	}
	switch v, _ := n.Attrs["value"].(Value); {
	case n.Op == "Constant" && !v.IsZero():
		return v.stands(), v.Shape
	case n.Op == "DynamicQuantizeLinear" && name == n.output(1):
		return F32, []int{}
	case n.Op == "DynamicQuantizeLinear":
		return U8, nil
	case n.Op == "QuantizeLinear" && n.input(2) != "":
		t, _ := f.typeOf(n.input(2))
		return t, nil
	case n.Op == "QuantizeLinear":
		if _, other := n.Attrs["output_dtype"]; !other {
			return U8, nil
		}
	}
	return None, nil
}

// single reports whether a scale is one number.
func (f *fuser) single(name string) bool {
	_, shape := f.typeOf(name)
	return shape != nil && product(shape) == 1
}

// along reports whether scales belong to the axis of an operand's outputs, -1 for the
// last.
func (f *fuser) along(w dequantized, axis int) bool {
	_, shape := f.typeOf(w.x)
	_, scales := f.typeOf(w.scale)
	if shape == nil || len(scales) != 1 {
		return false
	}
	rank := len(shape)
	at := int(w.axis)
	if at < 0 {
		at += rank
	}
	if axis < 0 {
		axis = rank - 1
		if rank != 2 {
			return false
		}
	}
	return at == axis && axis < rank && scales[0] == shape[axis]
}

// value returns a constant's value, or nil.
func (f *fuser) value(name string) *Value {
	if n := f.producer(name); n != nil && n.Op == "Constant" {
		if v, ok := n.Attrs["value"].(Value); ok && !v.IsZero() {
			return &v
		}
		return nil
	}
	c := f.constant(name)
	if c == nil {
		return nil
	}
	v, err := c.value()
	if err != nil {
		return nil // who uses it says so
	}
	return &v
}

// zeroIsZero reports whether a zero point is absent or a constant of zeros.
func (f *fuser) zeroIsZero(name string) bool {
	if name == "" {
		return true
	}
	v := f.value(name)
	return v != nil && v.Type == I32 && !slices.ContainsFunc(data[int32](v), func(x int32) bool { return x != 0 })
}

// lowest reports whether a zero point is a constant, the least number of its type, so
// that what is less than 0 becomes it.
func (f *fuser) lowest(name string) bool {
	if name == "" {
		return true // uint8
	}
	v := f.value(name)
	return v != nil && v.n == 1 && (v.Type == U8 && integer(v, 0) == 0 || v.Type == I8 && integer(v, 0) == -128)
}

// quantizer returns the QuantizeLinear that alone reads node i's output, if its scale
// is one number, and its index; a Relu before it that its bounds do anyway is passed.
func (f *fuser) quantizer(i int) (q *Node, at int) {
	next := func(n *Node, op string) int {
		r := f.readers[n.output(0)]
		if len(r) != 1 || r[0] < 0 {
			return -1
		}
		m := f.nodes[r[0]]
		if m.row == nil || m.Op != op || domain(m.Domain) != "" || m.input(0) != n.output(0) {
			return -1
		}
		return r[0]
	}
	n := f.nodes[i].Node
	relu := next(n, "Relu")
	if relu >= 0 {
		n = f.nodes[relu].Node
	}
	if at = next(n, "QuantizeLinear"); at < 0 {
		return nil, -1
	}
	q = f.nodes[at].Node
	zero := q.input(2)
	_, other := q.Attrs["output_dtype"]
	t, _ := f.typeOf(zero)
	if !f.single(q.input(1)) || zero == "" && other || zero != "" && t != U8 && t != I8 || relu >= 0 && !f.lowest(zero) {
		return nil, -1
	}
	return q, at
}
