package train

import (
	"encoding/json"
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// CosineAnnealingLR goes from the rate to EtaMin in TMax steps along half a
// cosine, and on along the whole one. NewCosineAnnealingLR makes one.
type CosineAnnealingLR struct {
	TMax   int     `json:"T_max"`
	EtaMin float64 `json:"eta_min"`
	counter
	made
}

// NewCosineAnnealingLR returns a schedule with PyTorch's default, eta_min 0.
func NewCosineAnnealingLR(tMax int) *CosineAnnealingLR {
	return &CosineAnnealingLR{TMax: tMax, made: true}
}

// Name returns "CosineAnnealingLR".
func (s *CosineAnnealingLR) Name() string { return "CosineAnnealingLR" }

// Validate is an ErrArgument if TMax is below 1 or EtaMin below 0.
func (s *CosineAnnealingLR) Validate() error {
	if s.TMax < 1 {
		return badArg("T_max", s.TMax, "at least 1")
	}
	return s.check("CosineAnnealingLR", atLeast0{"eta_min", s.EtaMin})
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

// UnmarshalJSON reads settings over NewCosineAnnealingLR's defaults; without
// T_max they are not valid.
func (s *CosineAnnealingLR) UnmarshalJSON(b []byte) error {
	type plain CosineAnnealingLR
	p := plain(*NewCosineAnnealingLR(0))
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = CosineAnnealingLR(p)
	return nil
}
