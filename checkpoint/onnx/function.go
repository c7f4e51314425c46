package onnx

import (
	"fmt"
	"slices"
)

// function reads a FunctionProto.
func (p *parser) function(b []byte) (Function, error) {
	const message = "function"
	f := Function{Opsets: map[string]int64{}}
	err := walk(b, message, func(v field) (err error) {
		var s string
		var text []byte
		switch v.num {
		case 1:
			err = v.str(message, &f.Name)
		case 4:
			err = v.str(message, &s)
			f.Inputs = append(f.Inputs, s)
		case 5:
			err = v.str(message, &s)
			f.Outputs = append(f.Outputs, s)
		case 6:
			err = v.str(message, &s)
			f.Attributes = append(f.Attributes, s)
		case 7:
			if text, err = v.bytes(message); err != nil {
				return err
			}
			if p.nodes++; p.nodes > maxNodes {
				return fmt.Errorf("function: more than %d nodes", maxNodes)
			}
			var n Node
			err = p.node(text, &n)
			f.Nodes = append(f.Nodes, n)
		case 9:
			if text, err = v.bytes(message); err == nil {
				var domain string
				var version int64
				domain, version, err = parseOpset(text)
				f.Opsets[domain] = version
			}
		case 10:
			err = v.str(message, &f.Domain)
		case 11:
			if text, err = v.bytes(message); err == nil {
				var a Attribute
				a, err = p.attribute(text)
				f.Defaults = append(f.Defaults, a)
			}
		}
		return err
	})
	return f, err
}

// inline puts the bodies of local functions where nodes call them. Names of values
// inside get the caller's number before them.
func (f *File) inline() error {
	if len(f.Functions) == 0 {
		return nil
	}
	in := &inliner{functions: map[[2]string]*Function{}}
	for i := range f.Functions {
		fn := &f.Functions[i]
		for domain, version := range fn.Opsets {
			if domain == "ai.onnx" {
				domain = ""
			}
			// A function may name a domain that the model does not.
			if v, said := f.Opsets[domain]; !said {
				f.Opsets[domain] = version
			} else if v != version && domain == "" {
				return fmt.Errorf("function %q has version %d of the operators, the model %d", fn.Name, version, v)
			}
		}
		in.functions[[2]string{fn.Domain, fn.Name}] = fn
	}
	return in.graph(&f.Graph, 0)
}

type inliner struct {
	functions map[[2]string]*Function
	calls     int
	nodes     int
}

func (in *inliner) graph(g *Graph, depth int) error {
	nodes, err := in.list(g.Nodes, depth)
	g.Nodes = nodes
	return err
}

// list returns nodes with the calls among them, in their bodies too, replaced.
func (in *inliner) list(nodes []Node, depth int) ([]Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("functions call each other more than %d deep", maxDepth)
	}
	var out []Node
	for i := range nodes {
		n := nodes[i]
		if in.nodes++; in.nodes > maxNodes {
			return nil, fmt.Errorf("with its functions the graph has more than %d nodes", maxNodes)
		}
		for _, a := range n.Attributes {
			if a.G != nil {
				if err := in.graph(a.G, depth+1); err != nil {
					return nil, err
				}
			}
		}
		fn := in.functions[[2]string{n.Domain, n.Op}]
		if fn == nil {
			out = append(out, n)
			continue
		}
		body, err := in.call(&n, fn)
		if err != nil {
			return nil, err
		}
		if body, err = in.list(body, depth+1); err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	return out, nil
}

// call returns a function's nodes with the names of a call.
func (in *inliner) call(n *Node, fn *Function) ([]Node, error) {
	in.calls++
	prefix := fmt.Sprintf("%s.%d/", fn.Name, in.calls)
	if len(n.Inputs) > len(fn.Inputs) || len(n.Outputs) > len(fn.Outputs) {
		return nil, fmt.Errorf("%s: %d inputs and %d outputs, the function has %d and %d", n, len(n.Inputs), len(n.Outputs), len(fn.Inputs), len(fn.Outputs))
	}
	names := map[string]string{"": ""}
	for i, name := range fn.Inputs {
		names[name] = n.input(i)
	}
	for i, name := range fn.Outputs {
		if names[name] = n.output(i); names[name] == "" {
			names[name] = prefix + name
		}
	}
	r := renamer{names: names, prefix: prefix, attribute: func(name string) (Attribute, bool) {
		if a := n.attribute(name); a != nil {
			return *a, true
		}
		for _, a := range fn.Defaults {
			if a.Name == name {
				return a, true
			}
		}
		return Attribute{}, false
	}}
	// An input that is also an output goes through an Identity.
	var out []Node
	for i, name := range fn.Outputs {
		if j := slices.Index(fn.Inputs, name); j >= 0 && n.output(i) != "" {
			out = append(out, Node{Name: prefix + name, Op: "Identity", Inputs: []string{n.input(j)}, Outputs: []string{n.output(i)}})
		}
	}
	return append(out, r.nodes(fn.Nodes)...), nil
}

// renamer copies nodes of a function for one call.
type renamer struct {
	names     map[string]string
	prefix    string
	attribute func(name string) (Attribute, bool)
}

func (r *renamer) name(s string) string {
	if to, ok := r.names[s]; ok {
		return to
	}
	return r.prefix + s
}

func (r *renamer) nodes(nodes []Node) []Node {
	out := make([]Node, 0, len(nodes))
	for _, n := range nodes {
		c := n
		c.Name = r.prefix + n.Name
		c.Inputs, c.Outputs, c.Attributes = nil, nil, nil
		for _, s := range n.Inputs {
			c.Inputs = append(c.Inputs, r.name(s))
		}
		for _, s := range n.Outputs {
			c.Outputs = append(c.Outputs, r.name(s))
		}
		for _, a := range n.Attributes {
			if a.ref != "" {
				given, ok := r.attribute(a.ref)
				if !ok {
					continue // the operator's default holds
				}
				given.Name = a.Name
				a = given
			}
			if a.G != nil {
				a.G = r.graph(a.G)
			}
			c.Attributes = append(c.Attributes, a)
		}
		out = append(out, c)
	}
	return out
}

func (r *renamer) graph(g *Graph) *Graph {
	c := &Graph{Name: g.Name, Nodes: r.nodes(g.Nodes)}
	for _, v := range g.Inputs {
		v.Name = r.name(v.Name)
		c.Inputs = append(c.Inputs, v)
	}
	for _, v := range g.Outputs {
		v.Name = r.name(v.Name)
		c.Outputs = append(c.Outputs, v)
	}
	for _, t := range g.tensors {
		with := *t
		with.Name = r.name(t.Name)
		c.tensors = append(c.tensors, &with)
	}
	return c
}
