package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

type args struct {
	LR, Momentum, Dampening, Alpha, Eps float64
	Nesterov, Maximize, AMSGrad         bool
	Centered                            bool
	Betas                               *[2]float64
	WeightDecay                         *float64 `json:"weight_decay"`
	LRDecay                             float64  `json:"lr_decay"`
	Initial                             float64  `json:"initial_accumulator_value"`

	StepSize     int     `json:"step_size"`
	Gamma        float64 `json:"gamma"`
	TMax         int     `json:"T_max"`
	EtaMin       float64 `json:"eta_min"`
	MaxLR        float64 `json:"max_lr"`
	TotalSteps   int     `json:"total_steps"`
	PctStart     float64 `json:"pct_start"`
	Anneal       string  `json:"anneal_strategy"`
	Div          float64 `json:"div_factor"`
	FinalDiv     float64 `json:"final_div_factor"`
	ThreePhase   bool    `json:"three_phase"`
	BaseMomentum float64 `json:"base_momentum"`
	MaxMomentum  float64 `json:"max_momentum"`
	Cycle        *bool   `json:"cycle_momentum"`
	Start        float64 `json:"start_factor"`
	End          float64 `json:"end_factor"`
	Iters        int     `json:"total_iters"`
	Patience     *int
	Factor       float64
	Threshold    *float64
	ThMode       string `json:"threshold_mode"`
	Mode         string
	Cooldown     int
	MinLR        float64 `json:"min_lr"`
}

func algorithm(t *testing.T, name string, raw json.RawMessage) train.Algorithm {
	t.Helper()
	var a args
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	wd := 0.0
	if a.WeightDecay != nil {
		wd = *a.WeightDecay
	}
	switch name {
	case "SGD":
		return train.SGD{LR: a.LR, Momentum: a.Momentum, Dampening: a.Dampening, WeightDecay: wd, Nesterov: a.Nesterov, Maximize: a.Maximize}
	case "Adam":
		return train.Adam{LR: a.LR, Betas: a.Betas, Eps: a.Eps, WeightDecay: wd, AMSGrad: a.AMSGrad, Maximize: a.Maximize}
	case "AdamW":
		return train.AdamW{LR: a.LR, Betas: a.Betas, Eps: a.Eps, WeightDecay: a.WeightDecay, AMSGrad: a.AMSGrad, Maximize: a.Maximize}
	case "RMSprop":
		r := train.RMSprop{LR: a.LR, Eps: a.Eps, WeightDecay: wd, Momentum: a.Momentum, Centered: a.Centered, Maximize: a.Maximize}
		if a.Alpha != 0 {
			r.Alpha = &a.Alpha
		}
		return r
	case "Adagrad":
		return train.Adagrad{LR: a.LR, LRDecay: a.LRDecay, WeightDecay: wd, InitialAccumulator: a.Initial, Eps: a.Eps, Maximize: a.Maximize}
	}
	t.Fatalf("optimiser %q", name)
	return nil
}

func scheduler(t *testing.T, name string, raw json.RawMessage) train.Scheduler {
	t.Helper()
	var a args
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	switch name {
	case "StepLR":
		return &train.StepLR{StepSize: a.StepSize, Gamma: a.Gamma}
	case "CosineAnnealingLR":
		return &train.CosineAnnealingLR{TMax: a.TMax, EtaMin: a.EtaMin}
	case "OneCycleLR":
		return &train.OneCycleLR{
			MaxLR: a.MaxLR, TotalSteps: a.TotalSteps, PctStart: a.PctStart, Linear: a.Anneal == "linear", ThreePhase: a.ThreePhase,
			DivFactor: a.Div, FinalDivFactor: a.FinalDiv, BaseMomentum: a.BaseMomentum, MaxMomentum: a.MaxMomentum,
			NoCycleMomentum: a.Cycle != nil && !*a.Cycle,
		}
	case "LinearLR":
		return &train.LinearLR{StartFactor: a.Start, EndFactor: a.End, TotalIters: a.Iters}
	case "ReduceLROnPlateau":
		return &train.ReduceLROnPlateau{
			Max: a.Mode == "max", Factor: a.Factor, Patience: a.Patience, Threshold: a.Threshold,
			Absolute: a.ThMode == "abs", Cooldown: a.Cooldown, MinLR: a.MinLR,
		}
	case "SequentialLR":
		return &train.SequentialLR{First: &train.LinearLR{StartFactor: .1, TotalIters: 6}, Next: &train.CosineAnnealingLR{TMax: 20}, Milestone: 6}
	}
	t.Fatalf("schedule %q", name)
	return nil
}

type optimFile struct {
	Start      []float64
	Grads      [][]float64
	Optimizers []struct {
		Name  string
		Args  json.RawMessage
		Steps [][]float64
	}
	Metrics   []float64
	Schedules []struct {
		Name         string
		Args         json.RawMessage
		LR, Momentum []float64
	}
}

