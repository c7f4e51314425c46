package graph

import "slices"

// What convolutions make goes on with channels last as long as the steps that read it
// work on that too: poolings, element-wise steps, other convolutions. Where another
// step reads it, it is brought back. No number changes by it.

// lastForm is how a step works on values whose channels are last.
type lastForm struct {
	// starts says that its input, the first, may have channels first too.
	starts bool
	// fills says that its result's channels fill most of their vectors.
	fills bool
	// run and memory are its kernel and scratch for an input and a result of either
	// form; where it does not start, those of both with channels last.
	run    func(in, out bool) kernel
	memory func(in, out bool) []scratchSize
	// floor is where a ReLU behind it may be done; nil: nowhere.
	floor *float32
}

// lastOnly is the form of a step that goes on with channels last.
func lastOnly(run kernel, memory ...scratchSize) *lastForm {
	return &lastForm{run: func(bool, bool) kernel { return run }, memory: func(bool, bool) []scratchSize { return memory }}
}

// scratchSize is memory of n elements.
type scratchSize struct {
	typ Type
	n   int
}

// holder is what the pass knows of a plan.
type holder struct {
	pl      *planner
	readers map[*operand][]int    // steps that read an operand
	shown   map[*operand]bool     // read by a view, or an output
	kept    map[*operand]bool     // likewise, but for views that a Transpose alone reads,
	via     map[*operand]*operand // with what they are views of
	held    map[*operand]*operand
}

// hold lets steps of a plan keep channels last.
func hold(pl *planner, pn *plan) error {
	if pl.batch > 0 { // a plan that follows an axis is not run
		return nil
	}
	h := &holder{pl: pl, held: map[*operand]*operand{}}
	h.look(pn)
	h.directions()
	some := slices.ContainsFunc(pl.steps, func(s step) bool { return s.integer != nil || s.last != nil && s.last.starts })
	if !some {
		return nil
	}
	h.look(pn)
	h.integers()
	h.look(pn)
	h.floors()
	h.look(pn)
	if err := h.choose(); err != nil {
		return err
	}
	h.change()
	return nil
}

func (h *holder) look(pn *plan) {
	h.readers, h.shown, h.kept, h.via = map[*operand][]int{}, map[*operand]bool{}, map[*operand]bool{}, map[*operand]*operand{}
	for _, o := range h.pl.values {
		if o.root != nil {
			h.shown[o.root] = true
		}
	}
	for _, o := range pn.outputs {
		h.shown[o], h.kept[o] = true, true
	}
	for i := range h.pl.steps {
		for _, o := range h.pl.steps[i].in {
			if o != nil {
				h.readers[o] = append(h.readers[o], i)
			}
		}
	}
	for _, v := range h.pl.values {
		switch {
		case v.root == nil:
		case !h.shown[v] && len(h.readers[v]) > 0 && !slices.ContainsFunc(h.readers[v], func(i int) bool { return h.pl.steps[i].n.Op != "Transpose" }) && sameBut1(v.shape, v.root.shape):
			h.via[v] = v.root
		default:
			h.kept[v.root] = true
		}
	}
}

// sameBut1 reports whether two shapes differ in sizes of 1 alone.
func sameBut1(a, b []int) bool {
	is1 := func(n int) bool { return n == 1 }
	return slices.Equal(slices.DeleteFunc(slices.Clone(a), is1), slices.DeleteFunc(slices.Clone(b), is1))
}

// directions lets the directions of a recurrent node stand together where the one step
// that reads them brings them together.
func (h *holder) directions() {
	gone := map[int]bool{}
	for i := range h.pl.steps {
		s := &h.pl.steps[i]
		if s.together == nil {
			continue
		}
		at, _ := h.only(i, "Transpose")
		if at < 0 || !swapsMiddle(h.pl.steps[at].n) {
			continue
		}
		*s.together = true
		s.out = append(slices.Clone(h.pl.steps[at].out), s.out[1:]...)
		gone[at] = true
	}
	h.pl.steps = without(h.pl.steps, gone)
}

// swapsMiddle reports whether a Transpose makes [T,B,D,H] of [T,D,B,H].
func swapsMiddle(n *node) bool {
	perm, _ := n.Attrs["perm"].([]int64)
	return slices.Equal(perm, []int64{0, 2, 1, 3})
}

// floors makes a ReLU that alone reads a convolution a part of it.
func (h *holder) floors() {
	gone := map[int]bool{}
	for i := range h.pl.steps {
		s := &h.pl.steps[i]
		if s.last == nil || s.last.floor == nil || h.shown[s.out[0]] || len(h.readers[s.out[0]]) != 1 {
			continue
		}
		at := h.readers[s.out[0]][0]
		if t := &h.pl.steps[at]; t.ew != nil && t.ew.relu {
			*s.last.floor = 0
			s.out = t.out
			gone[at] = true
		}
	}
	h.pl.steps = without(h.pl.steps, gone)
}

// without returns the steps but those that are gone.
func without(steps []step, gone map[int]bool) []step {
	var kept []step
	for i, s := range steps {
		if !gone[i] {
			kept = append(kept, s)
		}
	}
	return kept
}

