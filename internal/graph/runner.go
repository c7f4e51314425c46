package graph

// Runner runs a program for inputs of one set of shapes, in memory of its own.
// Its plan stays where those of a Program's are dropped for newer ones, so a
// steady run allocates nothing however many shapes the program is run with. It
// belongs to one goroutine at a time.
type Runner struct {
	p  *Program
	pn *plan // nil: shapes depend on data, every run is planned anew
	fr *frame
}

// NewRunner makes a runner for inputs like those given. Runners that never run at
// the same time can share their memory: beside is another one of the goroutine, or
// nil; of several, the one of the largest inputs is best made first. Errors are
// those of Run.
func (p *Program) NewRunner(inputs []Value, beside *Runner) (*Runner, error) {
	if err := p.checkRun(inputs, make([]Value, len(p.graph.Outputs))); err != nil {
		return nil, err
	}
	pn, err := p.find(inputs)
	if err != nil || pn == nil {
		return &Runner{p: p}, err
	}
	var memory []uint64
	if beside != nil && beside.fr != nil {
		memory = beside.fr.memory
	}
	return &Runner{p, pn, newFrameIn(pn, memory)}, nil
}

// Planned reports whether runs have a plan; without one they allocate.
func (r *Runner) Planned() bool { return r.pn != nil }

// Run is Program.Run.
func (r *Runner) Run(inputs, outputs []Value) error {
	if err := r.p.checkRun(inputs, outputs); err != nil {
		return err
	}
	if r.pn == nil || !r.pn.fits(inputs) {
		return r.p.Run(inputs, outputs)
	}
	return r.pn.run(r.fr, inputs, outputs)
}

// run runs the steps of a plan in a frame, which then holds nothing of the
// caller's.
func (pn *plan) run(fr *frame, inputs, outputs []Value) error {
	defer fr.release()
	for i, at := range fr.inputs {
		if at >= 0 {
			fr.values[at].p = inputs[i].p
		}
	}
	for _, v := range fr.follow {
		fr.values[v[1]].p = fr.values[v[0]].p
	}
	for i := range pn.steps {
		if err := protect(pn.steps[i].run, &fr.args[i]); err != nil {
			return at(pn.steps[i].n.Node, err)
		}
	}
	for i, o := range pn.outputs {
		assign(&outputs[i], fr.value(o))
	}
	return nil
}

// release forgets the addresses of the inputs.
func (fr *frame) release() {
	for _, i := range fr.inputs {
		if i >= 0 {
			fr.values[i].p = nil
		}
	}
	for _, v := range fr.follow {
		fr.values[v[1]].p = nil
	}
}
