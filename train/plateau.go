package train

import "math"

// ReduceLROnPlateau multiplies the rate by Factor when the metric has not
// become better for Patience steps.
type ReduceLROnPlateau struct {
	Max       bool     `json:"max,omitempty"`       // mode="max": a higher metric is better
	Factor    float64  `json:"factor,omitempty"`    // 0: 0.1
	Patience  *int     `json:"patience,omitempty"`  // nil: 10
	Threshold *float64 `json:"threshold,omitempty"` // nil: 1e-4
	Absolute  bool     `json:"absolute,omitempty"`  // threshold_mode="abs"
	Cooldown  int      `json:"cooldown,omitempty"`
	MinLR     float64  `json:"min_lr,omitempty"`
	Eps       float64  `json:"eps,omitempty"` // 0: 1e-8; smaller changes are not made

	best     float64
	bad, off int
}

// Name returns "ReduceLROnPlateau".
func (s *ReduceLROnPlateau) Name() string { return "ReduceLROnPlateau" }

// Validate wants a Factor below 1.
func (s *ReduceLROnPlateau) Validate() error {
	if !(s.Factor >= 0 && s.Factor < 1) {
		return badArg("factor", s.Factor, "below 1")
	}
	if s.Patience != nil && *s.Patience < 0 {
		return badArg("patience", *s.Patience, "0 or above")
	}
	return atLeast0("threshold", orNil(s.Threshold, 0), "min_lr", s.MinLR, "eps", s.Eps)
}

// Start returns base.
func (s *ReduceLROnPlateau) Start(base Hyper) Hyper {
	s.best, s.bad, s.off = math.Inf(1), 0, 0
	if s.Max {
		s.best = math.Inf(-1)
	}
	return base
}

// Step looks at the metric of one more epoch.
func (s *ReduceLROnPlateau) Step(now Hyper, metric float64) Hyper {
	if s.better(metric) {
		s.best, s.bad = metric, 0
	} else {
		s.bad++
	}
	if s.off > 0 {
		s.off--
		s.bad = 0
	}
	patience := 10
	if s.Patience != nil {
		patience = *s.Patience
	}
	if s.bad > patience {
		lr := max(now.LR*or(s.Factor, 0.1), s.MinLR)
		if now.LR-lr > or(s.Eps, 1e-8) {
			now.LR = lr
		}
		s.off, s.bad = s.Cooldown, 0
	}
	return now
}

func (s *ReduceLROnPlateau) better(m float64) bool {
	th := orNil(s.Threshold, 1e-4)
	switch {
	case s.Max && s.Absolute:
		return m > s.best+th
	case s.Max:
		return m > s.best*(1+th)
	case s.Absolute:
		return m < s.best-th
	}
	return m < s.best*(1-th)
}

// State returns best, the count of bad epochs and the cooldown left.
func (s *ReduceLROnPlateau) State() []float64 {
	return []float64{s.best, float64(s.bad), float64(s.off)}
}

// SetState takes what State gave.
func (s *ReduceLROnPlateau) SetState(v []float64) error {
	if len(v) != 3 || !(v[1] >= 0 && v[1] < 1<<53 && v[2] >= 0 && v[2] < 1<<53) {
		return ErrState
	}
	s.best, s.bad, s.off = v[0], int(v[1]), int(v[2])
	return nil
}
