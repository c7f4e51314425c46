package train

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// Hyper are the settings that schedules change while training runs.
type Hyper struct {
	LR       float64
	Momentum float64 // SGD's and RMSprop's momentum, Adam's and AdamW's beta1
}

// OptimizerOf is an algorithm at work on the parameters of one model.
type OptimizerOf[F tensor.Float] struct {
	Hyper
	// Workers is the most goroutines that share a step; 0 is 1. The bits are the
	// same for any number.
	Workers int

	alg    Algorithm
	rule   rule[F]
	steps  int
	names  []string
	slots  []slot  // of the first step
	sparse bool    // rows without gradient are left alone
	state  [][][]F // [parameter][slot][element]

	team   kernel.Team
	params []nn.ParamOf[F] // of the step that runs
}

// Optimizer is an OptimizerOf of float32.
type Optimizer = OptimizerOf[float32]

// NewOptimizer returns a float32 optimiser; its memory is made by the first Step. It
// is an ErrArgument if torch.optim refuses the settings.
func NewOptimizer(alg Algorithm) (*Optimizer, error) { return NewOptimizerOf[float32](alg) }

// NewOptimizerOf is NewOptimizer for the element type F.
func NewOptimizerOf[F tensor.Float](alg Algorithm) (*OptimizerOf[F], error) {
	if alg == nil {
		return nil, badArg("algorithm", nil, "SGD, Adam, AdamW, RMSprop or Adagrad")
	}
	if err := alg.Validate(); err != nil {
		return nil, err
	}
	return &OptimizerOf[F]{alg: alg, rule: ruleOf[F](alg), Hyper: alg.start()}, nil
}

// Algorithm returns what NewOptimizer was given.
func (o *OptimizerOf[F]) Algorithm() Algorithm { return o.alg }

// Steps returns the number of steps taken.
func (o *OptimizerOf[F]) Steps() int { return o.steps }

// Step changes the parameters along their gradients. The parameters are the
// same in every call. Of a sparse gradient only the touched rows are looked at
// where that gives the bits of the dense step (SGD without momentum and weight
// decay, Adagrad without weight decay) or where the algorithm asks for it
// (Sparse). It allocates nothing after the first call. It is an ErrState if the
// parameters are not those of the first call or NewOptimizer did not make o, and
// an ErrShape if a gradient has not its parameter's length; nothing is changed
// then.
func (o *OptimizerOf[F]) Step(params []nn.ParamOf[F]) error {
	if err := o.prepare(params); err != nil {
		return err
	}
	o.steps++
	o.rule.begin(o.Hyper, o.steps)
	o.params = params
	n := 0
	for _, p := range params {
		n += len(p.Value.Data)
	}
	o.team.Run((*stepTask[F])(o), workersFor(&o.team, o.Workers, n))
	o.params = nil
	return nil
}

// stepTask is a step whose rule has begun.
type stepTask[F tensor.Float] OptimizerOf[F]

// Work changes worker w's part of each parameter: no element depends on another.
func (o *stepTask[F]) Work(w, n int) {
	for i, p := range o.params {
		if !p.Sparse || !o.sparse {
			lo, hi := kernel.Share(len(p.Value.Data), w, n)
			o.rule.apply(p.Value.Data[lo:hi], p.Grad.Data[lo:hi], o.state[i], lo)
			continue
		}
		wide := len(p.Value.Data) / max(p.Value.Shape[0], 1)
		lo, hi := kernel.Share(len(p.Rows), w, n)
		for _, r := range p.Rows[lo:hi] {
			o.rule.apply(p.Value.Data[r*wide:(r+1)*wide], p.Grad.Data[r*wide:(r+1)*wide], o.state[i], r*wide)
		}
	}
}

func (o *OptimizerOf[F]) prepare(params []nn.ParamOf[F]) error {
	if o.alg == nil {
		return badState("optimiser", "one without algorithm", "the result of NewOptimizer")
	}
	if o.names == nil {
		o.slots, o.sparse = o.alg.slots(o.Hyper), o.alg.sparse(o.Hyper)
		o.names = make([]string, len(params))
		o.state = make([][][]F, len(params))
		for i, p := range params {
			o.names[i] = p.Name
			o.state[i] = make([][]F, len(o.slots))
			for s, slot := range o.slots {
				o.state[i][s] = slices.Repeat([]F{F(slot.begin)}, len(p.Value.Data))
			}
		}
	}
	if len(params) != len(o.names) {
		return badState("parameters", strconv.Itoa(len(params)), fmt.Sprintf("the %d of the first step", len(o.names)))
	}
	for i, p := range params {
		if p.Name != o.names[i] {
			return badState(fmt.Sprintf("parameter %d", i), p.Name, o.names[i]+", as in the first step")
		}
		if len(p.Grad.Data) != len(p.Value.Data) {
			return &tensor.ShapeError{Arg: "gradient of " + p.Name, Got: p.Grad.Shape, Want: fmt.Sprint(p.Value.Shape)}
		}
		for _, s := range o.state[i] {
			if len(s) != len(p.Value.Data) {
				return badState("state of "+p.Name, fmt.Sprintf("%d elements", len(s)), fmt.Sprintf("%d, as the parameter", len(p.Value.Data)))
			}
		}
	}
	return nil
}

// State returns the numbers kept for the parameters, shared with the
// optimiser, under names like "exp_avg.fc.weight". There are none before the
// first Step.
func (o *OptimizerOf[F]) State() map[string]tensor.DenseOf[F] {
	m := map[string]tensor.DenseOf[F]{}
	for i, n := range o.names {
		for s, slot := range o.slots {
			m[slot.name+"."+n] = tensor.DenseOf[F]{Shape: []int{len(o.state[i][s])}, Data: o.state[i][s]}
		}
	}
	return m
}

// SetState continues where the optimiser that gave State stood, after steps
// steps on the parameters of these names. It copies. It is an ErrState if
// tensors are missing or unexpected.
func (o *OptimizerOf[F]) SetState(steps int, names []string, m map[string]tensor.DenseOf[F]) error {
	if steps < 0 || steps == 0 && len(m) > 0 {
		return badState("steps", strconv.Itoa(steps), fmt.Sprintf("0 or above, and more than 0 for %d tensors", len(m)))
	}
	if steps == 0 {
		o.steps, o.names, o.slots, o.state = 0, nil, nil, nil
		return nil
	}
	// A schedule may have given the momentum that the algorithm has not.
	first := Hyper{Momentum: 1}
	slots := o.alg.slots(first)
	if len(m) != len(names)*len(slots) {
		first.Momentum = 0
		slots = o.alg.slots(first)
	}
	if len(m) != len(names)*len(slots) {
		return badState("tensors", strconv.Itoa(len(m)), fmt.Sprintf("%d for each of %d parameters", len(slots), len(names)))
	}
	state := make([][][]F, len(names))
	for i, n := range names {
		for _, slot := range slots {
			d, ok := m[slot.name+"."+n]
			if !ok {
				return badState(slot.name+"."+n, "nothing", "a tensor")
			}
			state[i] = append(state[i], slices.Clone(d.Data))
		}
	}
	o.steps, o.names, o.slots, o.state = steps, slices.Clone(names), slots, state
	o.sparse = o.alg.sparse(first)
	return nil
}