// choose finds the values that are held with channels last.
func (h *holder) choose() error {
	for i := range h.pl.steps {
		s := &h.pl.steps[i]
		if !h.can(s) {
			continue
		}
		o, err := h.pl.operand(s.out[0].typ, lastShape(s.out[0].shape))
		if err != nil {
			return err
		}
		h.held[s.out[0]] = o
		h.pl.register(o)
	}
	return nil
}

// can reports whether a step's result may be held.
func (h *holder) can(s *step) bool {
	if len(s.out) == 0 || s.out[0] == nil || len(s.out[0].shape) < 3 || s.out[0].n == 0 {
		return false
	}
	switch {
	case s.last != nil && s.last.starts:
		return s.last.fills && slices.ContainsFunc(h.readers[s.out[0]], func(i int) bool {
			t := &h.pl.steps[i]
			return t.last != nil || t.ew != nil
		})
	case s.last != nil:
		return h.held[s.in[0]] != nil
	case s.ew == nil:
		return false
	}
	some := false
	for _, o := range s.in {
		switch {
		case o.n == 1 && s.out[0].n > 1:
		case h.held[o] == nil || !slices.Equal(o.shape, s.out[0].shape):
			return false
		default:
			some = true
		}
	}
	return some
}

// change gives the steps their forms, and adds those that bring back what others
// read.
func (h *holder) change() {
	var steps []step
	for i := range h.pl.steps {
		s := h.pl.steps[i]
		o := s.out
		h.changeStep(&s)
		steps = append(steps, s)
		if len(o) == 0 || h.held[o[0]] == nil || !h.kept[o[0]] && !slices.ContainsFunc(h.readers[o[0]], func(i int) bool { return !h.takes(&h.pl.steps[i], o[0]) }) {
			continue
		}
		steps = append(steps, h.back(&s, o[0]))
	}
	h.pl.steps = steps
}

// takes reports whether a step reads a held operand as it is held.
func (h *holder) takes(s *step, o *operand) bool {
	switch {
	case s.last != nil && s.last.starts:
		return s.in[0] == o && !slices.Contains(s.in[1:], o)
	case s.last != nil, s.ew != nil:
		return h.held[s.out[0]] != nil
	}
	return s.n.Op == "Transpose"
}

// changeStep gives a step its form.
func (h *holder) changeStep(s *step) {
	if len(s.out) == 0 {
		return
	}
	out := h.held[s.out[0]]
	switch {
	case s.n.Op == "Transpose" && out == nil:
		h.transpose(s)
		return
	case s.last != nil && (s.last.starts || out != nil):
		lastIn := h.held[s.in[0]] != nil
		s.run, s.scratch = s.last.run(lastIn, out != nil), nil
		for _, size := range s.last.memory(lastIn, out != nil) {
			s.scratch = append(s.scratch, h.scratch(size))
		}
	case out != nil:
		s.run = runLinks(s.links())
	default:
		return
	}
	s.in, s.out = slices.Clone(s.in), slices.Clone(s.out)
	for i, o := range s.in {
		if held := h.held[o]; held != nil && (i == 0 || s.last == nil) {
			s.in[i] = held
		}
	}
	if out != nil {
		s.out[0] = out
	}
}

// transpose lets a Transpose take a value with channels last.
func (h *holder) transpose(s *step) {
	view := s.in[0]
	o := view
	if from := h.via[view]; from != nil {
		o = from
	}
	held := h.held[o]
	if held == nil {
		return
	}
	// How far the elements of each dimension lie apart, first of o's, then of the view's.
	last := stridesOf(held.shape)
	own := append([]int{last[0], 1}, last[1:len(last)-1]...)
	strides, at := make([]int, len(view.shape)), 0
	for i, n := range view.shape {
		if n == 1 {
			continue
		}
		for o.shape[at] == 1 {
			at++
		}
		strides[i], at = own[at], at+1
	}
	c := &call{node: s.n, in: []*operand{view}}
	perm, err := c.perm()
	if err != nil { // it was read before
		return
	}
	turned := make([]int, len(perm))
	for i, p := range perm {
		turned[i] = strides[p]
	}
	s.in, s.run = []*operand{held}, newMover(s.out[0].shape, turned, 0).kernel(o.typ, 0)
}

// scratch makes memory of a step; its size was allowed before, but for what fills up
// channels.
func (h *holder) scratch(s scratchSize) *operand {
	o := &operand{typ: s.typ, shape: []int{s.n}, n: s.n, index: -1}
	h.pl.register(o)
	return o
}

// back is the step that brings a held result back to how ONNX has it.
func (h *holder) back(s *step, o *operand) step {
	images, m, p := o.shape[0], o.shape[1], product(o.shape[2:])
	wide := s.out[0].shape[len(s.out[0].shape)-1]
	back := step{n: s.n, in: s.out[:1], out: []*operand{o}, run: backTo[float32](images, p, m, wide)}
	if o.typ == U8 {
		back.run = backTo[uint8](images, p, m, wide)
	}
	return back
}

func backTo[T float32 | uint8](images, p, m, wide int) kernel {
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		for i := range images {
			channelsFirst(dst[i*m*p:(i+1)*m*p], x[i*wide*p:(i+1)*wide*p], p, m, wide)
		}
		return nil
	}
}
