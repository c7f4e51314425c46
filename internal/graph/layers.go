package graph

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/operator"
	"github.com/unroll-ml/unroll/tensor"
)

// This file is all that binds recurrent nodes to what runs them: an unroll.Layer,
// or, for settings that a layer does not have, internal/operator.

// layer is a recurrent node's parameters, ready to run; all plans share it.
type layer interface {
	settings() *onnx.Recurrent
	// plan returns the kernel for sequences of a size, whose outputs are made.
	plan(c *call, s *sequence) (kernel, error)
}

func newLayer(c *call, r *onnx.Recurrent) (layer, error) {
	if r.Deviation() != "" || r.BatchFirst {
		if c.typ(0) != F32 {
			return nil, c.unsupported("with these attributes of %s", c.typ(0))
		}
		n, err := operator.New(r)
		if err != nil {
			return nil, c.fail("%v", err)
		}
		return &variantLayer{r: r, n: n}, nil
	}
	if c.typ(0) == F64 {
		return newPlainLayer[float64](c, r)
	}
	return newPlainLayer[float32](c, r)
}

// plainLayer is a layer of torch.nn.
type plainLayer[F tensor.Float] struct {
	r *onnx.Recurrent
	l *unroll.LayerOf[F]
}

func newPlainLayer[F tensor.Float](c *call, r *onnx.Recurrent) (layer, error) {
	cfg := unroll.Config{InputSize: r.InputSize, HiddenSize: r.HiddenSize, NoBias: r.NoBias, Bidirectional: r.Direction == "bidirectional"}
	switch r.Op {
	case "LSTM":
		cfg.Mode = unroll.LSTM
	case "GRU":
		cfg.Mode = unroll.GRU
	default:
		cfg.Mode = unroll.RNNTanh
		if r.HasActivations() {
			return nil, c.unsupported("with these activations")
		}
		if r.Activations[0].Name == "Relu" {
			cfg.Mode = unroll.RNNReLU
		}
	}
	l, err := unroll.NewOf[F](cfg)
	if err != nil {
		return nil, c.fail("%v", err)
	}
	params := map[string]tensor.DenseOf[F]{}
	for _, p := range r.Params {
		if params[p.Name], err = checkpoint.FloatOf[F](p); err != nil {
			return nil, c.fail("%v", err)
		}
	}
	if err := l.Load(params); err != nil {
		return nil, c.fail("%v", err)
	}
	return &plainLayer[F]{r, l}, nil
}

func (p *plainLayer[F]) settings() *onnx.Recurrent { return p.r }

// plainRun is what a run of a plain layer needs of its own.
type plainRun[F tensor.Float] struct {
	pass          unroll.PassOf[F]
	lengths       []int
	xShape, state []int
}

func (p *plainLayer[F]) plan(c *call, s *sequence) (kernel, error) {
	reverse := s.r.Direction == "reverse"
	if reverse {
		if err := c.memory(c.typ(0), c.in[0].n); err != nil {
			return nil, err
		}
	}
	c.local = func() any {
		run := &plainRun[F]{xShape: []int{s.T, s.B, s.r.InputSize}, state: []int{s.D, s.B, s.r.HiddenSize}}
		run.pass.Layer = p.l
		run.pass.Workers = 1
		return run
	}
	H := s.r.HiddenSize
	return func(a *args) error {
		run := a.local.(*plainRun[F])
		lengths, err := run.read(a, s)
		if err != nil {
			return err
		}
		x, y := data[F](a.in[0]), data[F](a.out[0])
		var s0 unroll.StateOf[F]
		if h0 := operandOf[F](a.in, 5); h0 != nil {
			s0.H = tensor.DenseOf[F]{Shape: run.state, Data: h0}
		}
		if c0 := operandOf[F](a.in, 6); c0 != nil {
			s0.C = tensor.DenseOf[F]{Shape: run.state, Data: c0}
		}
		if s.r.Op == "LSTM" {
			run.both(&s0)
		}
		if s.T == 0 {
			keepState(a, s0)
			return nil
		}
		if reverse {
			turned := data[F](a.scratch[0])
			reverseSteps(turned, x, s, s.r.InputSize, lengths)
			x = turned
		}
		got, sn, err := run.pass.Forward(tensor.DenseOf[F]{Shape: run.xShape, Data: x}, s0)
		if err != nil {
			return err
		}
		switch {
		case reverse:
			reverseSteps(y, got.Data, s, H, lengths)
		case s.D == 1:
			copy(y, got.Data)
		default: // [T,B,D,H] to [T,D,B,H]
			for t := range s.T {
				for b := range s.B {
					for d := range s.D {
						copy(y[((t*s.D+d)*s.B+b)*H:][:H], got.Data[((t*s.B+b)*s.D+d)*H:])
					}
				}
			}
		}
		keepState(a, sn)
		clearEmpty[F](a, s, lengths)
		return nil
	}, nil
}

