package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// sizing is what is known of a step's inputs before the model is looked at.
type sizing struct {
	example []graph.Value // of one sequence, zeros; open dimensions are 1
	open    [][]bool      // dimensions whose size nobody has said
	state   []int         // 1 + the output that is the state after, of each input
}

// sized puts together what the model and the options say of the inputs.
func (r *Rows) sized() (*sizing, error) {
	ports := r.m.program.Graph().Inputs
	s := &sizing{example: make([]graph.Value, len(ports)), open: make([][]bool, len(ports)), state: make([]int, len(ports))}
	for i, p := range ports {
		s.state[i] = r.m.after(p.Name)
	}
	sizes, err := r.sizes(s)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for i, p := range ports {
		if set, ok := r.opt.Set[p.Name]; ok {
			s.example[i], s.open[i] = set.v, make([]bool, len(set.v.Shape))
			continue
		}
		if p.Shape == nil {
			return nil, fmt.Errorf("%w: the model does not say the shape of input %q, so what a step of it is cannot be known; it can be given by Set", ErrInput, p.Name)
		}
		shape := make([]int, len(p.Shape))
		s.open[i] = make([]bool, len(shape))
		for k, d := range p.Shape {
			name, n, ok := sizeOf(sizes, p.Name, k, d)
			shape[k] = n
			if s.open[i][k] = d.Size < 0 && !ok; s.open[i][k] {
				shape[k] = 1
			} else if d.Size >= 0 {
				shape[k] = d.Size
			} else {
				used[name] = true
			}
		}
		if s.example[i], err = graph.New(p.Type, shape...); err != nil {
			return nil, err
		}
	}
	for name := range r.opt.Sizes {
		if !used[name] {
			return nil, fmt.Errorf("%w: Sizes has %q, which is no open dimension of an input; there are %s", ErrInput, name, r.dimensions())
		}
	}
	return s, nil
}

