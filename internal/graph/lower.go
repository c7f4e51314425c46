package graph

import (
	"fmt"
	"slices"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/cell"
)

// lowered returns a graph whose layers are ONNX's operators: a node for each layer
// of a stack, with what brings its input and states into ONNX's order around it.
// version is what it will be
// written in, 0 for its own: before 10 the bounds of Slice are attributes. It is an ErrOperator,
// with the node's name, for a layer that ONNX has no operator for.
func lowered(g *Graph, version int64, rounding Rounding) (*Graph, error) {
	if version == 0 {
		version = g.Opsets[""]
	}
	to := *g
	to.Nodes, to.Constants = nil, slices.Clone(g.Constants)
	l := &lowerer{g: &to, opset: version, names: map[string]bool{}, rounding: rounding, constants: map[string]*Constant{}}
	for i := range g.Constants {
		c := &g.Constants[i]
		l.names[c.Name], l.constants[c.Name] = true, c
	}
	for i := range g.Nodes {
		for _, o := range g.Nodes[i].Outputs {
			l.names[o] = true
		}
	}
	for _, p := range g.Inputs {
		l.names[p.Name] = true
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		layer, ok := n.Attrs["layer"].(*unroll.Layer)
		if !ok {
			l.at = ""
			whole, err := l.roundedNode(n)
			if err != nil {
				return nil, at(n, err)
			}
			if whole != nil {
				to.Nodes = append(to.Nodes, *whole)
			}
			continue
		}
		if err := l.layer(n, layer); err != nil {
			return nil, at(n, err)
		}
	}
	once := named{}
	for i := range to.Nodes { // ONNX Runtime wants names that are there once
		if n := &to.Nodes[i]; n.Name != "" {
			n.Name = once.name(n)
		}
	}
	return &to, nil
}

// lowerer writes the nodes that stand for a layer.
type lowerer struct {
	g     *Graph
	opset int64
	names map[string]bool // of all values
	at    string          // what the names of new ones begin with
	// rounding, if not nil, says which weights are integers.
	rounding  Rounding
	constants map[string]*Constant
}

// fresh returns a name that no value has.
func (l *lowerer) fresh(what string) string {
	name := l.at + what
	for k := 2; l.names[name]; k++ {
		name = fmt.Sprintf("%s%s.%d", l.at, what, k)
	}
	l.names[name] = true
	return name
}

// node adds a node; an empty name of an output gets one made up, "-" is one that
// nobody wants.
func (l *lowerer) node(op string, attrs Attrs, inputs []string, outputs ...string) []string {
	return l.add(&l.g.Nodes, op, attrs, inputs, outputs...)
}

func (l *lowerer) add(nodes *[]Node, op string, attrs Attrs, inputs []string, outputs ...string) []string {
	for i, o := range outputs {
		switch o {
		case "":
			outputs[i] = l.fresh(strings.ToLower(op))
		case "-":
			outputs[i] = ""
		}
	}
	for len(inputs) > 0 && inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	n := Node{Op: op, Attrs: attrs, Inputs: inputs, Outputs: outputs}
	n.Name = n.String()
	if i := slices.IndexFunc(outputs, func(o string) bool { return o != "" }); i >= 0 {
		n.Name = outputs[i]
	}
	*nodes = append(*nodes, n)
	return outputs
}

func (l *lowerer) one(op string, attrs Attrs, inputs ...string) string {
	return l.node(op, attrs, inputs, "")[0]
}

// constant adds a constant.
func (l *lowerer) constant(what string, v Value) string {
	name := l.fresh(what)
	l.g.Constants = append(l.g.Constants, Constant{Name: name, Type: v.Type, Shape: v.Shape, Value: v})
	return name
}

func (l *lowerer) ints(v ...int64) string { return l.constant("ints", Vector(v...)) }

// slice cuts [lo,hi) of the first dimension.
func (l *lowerer) slice(x string, lo, hi int) string {
	if l.opset > 0 && l.opset < 10 {
		return l.one("Slice", Attrs{"axes": []int64{0}, "starts": []int64{int64(lo)}, "ends": []int64{int64(hi)}}, x)
	}
	return l.one("Slice", nil, x, l.ints(int64(lo)), l.ints(int64(hi)), l.ints(0))
}

