package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	unroll "github.com/unroll-ml/unroll"
)

// Program is a checked graph with its plans. Many goroutines may run it at once.
type Program struct {
	graph  *Graph
	limits Limits
	body   *body
	// precision is that of a part's weights; nil: all full.
	precision func(part string) unroll.Precision
	parts     struct { // whose precision a plan asked for
		sync.Mutex
		list []string
	}

	constants sync.Mutex // guards what follows
	loaded    map[*Constant]*Value
	spent     map[*Constant]*Value // without numbers: a layer has them
	garbage   int64                // bytes of numbers given up since the last collection
	folded    map[*node][]*Value   // of constants alone
	shared    map[sharedKey]any    // packed weights and layers

	plans struct {
		sync.RWMutex
		list   []*plan
		pinned []bool // inputs whose values a plan is made for
		eager  bool   // a run was not to be planned
		clock  atomic.Int64
	}
}

// body is a graph whose nodes are found in the table.
type body struct {
	graph *Graph
	nodes []*node // those that an output needs, in order
	// used are the constants that some node, also of an inner body, or output names.
	used []*Constant
}

type node struct {
	*Node
	row    *row
	bodies map[string]*body
	parts  []*node // those it is expanded to, guarded by Program.constants
}

// maxNesting bounds bodies within bodies.
const maxNesting = 32

// Compile checks a graph and makes a program of it; nothing is computed or
// loaded. The graph is kept and must not be changed. Errors are ErrGraph, or
// ErrOperator, which names all nodes, those of bodies too, whose operators are
// not there.
func Compile(g *Graph, limits Limits) (*Program, error) { return CompileIn(g, limits, nil) }

// CompileIn is Compile with a precision for the weights of each part (see Parts);
// nil is full precision for all.
func CompileIn(g *Graph, limits Limits, precision func(part string) unroll.Precision) (*Program, error) {
	p := &Program{
		graph: g, limits: limits.orDefaults(), precision: precision,
		loaded: map[*Constant]*Value{}, spent: map[*Constant]*Value{}, folded: map[*node][]*Value{}, shared: map[sharedKey]any{},
	}
	p.plans.pinned = make([]bool, len(g.Inputs))
	c := &compiler{opsets: g.Opsets}
	err := c.version(g)
	if err != nil {
		return nil, err
	}
	p.body, _, err = c.body(g, nil, 0)
	if err != nil {
		return nil, err
	}
	if len(c.missing) > 0 {
		return nil, c.refusal()
	}
	return p, nil
}

// Graph returns what the program was made of, which must not be changed.
func (p *Program) Graph() *Graph { return p.graph }

// compiler resolves the names of a graph and its bodies.
type compiler struct {
	opsets    map[string]int64
	missing   []string
	quantised Quantised
}

// version refuses versions of ONNX's operators that are not known.
func (c *compiler) version(g *Graph) error {
	if v, said := g.Opsets[""]; said && (v < minOpset || v > maxOpset) {
		return &Error{Reason: fmt.Sprintf("version %d of ONNX's operators, %d to %d are known", v, minOpset, maxOpset), Err: ErrOperator}
	}
	return nil
}

// refusal lists the nodes that cannot be run.
func (c *compiler) refusal() error {
	const most = 20
	list := c.missing
	more := ""
	if len(list) > most {
		more = fmt.Sprintf("; and %d more", len(list)-most)
		list = list[:most]
	}
	return &Error{Reason: strings.Join(list, "; ") + more, Err: ErrOperator}
}

// names are those a graph defines, and of the graphs around it.
type names struct {
	up   *names
	own  map[string]int // to the node that makes it, -1: an input, -2-i: constant i
	free map[string]bool
}

// find reports whether a name is defined here or around, and notes in every
// graph between that it is used.
func (n *names) find(name string) bool {
	if n == nil {
		return false
	}
	if _, ok := n.own[name]; ok {
		return true
	}
	if !n.up.find(name) {
		return false
	}
	n.free[name] = true
	return true
}

