package train

import (
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Scheduler changes the learning rate while training runs. The schedulers of
// torch.optim.lr_scheduler are here under their names; zero fields are
// PyTorch's defaults. Where PyTorch multiplies the last rate by a factor, the
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
		return ErrState
	}
	c.base, c.t = Hyper{s[0], s[1]}, int(s[2])
	return nil
}

// StepLR multiplies the rate by Gamma every StepSize steps.
type StepLR struct {
	StepSize int     `json:"step_size"`
	Gamma    float64 `json:"gamma,omitempty"` // 0: 0.1
	counter
}

// Name returns "StepLR".
func (s *StepLR) Name() string { return "StepLR" }

// Validate wants a StepSize of at least 1.
func (s *StepLR) Validate() error {
	if s.StepSize < 1 {
		return badArg("step_size", s.StepSize, "at least 1")
	}
	return atLeast0("gamma", s.Gamma)
}

// Start returns base.
func (s *StepLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return base
}

// Step returns base.LR * Gamma**(t/StepSize).
func (s *StepLR) Step(now Hyper, _ float64) Hyper {
	s.t++
	now.LR = s.base.LR * fmath.PowInt(or(s.Gamma, 0.1), s.t/max(s.StepSize, 1))
	return now
}

// CosineAnnealingLR goes from the rate to EtaMin in TMax steps along half a
// cosine, and on along the whole one.
type CosineAnnealingLR struct {
	TMax   int     `json:"T_max"`
	EtaMin float64 `json:"eta_min,omitempty"`
	counter
}

// Name returns "CosineAnnealingLR".
func (s *CosineAnnealingLR) Name() string { return "CosineAnnealingLR" }

// Validate wants a TMax of at least 1.
func (s *CosineAnnealingLR) Validate() error {
	if s.TMax < 1 {
		return badArg("T_max", s.TMax, "at least 1")
	}
	return atLeast0("eta_min", s.EtaMin)
}

// Start returns base.
func (s *CosineAnnealingLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return base
}

// Step returns EtaMin + (base.LR-EtaMin)*(1+cos(pi*t/TMax))/2.
func (s *CosineAnnealingLR) Step(now Hyper, _ float64) Hyper {
	s.t++
	n := max(s.TMax, 1)
	turns := s.t % (2 * n) // keeps the argument small
	now.LR = s.EtaMin + float64((s.base.LR-s.EtaMin)*halfCosine(float64(turns)/float64(n)))
	return now
}

// halfCosine is (1+cos(pi*x))/2: 1 at 0, 0 at 1.
func halfCosine(x float64) float64 { return (1 + fmath.Cos(math.Pi*x)) / 2 }

// OneCycleLR is one rise to MaxLR and one fall, over TotalSteps, with the
// momentum (or beta1) going the other way.
type OneCycleLR struct {
	MaxLR           float64 `json:"max_lr"`
	TotalSteps      int     `json:"total_steps"`
	PctStart        float64 `json:"pct_start,omitempty"`         // 0: 0.3
	Linear          bool    `json:"linear,omitempty"`            // anneal_strategy="linear"
	NoCycleMomentum bool    `json:"no_cycle_momentum,omitempty"` // cycle_momentum=False
	BaseMomentum    float64 `json:"base_momentum,omitempty"`     // 0: 0.85
	MaxMomentum     float64 `json:"max_momentum,omitempty"`      // 0: 0.95
	DivFactor       float64 `json:"div_factor,omitempty"`        // 0: 25
	FinalDivFactor  float64 `json:"final_div_factor,omitempty"`  // 0: 1e4
	ThreePhase      bool    `json:"three_phase,omitempty"`
	counter
}

// Name returns "OneCycleLR".
func (s *OneCycleLR) Name() string { return "OneCycleLR" }

// Validate wants a positive MaxLR and TotalSteps, and PctStart within 0 and 1.
func (s *OneCycleLR) Validate() error {
	switch {
	case s.TotalSteps < 1:
		return badArg("total_steps", s.TotalSteps, "at least 1")
	case !(s.MaxLR > 0):
		return badArg("max_lr", s.MaxLR, "above 0")
	case !(s.PctStart >= 0 && s.PctStart <= 1):
		return badArg("pct_start", s.PctStart, "0 to 1")
	}
	return atLeast0("div_factor", s.DivFactor, "final_div_factor", s.FinalDivFactor)
}

