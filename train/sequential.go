package train

import (
	"fmt"
	"math"
)

// SequentialLR runs First for Milestone steps and then Next:
// torch.optim.lr_scheduler.SequentialLR of two. It has no defaults, so a literal
// is as good as NewSequentialLR.
type SequentialLR struct {
	First, Next Scheduler
	Milestone   int
	counter
}

// NewSequentialLR returns first for milestone steps, and then next.
func NewSequentialLR(first, next Scheduler, milestone int) *SequentialLR {
	return &SequentialLR{First: first, Next: next, Milestone: milestone}
}

// Name returns "SequentialLR".
func (s *SequentialLR) Name() string { return "SequentialLR" }

// Validate is an ErrArgument if Milestone is below 1, or if one of the two
// schedulers is missing or not valid.
func (s *SequentialLR) Validate() error {
	if s.Milestone < 1 {
		return badArg("milestone", s.Milestone, "at least 1")
	}
	if s.First == nil || s.Next == nil {
		return badArg("schedulers", "incomplete", "a First and a Next")
	}
	if err := s.First.Validate(); err != nil {
		return err
	}
	return s.Next.Validate()
}

// Start returns the first settings of First.
func (s *SequentialLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return s.First.Start(base)
}

// Step steps First, or Next once Milestone steps are taken; Next starts from
// the optimiser's own rate.
func (s *SequentialLR) Step(now Hyper, metric float64) Hyper {
	s.t++
	switch {
	case s.t < s.Milestone:
		return s.First.Step(now, metric)
	case s.t == s.Milestone:
		h := s.Next.Start(s.base)
		return h
	}
	return s.Next.Step(now, metric)
}

// State joins the states of both.
func (s *SequentialLR) State() []float64 {
	a, b := s.First.State(), s.Next.State()
	return append(append(append(s.counter.State(), float64(len(a))), a...), b...)
}

// SetState takes what State gave.
func (s *SequentialLR) SetState(v []float64) error {
	if len(v) < 4 || !(v[3] >= 0) || v[3] != math.Trunc(v[3]) || 4+v[3] > float64(len(v)) {
		return badState("state of the schedule", fmt.Sprint(v), "the states of two schedules")
	}
	if err := s.counter.SetState(v[:3]); err != nil {
		return err
	}
	n := 4 + int(v[3])
	if err := s.First.SetState(v[4:n]); err != nil {
		return err
	}
	return s.Next.SetState(v[n:])
}
