package train

import (
	"encoding/json"
	"fmt"
	"math"
)

// ReduceLROnPlateau multiplies the rate by Factor when the metric has not
// become better for Patience steps. NewReduceLROnPlateau makes one.
type ReduceLROnPlateau struct {
	Max       bool    `json:"max"` // mode="max": a higher metric is better
	Factor    float64 `json:"factor"`
	Patience  int     `json:"patience"`
	Threshold float64 `json:"threshold"`
	Absolute  bool    `json:"absolute"` // threshold_mode="abs"
	Cooldown  int     `json:"cooldown"`
	MinLR     float64 `json:"min_lr"`
	Eps       float64 `json:"eps"` // smaller changes are not made

	best     float64
	bad, off int
	made
}

// NewReduceLROnPlateau returns a schedule with PyTorch's defaults: factor 0.1,
// patience 10, threshold 1e-4 (relative), no cooldown, min_lr 0, eps 1e-8.
func NewReduceLROnPlateau() *ReduceLROnPlateau {
	return &ReduceLROnPlateau{Factor: 0.1, Patience: 10, Threshold: 1e-4, Eps: 1e-8, made: true}
}

// Name returns "ReduceLROnPlateau".
func (s *ReduceLROnPlateau) Name() string { return "ReduceLROnPlateau" }

// Validate is an ErrArgument if Factor is not from 0 to below 1, or if
// Patience, Cooldown, Threshold, MinLR or Eps is below 0.
func (s *ReduceLROnPlateau) Validate() error {
	if !(s.Factor >= 0 && s.Factor < 1) {
		return badArg("factor", s.Factor, "0 to below 1")
	}
	return s.check("ReduceLROnPlateau", atLeast0{"patience", float64(s.Patience)}, atLeast0{"cooldown", float64(s.Cooldown)},
		atLeast0{"threshold", s.Threshold}, atLeast0{"min_lr", s.MinLR}, atLeast0{"eps", s.Eps})
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
	if s.bad > s.Patience {
		lr := max(now.LR*s.Factor, s.MinLR)
		if now.LR-lr > s.Eps {
			now.LR = lr
		}
		s.off, s.bad = s.Cooldown, 0
	}
	return now
}

func (s *ReduceLROnPlateau) better(m float64) bool {
	th := s.Threshold
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
		return badState("state of the schedule", fmt.Sprint(v), "a best metric and two counts")
	}
	s.best, s.bad, s.off = v[0], int(v[1]), int(v[2])
	return nil
}

// UnmarshalJSON reads settings over NewReduceLROnPlateau's defaults.
func (s *ReduceLROnPlateau) UnmarshalJSON(b []byte) error {
	type plain ReduceLROnPlateau
	p := plain(*NewReduceLROnPlateau())
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = ReduceLROnPlateau(p)
	return nil
}
