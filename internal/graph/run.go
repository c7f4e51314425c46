package graph

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// frame is the memory of one run of a plan.
type frame struct {
	memory []uint64
	values []Value
	// follow are the views of inputs, which move with them: each copies the
	// address of the value before.
	follow [][2]int
	inputs []int // index of each input's value, -1 where the plan knows it
	args   []args
}

// frames are those of a plan that nobody uses.
type frames struct {
	sync.Mutex
	free []*frame
}

// maxFrames bounds the frames a plan keeps.
const maxFrames = 64

func (f *frames) get(pn *plan) *frame {
	f.Lock()
	defer f.Unlock()
	if k := len(f.free); k > 0 {
		fr := f.free[k-1]
		f.free = f.free[:k-1]
		return fr
	}
	return newFrame(pn)
}

func (f *frames) put(fr *frame) {
	f.Lock()
	defer f.Unlock()
	if len(f.free) < maxFrames {
		f.free = append(f.free, fr)
	}
}

func newFrame(pn *plan) *frame { return newFrameIn(pn, nil) }

// newFrameIn is newFrame in memory of another frame, where that is large enough.
func newFrameIn(pn *plan, memory []uint64) *frame {
	if need := int(pn.arena/8 + alignment/8); len(memory) < need {
		memory = make([]uint64, need)
	}
	fr := &frame{memory: memory, values: make([]Value, len(pn.values))}
	start := 0
	for uintptr(unsafe.Pointer(&fr.memory[start]))%alignment != 0 {
		start++
	}
	for i, o := range pn.values {
		v := &fr.values[i]
		*v = Value{Type: o.typ, Shape: o.shape, n: o.n}
		switch {
		case o.root != nil:
			b := o.base()
			if b.known != nil {
				v.p = b.known.p
			} else {
				v.p = fr.values[b.index].p
			}
			if b.input > 0 && b.known == nil {
				fr.follow = append(fr.follow, [2]int{b.index, i})
			}
		case o.input == 0 && o.n > 0 && o.first >= 0:
			v.p = unsafe.Pointer(&fr.memory[start+o.offset/8])
		}
	}
	for _, o := range pn.inputs {
		fr.inputs = append(fr.inputs, o.index)
	}
	pick := func(list []*operand) []*Value {
		out := make([]*Value, len(list))
		for i, o := range list {
			out[i] = fr.value(o)
		}
		return out
	}
	for _, s := range pn.steps {
		a := args{in: pick(s.in), out: pick(s.out), scratch: pick(s.scratch)}
		if s.local != nil {
			a.local = s.local()
		}
		fr.args = append(fr.args, a)
	}
	return fr
}

func (fr *frame) value(o *operand) *Value {
	switch {
	case o == nil:
		return nil
	case o.known != nil:
		return o.known
	}
	return &fr.values[o.index]
}

// Run computes the outputs of inputs, both in the program's order. A value of
// outputs that has the type and number of elements of the result is written
// into, and must share no memory with an input; any other is replaced. Inputs
// are only read, and not kept.
//
// The first run with inputs of certain shapes makes a plan; the next ones, into
// outputs of a run before, allocate nothing.
//
// Errors: ErrInput for inputs that do not fit, ErrLimit, and ErrGraph or
// ErrOperator for what only shapes or data show, with the node's name.
func (p *Program) Run(inputs, outputs []Value) error {
	if err := p.checkRun(inputs, outputs); err != nil {
		return err
	}
	pn, err := p.find(inputs)
	if err != nil {
		return err
	}
	if pn == nil {
		return p.runOnce(inputs, outputs)
	}
	fr := pn.frames.get(pn)
	defer pn.frames.put(fr)
	return pn.run(fr, inputs, outputs)
}

// runOnce runs the program node by node, every value being known when the next
// node is planned.
func (p *Program) runOnce(inputs, outputs []Value) error {
	pn, err := p.newPlan(inputs, nil, true)
	if need := (*needError)(nil); errors.As(err, &need) {
		return &Error{Reason: "a defect of unroll: a value is not known after it was computed", Err: ErrGraph}
	}
	if err != nil {
		return err
	}
	for i, o := range pn.outputs {
		assign(&outputs[i], o.known)
	}
	return nil
}

