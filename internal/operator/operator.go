// Package operator runs one node RNN, LSTM or GRU of ONNX with every attribute
// of its definition, those that torch.nn's layers lack included: clip, other
// activations, peepholes, input_forget, linear_before_reset 0, a reverse
// direction alone, layout 1. Forward only, one row after another; a node that
// is a layer of torch.nn runs many times faster as an unroll.Layer.
//
// Sums and activations follow docs/numerics.md: a chain of fused multiply-adds
// in index order, functions with the same bits on every platform.
//
// Letters: T steps, B sequences, I inputs, H units, D directions, G gates.
package operator

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// Input is a node's inputs; zero values are absent ones.
type Input struct {
	X       tensor.Dense // [T,B,I]; layout 1: [B,T,I]
	Lengths []int        // [B], 0 to T each
	H0, C0  tensor.Dense // [D,B,H]; layout 1: [B,D,H]
}

// Output is a node's outputs; C is absent but for an LSTM. Beyond a sequence's
// end Y is zero.
type Output struct {
	Y    tensor.Dense // [T,D,B,H]; layout 1: [B,T,D,H]
	H, C tensor.Dense // [D,B,H]; layout 1: [B,D,H]
}

// Node is a node with its weights ready. Many goroutines may run it at once.
type Node struct {
	r    *onnx.Recurrent
	dirs []direction
}

// direction holds the parameters of one direction, in PyTorch's order of gates.
type direction struct {
	ih, hh, bih, bhh, peep []float32
	f                      []func(float32) float32 // f, g, h
}

// New reads a node's weights as float32.
func New(r *onnx.Recurrent) (*Node, error) {
	n := &Node{r: r, dirs: make([]direction, r.Directions())}
	per := map[string]int{"RNN": 1, "LSTM": 3, "GRU": 2}[r.Op]
	if per == 0 || len(r.Activations) != per*len(n.dirs) {
		return nil, fmt.Errorf("%s: %q with %d activations in %d directions is not RNN, LSTM or GRU with 1, 3 or 2 in each", r.Node, r.Op, len(r.Activations), len(n.dirs))
	}
	for d := range n.dirs {
		dir, end := &n.dirs[d], []string{"_l0", "_l0_reverse"}[d]
		for name, to := range map[string]*[]float32{"weight_ih": &dir.ih, "weight_hh": &dir.hh, "bias_ih": &dir.bih, "bias_hh": &dir.bhh, "weight_peephole": &dir.peep} {
			if strings.HasPrefix(name, "bias") && r.NoBias || name == "weight_peephole" && !r.Peepholes {
				continue
			}
			v, err := checkpoint.Float[float32](r.Params, name+end)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Node, err)
			}
			*to = v.Data
		}
		for _, a := range r.Activations[d*per : (d+1)*per] {
			dir.f = append(dir.f, function(a))
		}
	}
	return n, nil
}

func function(a onnx.Activation) func(float32) float32 {
	alpha, beta := a.Alpha, a.Beta
	switch a.Name {
	case "Relu":
		return kernel.ReLU[float32]
	case "Tanh":
		return kernel.Tanh32
	case "Sigmoid":
		return kernel.Sigmoid32
	case "Affine":
		return func(x float32) float32 { return kernel.FMA32(alpha, x, beta) }
	case "LeakyRelu":
		return func(x float32) float32 {
			if x < 0 {
				return alpha * x
			}
			return x
		}
	case "ThresholdedRelu":
		return func(x float32) float32 {
			if x <= alpha {
				return 0
			}
			return x
		}
	case "ScaledTanh":
		return func(x float32) float32 { return alpha * kernel.Tanh32(beta*x) }
	case "HardSigmoid":
		return func(x float32) float32 { return min(max(kernel.FMA32(alpha, x, beta), 0), 1) }
	case "Elu":
		return func(x float32) float32 {
			if x < 0 {
				return float32(float64(alpha) * (fmath.Exp(float64(x)) - 1))
			}
			return x
		}
	case "Softsign":
		return func(x float32) float32 { return x / (1 + max(x, -x)) }
	default: // onnx.Recurrent lets no other name through
		return func(x float32) float32 { return float32(fmath.Softplus(float64(x))) }
	}
}

// Run runs the node. Errors are tensor.ErrShape, or name a length.
func (n *Node) Run(in Input) (Output, error) {
	r, rows := n.r, len(n.dirs)
	if len(in.X.Shape) != 3 || in.X.Shape[2] != r.InputSize {
		return Output{}, &tensor.ShapeError{Arg: "X", Got: in.X.Shape, Want: fmt.Sprintf("[T,B,%d], or [B,T,%d] with layout 1", r.InputSize, r.InputSize)}
	}
	T, B, H := in.X.Shape[0], in.X.Shape[1], r.HiddenSize
	states, y := []int{rows, B, H}, []int{T, rows, B, H}
	if r.BatchFirst {
		T, B = B, T
		states, y = []int{B, rows, H}, []int{B, T, rows, H}
	}
	for name, s := range map[string]tensor.Dense{"initial_h": in.H0, "initial_c": in.C0} {
		if s.IsZero() {
			continue
		}
		if len(s.Shape) != 3 || s.Shape[0] != states[0] || s.Shape[1] != states[1] || s.Shape[2] != H {
			return Output{}, &tensor.ShapeError{Arg: name, Got: s.Shape, Want: fmt.Sprint(states)}
		}
		if err := s.Check(name); err != nil {
			return Output{}, err
		}
	}
	if err := in.X.Check("X"); err != nil {
		return Output{}, err
	}
	if in.Lengths != nil && len(in.Lengths) != B {
		return Output{}, fmt.Errorf("sequence_lens: got %d lengths, expected %d", len(in.Lengths), B)
	}
	for i, l := range in.Lengths {
		if l < 0 || l > T {
			return Output{}, fmt.Errorf("sequence_lens[%d]: got %d, expected 0 to %d", i, l, T)
		}
	}
	out := Output{Y: tensor.New(y...), H: tensor.New(states...)}
	if r.Op == "LSTM" {
		out.C = tensor.New(states...)
	}
	for d := range rows {
		for b := range B {
			n.sequence(in, out, d, b, T, B)
		}
	}
	return out, nil
}

