//go:build !js

package server

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
	dense "github.com/unroll-ml/unroll/tensor"
)

// looker gathers what reaches the recurrent layers of a model in steps that it makes
// again.
type looker struct {
	names  []string
	layers map[string]*reached
}

// reached is what reached a layer in one step after another.
type reached struct {
	layer *unroll.Layer
	x     []float32    // [T,I]
	s0    [2][]float32 // h and c before the first
	end   [2][]float32 // after the last
}

// steps makes the steps again. The bits are those that were made.
func (l *looker) steps(v *version, kept live.Watched) error {
	l.layers = map[string]*reached{}
	if one := v.step.layer; one != nil {
		c := one.Config()
		h := c.Layers() * c.StateSize()
		l.names = []string{"layer"}
		l.layers["layer"] = &reached{layer: one, x: kept.X, s0: [2][]float32{kept.State[:h], kept.State[h:]}}
		return nil
	}
	rows, err := v.model.NewRows(1, v.step.rows)
	if err != nil {
		return err
	}
	y := make([]float32, v.step.out)
	for x := kept.X; len(x) > 0; x = x[v.step.in:] {
		given := rows.Values(kept.State)
		for name, set := range v.step.rows.Set {
			given[name] = set
		}
		for i := range v.step.inputs {
			p := &v.step.inputs[i]
			if given[p.name], err = typed(p.kind, x[p.at:p.at+p.n], p.full(1)); err != nil {
				return err
			}
		}
		if err := v.model.Watch(given, l.see); err != nil {
			return err
		}
		if err := rows.Step(y, x[:v.step.in], [][]float32{kept.State}); err != nil {
			return err
		}
	}
	return nil
}

// see takes what reaches a recurrent layer. One that does not go on from where it
// was begins anew, so that its last run is kept.
func (l *looker) see(s model.Seen) error {
	if s.Layer == nil || s.Constant || s.Layer.Config().Bidirectional {
		return nil
	}
	at := []int{5, 6} // ONNX: X W R B sequence_lens initial_h initial_c
	if s.Own {
		at = []int{1, 2}
	}
	r := l.layers[s.Name]
	if r == nil {
		r = &reached{layer: s.Layer}
		l.layers[s.Name] = r
		l.names = append(l.names, s.Name)
	}
	var s0 [2][]float32
	for k, i := range at {
		if i < len(s.In) {
			s0[k] = slices.Clone(model.Data[float32](s.In[i]))
		}
	}
	if r.x == nil || s0[0] == nil || !slices.Equal(s0[0], r.end[0]) || !slices.Equal(s0[1], r.end[1]) {
		r.x, r.s0 = nil, s0
	}
	r.x = append(r.x, model.Data[float32](s.In[0])...)
	for k := range r.end {
		r.end[k] = nil
		if 1+k < len(s.Out) && s0[k] != nil {
			r.end[k] = slices.Clone(model.Data[float32](s.Out[1+k]))
		}
	}
	return nil
}

// parts runs each layer on what reached it.
func (l *looker) parts() (list []explain.Part, err error) {
	for _, name := range l.names {
		r := l.layers[name]
		c := r.layer.Config()
		x := dense.Dense{Shape: []int{len(r.x) / c.InputSize, c.InputSize}, Data: r.x}
		var s0 unroll.State
		if len(r.s0[0]) > 0 {
			s0.H = dense.Dense{Shape: []int{c.Layers(), c.StateSize()}, Data: r.s0[0]}
		}
		if c.HasCell() && len(r.s0[1]) > 0 {
			s0.C = dense.Dense{Shape: []int{c.Layers(), c.HiddenSize}, Data: r.s0[1]}
		}
		t, err := explain.NewTrace(r.layer, x, s0)
		if err == nil {
			err = t.Run(nil)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, explain.Part{Name: name, Trace: t})
	}
	if len(list) == 0 {
		return nil, failf(badRequest, "the model has no recurrent layer that goes forward and reads float32; explain is about those")
	}
	return list, nil
}