// body compiles a graph; free are the names it takes from the graphs around.
func (c *compiler) body(g *Graph, up *names, depth int) (b *body, free map[string]bool, err error) {
	if depth > maxNesting {
		return nil, nil, graphError("", "bodies lie in bodies more than %d deep", maxNesting)
	}
	b = &body{graph: g}
	sc := &names{up: up, own: map[string]int{}, free: map[string]bool{}}
	define := func(name, what string, i int) error {
		if name == "" {
			return graphError("", "%s has no name", what)
		}
		if _, twice := sc.own[name]; twice {
			return graphError("", "%s %q: the name is there twice", what, name)
		}
		sc.own[name] = i
		return nil
	}
	for i := range g.Constants {
		if err := define(g.Constants[i].Name, "constant", -2-i); err != nil {
			return nil, nil, err
		}
	}
	for _, in := range g.Inputs {
		if err := define(in.Name, "input", -1); err != nil {
			return nil, nil, err
		}
	}
	nodes := make([]*node, len(g.Nodes))
	reads := make([][]string, len(g.Nodes)) // what a node reads, in its bodies too
	for i := range g.Nodes {
		n := &node{Node: &g.Nodes[i]}
		nodes[i] = n
		for _, name := range n.Inputs {
			if name != "" && !sc.find(name) {
				return nil, nil, graphError(n.String(), "input %q is made by no node before it: the graph has a loop, is out of order, or lacks it", name)
			}
		}
		reads[i] = n.Inputs
		inner, err := c.node(n, sc, depth)
		if err != nil {
			return nil, nil, at(n.Node, err)
		}
		if len(inner) > 0 {
			reads[i] = append(slices.Clone(n.Inputs), inner...)
		}
		for _, name := range n.Outputs {
			if name == "" {
				continue
			}
			if err := define(name, "output", i); err != nil {
				return nil, nil, at(n.Node, err)
			}
		}
	}
	for _, o := range g.Outputs {
		if !sc.find(o.Name) {
			return nil, nil, graphError("", "output %q: no node, input or constant has that name", o.Name)
		}
	}
	c.fuse(g, sc.own, nodes, reads)
	b.keep(sc, nodes, reads)
	return b, sc.free, nil
}

// keep keeps the nodes and constants that an output needs; reads are the names
// that each node reads, in its bodies too.
func (b *body) keep(sc *names, nodes []*node, reads [][]string) {
	g := b.graph
	needed, constants := make([]bool, len(nodes)), map[int]bool{}
	need := func(name string) {
		i, own := sc.own[name]
		switch {
		case own && i >= 0:
			needed[i] = true
		case own && i <= -2:
			constants[-2-i] = true
		}
	}
	for _, o := range g.Outputs {
		need(o.Name)
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if needed[i] {
			for _, name := range reads[i] {
				need(name)
			}
		}
	}
	for i, n := range nodes {
		if needed[i] {
			b.nodes = append(b.nodes, n)
		}
	}
	for i := range g.Constants {
		if constants[i] {
			b.used = append(b.used, &g.Constants[i])
		}
	}
}

// node finds a node's row and compiles its bodies, whose free names it returns.
func (c *compiler) node(n *node, sc *names, depth int) (free []string, err error) {
	n.row, err = lookup(n.Node, c.opsets)
	if err == nil {
		err = n.row.check(n.Node)
	}
	if err != nil {
		c.missing = append(c.missing, n.String()+": "+err.Error())
	}
	for name, a := range n.Attrs {
		g, ok := a.(*Graph)
		if !ok || g == nil {
			continue
		}
		b, names, err := c.body(g, sc, depth+1)
		if err != nil {
			return nil, err
		}
		if n.bodies == nil {
			n.bodies = map[string]*body{}
		}
		n.bodies[name] = b
		for name := range names {
			free = append(free, name)
		}
	}
	slices.Sort(free)
	return free, nil
}

// check compares a node's form with its row.
func (r *row) check(n *Node) error {
	inputs := len(n.Inputs)
	for inputs > 0 && n.Inputs[inputs-1] == "" {
		inputs--
	}
	if inputs < r.min || r.max >= 0 && inputs > r.max {
		return fmt.Errorf("it has %d inputs, expected %s", inputs, between(r.min, r.max))
	}
	for name, a := range n.Attrs {
		if _, is := a.(*Graph); is != slices.Contains(r.bodies, name) {
			return fmt.Errorf("attribute %q is or is not a graph, against its definition", name)
		}
		if !slices.Contains(r.attrs, name) && !slices.Contains(r.bodies, name) {
			return fmt.Errorf("attribute %q is not known", name)
		}
		switch a.(type) {
		case int, int64, float32, string, []int64, []float32, []string, Value, *Graph, *unroll.Layer:
		default:
			if a == nil && name == "type" { // of a value that is absent
				continue
			}
			return fmt.Errorf("attribute %q is a %T, which no operator has", name, a)
		}
	}
	for _, name := range r.bodies {
		if _, ok := n.Attrs[name].(*Graph); !ok {
			return fmt.Errorf("attribute %q is missing", name)
		}
	}
	return nil
}

func between(lo, hi int) string {
	switch {
	case hi < 0:
		return fmt.Sprintf("%d or more", lo)
	case lo == hi:
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// constant returns a loaded constant.
func (p *Program) constant(c *Constant) (*Value, error) {
	p.constants.Lock()
	defer p.constants.Unlock()
	if v := p.loaded[c]; v != nil {
		return v, nil
	}
	v := c.Value
	if c.Load != nil {
		var err error
		if v, err = c.Load(); err != nil {
			return nil, &Error{Place: fmt.Sprintf("constant %q", c.Name), Reason: err.Error(), Err: errors.Join(ErrGraph, err)}
		}
	}
	if v.IsZero() {
		return nil, graphError(fmt.Sprintf("constant %q", c.Name), "it has no value")
	}
	if p.spent[c] == nil {
		p.loaded[c] = &v
	}
	return &v, nil
}
