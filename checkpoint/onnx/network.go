package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Network is a graph in PyTorch's terms: perhaps an embedding, stacked
// recurrent nodes, perhaps a linear head. Outputs and states are [T,B,D*H] and
// [L*D,B,H] then, also where a node's own Y and Y_h are outputs of the graph.
type Network struct {
	Embedding *checkpoint.Tensor // [V,E]; nil: the input is features
	Layers    []*Recurrent       // bottom first; all of one kind, Params named _l0 in each
	// BatchFirst: input and output are [B,T,...].
	BatchFirst bool
	// Final: the head reads the top layer's final hidden states, the directions
	// beside each other, instead of every step.
	Final      bool
	Head, Bias *checkpoint.Tensor // [N,D*H] and [N]; nil without head, without bias

	// Names of the graph's inputs and outputs; empty if absent.
	Input, Lengths, H0, C0 string
	Output, HN, CN         string
}

// Network reads the whole graph. What it holds beyond such a network is an
// ErrFormat that names the node and its operator.
func (f *File) Network() (*Network, error) {
	r := &reader{f: f, net: &Network{}, values: map[string]value{}, inputs: map[string]*Value{}, time: -1, batch: -1, feature: map[int][]axis{}, size: map[axis]int64{}}
	r.budget = 1 << 20
	for i := range f.Graph.Inputs {
		r.inputs[f.Graph.Inputs[i].Name] = &f.Graph.Inputs[i]
	}
	for _, t := range f.tensors {
		r.budget += 4 * t.Bytes
	}
	for i := range f.Graph.Nodes { // Constant nodes hold weights too
		for _, a := range f.Graph.Nodes[i].Attributes {
			if a.T != nil {
				r.budget += 4 * a.T.Bytes
			}
		}
	}
	if err := r.read(); err != nil {
		return nil, f.located(err)
	}
	return r.net, nil
}

// reader follows the values of a graph.
type reader struct {
	f      *File
	net    *Network
	values map[string]value
	inputs map[string]*Value // the graph's
	main   string            // the one that the first recurrent node reads
	budget int64             // bytes of constants that may still be computed or copied

	time, batch axis           // of the input, known from the first recurrent node
	stage       int            // the last stage made: 0 the input, then embedding, nodes, head
	feature     map[int][]axis // the feature axes of a stage
	size        map[axis]int64
	headStage   int // 0: none
	biased      bool
}

func (r *reader) read() error {
	g := &r.f.Graph
	needed, err := r.reachable()
	if err != nil {
		return err
	}
	for _, in := range g.Inputs {
		r.values[in.Name] = value{kind: isInput, name: in.Name, hi: -1, dims: make([][]axis, len(in.Shape))}
	}
	for i := range g.Nodes { // before the sizes that lead to it puzzle someone
		if n := &g.Nodes[i]; needed[i] && slices.Contains([]string{"Loop", "Scan", "If"}, n.Op) {
			return fmt.Errorf("%s: a layer written out as a loop is not read, only nodes RNN, LSTM and GRU; its weights can be read by their names", n)
		}
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if !needed[i] {
			continue
		}
		if err := r.apply(n); err != nil {
			if strings.HasPrefix(err.Error(), n.String()) { // what reads the node alone names it too
				return err
			}
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	if len(r.net.Layers) == 0 {
		return fmt.Errorf("the graph has no node RNN, LSTM or GRU on the way to its outputs")
	}
	for _, out := range g.Outputs {
		if err := r.output(out.Name); err != nil {
			return fmt.Errorf("output %q: %w", out.Name, err)
		}
	}
	if r.net.Output == "" && r.net.HN == "" && r.net.CN == "" {
		return fmt.Errorf("the graph has no output that a recurrent network gives")
	}
	return nil
}

// reachable marks the nodes that the graph's outputs need.
func (r *reader) reachable() ([]bool, error) {
	g := &r.f.Graph
	from := map[string]int{}
	for i, n := range g.Nodes {
		for _, o := range n.Outputs {
			if o == "" {
				continue
			}
			if _, twice := from[o]; twice {
				return nil, fmt.Errorf("%s: its output %q is another node's too", &g.Nodes[i], o)
			}
			from[o] = i
		}
	}
	needed := make([]bool, len(g.Nodes))
	var todo []string
	for _, o := range g.Outputs {
		todo = append(todo, o.Name)
	}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i, ok := from[name]; ok && !needed[i] {
			needed[i] = true
			todo = append(todo, g.Nodes[i].Inputs...)
		}
	}
	r.main = r.mainInput(from, needed)
	return needed, nil
}

// mainInput finds the graph's input that the first recurrent node's X is made
// of; empty if there is none.
func (r *reader) mainInput(from map[string]int, needed []bool) string {
	g := &r.f.Graph
	todo := []string{}
	for i := range g.Nodes {
		if _, is := operators[g.Nodes[i].Op]; is && needed[i] {
			todo = append(todo, g.Nodes[i].input(0))
			break
		}
	}
	seen := make([]bool, len(g.Nodes))
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if r.inputs[name] != nil {
			return name
		}
		if i, ok := from[name]; ok && !seen[i] && g.Nodes[i].Op != "Shape" {
			seen[i] = true
			for _, in := range slices.Backward(g.Nodes[i].Inputs) { // the first one first
				todo = append(todo, in)
			}
		}
	}
	return ""
}

