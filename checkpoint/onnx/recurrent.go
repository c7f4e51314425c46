package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Activation is a function of a recurrent operator with its constants; a
// function without a constant has 0 there.
type Activation struct {
	Name        string // Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, HardSigmoid, Elu, Softsign, Softplus
	Alpha, Beta float32
}

// Recurrent is one node RNN, LSTM or GRU, its parameters in PyTorch's order and
// under PyTorch's names.
type Recurrent struct {
	Node       string // the node's name and operator, for messages
	Op         string // RNN, LSTM or GRU
	InputSize  int    // I
	HiddenSize int    // H
	// Direction is forward, reverse or bidirectional. A layer that runs in
	// reverse only has its parameters under the names of the forward one.
	Direction  string
	BatchFirst bool // layout 1: X [B,T,I], Y [B,T,D,H], states [B,D,H]
	NoBias     bool
	// Activations are f, g, h of the forward direction, then of the reverse one.
	Activations       []Activation
	Clip              float32 // 0: none
	InputForget       bool    // LSTM: the forget gate is 1-i
	LinearBeforeReset bool    // GRU, as PyTorch's
	Peepholes         bool    // LSTM
	// Params are weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 and, with
	// peepholes, weight_peephole_l0 [3*H] of i, f, o; then those of _reverse.
	Params checkpoint.Set

	// Names of the node's inputs and outputs in the graph, empty if absent.
	X, Lengths, H0, C0, Y, YH, YC string
}

// Directions returns D.
func (r *Recurrent) Directions() int {
	if r.Direction == "bidirectional" {
		return 2
	}
	return 1
}

// Recurrent reads a node of the graph. Its weights have to be constants of the
// file. It is an ErrFormat that names the node if an attribute or a shape is
// not as the operator's definition has it.
func (f *File) Recurrent(n *Node) (*Recurrent, error) {
	r, err := recurrent(n, f.Tensor, false)
	if err != nil {
		return nil, f.located(err)
	}
	return r, nil
}

// recurrent is Recurrent with the constants given by a function; bare, they have
// no data, and there are no Params.
func recurrent(n *Node, constant func(name string) (checkpoint.Tensor, error), bare bool) (*Recurrent, error) {
	op, ok := operators[n.Op]
	if !ok || n.Domain != "" && n.Domain != "ai.onnx" {
		return nil, fmt.Errorf("%s is not RNN, LSTM or GRU", n)
	}
	r := &Recurrent{
		Node: n.String(), Op: n.Op,
		X: n.input(0), Lengths: n.input(4), H0: n.input(5),
		Y: n.output(0), YH: n.output(1),
	}
	if op.states == 2 {
		r.C0, r.YC = n.input(6), n.output(2)
	}
	if err := r.attributes(n); err != nil {
		return nil, err
	}
	if err := r.params(n, constant, bare); err != nil {
		return nil, err
	}
	return r, nil
}

