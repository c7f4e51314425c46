package modelfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/operator"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/tensor"
)

// Variant is a stacked layer of cells that torch.nn does not have: what Load
// refuses as an ErrVariant. It runs forward, whole sequences, in float32. Many
// goroutines may run it at once.
type Variant struct {
	Net   *onnx.Network // its Layers are what runs; an embedding and a head are not
	nodes []*operator.Node
}

// NewVariant reads the weights of a network's recurrent nodes.
func NewVariant(n *onnx.Network) (*Variant, error) {
	v := &Variant{Net: n}
	for _, r := range n.Layers {
		byTime := *r
		byTime.BatchFirst = false // Forward turns the input, and the nodes see [T,B,I]
		node, err := operator.New(&byTime)
		if err != nil {
			return nil, err
		}
		v.nodes = append(v.nodes, node)
	}
	return v, nil
}

// Variant is Load for a file whose layer is an ErrVariant: an ONNX file, or
// Keras's weights.
func (f *File) Variant(opt Options) (*Variant, error) {
	if f.ONNX != nil {
		n, err := f.ONNX.Network()
		if err != nil {
			return nil, err
		}
		return NewVariant(n)
	}
	if !opt.Keras {
		return nil, fmt.Errorf("%w: %s is neither ONNX nor Keras's weights", ErrVariant, f.Path)
	}
	src, parts, err := f.parts(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	part, err := statedict.Choose(parts, opt.Prefix)
	switch {
	case err == nil:
		return nil, fmt.Errorf("%s: %q is a layer of torch.nn", f.Path, part.Label())
	case !errors.Is(err, ErrVariant):
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	c := part.Config // of a GRU with reset_after=False
	var params checkpoint.Set
	for name, stored := range part.Params {
		t, err := src.Tensor(stored)
		if err != nil {
			return nil, err
		}
		t.Name = name
		params = append(params, t)
	}
	r := onnx.Layer("GRU", c.InputSize, c.HiddenSize, c.Bidirectional, c.NoBias, "", params)
	r.Node, r.LinearBeforeReset = fmt.Sprintf("%q (GRU)", part.Label()), false
	return NewVariant(&onnx.Network{Layers: []*onnx.Recurrent{r}, BatchFirst: opt.BatchFirst})
}

// Op returns RNN, LSTM or GRU.
func (v *Variant) Op() string { return v.Net.Layers[0].Op }

// String describes the variant as a Config describes a layer.
func (v *Variant) String() string {
	r := v.Net.Layers[0]
	s := []string{fmt.Sprint(r.InputSize), fmt.Sprint(r.HiddenSize)}
	add := func(yes bool, format string, a ...any) {
		if yes {
			s = append(s, fmt.Sprintf(format, a...))
		}
	}
	add(len(v.Net.Layers) > 1, "num_layers=%d", len(v.Net.Layers))
	add(r.NoBias, "bias=False")
	add(v.Net.BatchFirst, "batch_first=True")
	add(r.Direction != "forward", "direction=%s", r.Direction)
	var names []string
	for _, a := range r.Activations {
		names = append(names, a.Name)
	}
	add(r.HasActivations(), "activations=%s", strings.Join(names, " "))
	add(r.Clip != 0, "clip=%g", r.Clip)
	add(r.InputForget, "input_forget=1")
	add(r.Peepholes, "peepholes")
	add(r.Op == "GRU" && !r.LinearBeforeReset, "linear_before_reset=0")
	return "ONNX " + r.Op + "(" + strings.Join(s, ", ") + ")"
}

// Forward runs sequences: x [T,B,I], [B,T,I] with BatchFirst, or [T,I] for one.
// lengths [B] may be nil, h0 and c0 [L*D,B,H] ([L*D,H]) zero values. It returns
// output [T,B,D*H] ([B,T,D*H], [T,D*H]), zero beyond a sequence's end, and final
// states like h0; cn is absent but for an LSTM. Wrong shapes are
// tensor.ErrShape.
func (v *Variant) Forward(x tensor.Dense, lengths []int, h0, c0 tensor.Dense) (y, hn, cn tensor.Dense, err error) {
	fail := func(err error) (_, _, _ tensor.Dense, _ error) {
		return tensor.Dense{}, tensor.Dense{}, tensor.Dense{}, err
	}
	r := v.Net.Layers[0]
	single := len(x.Shape) == 2
	if single {
		x = inserted(x)
		if h0, c0 = inserted(h0), inserted(c0); lengths != nil {
			return fail(errors.New("lengths are for a batch of sequences, [T,B,I]"))
		}
	}
	if len(x.Shape) != 3 || x.Shape[2] != r.InputSize {
		return fail(&tensor.ShapeError{Arg: "input", Got: x.Shape, Want: fmt.Sprintf("[T,B,%d], or [T,%d]", r.InputSize, r.InputSize)})
	}
	if err := x.Check("input"); err != nil {
		return fail(err)
	}
	turn := v.Net.BatchFirst && !single
	if turn {
		x = swapped(x)
	}
	T, B, H, D := x.Shape[0], x.Shape[1], r.HiddenSize, r.Directions()
	states := []int{len(v.nodes) * D, B, H}
	part := func(s tensor.Dense, k int) tensor.Dense {
		if s.IsZero() {
			return s
		}
		return tensor.Dense{Shape: []int{D, B, H}, Data: s.Data[k*D*B*H:][:D*B*H]}
	}
	for name, s := range map[string]tensor.Dense{"hx": h0, "cx": c0} {
		if s.IsZero() {
			continue
		}
		if len(s.Shape) != 3 || s.Shape[0] != states[0] || s.Shape[1] != B || s.Shape[2] != H {
			return fail(&tensor.ShapeError{Arg: name, Got: s.Shape, Want: fmt.Sprint(states)})
		}
		if err := s.Check(name); err != nil {
			return fail(err)
		}
	}
	hn = tensor.New(states...)
	if v.Op() == "LSTM" {
		cn = tensor.New(states...)
	}
	for k, node := range v.nodes {
		out, err := node.Run(operator.Input{X: x, Lengths: lengths, H0: part(h0, k), C0: part(c0, k)})
		if err != nil {
			return fail(fmt.Errorf("%s: %w", v.Net.Layers[k].Node, err))
		}
		copy(hn.Data[k*D*B*H:], out.H.Data)
		if !cn.IsZero() {
			copy(cn.Data[k*D*B*H:], out.C.Data)
		}
		x = tensor.New(T, B, D*H) // of Y [T,D,B,H]
		for t := range T {
			for d := range D {
				for b := range B {
					copy(x.Data[((t*B+b)*D+d)*H:][:H], out.Y.Data[((t*D+d)*B+b)*H:][:H])
				}
			}
		}
	}
	if turn {
		x = swapped(x)
	}
	if single {
		x, hn, cn = dropped(x), dropped(hn), dropped(cn)
	}
	return x, hn, cn, nil
}

// inserted makes [T,1,I] of [T,I]; dropped goes back.
func inserted(d tensor.Dense) tensor.Dense {
	if len(d.Shape) != 2 {
		return d
	}
	return tensor.Dense{Shape: []int{d.Shape[0], 1, d.Shape[1]}, Data: d.Data}
}

func dropped(d tensor.Dense) tensor.Dense {
	if d.IsZero() {
		return d
	}
	return tensor.Dense{Shape: []int{d.Shape[0], d.Shape[2]}, Data: d.Data}
}

// swapped exchanges the first two of three dimensions.
func swapped(d tensor.Dense) tensor.Dense {
	a, b, n := d.Shape[0], d.Shape[1], d.Shape[2]
	out := tensor.New(b, a, n)
	for i := range a {
		for j := range b {
			copy(out.Data[(j*a+i)*n:][:n], d.Data[(i*b+j)*n:][:n])
		}
	}
	return out
}
