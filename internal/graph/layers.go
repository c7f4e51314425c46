package graph

import (
	"fmt"
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/tensor"
)

// This file is all that binds recurrent nodes to what runs them, an unroll.Layer.

// layer is a recurrent node's parameters, ready to run; all plans share it.
type layer interface {
	settings() *onnx.Recurrent
	// plan returns the kernel for sequences of a size, whose outputs are made.
	plan(c *call, s *sequence) (kernel, error)
}

func newLayer(c *call, r *onnx.Recurrent) (layer, error) {
	if c.typ(0) == F64 {
		return newBound[float64](c, r)
	}
	return newBound[float32](c, r)
}

// LayerConfig returns the layer that a recurrent node of ONNX is: its mode, and
// as a variant what torch.nn's layers do not have. Layout 1 is BatchFirst. The
// parameters' names are those of the layer. Errors name the node.
func LayerConfig(r *onnx.Recurrent) (unroll.Config, error) {
	cfg := unroll.Config{InputSize: r.InputSize, HiddenSize: r.HiddenSize, NoBias: r.NoBias, Bidirectional: r.Directions() == 2, BatchFirst: r.BatchFirst}
	v := &cfg.Variant
	v.Reverse, v.Clip, v.InputForget, v.Peepholes = r.Direction == "reverse", float64(r.Clip), r.InputForget, r.Peepholes
	var names []string
	per := len(r.Activations) / r.Directions()
	for i, a := range r.Activations {
		list := &v.Activations
		if i >= per {
			list = &v.ReverseActivations
		}
		list[i%per] = unroll.Activation{Name: a.Name, Alpha: float64(a.Alpha), Beta: float64(a.Beta)}
		names = append(names, a.Name)
	}
	mode, ok := modeOf(r.Op, names)
	if !ok {
		return cfg, fmt.Errorf("%s: there is no cell for the operator %s", r.Node, r.Op)
	}
	cfg.Mode = mode
	v.ResetBefore = cell.Kinds()[mode].Takes.ResetBefore && !r.LinearBeforeReset
	k := cell.Kinds()[mode]
	if v.ReverseActivations == v.Activations || isOwn(k, v.Activations) && isOwn(k, v.ReverseActivations) {
		v.ReverseActivations = [3]unroll.Activation{}
	}
	if isOwn(k, v.Activations) {
		v.Activations = [3]unroll.Activation{}
	}
	return cfg, cfg.Validate()
}

// isOwn reports whether all functions are the cell's own.
func isOwn(k *cell.Kind, list [3]unroll.Activation) bool {
	for i, name := range k.Functions {
		if list[i].Name != name {
			return false
		}
	}
	return true
}

// modeOf returns the cell that is an operator, of several the one whose own
// functions are the node's.
func modeOf(op string, functions []string) (best unroll.Mode, ok bool) {
	for m, k := range cell.Kinds() {
		if k.ONNX.Name != op {
			continue
		}
		own := true
		for i, name := range functions {
			own = own && name == k.Functions[i%len(k.Functions)]
		}
		if own || !ok {
			best, ok = unroll.Mode(m), true
		}
		if own {
			break
		}
	}
	return best, ok
}

// boundLayer is a node's layer.
type boundLayer[F tensor.Float] struct {
	r *onnx.Recurrent
	l *unroll.LayerOf[F]
}

func newBound[F tensor.Float](c *call, r *onnx.Recurrent) (layer, error) {
	l, err := layerOf[F](r)
	if err == nil {
		if single, ok := any(l).(*unroll.Layer); ok && c.pureIn(weightInputs...) {
			single, err = c.lowered(single)
			l, _ = any(single).(*unroll.LayerOf[F])
		}
	}
	if err != nil {
		return nil, c.fail("%v", err)
	}
	r.Params = nil // the layer has its own
	return &boundLayer[F]{r, l}, nil
}

// layerOf makes the layer of a node.
func layerOf[F tensor.Float](r *onnx.Recurrent) (*unroll.LayerOf[F], error) {
	cfg, err := LayerConfig(r)
	if err != nil {
		return nil, err
	}
	l, err := unroll.NewOf[F](cfg)
	if err != nil {
		return nil, err
	}
	params := l.Params()
	fits := len(params) == len(r.Params)
	for _, p := range params {
		info, ok := r.Params.Info(p.Name)
		fits = fits && ok && slices.Equal(info.Shape, p.Value.Shape)
	}
	if !fits {
		return nil, fmt.Errorf("%s: its parameters %q are not those of %v", r.Node, r.Params.Names(), cfg)
	}
	l.Update(func(params []unroll.ParamOf[F]) {
		for _, p := range params {
			if err == nil {
				err = checkpoint.FloatInto(r.Params, p.Name, p.Value.Data)
			}
		}
	})
	return l, err
}

func (p *boundLayer[F]) settings() *onnx.Recurrent { return p.r }

// layerRun is what a run of a layer needs of its own.
type layerRun[F tensor.Float] struct {
	pass          unroll.PassOf[F]
	lengths       []int
	xShape, state []int
	h0, c0        []F // of layout 1
	zeros         tensor.DenseOf[F]
}