// The numbers are PyTorch's; testdata/optim.py made them.
func golden(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/optim.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// installed are the numbers of the PyTorch that is installed, for gradients of
// another seed; without one the test is skipped.
func installed(t *testing.T) []byte { return testkit.Torch(t, "testdata/optim.py", "2") }

func parsed(t *testing.T, data []byte) (f optimFile) {
	t.Helper()
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func near(t *testing.T, what string, got, want []float64, rtol float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= 1e-13+rtol*math.Abs(want[i])) {
			t.Errorf("%s[%d] = %v, PyTorch has %v", what, i, got[i], want[i])
		}
	}
}

func param(v, g []float64) []nn.ParamOf[float64] {
	return []nn.ParamOf[float64]{{
		Name:  "p",
		Value: tensor.DenseOf[float64]{Shape: []int{len(v)}, Data: v},
		Grad:  tensor.DenseOf[float64]{Shape: []int{len(v)}, Data: g},
	}}
}

func TestOptimizersAreThoseOfTorchOptim(t *testing.T) { checkOptimizers(t, golden(t)) }

func TestOptimizersAreThoseOfTheInstalledPyTorch(t *testing.T) { checkOptimizers(t, installed(t)) }

func TestSchedulesAreThoseOfTorchOptim(t *testing.T) { checkSchedules(t, golden(t)) }

func TestSchedulesAreThoseOfTheInstalledPyTorch(t *testing.T) { checkSchedules(t, installed(t)) }

func checkOptimizers(t *testing.T, data []byte) {
	f := parsed(t, data)
	if len(f.Optimizers) != 20 {
		t.Fatalf("%d cases", len(f.Optimizers))
	}
	for _, c := range f.Optimizers {
		t.Run(c.Name+string(c.Args), func(t *testing.T) {
			alg := algorithm(t, c.Name, c.Args)
			if string(c.Args) == `{"lr": 0.1}` && alg.Name() != c.Name {
				t.Errorf("Name() = %s", alg.Name())
			}
			o, err := train.NewOptimizer[float64](alg)
			if err != nil {
				t.Fatal(err)
			}
			p := slices.Clone(f.Start)
			for k, g := range f.Grads {
				if k == 5 { // a restored optimiser goes on as the old one would have
					n, err := train.NewOptimizer[float64](alg)
					if err != nil {
						t.Fatal(err)
					}
					n.Hyper = o.Hyper
					if err := n.SetState(o.Steps(), []string{"p"}, o.State()); err != nil {
						t.Fatal(err)
					}
					o = n
				}
				if err := o.Step(param(p, slices.Clone(g))); err != nil {
					t.Fatal(err)
				}
				near(t, fmt.Sprintf("step %d", k), p, c.Steps[k], 1e-12)
			}
		})
	}
}

func checkSchedules(t *testing.T, data []byte) {
	f := parsed(t, data)
	if len(f.Schedules) != 16 {
		t.Fatalf("%d cases", len(f.Schedules))
	}
	for _, c := range f.Schedules {
		t.Run(c.Name+string(c.Args), func(t *testing.T) {
			s := scheduler(t, c.Name, c.Args)
			if s.Name() != c.Name {
				t.Errorf("Name() = %s", s.Name())
			}
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			h := s.Start(train.Hyper{LR: 0.2, Momentum: 0.9})
			var lr, m []float64
			for k, metric := range f.Metrics {
				if k%7 == 3 { // saved and restored
					n := scheduler(t, c.Name, c.Args)
					if err := n.SetState(s.State()); err != nil {
						t.Fatal(err)
					}
					s = n
				}
				lr, m = append(lr, h.LR), append(m, h.Momentum)
				h = s.Step(h, metric)
			}
			near(t, "lr", lr, c.LR, 1e-12)
			near(t, "momentum", m, c.Momentum, 1e-12)
			if err := s.SetState([]float64{1}); !errors.Is(err, train.ErrState) {
				t.Errorf("a state of one number: %v", err)
			}
		})
	}
}