// sequence runs sequence b in direction d.
func (n *Node) sequence(in Input, out Output, d, b, T, B int) {
	r, D, H := n.r, len(n.dirs), n.r.HiddenSize
	length := T
	if in.Lengths != nil {
		length = in.Lengths[b]
	}
	at := (d*B + b) * H
	if r.BatchFirst {
		at = (b*D + d) * H
	}
	s := &step{r: r, d: &n.dirs[d], h: out.H.Data[at:][:H], c: make([]float32, H), next: make([]float32, H), gate: make([]float32, H)}
	if !in.H0.IsZero() {
		copy(s.h, in.H0.Data[at:])
	}
	if !out.C.IsZero() {
		s.c = out.C.Data[at:][:H]
		if !in.C0.IsZero() {
			copy(s.c, in.C0.Data[at:])
		}
	}
	for k := range length {
		t := k
		if d == 1 || r.Direction == "reverse" {
			t = length - 1 - k
		}
		x, y := (t*B+b)*r.InputSize, ((t*D+d)*B+b)*H
		if r.BatchFirst {
			x, y = (b*T+t)*r.InputSize, ((b*T+t)*D+d)*H
		}
		s.run(in.X.Data[x:][:r.InputSize])
		copy(out.Y.Data[y:], s.h)
	}
}

// step is the state of one sequence in one direction.
type step struct {
	r          *onnx.Recurrent
	d          *direction
	h, c       []float32
	next, gate []float32
}

// dot continues acc with the products of row of w and x.
func dot(acc float32, w, x []float32, row int) float32 {
	for i, v := range w[row*len(x) : (row+1)*len(x)] {
		acc = kernel.FMA32(x[i], v, acc)
	}
	return acc
}

// at returns b[i], and 0 of an absent bias.
func at(b []float32, i int) float32 {
	if b == nil {
		return 0
	}
	return b[i]
}

// sum is the whole sum of gate g, unit j.
func (s *step) sum(x []float32, g, j int) float32 {
	row := g*s.r.HiddenSize + j
	return dot(dot(at(s.d.bih, row)+at(s.d.bhh, row), s.d.ih, x, row), s.d.hh, s.h, row)
}

func (s *step) clip(x float32) float32 {
	if c := s.r.Clip; c > 0 {
		return max(-c, min(c, x))
	}
	return x
}

// peep adds the peephole of gate p (i f o) on cell state c.
func (s *step) peep(x float32, p, j int, c float32) float32 {
	if s.d.peep == nil {
		return x
	}
	return kernel.FMA32(s.d.peep[p*s.r.HiddenSize+j], c, x)
}

func (s *step) run(x []float32) {
	switch s.r.Op {
	case "RNN":
		for j := range s.next {
			s.next[j] = s.d.f[0](s.clip(s.sum(x, 0, j)))
		}
	case "LSTM":
		s.lstm(x)
	case "GRU":
		s.gru(x)
	}
	for j, v := range s.next {
		s.h[j] = kernel.Flush(v)
	}
}

// lstm: rows i f g o.
func (s *step) lstm(x []float32) {
	f, g, last := s.d.f[0], s.d.f[1], s.d.f[2]
	for j, c := range s.c {
		i := f(s.clip(s.peep(s.sum(x, 0, j), 0, j, c)))
		forget := 1 - i
		if !s.r.InputForget {
			forget = f(s.clip(s.peep(s.sum(x, 1, j), 1, j, c)))
		}
		c = kernel.Flush(kernel.FMA32(forget, c, float32(i*g(s.clip(s.sum(x, 2, j))))))
		s.c[j] = c
		s.next[j] = f(s.clip(s.peep(s.sum(x, 3, j), 2, j, c))) * last(c)
	}
}

// gru: rows r z n. Without linear_before_reset the state is multiplied by r
// before the product, so every r is needed first.
func (s *step) gru(x []float32) {
	f, g, H := s.d.f[0], s.d.f[1], s.r.HiddenSize
	for j := range s.gate {
		s.gate[j] = f(s.clip(s.sum(x, 0, j)))
	}
	scaled := s.gate
	if !s.r.LinearBeforeReset {
		scaled = make([]float32, H)
		for j, v := range s.gate {
			scaled[j] = v * s.h[j]
		}
	}
	for j := range s.next {
		row := 2*H + j
		var sum float32
		if s.r.LinearBeforeReset {
			sum = kernel.FMA32(s.gate[j], dot(at(s.d.bhh, row), s.d.hh, s.h, row), dot(at(s.d.bih, row), s.d.ih, x, row))
		} else {
			sum = dot(dot(at(s.d.bih, row)+at(s.d.bhh, row), s.d.ih, x, row), s.d.hh, scaled, row)
		}
		n, z := g(s.clip(sum)), f(s.clip(s.sum(x, 1, j)))
		s.next[j] = kernel.FMA32(z, s.h[j]-n, n)
	}
}