// sizes are those of the options, and those that inputs which are set give to
// symbols.
func (r *Rows) sizes(s *sizing) (map[string]int, error) {
	ports := r.m.program.Graph().Inputs
	sizes := maps.Clone(r.opt.Sizes)
	for name, n := range sizes {
		if n < 1 {
			return nil, fmt.Errorf("%w: Sizes[%q] is %d, expected at least 1", ErrInput, name, n)
		}
	}
	for name, v := range r.opt.Set {
		i := slices.IndexFunc(ports, func(p graph.Port) bool { return p.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("%w: Set has %q, which is no input; they are %s", ErrInput, name, inputNames(ports))
		case s.state[i] > 0:
			return nil, fmt.Errorf("%w: Set has %q, which is a state: it changes with every step", ErrInput, name)
		case v.v.Type != ports[i].Type.Held():
			return nil, fmt.Errorf("%w: Set[%q] is %s, expected %s", ErrInput, name, v, ports[i].Type.Held())
		}
		for k, d := range ports[i].Shape {
			if _, said := sizes[d.Name]; d.Size < 0 && d.Name != "" && !said && k < len(v.v.Shape) {
				sizes[d.Name] = v.v.Shape[k]
			}
		}
	}
	return sizes, nil
}

// sizeOf returns the size said of a dimension, and the name by which it was.
func sizeOf(sizes map[string]int, input string, axis int, d graph.Dim) (name string, n int, ok bool) {
	name = fmt.Sprintf("%s[%d]", input, axis)
	if n, ok = sizes[name]; !ok && d.Name != "" {
		name = d.Name
		n, ok = sizes[name]
	}
	return name, n, ok
}

// nameOf is how a dimension is called.
func nameOf(input string, axis int, d graph.Dim) string {
	if d.Name != "" {
		return d.Name
	}
	return fmt.Sprintf("%s[%d]", input, axis)
}

// dimensions names the open ones.
func (r *Rows) dimensions() string {
	var list []string
	for _, p := range r.m.program.Graph().Inputs {
		for k, d := range p.Shape {
			name := nameOf(p.Name, k, d)
			if d.Size < 0 && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}

func inputNames(ports []graph.Port) string {
	var list []string
	for _, p := range ports {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

// after returns 1 + the output that is the state after an input, 0 if it is none.
func (m *Model) after(input string) int {
	for _, s := range m.states {
		if s.Input == input {
			return 1 + slices.IndexFunc(m.program.Graph().Outputs, func(p graph.Port) bool { return p.Name == s.Output })
		}
	}
	return 0
}

// layout finds the axis of sequences, runs a step of zeros, and says where each
// input and output stands.
func (r *Rows) layout(s *sizing) error {
	g := r.m.program.Graph()
	accept := func(in, out []int) bool {
		for i := range in {
			_, set := r.opt.Set[g.Inputs[i].Name]
			switch {
			case set != (in[i] < 0):
				return false
			case s.state[i] > 0 && out != nil && out[s.state[i]-1] != in[i]:
				return false
			}
		}
		return true
	}
	in, out, ok, why, err := r.m.program.BatchAxesThat(s.example, s.open, accept)
	if err != nil {
		return err
	}
	if r.batch, r.why = ok, why; !ok {
		in, out = slices.Repeat([]int{-1}, len(g.Inputs)), slices.Repeat([]int{-1}, len(g.Outputs))
	}
	if err := r.steps(s, in); err != nil {
		return err
	}
	results := make([]graph.Value, len(g.Outputs))
	if err := r.m.program.Run(s.example, results); err != nil {
		return err
	}
	for i, p := range g.Inputs {
		if _, set := r.opt.Set[p.Name]; set {
			continue
		}
		if s.state[i] == 0 {
			add(&r.inputs, p, i, in[i], s.example[i], 1)
			continue
		}
		k := s.state[i] - 1
		digits := digitsOf(p.Type)
		switch before, after := s.example[i], results[k]; {
		case digits == 0:
			return fmt.Errorf("%w: the state %q is %s, and states are kept as float32", ErrInput, p.Name, p.Type)
		case before.Type != after.Type || !slices.Equal(before.Shape, after.Shape):
			return fmt.Errorf("%w: the state %q is %v and after a step, as %q, %v: a state has one shape", ErrInput, p.Name, before, g.Outputs[k].Name, after)
		}
		add(&r.from, p, i, in[i], s.example[i], digits)
		add(&r.to, g.Outputs[k], k, out[k], results[k], digits)
	}
	for k, p := range g.Outputs {
		if !slices.Contains(s.state, 1+k) {
			add(&r.outputs, p, k, out[k], results[k], 1)
		}
	}
	return r.beginning()
}

// beginning makes the state that a sequence begins with.
func (r *Rows) beginning() error {
	r.begin = make([]float32, r.StateLen())
	for k := range r.from {
		s := &r.from[k]
		start := r.m.program.Graph().Inputs[s.port].Start
		if start.IsZero() {
			continue
		}
		v, err := start.Repeated(s.rows(1)...)
		if err != nil {
			return fmt.Errorf("%w: the state %q begins with %v, and is of one sequence %v", ErrInput, s.name, start, s.rows(1))
		}
		s.take(v, 1, 0, r.begin)
	}
	return nil
}

// steps looks at the dimensions that are open beside the axis of sequences: they
// have to be of time, and a step is one along them. Where there is no axis of
// sequences, one that a state has is taken for it, and is one.
func (r *Rows) steps(s *sizing, batch []int) error {
	g := r.m.program.Graph()
	states := make([]graph.State, len(r.m.states))
	for i, st := range r.m.states {
		states[i] = graph.State(st)
	}
	if node := r.m.program.Backward(states); node != "" {
		return r.m.usage("model", node+", which also reads a sequence from its end", "nodes that go forward from the states", "a live sequence has no end yet: use Run")
	}
	shared := map[string]bool{} // symbols that states have
	for i, p := range g.Inputs {
		for k, d := range p.Shape {
			if s.state[i] > 0 && s.open[i][k] && d.Name != "" {
				shared[d.Name] = true
			}
		}
	}
	rest := make([][]bool, len(s.open))
	var left []string
	for i, p := range g.Inputs {
		rest[i] = slices.Clone(s.open[i])
		for k := range rest[i] {
			if !rest[i][k] {
				continue
			}
			d := p.Shape[k]
			rest[i][k] = k != batch[i] && (r.batch || !shared[d.Name])
			if rest[i][k] {
				left = append(left, nameOf(p.Name, k, d))
			}
		}
	}
	if left == nil {
		return nil
	}
	axes, _, ok, why, err := r.m.program.TimeAxes(s.example, rest, states)
	if err != nil {
		return err
	}
	for i := range rest {
		for k := range rest[i] {
			if rest[i][k] && (!ok || axes[i] != k) {
				if why == "" {
					why = "another dimension has them"
				}
				slices.Sort(left)
				return fmt.Errorf("%w: the model has no steps of time along %s (%s); say the size of a step along it: Sizes, --size NAME=N in the command", ErrInput, strings.Join(slices.Compact(left), ", "), why)
			}
		}
	}
	return nil
}

// add appends the slot of a port.
func add(list *[]slot, p graph.Port, i, axis int, v graph.Value, digits int) {
	s := slot{port: i, name: p.Name, typ: v.Type, shape: v.Shape, axis: axis, outer: 1, inner: v.Len(), digits: digits, at: total(*list), n: v.Len() * digits}
	if axis >= 0 {
		s.shape = slices.Delete(slices.Clone(v.Shape), axis, axis+1)
		for _, n := range v.Shape[:axis] {
			s.outer *= n
		}
		s.inner = v.Len() / max(1, s.outer)
	}
	*list = append(*list, s)
}