// Start returns the low rate MaxLR/DivFactor and the high momentum.
func (s *OneCycleLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return s.at(base)
}

// Step returns the settings of the next step; after TotalSteps it stays at the
// last ones, where PyTorch refuses to go on.
func (s *OneCycleLR) Step(now Hyper, _ float64) Hyper {
	if s.t < s.TotalSteps-1 {
		s.t++
	}
	return s.at(now)
}

func (s *OneCycleLR) at(now Hyper) Hyper {
	first := s.MaxLR / or(s.DivFactor, 25)
	least := first / or(s.FinalDivFactor, 1e4)
	low, high := or(s.BaseMomentum, 0.85), or(s.MaxMomentum, 0.95)
	up := float64(or(s.PctStart, 0.3)*float64(s.TotalSteps)) - 1
	end := float64(s.TotalSteps - 1)
	t := float64(s.t)
	lr, m := 0.0, 0.0
	switch down := float64(2*up) + 0; {
	case t <= up:
		p := part(t, 0, up)
		lr, m = s.between(first, s.MaxLR, p), s.between(high, low, p)
	case s.ThreePhase && t <= down:
		p := part(t, up, down)
		lr, m = s.between(s.MaxLR, first, p), s.between(low, high, p)
	case s.ThreePhase:
		lr, m = s.between(first, least, part(t, down, end)), high
	default:
		p := part(t, up, end)
		lr, m = s.between(s.MaxLR, least, p), s.between(low, high, p)
	}
	now.LR = lr
	if !s.NoCycleMomentum {
		now.Momentum = m
	}
	return now
}

// part returns how far t is on the way from a to b.
func part(t, a, b float64) float64 {
	if b <= a {
		return 1
	}
	return min((t-a)/(b-a), 1)
}

func (s *OneCycleLR) between(a, b, p float64) float64 {
	if s.Linear {
		return float64((b-a)*p) + a
	}
	return b + float64((a-b)*halfCosine(p))
}

// LinearLR goes from StartFactor to EndFactor times the rate in TotalIters
// steps: a warm-up.
type LinearLR struct {
	StartFactor float64 `json:"start_factor,omitempty"` // 0: 1/3
	EndFactor   float64 `json:"end_factor,omitempty"`   // 0: 1
	TotalIters  int     `json:"total_iters,omitempty"`  // 0: 5
	counter
}

// Name returns "LinearLR".
func (s *LinearLR) Name() string { return "LinearLR" }

// Validate wants factors from 0 to 1.
func (s *LinearLR) Validate() error {
	switch {
	case !(s.StartFactor >= 0 && s.StartFactor <= 1):
		return badArg("start_factor", s.StartFactor, "0 to 1")
	case !(s.EndFactor >= 0 && s.EndFactor <= 1):
		return badArg("end_factor", s.EndFactor, "0 to 1")
	case s.TotalIters < 0:
		return badArg("total_iters", s.TotalIters, "at least 1")
	}
	return nil
}

// Start returns base with StartFactor of its rate.
func (s *LinearLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return s.at(base)
}

// Step returns the settings of the next step.
func (s *LinearLR) Step(now Hyper, _ float64) Hyper {
	s.t++
	return s.at(now)
}

func (s *LinearLR) at(now Hyper) Hyper {
	a, b, n := or(s.StartFactor, 1.0/3), or(s.EndFactor, 1), s.TotalIters
	if n == 0 {
		n = 5
	}
	now.LR = s.base.LR * (a + float64((b-a)*min(float64(s.t)/float64(n), 1)))
	return now
}

// SequentialLR runs First for Milestone steps and then Next:
// torch.optim.lr_scheduler.SequentialLR of two.
type SequentialLR struct {
	First, Next Scheduler
	Milestone   int
	counter
}

// Name returns "SequentialLR".
func (s *SequentialLR) Name() string { return "SequentialLR" }

// Validate wants a Milestone of at least 1 and two valid schedulers.
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
		return ErrState
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
