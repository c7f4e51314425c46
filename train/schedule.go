package train

import (
	"fmt"
	"math"
)

// Scheduler changes the learning rate while training runs. The schedulers of
// torch.optim.lr_scheduler are here under their names, a file each. Their
// constructors give PyTorch's defaults, and after that every field means what it
// says, also 0; a literal that no constructor made is refused by Validate. Where
// PyTorch multiplies the last rate by a factor, the
// closed form is used, so that a rate depends on the step alone.
type Scheduler interface {
	// Name is the name of the class in torch.optim.lr_scheduler.
	Name() string
	// Validate reports the first setting PyTorch refuses: an ErrArgument.
	Validate() error
	// Start sets the rate of the first step. base are the optimiser's own
	// settings, which also later calls count from.
	Start(base Hyper) Hyper
	// Step returns the settings after one more step (or epoch, whichever the
	// loop counts); now are the present ones. Only ReduceLROnPlateau looks at
	// metric.
	Step(now Hyper, metric float64) Hyper
	// State returns what SetState needs to go on from here.
	State() []float64
	// SetState goes on where the schedule that gave s stood. It is an ErrState
	// if s is not of such a schedule.
	SetState(s []float64) error
}

// counter is the state of a schedule that depends on the step alone.
type counter struct {
	base Hyper
	t    int
}

func (c *counter) State() []float64 { return []float64{c.base.LR, c.base.Momentum, float64(c.t)} }

func (c *counter) SetState(s []float64) error {
	if len(s) != 3 || s[2] != math.Trunc(s[2]) || !(s[2] >= 0 && s[2] < 1<<53) {
		return badState("state of the schedule", fmt.Sprint(s), "a rate, a momentum and a count of steps")
	}
	c.base, c.t = Hyper{s[0], s[1]}, int(s[2])
	return nil
}
