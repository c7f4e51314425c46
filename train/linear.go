package train

import (
	"encoding/json"
)

// LinearLR goes from StartFactor to EndFactor times the rate in TotalIters
// steps: a warm-up. With TotalIters 0 it stays at StartFactor, as PyTorch's
// does. NewLinearLR makes one.
type LinearLR struct {
	StartFactor float64 `json:"start_factor"`
	EndFactor   float64 `json:"end_factor"`
	TotalIters  int     `json:"total_iters"`
	counter
	made
}

// NewLinearLR returns a schedule with PyTorch's defaults: from 1/3 to 1 in 5
// steps.
func NewLinearLR() *LinearLR {
	return &LinearLR{StartFactor: 1.0 / 3, EndFactor: 1, TotalIters: 5, made: true}
}

// Name returns "LinearLR".
func (s *LinearLR) Name() string { return "LinearLR" }

// Validate is an ErrArgument if StartFactor is not above 0 and up to 1, EndFactor
// not from 0 to 1, or TotalIters below 0.
func (s *LinearLR) Validate() error {
	switch {
	case bool(s.made) && !(s.StartFactor > 0 && s.StartFactor <= 1):
		return badArg("start_factor", s.StartFactor, "above 0, up to 1")
	case !(s.EndFactor >= 0 && s.EndFactor <= 1):
		return badArg("end_factor", s.EndFactor, "0 to 1")
	case s.TotalIters < 0:
		return badArg("total_iters", s.TotalIters, "0 or above")
	}
	return s.check("LinearLR")
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
	a, b, part := s.StartFactor, s.EndFactor, 0.0
	if s.TotalIters > 0 {
		part = min(float64(s.t)/float64(s.TotalIters), 1)
	}
	now.LR = s.base.LR * (a + float64((b-a)*part))
	return now
}

// UnmarshalJSON reads settings over NewLinearLR's defaults.
func (s *LinearLR) UnmarshalJSON(b []byte) error {
	type plain LinearLR
	p := plain(*NewLinearLR())
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = LinearLR(p)
	return nil
}
