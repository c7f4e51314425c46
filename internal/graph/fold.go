package graph

// Folding gives the values of a program that follow from its constants alone,
// computed when they are asked for, within Limits.FoldMemory and FoldWork. One
// goroutine may use it at a time.
type Folding struct {
	up   *Folding
	pl   *planner
	sc   *scope
	from map[string]*node
	made map[*node]bool // asked for; true: its outputs are in sc
	used map[string]*Constant
}

// Fold returns the folding of the program's own nodes.
func (p *Program) Fold() *Folding { return p.folding(p.body, nil) }

func (p *Program) folding(b *body, up *Folding) *Folding {
	f := &Folding{up: up, sc: &scope{names: map[string]*operand{}}, from: map[string]*node{}, made: map[*node]bool{}, used: map[string]*Constant{}}
	if f.pl = (&planner{p: p}); up != nil {
		f.pl, f.sc.up = up.pl, up.sc
	}
	for _, c := range b.used {
		f.used[c.Name] = c
	}
	for _, n := range b.nodes {
		for _, o := range n.Outputs {
			if o != "" {
				f.from[o] = n
			}
		}
	}
	return f
}

// Value returns a value by its name; nil for one that depends on inputs. Errors are
// those of constants that do not load, and of nodes that cannot be computed.
func (f *Folding) Value(name string) (*Value, error) {
	o, err := f.operand(name)
	if o == nil || err != nil {
		return nil, err
	}
	return o.known, nil
}

func (f *Folding) operand(name string) (*operand, error) {
	if f == nil {
		return nil, nil
	}
	if o := f.sc.names[name]; o != nil {
		return o, nil
	}
	if c := f.used[name]; c != nil {
		v, err := f.pl.p.constant(c)
		if err != nil {
			return nil, err
		}
		o, err := f.pl.operand(v.Type, v.Shape)
		if err != nil {
			return nil, err
		}
		o.known, o.pure = v, true
		f.pl.given += v.Bytes()
		f.sc.names[name] = o
		return o, nil
	}
	n := f.from[name]
	if n == nil {
		return f.up.operand(name)
	}
	if _, asked := f.made[n]; asked || len(n.bodies) > 0 || n.Domain == Own {
		return f.sc.names[name], nil // none if it is no constant
	}
	f.made[n] = false
	for _, in := range n.Inputs {
		if in == "" {
			continue
		}
		if o, err := f.operand(in); o == nil || err != nil {
			return nil, err
		}
	}
	if err := f.pl.node(n, f.sc); err != nil {
		return nil, at(n.Node, err)
	}
	f.made[n] = true
	if o := f.sc.names[name]; o != nil && o.known != nil {
		return o, nil
	}
	return nil, nil
}