// attributes reads everything but the weights. HiddenSize is 0 if not given.
func (r *Recurrent) attributes(n *Node) (err error) {
	known := []string{"activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "layout"}
	switch r.Op {
	case "LSTM":
		known = append(known, "input_forget")
	case "GRU":
		known = append(known, "linear_before_reset")
	}
	for _, a := range n.Attributes {
		if !slices.Contains(known, a.Name) {
			return fmt.Errorf("%s: attribute %q is not one of the operator's", n, a.Name)
		}
	}
	if r.Direction, err = n.strAttr("direction", "forward"); err != nil {
		return err
	}
	if !slices.Contains([]string{"forward", "reverse", "bidirectional"}, r.Direction) {
		return fmt.Errorf("%s: direction is %q, expected forward, reverse or bidirectional", n, r.Direction)
	}
	hidden, err := n.intAttr("hidden_size", 0)
	if err != nil {
		return err
	}
	if hidden < 0 || hidden > math.MaxInt32 {
		return fmt.Errorf("%s: hidden_size is %d", n, hidden)
	}
	r.HiddenSize = int(hidden)
	for name, to := range map[string]*bool{"layout": &r.BatchFirst, "input_forget": &r.InputForget, "linear_before_reset": &r.LinearBeforeReset} {
		v, err := n.intAttr(name, 0)
		if err != nil {
			return err
		}
		if v != 0 && v != 1 {
			return fmt.Errorf("%s: %s is %d, expected 0 or 1", n, name, v)
		}
		*to = v == 1
	}
	if a := n.attribute("clip"); a != nil {
		if a.Kind != Float || !(a.F > 0) {
			return fmt.Errorf("%s: clip is %v, expected a number above 0", n, a.Value())
		}
		if !math.IsInf(float64(a.F), 1) {
			r.Clip = a.F
		}
	}
	return r.activations(n)
}

// activations gives every function its constants: the lists hold them for
// those functions that have them, in order.
func (r *Recurrent) activations(n *Node) error {
	var alpha, beta []float32
	for name, to := range map[string]*[]float32{"activation_alpha": &alpha, "activation_beta": &beta} {
		if a := n.attribute(name); a != nil {
			if a.Kind != Floats {
				return fmt.Errorf("%s: %s is not a list of numbers", n, name)
			}
			*to = a.Floats
		}
	}
	def := operators[r.Op].functions
	names := slices.Repeat(def, r.Directions())
	if a := n.attribute("activations"); a != nil {
		if a.Kind != Strings || len(a.Strings) != len(names) {
			return fmt.Errorf("%s: activations are %v, expected %d names, %d a direction", n, a.Value(), len(names), len(def))
		}
		names = a.Strings
	}
	for _, name := range names {
		i := slices.IndexFunc(functions, func(f function) bool { return strings.EqualFold(f.name, name) })
		if i < 0 {
			return fmt.Errorf("%s: activation %q is not known", n, name)
		}
		fn := functions[i]
		a := Activation{fn.name, fn.alpha0, fn.beta0}
		if fn.alpha && len(alpha) > 0 {
			a.Alpha, alpha = alpha[0], alpha[1:]
		} else if fn.alpha && !fn.given {
			return fmt.Errorf("%s: activation %s needs an activation_alpha", n, fn.name)
		}
		if fn.beta && len(beta) > 0 {
			a.Beta, beta = beta[0], beta[1:]
		} else if fn.beta && !fn.given {
			return fmt.Errorf("%s: activation %s needs an activation_beta", n, fn.name)
		}
		r.Activations = append(r.Activations, a)
	}
	return nil
}

// params reads W, R, B and P and gives them PyTorch's order and names.
func (r *Recurrent) params(n *Node, constant func(string) (checkpoint.Tensor, error), bare bool) error {
	d, gates := r.Directions(), len(operators[r.Op].torch)
	get := func(i int, letter string, shape ...int) (checkpoint.Tensor, error) {
		name := n.input(i)
		if name == "" {
			return checkpoint.Tensor{}, fmt.Errorf("%s: input %s is missing", n, letter)
		}
		t, err := constant(name)
		if err != nil {
			return t, fmt.Errorf("%s: %s has to be a constant: %w", n, letter, err)
		}
		if !t.DType.IsFloat() || len(t.Shape) != len(shape) {
			return t, fmt.Errorf("%s: %s is %s of shape %v, expected floating-point numbers in %d dimensions", n, letter, t.Type(), t.Shape, len(shape))
		}
		for j, want := range shape {
			if want >= 0 && t.Shape[j] != want {
				return t, fmt.Errorf("%s: %s has shape %v, expected %d in place %d", n, letter, t.Shape, want, j)
			}
		}
		if bare {
			return t, nil
		}
		return t, t.Check()
	}
	hh, err := get(2, "R", d, -1, -1)
	if err != nil {
		return err
	}
	if r.HiddenSize == 0 {
		r.HiddenSize = hh.Shape[2]
	}
	h := r.HiddenSize
	if h == 0 || hh.Shape[2] != h || hh.Shape[1]%gates != 0 || hh.Shape[1]/gates != h {
		return fmt.Errorf("%s: R has shape %v, expected [%d,%d*H,H] with H %d", n, hh.Shape, d, gates, h)
	}
	ih, err := get(1, "W", d, gates*h, -1)
	if err != nil {
		return err
	}
	r.InputSize = ih.Shape[2]
	var bias, peep checkpoint.Tensor
	if r.NoBias = n.input(3) == ""; !r.NoBias {
		if bias, err = get(3, "B", d, 2*gates*h); err != nil {
			return err
		}
	}
	if r.Peepholes = r.Op == "LSTM" && n.input(7) != ""; r.Peepholes {
		if peep, err = get(7, "P", d, 3*h); err != nil {
			return err
		}
	}
	if !bare {
		r.fill(ih, hh, bias, peep)
	}
	return nil
}

// fill gives the parameters PyTorch's order and names.
func (r *Recurrent) fill(ih, hh, bias, peep checkpoint.Tensor) {
	op, d, h := operators[r.Op], r.Directions(), r.HiddenSize
	gates := len(op.torch)
	add := func(name string, dir int, like checkpoint.Tensor, data []byte, shape ...int) {
		info, _ := checkpoint.NewInfo(name+[]string{"_l0", "_l0_reverse"}[dir], like.DType, shape)
		r.Params = append(r.Params, checkpoint.Tensor{Info: info, Data: data})
	}
	for dir := range d {
		part := func(t checkpoint.Tensor) []byte {
			size := len(t.Data) / d
			return t.Data[dir*size : (dir+1)*size]
		}
		add("weight_ih", dir, ih, reorder(part(ih), op.onnx, op.torch), gates*h, r.InputSize)
		add("weight_hh", dir, hh, reorder(part(hh), op.onnx, op.torch), gates*h, h)
		if !r.NoBias {
			b := part(bias)
			add("bias_ih", dir, bias, reorder(b[:len(b)/2], op.onnx, op.torch), gates*h)
			add("bias_hh", dir, bias, reorder(b[len(b)/2:], op.onnx, op.torch), gates*h)
		}
		if r.Peepholes {
			add("weight_peephole", dir, peep, reorder(part(peep), peepholes, "ifo"), 3*h)
		}
	}
}

// ReadRecurrent is File.Recurrent for a node that is in no file: its weights are
// what constant returns for the names of its inputs. Errors have no kind.
func ReadRecurrent(n *Node, constant func(name string) (checkpoint.Tensor, error)) (*Recurrent, error) {
	return recurrent(n, constant, false)
}

// ReadSettings is ReadRecurrent by types and shapes alone: the result has no
// Params.
func ReadSettings(n *Node, constant func(name string) (checkpoint.Info, error)) (*Recurrent, error) {
	return recurrent(n, func(name string) (checkpoint.Tensor, error) {
		info, err := constant(name)
		return checkpoint.Tensor{Info: info}, err
	}, true)
}