// assign copies v to a result.
func assign(to, v *Value) {
	if to.Type != v.Type || to.n != v.n {
		*to = must(New(v.Type, v.Shape...))
	} else if !slices.Equal(to.Shape, v.Shape) {
		to.Shape = slices.Clone(v.Shape)
	}
	to.copyFrom(v)
}

// checkRun compares the inputs with what the program says of them.
func (p *Program) checkRun(inputs, outputs []Value) error {
	if len(inputs) != len(p.graph.Inputs) || len(outputs) != len(p.graph.Outputs) {
		return &Error{Reason: fmt.Sprintf("got %d inputs and %d outputs, the program has %d and %d", len(inputs), len(outputs), len(p.graph.Inputs), len(p.graph.Outputs)), Err: ErrInput}
	}
	for i := range inputs {
		in, v := &p.graph.Inputs[i], &inputs[i]
		fits := v.Type == in.Type.Held() && (in.Shape == nil || len(in.Shape) == len(v.Shape))
		for d := 0; fits && d < len(in.Shape); d++ {
			fits = in.Shape[d].Size < 0 || in.Shape[d].Size == v.Shape[d]
		}
		if !fits {
			return &Error{Place: fmt.Sprintf("input %q", in.Name), Reason: fmt.Sprintf("got %s, expected %s", v, in), Err: ErrInput}
		}
		if i := in.Type.beyond(v); i >= 0 {
			list, _ := v.ints() // of integers alone
			return &Error{Place: fmt.Sprintf("input %q", in.Name), Reason: fmt.Sprintf("element %d is %d, expected a number of %s, which the file has there", i, list[i], in.Type), Err: ErrInput}
		}
	}
	return nil
}

// beyond returns the first element of a value held for t that t does not have, or -1.
func (t Type) beyond(v *Value) int {
	switch t {
	case I16:
		return slices.IndexFunc(data[int32](v), func(x int32) bool { return x != int32(int16(x)) })
	case U16:
		return slices.IndexFunc(data[int32](v), func(x int32) bool { return x != int32(uint16(x)) })
	case U32:
		return slices.IndexFunc(data[int64](v), func(x int64) bool { return x != int64(uint32(x)) })
	case U64:
		return slices.IndexFunc(data[int64](v), func(x int64) bool { return x < 0 })
	}
	return -1
}

// String returns type and shape.
func (p *Port) String() string {
	if p.Shape == nil {
		return p.Type.Held().String()
	}
	return fmt.Sprintf("%s %v", p.Type.Held(), p.Shape)
}

// find returns the plan for the inputs, which it makes if there is none; nil
// where the program cannot be planned.
func (p *Program) find(inputs []Value) (*plan, error) {
	s := &p.plans
	s.RLock()
	pn, eager := p.match(inputs), s.eager
	s.RUnlock()
	if pn != nil || eager {
		return pn, nil
	}
	s.Lock()
	defer s.Unlock()
	if pn := p.match(inputs); pn != nil || s.eager {
		return pn, nil
	}
	pn, err := p.planFor(inputs)
	if err != nil {
		return nil, err
	}
	if pn == nil {
		s.eager, s.list = true, nil
		return nil, nil
	}
	pn.used.Store(s.clock.Add(1))
	if len(s.list) >= p.limits.Plans {
		oldest := 0
		for i, other := range s.list {
			if other.used.Load() < s.list[oldest].used.Load() {
				oldest = i
			}
		}
		s.list = slices.Delete(s.list, oldest, oldest+1)
	}
	s.list = append(s.list, pn)
	return pn, nil
}

// match returns the plan that is there for the inputs.
func (p *Program) match(inputs []Value) *plan {
	for _, pn := range p.plans.list {
		if pn.fits(inputs) {
			pn.used.Store(p.plans.clock.Add(1))
			return pn
		}
	}
	return nil
}

func (pn *plan) fits(inputs []Value) bool {
	for i := range inputs {
		if !slices.Equal(pn.inputs[i].shape, inputs[i].Shape) {
			return false
		}
		if pin := pn.pins[i]; pin != nil && string(pin.bytes()) != string(inputs[i].bytes()) {
			return false
		}
	}
	return true
}