// get returns what is known of a value.
func (r *reader) get(name string) (value, error) {
	if v, ok := r.values[name]; ok {
		return v, nil
	}
	if name == "" {
		return value{}, fmt.Errorf("an input is missing")
	}
	if _, ok := r.f.Info(name); !ok {
		return value{}, fmt.Errorf("its input %q is made by no node before it", name)
	}
	t, err := r.f.Tensor(name)
	if err != nil {
		return value{}, err
	}
	v := value{kind: isConstant, t: &t}
	r.values[name] = v // what lies in another file is read once
	return v, nil
}

// spend counts bytes that are made beside the file's own: a small file may ask for
// the same large ones again and again.
func (r *reader) spend(bytes int64) error {
	if r.budget -= bytes; r.budget < 0 {
		return fmt.Errorf("the constants it computes would take more than four times the file")
	}
	return nil
}

// weight is constant for what recurrent copies into PyTorch's order.
func (r *reader) weight(name string) (checkpoint.Tensor, error) {
	t, err := r.constant(name)
	if err == nil {
		err = r.spend(t.Bytes)
	}
	return t, err
}

// constant returns a value that does not depend on the input.
func (r *reader) constant(name string) (checkpoint.Tensor, error) {
	v, err := r.get(name)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	if v.kind != isConstant {
		return checkpoint.Tensor{}, fmt.Errorf("%q depends on the input", name)
	}
	return *v.t, nil
}

// sizesOf reads a value as sizes: symbols, or a constant of integers.
func (r *reader) sizesOf(v value) ([]size, bool) {
	switch v.kind {
	case isSizes:
		return v.sizes, true
	case isConstant:
		if v.t.DType.IsFloat() || len(v.t.Shape) > 1 || v.t.Len() > maxRank {
			return nil, false
		}
		ints, _, err := checkpoint.IntsOf(*v.t)
		if err != nil {
			return nil, false
		}
		out := make([]size, len(ints))
		for i, n := range ints {
			out[i] = size{n: n}
		}
		return out, true
	}
	return nil, false
}

// ints reads constant integers: an input, or before opset 13 an attribute.
func (r *reader) ints(n *Node, i int, attr string) ([]int64, bool, error) {
	if a := n.attribute(attr); a != nil {
		if a.Kind == Int {
			return []int64{a.I}, true, nil
		}
		return a.Ints, true, nil
	}
	if n.input(i) == "" {
		return nil, false, nil
	}
	t, err := r.constant(n.input(i))
	if err != nil {
		return nil, false, err
	}
	v, _, err := checkpoint.IntsOf(t)
	return v, true, err
}

// data turns an input of the graph into data when it is used as such.
func (r *reader) data(v value) (value, error) {
	switch v.kind {
	case isData:
		return v, nil
	case isInput:
		if v.tokens {
			return v, fmt.Errorf("it uses as numbers what the graph makes of tokens")
		}
		if r.net.Input != "" && r.net.Input != v.name {
			return v, fmt.Errorf("it uses %q as input beside %q", v.name, r.net.Input)
		}
		if v.lo != 0 || v.hi != -1 || len(v.dims) < 2 || len(v.dims) > 3 {
			return v, fmt.Errorf("input %q has %d dimensions, expected [T,B,I] or tokens [T,B]", v.name, len(v.dims))
		}
		r.net.Input = v.name
		d := value{kind: isData, stage: 0, sorted: v.sorted}
		for i := range v.dims {
			d.dims = append(d.dims, []axis{axis(i)})
		}
		for i, dim := range r.inputs[v.name].Shape {
			if dim.Size > 0 {
				r.size[axis(i)] = dim.Size
			}
		}
		r.feature[0] = []axis{2}
		return d, nil
	}
	return v, fmt.Errorf("its input is not what the layer before it gives")
}

// output gives an output of the graph its role.
func (r *reader) output(name string) error {
	v, err := r.get(name)
	if err != nil {
		return err
	}
	n := r.net
	set := func(to *string, what string) error {
		if *to != "" {
			return fmt.Errorf("there is another output with %s, %q", what, *to)
		}
		*to = name
		return nil
	}
	if v.sorted != 0 {
		return fmt.Errorf("its batch is in the order of the lengths, not the input's")
	}
	switch v.kind {
	case isData:
		if v.stage != r.stage || v.part != 0 {
			return fmt.Errorf("it is not what the last layer gives, or only a part of it")
		}
		if v.last {
			return fmt.Errorf("it is the last step of the output only")
		}
		f := r.feature[v.stage]
		seq := [][]axis{{r.time}, {r.batch}, f}
		if n.BatchFirst {
			seq[0], seq[1] = seq[1], seq[0]
		}
		if n.Final {
			seq = [][]axis{{r.batch}, f}
		}
		// A node's own Y [T,D,B,H], or [B,T,D,H] with layout 1, is the same numbers.
		own := [][]axis{{r.time}, f[:len(f)-1], {r.batch}, f[len(f)-1:]}
		if r.net.Layers[len(r.net.Layers)-1].BatchFirst {
			own = [][]axis{{r.batch}, {r.time}, f[:len(f)-1], f[len(f)-1:]}
		}
		if !slices.EqualFunc(v.dims, seq, slices.Equal[[]axis]) && (r.headStage > 0 || v.last || !slices.EqualFunc(v.dims, own, slices.Equal[[]axis])) {
			return fmt.Errorf("its dimensions are in another order than the input's")
		}
		return set(&n.Output, "what the last layer gives")
	case isFinal:
		if len(v.nodes) != len(n.Layers) {
			return fmt.Errorf("it has final states of %d of %d layers", len(v.nodes), len(n.Layers))
		}
		if v.cell {
			return set(&n.CN, "final cell states")
		}
		return set(&n.HN, "final hidden states")
	}
	return fmt.Errorf("it is not what a recurrent network gives")
}