// read sets the pass's lengths, 1 for those of 0, whose results are cleared after.
func (run *plainRun[F]) read(a *args, s *sequence) ([]int32, error) {
	if len(a.in) < 5 || a.in[4] == nil {
		return nil, nil
	}
	lengths := data[int32](a.in[4])
	run.lengths = run.lengths[:0]
	for i, n := range lengths {
		if n < 0 || int(n) > s.T {
			return nil, fmt.Errorf("sequence_lens[%d] is %d, expected 0 to %d", i, n, s.T)
		}
		run.lengths = append(run.lengths, max(int(n), 1))
	}
	run.pass.Lengths = run.lengths
	return lengths, nil
}

// both gives an LSTM the half of its state that is absent.
func (run *plainRun[F]) both(s *unroll.StateOf[F]) {
	if s.H.IsZero() == s.C.IsZero() {
		return
	}
	zeros := tensor.NewOf[F](run.state...)
	if s.H.IsZero() {
		s.H = zeros
	} else {
		s.C = zeros
	}
}

// keepState copies final states to the outputs that want them; zeros for none.
func keepState[F tensor.Float](a *args, s unroll.StateOf[F]) {
	for i, half := range []tensor.DenseOf[F]{s.H, s.C} {
		if len(a.out) > i+1 && a.out[i+1] != nil {
			dst := data[F](a.out[i+1])
			clear(dst[copy(dst, half.Data):])
		}
	}
}

// clearEmpty gives sequences of length 0 zeros, as ONNX Runtime does.
func clearEmpty[F tensor.Float](a *args, s *sequence, lengths []int32) {
	H := s.r.HiddenSize
	for b, n := range lengths {
		if n > 0 {
			continue
		}
		for row := range s.T * s.D {
			clear(data[F](a.out[0])[(row*s.B+b)*H:][:H])
		}
		for i := 1; i < len(a.out); i++ {
			if a.out[i] != nil {
				for d := range s.D {
					clear(data[F](a.out[i])[(d*s.B+b)*H:][:H])
				}
			}
		}
	}
}

// reverseSteps turns the steps of every sequence around; beyond its end are zeros.
func reverseSteps[F tensor.Float](dst, x []F, s *sequence, width int, lengths []int32) {
	for b := range s.B {
		n := s.T
		if lengths != nil {
			n = int(lengths[b])
		}
		for t := range s.T {
			to := dst[(t*s.B+b)*width:][:width]
			if t < n {
				copy(to, x[((n-1-t)*s.B+b)*width:])
			} else {
				clear(to)
			}
		}
	}
}

func operandOf[F tensor.Float](in []*Value, i int) []F {
	if i >= len(in) || in[i] == nil {
		return nil
	}
	return data[F](in[i])
}

// variantLayer has settings beyond torch.nn's.
type variantLayer struct {
	r *onnx.Recurrent
	n *operator.Node
}

func (v *variantLayer) settings() *onnx.Recurrent { return v.r }

func (v *variantLayer) plan(_ *call, s *sequence) (kernel, error) {
	dense := func(x *Value) tensor.Dense { return tensor.Dense{Shape: x.Shape, Data: data[float32](x)} }
	return func(a *args) error {
		in := operator.Input{X: dense(a.in[0])}
		for i, to := range map[int]*tensor.Dense{5: &in.H0, 6: &in.C0} {
			if i < len(a.in) && a.in[i] != nil {
				*to = dense(a.in[i])
			}
		}
		if len(a.in) > 4 && a.in[4] != nil {
			in.Lengths = []int{}
			for _, n := range data[int32](a.in[4]) {
				in.Lengths = append(in.Lengths, int(n))
			}
		}
		out, err := v.n.Run(in)
		if err != nil {
			return err
		}
		for i, half := range []tensor.Dense{out.Y, out.H, out.C} {
			if i < len(a.out) && a.out[i] != nil {
				copy(data[float32](a.out[i]), half.Data)
			}
		}
		if in.Lengths != nil && !s.r.BatchFirst {
			clearEmpty[float32](a, s, data[int32](a.in[4]))
		}
		return nil
	}, nil
}