// What torch.optim's constructors refuse; the first three are in errors.json.
func TestOptimizersRefuse(t *testing.T) {
	neg := -1.0
	for name, a := range map[string]train.Algorithm{
		"sgd_negative_lr":           train.SGD{LR: -1},
		"nesterov_without_momentum": train.SGD{LR: .1, Nesterov: true},
		"adam_bad_beta":             train.Adam{Betas: &[2]float64{1, .9}},
		"NaN lr":                    train.SGD{LR: math.NaN()},
		"nesterov with dampening":   train.SGD{Momentum: .9, Nesterov: true, Dampening: .1},
		"negative momentum":         train.SGD{Momentum: -1},
		"negative decay":            train.Adam{WeightDecay: -1},
		"negative eps":              train.Adam{Eps: -1},
		"adamw beta2":               train.AdamW{Betas: &[2]float64{.9, -1}},
		"adamw decay":               train.AdamW{WeightDecay: &neg},
		"rmsprop alpha":             train.RMSprop{Alpha: &neg},
		"adagrad lr_decay":          train.Adagrad{LRDecay: -1},
	} {
		if _, err := train.NewOptimizer[float32](a); !errors.Is(err, train.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]train.Scheduler{
		"step_size 0":   &train.StepLR{},
		"T_max 0":       &train.CosineAnnealingLR{},
		"no steps":      &train.OneCycleLR{MaxLR: 1},
		"pct_start 2":   &train.OneCycleLR{MaxLR: 1, TotalSteps: 4, PctStart: 2},
		"factor 1":      &train.ReduceLROnPlateau{Factor: 1},
		"start above 1": &train.LinearLR{StartFactor: 2},
		"one of two":    &train.SequentialLR{First: &train.LinearLR{}, Milestone: 3},
		"milestone 0":   &train.SequentialLR{First: &train.LinearLR{}, Next: &train.LinearLR{}},
	} {
		if err := s.Validate(); !errors.Is(err, train.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStepRefusesOtherParameters(t *testing.T) {
	if _, err := train.NewOptimizer[float64](nil); !errors.Is(err, train.ErrArgument) {
		t.Errorf("no algorithm: %v", err)
	}
	if err := new(train.OptimizerOf[float64]).Step(param([]float64{1}, []float64{1})); !errors.Is(err, train.ErrState) {
		t.Errorf("an optimiser that NewOptimizer did not make: %v", err)
	}
	o, _ := train.NewOptimizer[float64](train.Adam{})
	p := param([]float64{1, 2}, []float64{3, 4})
	if err := o.Step(p); err != nil {
		t.Fatal(err)
	}
	if err := o.Step(param([]float64{1}, []float64{1})); !errors.Is(err, train.ErrState) {
		t.Errorf("another size: %v", err)
	}
	if err := o.Step(append(p, p...)); !errors.Is(err, train.ErrState) {
		t.Errorf("more parameters: %v", err)
	}
	if err := o.SetState(1, []string{"p"}, nil); !errors.Is(err, train.ErrState) {
		t.Errorf("no state after a step: %v", err)
	}
}

// A sparse gradient gives the bits of the dense one wherever rows are skipped.
func TestSparseRowsAreTheDenseStep(t *testing.T) {
	for _, alg := range []train.Algorithm{train.SGD{LR: .1}, train.SGD{LR: .1, Momentum: .9}, train.Adam{}, train.Adagrad{}, train.RMSprop{}} {
		run := func(sparse bool) []float64 {
			o, _ := train.NewOptimizer[float64](alg)
			v := []float64{1, 2, 3, 4, 5, 6, 7, 8}
			for k := range 5 {
				g := make([]float64, 8)
				row := k % 3
				g[2*row], g[2*row+1] = float64(k+1), -.5
				p := param(v, g)
				p[0].Value.Shape, p[0].Grad.Shape = []int{4, 2}, []int{4, 2}
				if sparse {
					p[0].Sparse, p[0].Rows = true, []int{row}
				}
				if _, err := train.ClipGradNorm(p, 2); err != nil {
					t.Fatal(err)
				}
				if err := o.Step(p); err != nil {
					t.Fatal(err)
				}
			}
			return v
		}
		if a, b := run(false), run(true); !slices.Equal(a, b) {
			t.Errorf("%s: dense %v, sparse %v", alg.Name(), a, b)
		}
	}
	o, _ := train.NewOptimizer[float64](train.Adam{Sparse: true})
	v := []float64{1, 2}
	for range 3 {
		p := param(v, []float64{1, 0})
		p[0].Value.Shape, p[0].Grad.Shape, p[0].Sparse, p[0].Rows = []int{2, 1}, []int{2, 1}, true, []int{0}
		if err := o.Step(p); err != nil {
			t.Fatal(err)
		}
	}
	if v[0] == 1 || v[1] != 2 {
		t.Errorf("Adam with Sparse moved %v", v)
	}
}

func TestClip(t *testing.T) {
	p := param([]float64{0, 0}, []float64{3, -4})
	n, err := train.ClipGradNorm(p, 10)
	if err != nil || n != 5 || !slices.Equal(p[0].Grad.Data, []float64{3, -4}) {
		t.Errorf("norm %v, %v, gradient %v: want 5 and no change", n, err, p[0].Grad.Data)
	}
	if _, err := train.ClipGradNorm(p, 1); err != nil {
		t.Fatal(err)
	}
	near(t, "clipped", p[0].Grad.Data, []float64{3 / 5.000001, -4 / 5.000001}, 1e-15)
	p = param([]float64{0, 0, 0}, []float64{3, -4, .5})
	if err := train.ClipGradValue(p, 1); err != nil || !slices.Equal(p[0].Grad.Data, []float64{1, -1, .5}) {
		t.Errorf("%v, %v", p[0].Grad.Data, err)
	}
	if _, err := train.ClipGradNorm(p, -1); !errors.Is(err, train.ErrArgument) {
		t.Error(err)
	}
	if err := train.ClipGradValue(p, math.NaN()); !errors.Is(err, train.ErrArgument) {
		t.Error(err)
	}
}
