package train

import (
	"encoding/json"
	"math"
)

// OneCycleLR is one rise to MaxLR and one fall, over TotalSteps, with the
// momentum (or beta1) going the other way. NewOneCycleLR makes one.
type OneCycleLR struct {
	MaxLR           float64 `json:"max_lr"`
	TotalSteps      int     `json:"total_steps"`
	PctStart        float64 `json:"pct_start"`
	Linear          bool    `json:"linear"`            // anneal_strategy="linear"
	NoCycleMomentum bool    `json:"no_cycle_momentum"` // cycle_momentum=False
	BaseMomentum    float64 `json:"base_momentum"`
	MaxMomentum     float64 `json:"max_momentum"`
	DivFactor       float64 `json:"div_factor"`
	FinalDivFactor  float64 `json:"final_div_factor"`
	ThreePhase      bool    `json:"three_phase"`
	counter
	made
}

// NewOneCycleLR returns a schedule with PyTorch's defaults: pct_start 0.3, along
// cosines, momentum between 0.85 and 0.95, div_factor 25, final_div_factor 1e4.
func NewOneCycleLR(maxLR float64, totalSteps int) *OneCycleLR {
	return &OneCycleLR{
		MaxLR: maxLR, TotalSteps: totalSteps, PctStart: 0.3, BaseMomentum: 0.85, MaxMomentum: 0.95,
		DivFactor: 25, FinalDivFactor: 1e4, made: true,
	}
}

// Name returns "OneCycleLR".
func (s *OneCycleLR) Name() string { return "OneCycleLR" }

// Validate is an ErrArgument if TotalSteps is below 1, MaxLR or a momentum below
// 0, PctStart not from 0 to 1, or a divisor not above 0.
func (s *OneCycleLR) Validate() error {
	switch {
	case s.TotalSteps < 1:
		return badArg("total_steps", s.TotalSteps, "at least 1")
	case !(s.PctStart >= 0 && s.PctStart <= 1):
		return badArg("pct_start", s.PctStart, "0 to 1")
	case bool(s.made) && !(s.DivFactor > 0):
		return badArg("div_factor", s.DivFactor, "above 0")
	case bool(s.made) && !(s.FinalDivFactor > 0):
		return badArg("final_div_factor", s.FinalDivFactor, "above 0")
	}
	return s.check("OneCycleLR", atLeast0{"max_lr", s.MaxLR}, atLeast0{"base_momentum", s.BaseMomentum}, atLeast0{"max_momentum", s.MaxMomentum})
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
	first := s.MaxLR / s.DivFactor
	least := first / s.FinalDivFactor
	low, high := s.BaseMomentum, s.MaxMomentum
	up := float64(s.PctStart*float64(s.TotalSteps)) - 1
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

// UnmarshalJSON reads settings over NewOneCycleLR's defaults; without max_lr and
// total_steps they are not valid.
func (s *OneCycleLR) UnmarshalJSON(b []byte) error {
	type plain OneCycleLR
	p := plain(*NewOneCycleLR(math.NaN(), 0))
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = OneCycleLR(p)
	return nil
}