func (p *boundLayer[F]) plan(c *call, s *sequence) (kernel, error) {
	first, second := s.T, s.B
	if s.r.BatchFirst {
		first, second = s.B, s.T
	}
	workers := c.pl.p.limits.Workers
	together := new(bool)
	if s.D == 2 && !s.r.BatchFirst && !c.has(4) {
		c.together = together
	}
	c.local = func() any {
		run := &layerRun[F]{xShape: []int{first, second, s.r.InputSize}, state: []int{s.D, s.B, s.r.HiddenSize}}
		run.pass.Layer = p.l
		run.pass.Workers = workers
		return run
	}
	return func(a *args) error {
		run := a.local.(*layerRun[F])
		lengths, err := run.read(a, s)
		if err != nil {
			return err
		}
		s0 := unroll.StateOf[F]{H: run.initial(a, s, 5, &run.h0), C: run.initial(a, s, 6, &run.c0)}
		if p.l.Config().HasCell() {
			missingHalf(&s0, &run.zeros, run.state, run.state)
		}
		if s.T == 0 {
			keepState(a, s0, run.place(s))
			return nil
		}
		got, sn, err := run.pass.Forward(tensor.DenseOf[F]{Shape: run.xShape, Data: data[F](a.in[0])}, s0)
		if err != nil {
			return err
		}
		run.output(data[F](a.out[0]), got.Data, s, *together)
		keepState(a, sn, run.place(s))
		run.clearEmpty(a, s, lengths)
		return nil
	}, nil
}

// output writes y [T,B,D*H] as Y [T,D,B,H], or as it is where the directions stay
// together; with layout 1 both begin with [B,T].
func (run *layerRun[F]) output(to, y []F, s *sequence, together bool) {
	if s.D == 1 || s.B == 1 || s.r.BatchFirst || together {
		copy(to, y)
		return
	}
	H := s.r.HiddenSize
	for t := range s.T {
		for b := range s.B {
			for d := range s.D {
				copy(to[((t*s.D+d)*s.B+b)*H:][:H], y[((t*s.B+b)*s.D+d)*H:])
			}
		}
	}
}

// initial returns the state of input i [D,B,H], nothing if it is absent; layout 1
// has [B,D,H].
func (run *layerRun[F]) initial(a *args, s *sequence, i int, mem *[]F) tensor.DenseOf[F] {
	v := operandOf[F](a.in, i)
	if v == nil {
		return tensor.DenseOf[F]{}
	}
	if s.r.BatchFirst {
		*mem = append((*mem)[:0], v...)
		s.swapped(func(to, from int) { copy((*mem)[to:], v[from:from+s.r.HiddenSize]) })
		v = *mem
	}
	return tensor.DenseOf[F]{Shape: run.state, Data: v}
}

// swapped calls f with the places of each vector of a state in [D,B,H] and in
// [B,D,H].
func (s *sequence) swapped(f func(dbh, bdh int)) {
	for d := range s.D {
		for b := range s.B {
			f((d*s.B+b)*s.r.HiddenSize, (b*s.D+d)*s.r.HiddenSize)
		}
	}
}

// place returns what copies a state [D,B,H] to an output of another layout, nil for
// the same one.
func (run *layerRun[F]) place(s *sequence) func(dst, half []F) {
	if !s.r.BatchFirst {
		return nil
	}
	return func(dst, half []F) {
		s.swapped(func(from, to int) { copy(dst[to:to+s.r.HiddenSize], half[from:]) })
	}
}

// keepState copies final states to the outputs that want them, by place where that
// is not nil; zeros for none.
func keepState[F tensor.Float](a *args, sn unroll.StateOf[F], place func(dst, half []F)) {
	for i, half := range [...][]F{sn.H.Data, sn.C.Data} {
		if len(a.out) <= i+1 || a.out[i+1] == nil {
			continue
		}
		dst := data[F](a.out[i+1])
		if place != nil && len(half) > 0 {
			place(dst, half)
			continue
		}
		clear(dst[copy(dst, half):])
	}
}

// clearEmpty gives sequences of length 0 zeros, as ONNX Runtime does.
func (run *layerRun[F]) clearEmpty(a *args, s *sequence, lengths []int32) {
	H := s.r.HiddenSize
	for b, n := range lengths {
		if n > 0 {
			continue
		}
		for t := range s.T {
			for d := range s.D {
				at := ((t*s.D+d)*s.B + b) * H
				if s.r.BatchFirst {
					at = ((b*s.T+t)*s.D + d) * H
				}
				clear(data[F](a.out[0])[at : at+H])
			}
		}
		for i := 1; i < len(a.out); i++ {
			if a.out[i] == nil {
				continue
			}
			s.swapped(func(dbh, bdh int) {
				if at := dbh; at/H%s.B == b && !s.r.BatchFirst {
					clear(data[F](a.out[i])[at : at+H])
				}
				if at := bdh; at/H/s.D == b && s.r.BatchFirst {
					clear(data[F](a.out[i])[at : at+H])
				}
			})
		}
	}
}

// read sets the pass's lengths, 1 for those of 0, whose results are cleared after.
func (run *layerRun[F]) read(a *args, s *sequence) ([]int32, error) {
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

// missingHalf gives an LSTM the half of its state that is absent: zeros of the shape,
// in the memory of mem.
func missingHalf[F tensor.Float](s *unroll.StateOf[F], mem *tensor.DenseOf[F], h, c []int) {
	half, shape := &s.H, h
	switch {
	case s.H.IsZero() == s.C.IsZero():
		return
	case s.C.IsZero():
		half, shape = &s.C, c
	}
	if mem.IsZero() || !slices.Equal(mem.Shape, shape) {
		*mem = tensor.NewOf[F](shape...)
	}
	*half = *mem
}

func operandOf[F tensor.Float](in []*Value, i int) []F {
	if i >= len(in) || in[i] == nil {
		return nil
	}
	return data[F](in[i])
}
