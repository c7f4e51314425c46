package train

import (
	"encoding/json"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// StepLR multiplies the rate by Gamma every StepSize steps. NewStepLR makes one.
type StepLR struct {
	StepSize int     `json:"step_size"`
	Gamma    float64 `json:"gamma"`
	counter
	made
}

// NewStepLR returns a schedule with PyTorch's default, gamma 0.1.
func NewStepLR(stepSize int) *StepLR { return &StepLR{StepSize: stepSize, Gamma: 0.1, made: true} }

// Name returns "StepLR".
func (s *StepLR) Name() string { return "StepLR" }

// Validate is an ErrArgument if StepSize is below 1 or Gamma below 0.
func (s *StepLR) Validate() error {
	if s.StepSize < 1 {
		return badArg("step_size", s.StepSize, "at least 1")
	}
	return s.check("StepLR", atLeast0{"gamma", s.Gamma})
}

// Start returns base.
func (s *StepLR) Start(base Hyper) Hyper {
	s.counter = counter{base: base}
	return base
}

// Step returns base.LR * Gamma**(t/StepSize).
func (s *StepLR) Step(now Hyper, _ float64) Hyper {
	s.t++
	now.LR = s.base.LR * fmath.PowInt(s.Gamma, s.t/max(s.StepSize, 1))
	return now
}

// UnmarshalJSON reads settings over NewStepLR's defaults; without step_size they
// are not valid.
func (s *StepLR) UnmarshalJSON(b []byte) error {
	type plain StepLR
	p := plain(*NewStepLR(0))
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = StepLR(p)
	return nil
}
