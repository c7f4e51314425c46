package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// Run runs the model once on inputs by name and returns its outputs by name, in
// new memory. The input of a State may be left out: it is then what the model begins
// with, zeros or what was learnt. Inputs are only read, and not kept.
//
// An input that is missing, that the model does not have, or whose type or shape
// does not fit is an ErrInput.
func (m *Model) Run(inputs map[string]Value) (map[string]Value, error) {
	p := m.NewPass()
	for name, v := range inputs {
		if err := p.Set(name, v); err != nil {
			return nil, err
		}
	}
	if err := p.Run(); err != nil {
		return nil, err
	}
	out := map[string]Value{}
	for i, port := range m.program.Graph().Outputs {
		out[port.Name] = Value{p.out[i]}
	}
	return out, nil
}

// Pass runs a model for one goroutine, in memory of its own.
type Pass struct {
	m       *Model
	in, out []graph.Value
	first   []graph.Value // what states that were not set begin with
	run     []graph.Value // what a run takes: inputs set, and those
}

// NewPass returns a pass.
func (m *Model) NewPass() *Pass {
	g := m.program.Graph()
	n := len(g.Inputs)
	return &Pass{m: m, in: make([]graph.Value, n), out: make([]graph.Value, len(g.Outputs)), first: make([]graph.Value, n), run: make([]graph.Value, n)}
}

// Set sets an input, which Run only reads; the zero Value takes it away. It is
// an ErrInput if the model has no input of that name.
func (p *Pass) Set(name string, v Value) error {
	inputs := p.m.program.Graph().Inputs
	i := slices.IndexFunc(inputs, func(port graph.Port) bool { return port.Name == name })
	if i < 0 {
		var names []string
		for _, port := range inputs {
			names = append(names, port.Name)
		}
		return fmt.Errorf("%w: %s has no input %q; its inputs are %s", ErrInput, p.m.path, name, strings.Join(names, ", "))
	}
	p.in[i] = v.v
	return nil
}

// Run runs the model on the inputs set. It allocates nothing if a run of the same
// shapes went before. Errors are those of Model.Run.
func (p *Pass) Run() error {
	if err := p.complete(); err != nil {
		return err
	}
	if err := p.m.program.Run(p.run, p.out); err != nil {
		return fmt.Errorf("%s: %w", p.m.path, err)
	}
	return nil
}

// complete makes p.run of the inputs set, and of beginnings for states that are not.
func (p *Pass) complete() error {
	inputs := p.m.program.Graph().Inputs
	for i := range inputs {
		p.run[i] = p.in[i]
		if !p.in[i].IsZero() {
			continue
		}
		if !p.m.isState(inputs[i].Name) {
			return fmt.Errorf("%w: %s: input %q is missing; it is %s", ErrInput, p.m.path, inputs[i].Name, ports(inputs[i : i+1])[0])
		}
		if err := p.begin(i); err != nil {
			return err
		}
		p.run[i] = p.first[i]
	}
	return nil
}

// begin makes what the state that input i is begins with; other inputs give its
// symbols a size.
func (p *Pass) begin(i int) error {
	port := p.m.program.Graph().Inputs[i]
	shape := make([]int, len(port.Shape))
	for k, d := range port.Shape {
		n := d.Size
		if n < 0 {
			var ok bool
			if n, ok = p.symbol(d.Name); !ok {
				n, ok = p.sequences(i, k)
			}
			if !ok {
				return fmt.Errorf("%w: %s: the state %q is not given, and no other input says its size %q", ErrInput, p.m.path, port.Name, d)
			}
		}
		shape[k] = n
	}
	if v := p.first[i]; !v.IsZero() && slices.Equal(v.Shape, shape) {
		return nil
	}
	v, err := graph.New(port.Type, shape...)
	if err == nil && !port.Start.IsZero() {
		v, err = port.Start.Repeated(shape...)
	}
	if err != nil {
		return err
	}
	p.first[i] = v
	return nil
}

// symbol returns the size that the inputs set give a symbol.
func (p *Pass) symbol(name string) (int, bool) {
	if name == "" {
		return 0, false
	}
	for i, port := range p.m.program.Graph().Inputs {
		for k, d := range port.Shape {
			if d.Name == name && !p.in[i].IsZero() && k < len(p.in[i].Shape) {
				return p.in[i].Shape[k], true
			}
		}
	}
	return 0, false
}

// sequences returns how many sequences the inputs set hold, if axis k of input i, a
// state, is that of sequences.
func (p *Pass) sequences(i, k int) (int, bool) {
	axes := p.m.axes.Load()
	if axes == nil {
		g := p.m.program.Graph()
		example, open, after := make([]graph.Value, len(p.in)), make([][]bool, len(p.in)), make([]int, len(p.in))
		for j, port := range g.Inputs {
			open[j] = make([]bool, len(port.Shape))
			shape := make([]int, len(port.Shape))
			for a, d := range port.Shape {
				shape[a], open[j][a] = max(d.Size, 1), d.Size < 0
			}
			after[j] = p.m.after(port.Name)
			if example[j] = p.in[j]; !example[j].IsZero() {
				continue
			}
			var err error
			if example[j], err = graph.New(port.Type, shape...); err != nil {
				return 0, false
			}
		}
		in, _, ok, _, err := p.m.program.BatchAxesThat(example, open, func(in, out []int) bool {
			for j := range in {
				if after[j] > 0 && (in[j] < 0 || out != nil && out[after[j]-1] != in[j]) {
					return false
				}
			}
			return true
		})
		if err != nil || !ok {
			return 0, false
		}
		axes = &in
		p.m.axes.Store(axes)
	}
	if (*axes)[i] != k {
		return 0, false
	}
	for j, v := range p.in {
		if a := (*axes)[j]; !v.IsZero() && a >= 0 && a < len(v.Shape) {
			return v.Shape[a], true
		}
	}
	return 0, false
}

func (m *Model) isState(input string) bool {
	return slices.ContainsFunc(m.states, func(s State) bool { return s.Input == input })
}

// Output returns an output of the last Run, which holds until the next one; the
// zero Value if there is none of that name.
func (p *Pass) Output(name string) Value {
	for i, port := range p.m.program.Graph().Outputs {
		if port.Name == name {
			return Value{p.out[i]}
		}
	}
	return Value{}
}
