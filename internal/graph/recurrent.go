package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/cell"
)

// RNN, LSTM and GRU with all their attributes; layers.go runs them.

func recurrentRows() []row {
	attrs := []string{"activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "layout", "output_sequence"}
	rows := []row{
		{op: "RNN", min: 3, max: 6, attrs: attrs, plan: planRecurrent, axes: recurrentAxes},
		{op: "GRU", min: 3, max: 6, attrs: append([]string{"linear_before_reset"}, attrs...), plan: planRecurrent, axes: recurrentAxes},
		{op: "LSTM", min: 3, max: 8, attrs: append([]string{"input_forget"}, attrs...), plan: planRecurrent, axes: recurrentAxes},
	}
	for _, r := range rows[:3] {
		r.domain, r.max = Own, MaskInput+1
		rows = append(rows, r)
	}
	return rows
}

// MaskInput is the input of the operators RNN, GRU and LSTM of the domain Own that
// ONNX's do not have: a mask bool [T,B], or [B,T] with layout 1, true for the steps
// that count. The others keep the state and repeat the output before them, zeros
// before the first. Own's operators also take every function that cells have, by the
// attributes of those names; activation_alpha and activation_beta then have a number
// for each.
const MaskInput = 8

// HasFunction reports whether ONNX's operators have an activation of that name.
func HasFunction(name string) bool { return cell.Function{Name: name}.InONNX() }

// ofCell reports whether a node is ONNX's RNN, GRU or LSTM, or Own's.
func (n *Node) ofCell() bool {
	return (domain(n.Domain) == "" || n.Domain == Own) && slices.Contains(recurrentOps, n.Op)
}

// weightInputs are the inputs of a recurrent node that hold parameters.
var weightInputs = []int{1, 2, 3, 7}

// sequence is a recurrent node for an input of T steps and B sequences.
type sequence struct {
	r       *onnx.Recurrent
	T, B, D int
}

func planRecurrent(c *call) (kernel, error) {
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	for _, i := range []int{1, 2, 3, 5, 6, 7} {
		if c.has(i) && c.typ(i) != c.typ(0) {
			return nil, c.fail("input %d is %s and input 0 %s, expected one type", i, c.typ(i), c.typ(0))
		}
	}
	if c.has(4) {
		if err := c.is(4, I32); err != nil {
			return nil, err
		}
	}
	for _, i := range weightInputs {
		if c.has(i) && c.known(i) == nil {
			return nil, &needError{c.in[i]}
		}
	}
	l, err := once(c, layerKey, weightInputs, func() (layer, error) {
		r, err := c.recurrent()
		if err != nil {
			return nil, c.fail("%s", strings.TrimPrefix(err.Error(), c.Node.String()+": "))
		}
		return newLayer(c, r)
	})
	if err != nil {
		return nil, err
	}
	c.giveUp(weightInputs)
	x := c.shape(0)
	r := l.settings()
	if len(x) != 3 || x[2] != r.InputSize {
		return nil, c.fail("X has shape %v, expected three dimensions, the last %d", x, r.InputSize)
	}
	s := &sequence{r: r, T: x[0], B: x[1], D: r.Directions()}
	y, state := []int{s.T, s.D, s.B, r.HiddenSize}, []int{s.D, s.B, r.HiddenSize}
	if r.BatchFirst {
		s.T, s.B = s.B, s.T
		y, state = []int{s.B, s.T, s.D, r.HiddenSize}, []int{s.B, s.D, r.HiddenSize}
	}
	for _, i := range []int{5, 6} {
		if c.has(i) && fmt.Sprint(c.shape(i)) != fmt.Sprint(state) {
			return nil, c.fail("input %d, a state, has shape %v, expected %v", i, c.shape(i), state)
		}
	}
	if c.has(4) && c.in[4].n != s.B {
		return nil, c.fail("%d lengths for %d sequences", c.in[4].n, s.B)
	}
	if c.has(MaskInput) {
		if err := c.is(MaskInput, Bool); err != nil {
			return nil, err
		}
		if !slices.Equal(c.shape(MaskInput), x[:2]) {
			return nil, c.fail("its mask has shape %v, X %v", c.shape(MaskInput), x)
		}
	}
	for i, shape := range [][]int{y, state, state} {
		if c.wants(i) || i == 0 {
			if err := c.result(i, c.typ(0), shape...); err != nil {
				return nil, err
			}
		}
	}
	c.work = macs(s.T, s.B, s.D*r.HiddenSize*4, r.HiddenSize+r.InputSize)
	return l.plan(c, s)
}

// recurrent reads the node's settings and parameters.
func (c *call) recurrent() (*onnx.Recurrent, error) {
	return readRecurrent(c.Node, func(name string) (*Value, error) {
		for _, i := range weightInputs {
			if i < len(c.Inputs) && c.Inputs[i] == name {
				return c.in[i].known, nil
			}
		}
		return nil, fmt.Errorf("no value %q", name)
	})
}

// onnxNode is a recurrent node as package onnx has it.
func onnxNode(from *Node) *onnx.Node {
	n := &onnx.Node{Name: from.Name, Op: from.Op, Inputs: from.Inputs, Outputs: from.Outputs}
	for name, a := range from.Attrs {
		if name == "output_sequence" { // of version 1, without meaning since 7
			continue
		}
		at := onnx.Attribute{Name: name}
		switch v := a.(type) {
		case int:
			at.Kind, at.I = onnx.Int, int64(v)
		case int64:
			at.Kind, at.I = onnx.Int, v
		case float32:
			at.Kind, at.F = onnx.Float, v
		case string:
			at.Kind, at.S = onnx.String, v
		case []string:
			at.Kind, at.Strings = onnx.Strings, v
		case []float32:
			at.Kind, at.Floats = onnx.Floats, v
		case []int64:
			at.Kind, at.Ints = onnx.Ints, v
		}
		n.Attributes = append(n.Attributes, at)
	}
	return n
}

// readRecurrent reads a node whose parameters constant returns.
func readRecurrent(n *Node, constant func(name string) (*Value, error)) (*onnx.Recurrent, error) {
	plain, own, err := n.withoutFunctions()
	if err != nil {
		return nil, err
	}
	r, err := onnx.ReadRecurrent(onnxNode(plain), func(name string) (checkpoint.Tensor, error) {
		v, err := constant(name)
		if err != nil {
			return checkpoint.Tensor{}, err
		}
		return stored(name, v), nil
	})
	if err == nil {
		err = setFunctions(n, r, own)
	}
	return r, err
}

// withoutFunctions returns a node of the domain Own as ONNX's operator, and the
// functions that it names, which ONNX's may not have.
func (n *Node) withoutFunctions() (*Node, []onnx.Activation, error) {
	if n.Domain != Own {
		return n, nil, nil
	}
	plain := *n
	plain.Domain, plain.Inputs = "", n.Inputs[:min(len(n.Inputs), MaskInput)]
	plain.Attrs = Attrs{}
	for name, a := range n.Attrs {
		if !strings.HasPrefix(name, "activation") {
			plain.Attrs[name] = a
		}
	}
	names, _ := n.Attrs["activations"].([]string)
	alpha, _ := n.Attrs["activation_alpha"].([]float32)
	beta, _ := n.Attrs["activation_beta"].([]float32)
	if len(alpha) != len(names) || len(beta) != len(names) {
		return nil, nil, fmt.Errorf("%d activations with %d alphas and %d betas", len(names), len(alpha), len(beta))
	}
	var list []onnx.Activation
	for i, name := range names {
		list = append(list, onnx.Activation{Name: name, Alpha: alpha[i], Beta: beta[i]})
	}
	return &plain, list, nil
}

// setFunctions gives a node's settings the functions that it names.
func setFunctions(n *Node, r *onnx.Recurrent, own []onnx.Activation) error {
	if own == nil {
		return nil
	}
	if len(own) != len(r.Activations) {
		return fmt.Errorf("%d activations, expected %d", len(own), len(r.Activations))
	}
	r.Activations = own
	return nil
}