// input returns input i of a node, empty if there is none.
func (n *Node) input(i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

func (n *Node) output(i int) string {
	if i < len(n.Outputs) {
		return n.Outputs[i]
	}
	return ""
}

// layer writes a stack.
func (l *lowerer) layer(n *Node, layer *unroll.Layer) error {
	nodes, err := Recurrent(layer)
	if err != nil {
		return err
	}
	c := layer.Config()
	l.at = n.Name + "/"
	x := n.input(0)
	byTime := Attrs{"perm": []int64{1, 0, 2}}
	mask := n.input(4)
	if c.BatchFirst {
		x = l.one("Transpose", byTime, x)
		if mask != "" {
			mask = l.one("Transpose", Attrs{"perm": []int64{1, 0}}, mask)
		}
	}
	lengths := n.input(3)
	if lengths != "" {
		lengths = l.one("Cast", Attrs{"to": int64(6)}, lengths)
	}
	var finals [2][]string
	low := l.precisions(n, layer)
	for i, r := range nodes {
		d := r.Directions()
		var states [2]string
		for k, whole := range []string{n.input(1), n.input(2)} {
			states[k] = whole
			if whole != "" && len(nodes) > 1 {
				states[k] = l.slice(whole, i*d, (i+1)*d)
			}
		}
		w, err := l.weights(r, i, low[i])
		if err != nil {
			return err
		}
		var last [2]string
		if mask != "" {
			if err := l.canMask(); err != nil {
				return err
			}
			x, last = l.masked(r, w, x, mask, states)
		} else {
			x, last = l.plain(r, w, x, lengths, states)
		}
		for k := range finals {
			finals[k] = append(finals[k], last[k])
		}
	}
	if c.BatchFirst {
		l.node("Transpose", byTime, []string{x}, n.output(0))
	} else {
		l.node("Identity", nil, []string{x}, n.output(0))
	}
	for k := range finals {
		if to := n.output(1 + k); to != "" && len(finals[k]) == 1 {
			l.node("Identity", nil, finals[k], to)
		} else if to != "" {
			l.node("Concat", Attrs{"axis": int64(0)}, finals[k], to)
		}
	}
	return nil
}

// weights adds the parameters of layer i of a stack and returns W, R, B and P, empty
// for what is not there.
func (l *lowerer) weights(r *onnx.Recurrent, i int, p unroll.Precision) ([4]string, error) {
	set, err := r.Weights()
	if err != nil {
		return [4]string{}, err
	}
	var names [4]string
	for _, t := range set {
		if p == unroll.Int8 && (t.Name == "W" || t.Name == "R") {
			if names[strings.Index("WRBP", t.Name)], err = l.roundedTensor(fmt.Sprintf("%s_l%d", t.Name, i), t); err != nil {
				return names, err
			}
			continue
		}
		v, err := fromTensor(t)
		if err != nil {
			return names, err
		}
		names[strings.Index("WRBP", t.Name)] = l.constant(fmt.Sprintf("%s_l%d", t.Name, i), v)
	}
	return names, nil
}

// attributes are those of a node.
func attributes(r *onnx.Recurrent) Attrs {
	attrs := Attrs{}
	for _, a := range r.Attributes() {
		attrs[a.Name] = a.Value()
	}
	return attrs
}

// plain writes a layer as one node; x and its result are [T,B,...].
func (l *lowerer) plain(r *onnx.Recurrent, w [4]string, x, lengths string, states [2]string) (y string, last [2]string) {
	in, out := []string{x, w[0], w[1], w[2], lengths, states[0]}, []string{"", ""}
	if r.Op == "LSTM" {
		in, out = append(in, states[1], w[3]), append(out, "")
	}
	out = l.node(r.Op, attributes(r), in, out...)
	copy(last[:], out[1:])
	turned := l.one("Transpose", Attrs{"perm": []int64{0, 2, 1, 3}}, out[0])
	return l.one("Reshape", nil, turned, l.ints(0, 0, -1)), last
}

// Recurrent returns a layer as nodes of ONNX, one for each layer of the stack from
// below; the names of their Params end in _l0. It is an ErrOperator for a
// cell without an operator, and for a projection, which ONNX's LSTM has not.
func Recurrent(layer *unroll.Layer) ([]*onnx.Recurrent, error) {
	c := layer.Config()
	kind := cell.Kinds()[c.Mode]
	if c.ProjSize > 0 {
		return nil, &Error{Reason: fmt.Sprintf("ONNX's LSTM has no projection (proj_size %d)", c.ProjSize), Err: ErrOperator}
	}
	if kind.ONNX.Name == "" {
		return nil, &Error{Reason: fmt.Sprintf("ONNX has no operator for %s", c.Mode), Err: ErrOperator}
	}
	sets := make([]checkpoint.Set, c.Layers())
	for _, p := range layer.Params() {
		var i int
		at := strings.LastIndex(p.Name, "_l")
		if _, err := fmt.Sscanf(p.Name[at:], "_l%d", &i); err != nil {
			return nil, err
		}
		sets[i] = append(sets[i], checkpoint.Of(strings.Replace(p.Name, fmt.Sprintf("_l%d", i), "_l0", 1), p.Value))
	}
	var nodes []*onnx.Recurrent
	in := c.InputSize
	for _, set := range sets {
		nodes = append(nodes, recurrentOf(c, kind, in, set))
		in = c.OutputSize()
	}
	return nodes, nil
}

// recurrentOf is one layer as a node, LayerConfig's inverse.
func recurrentOf(c unroll.Config, kind *cell.Kind, inputs int, params checkpoint.Set) *onnx.Recurrent {
	v := c.Variant
	r := &onnx.Recurrent{
		Op: kind.ONNX.Name, InputSize: inputs, HiddenSize: c.HiddenSize, Direction: "forward", NoBias: c.NoBias, Params: params,
		Clip: float32(v.Clip), InputForget: v.InputForget, Peepholes: v.Peepholes, LinearBeforeReset: kind.Takes.ResetBefore && !v.ResetBefore,
	}
	switch {
	case c.Bidirectional:
		r.Direction = "bidirectional"
	case v.Reverse:
		r.Direction = "reverse"
	}
	for d := range c.Directions() {
		list := v.Activations
		if d == 1 && v.ReverseActivations != [3]unroll.Activation{} {
			list = v.ReverseActivations
		}
		for i, name := range kind.Functions {
			a := list[i]
			if a.Name == "" {
				a.Name = name
			}
			r.Activations = append(r.Activations, onnx.Activation{Name: a.Name, Alpha: float32(a.Alpha), Beta: float32(a.Beta)})
		}
	}
	return r
}
