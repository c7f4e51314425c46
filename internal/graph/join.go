package graph

// pointwise describes a float32 step that works element by element on operands
// of its output's size, or on single numbers.
type pointwise struct {
	unary  func(dst, x []float32)
	binary pairwise[float32, float32]
	chain  []link // of what was joined; nil: the step alone
	relu   bool   // it is a ReLU
}

// link is one operator of a joined chain: its operands are inputs of the step, or
// -1 for what the link before gave.
type link struct {
	unary  func(dst, x []float32)
	binary pairwise[float32, float32]
	a, b   int
}

// joinedBlock is how many elements go through a chain at a time: they stay in the
// first-level cache.
const joinedBlock = 4096

// join puts chains of element-wise steps into one pass: a step whose result one
// other such step alone reads becomes a part of that one. The numbers are those
// of the steps one by one.
func join(pl *planner, pn *plan) {
	uses, reader := map[*operand]int{}, map[*operand]int{}
	for _, o := range pl.values {
		if o.root != nil {
			uses[o.root] += 2 // a view
		}
	}
	for _, o := range pn.outputs {
		uses[o] += 2
	}
	for i := range pl.steps {
		for _, o := range pl.steps[i].in {
			uses[o]++
			reader[o] = i
		}
	}
	gone := map[int]bool{}
	for i := range pl.steps {
		s := &pl.steps[i]
		if s.ew == nil || len(s.out) != 1 || uses[s.out[0]] != 1 {
			continue
		}
		t := &pl.steps[reader[s.out[0]]]
		if t.ew == nil || t.ew.chain != nil || t.out[0].n != s.out[0].n {
			continue
		}
		t.after(s)
		gone[i] = true
	}
	if len(gone) == 0 {
		return
	}
	var kept []step
	for i, s := range pl.steps {
		if !gone[i] {
			kept = append(kept, s)
		}
	}
	pl.steps = kept
}

// links returns a step's chain.
func (s *step) links() []link {
	if s.ew.chain != nil {
		return s.ew.chain
	}
	return []link{{s.ew.unary, s.ew.binary, 0, 1}}
}

// after makes s a step that begins with another, whose result it reads.
func (s *step) after(first *step) {
	chain, in := append([]link{}, first.links()...), append([]*operand{}, first.in...)
	last, at := s.links()[0], [2]int{}
	for k := range min(2, len(s.in)) {
		at[k] = -1
		if s.in[k] != first.out[0] {
			at[k] = len(in)
			in = append(in, s.in[k])
		}
	}
	last.a, last.b = at[0], at[1]
	chain = append(chain, last)
	s.in, s.ew, s.read = in, &pointwise{chain: chain}, nil
	s.run = runLinks(chain)
}

// runLinks runs a chain over all elements, block by block.
func runLinks(chain []link) kernel {
	return func(a *args) error {
		out := data[float32](a.out[0])
		for lo := 0; lo < len(out); lo += joinedBlock {
			dst := out[lo:min(lo+joinedBlock, len(out))]
			for _, l := range chain {
				x := blockOf(a, l.a, dst, lo)
				if l.unary != nil {
					l.unary(dst, x)
				} else if err := l.binary(dst, x, blockOf(a, l.b, dst, lo)); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// blockOf returns an operand's part beside dst: what is there already, a single
// number, or its elements.
func blockOf(a *args, i int, dst []float32, lo int) []float32 {
	if i < 0 {
		return dst
	}
	x := data[float32](a.in[i])
	if len(x) == 1 {
		return x
	}
	return x[lo : lo+len(dst)]
}
