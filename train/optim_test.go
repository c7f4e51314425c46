package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// algorithm is what torch.optim makes of keyword arguments.
func algorithm(t *testing.T, name string, raw json.RawMessage) train.Algorithm {
	t.Helper()
	var kw struct{ LR *float64 }
	must(t, json.Unmarshal(raw, &kw))
	lr := func(of *float64) {
		if kw.LR != nil {
			*of = *kw.LR
		}
	}
	switch a := saved(t, name, raw).(type) {
	case train.SGD:
		lr(&a.LR)
		return a
	case train.Adam:
		lr(&a.LR)
		return a
	case train.AdamW:
		lr(&a.LR)
		return a
	case train.RMSprop:
		lr(&a.LR)
		return a
	case train.Adagrad:
		lr(&a.LR)
		return a
	}
	return nil
}

// saved reads settings as they are saved.
func saved(t *testing.T, name string, raw json.RawMessage) train.Algorithm {
	t.Helper()
	switch name {
	case "SGD":
		return decoded[train.SGD](t, raw)
	case "Adam":
		return decoded[train.Adam](t, raw)
	case "AdamW":
		return decoded[train.AdamW](t, raw)
	case "RMSprop":
		return decoded[train.RMSprop](t, raw)
	case "Adagrad":
		return decoded[train.Adagrad](t, raw)
	}
	t.Fatalf("optimiser %q", name)
	return nil
}

func decoded[A any](t *testing.T, raw json.RawMessage) (a A) {
	t.Helper()
	must(t, json.Unmarshal(raw, &a))
	return a
}

// scheduler is what torch.optim.lr_scheduler makes of keyword arguments.
func scheduler(t *testing.T, name string, raw json.RawMessage) train.Scheduler {
	t.Helper()
	into := func(s train.Scheduler) train.Scheduler {
		must(t, json.Unmarshal(raw, s))
		return s
	}
	switch name {
	case "StepLR":
		return into(new(train.StepLR))
	case "CosineAnnealingLR":
		return into(new(train.CosineAnnealingLR))
	case "OneCycleLR":
		s := new(train.OneCycleLR)
		into(s)
		words := struct {
			Anneal string `json:"anneal_strategy"`
			Cycle  *bool  `json:"cycle_momentum"`
		}{}
		must(t, json.Unmarshal(raw, &words))
		s.Linear, s.NoCycleMomentum = words.Anneal == "linear", words.Cycle != nil && !*words.Cycle
		return s
	case "LinearLR":
		return into(new(train.LinearLR))
	case "ReduceLROnPlateau":
		s := new(train.ReduceLROnPlateau)
		into(s)
		words := struct {
			Mode      string
			Threshold string `json:"threshold_mode"`
		}{}
		must(t, json.Unmarshal(raw, &words))
		s.Max, s.Absolute = words.Mode == "max", words.Threshold == "abs"
		return s
	case "SequentialLR":
		first := train.NewLinearLR()
		first.StartFactor, first.TotalIters = .1, 6
		return train.NewSequentialLR(first, train.NewCosineAnnealingLR(20), 6)
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
	Cycles []struct {
		Name  string
		Args  json.RawMessage
		Top   float64
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
	if len(f.Optimizers) != 27 {
		t.Fatalf("%d cases", len(f.Optimizers))
	}
	for _, c := range f.Optimizers {
		t.Run(c.Name+string(c.Args), func(t *testing.T) {
			alg := algorithm(t, c.Name, c.Args)
			if string(c.Args) == `{"lr": 0.1}` && alg.Name() != c.Name {
				t.Errorf("Name() = %s", alg.Name())
			}
			o, err := train.NewOptimizerOf[float64](alg)
			if err != nil {
				t.Fatal(err)
			}
			p := slices.Clone(f.Start)
			for k, g := range f.Grads {
				if k == 5 { // a restored optimiser goes on as the old one would have
					n, err := train.NewOptimizerOf[float64](alg)
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

// The momentum that a schedule sets is used, also by an optimiser that has none of
// its own, and not used where the schedule sets 0.
func TestCycledMomentumIsThatOfTorchOptim(t *testing.T) { checkCycles(t, golden(t)) }

func TestCycledMomentumIsThatOfTheInstalledPyTorch(t *testing.T) { checkCycles(t, installed(t)) }

func checkCycles(t *testing.T, data []byte) {
	f := parsed(t, data)
	if len(f.Cycles) != 17 {
		t.Fatalf("%d cases", len(f.Cycles))
	}
	for _, c := range f.Cycles {
		t.Run(fmt.Sprint(c.Name, string(c.Args), c.Top), func(t *testing.T) {
			alg := algorithm(t, c.Name, c.Args)
			o, err := train.NewOptimizerOf[float64](alg)
			must(t, err)
			s := train.NewOneCycleLR(.05, len(f.Grads)+1)
			if s.MaxMomentum = c.Top; c.Top == 0 {
				s.BaseMomentum = 0
			}
			if c.Top >= 0 {
				o.Hyper = s.Start(o.Hyper)
			}
			p := slices.Clone(f.Start)
			for k, g := range f.Grads {
				if k == 4 { // restored
					n, err := train.NewOptimizerOf[float64](alg)
					must(t, err)
					n.Hyper = o.Hyper
					must(t, n.SetState(o.Steps(), []string{"p"}, o.State()))
					o = n
				}
				if c.Top < 0 { // no schedule: a momentum that goes and comes again
					if o.Momentum = .7; k >= 5 && k < 8 {
						o.Momentum = 0
					}
				}
				must(t, o.Step(param(p, slices.Clone(g))))
				if c.Top >= 0 {
					o.Hyper = s.Step(o.Hyper, 0)
				}
				near(t, fmt.Sprintf("step %d", k), p, c.Steps[k], 1e-11)
			}
		})
	}
}

func checkSchedules(t *testing.T, data []byte) {
	f := parsed(t, data)
	if len(f.Schedules) != 25 {
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

// with changes what a constructor returned.
func with[A any](a A, change func(*A)) A {
	change(&a)
	return a
}

// What torch.optim's constructors refuse; the first three are in errors.json.
func TestOptimizersRefuse(t *testing.T) {
	type (
		sgd     = train.SGD
		adam    = train.Adam
		adamw   = train.AdamW
		rms     = train.RMSprop
		adagrad = train.Adagrad
	)
	for name, a := range map[string]train.Algorithm{
		"sgd_negative_lr":           train.NewSGD(-1),
		"nesterov_without_momentum": with(train.NewSGD(.1), func(a *sgd) { a.Nesterov = true }),
		"adam_bad_beta":             with(train.NewAdam(.1), func(a *adam) { a.Betas[0] = 1 }),
		"NaN lr":                    train.NewSGD(math.NaN()),
		"nesterov with dampening":   with(train.NewSGD(.1), func(a *sgd) { a.Momentum, a.Nesterov, a.Dampening = .9, true, .1 }),
		"negative momentum":         with(train.NewSGD(.1), func(a *sgd) { a.Momentum = -1 }),
		"negative sgd decay":        with(train.NewSGD(.1), func(a *sgd) { a.WeightDecay = -1 }),
		"negative decay":            with(train.NewAdam(.1), func(a *adam) { a.WeightDecay = -1 }),
		"negative eps":              with(train.NewAdam(.1), func(a *adam) { a.Eps = -1 }),
		"adam lr":                   train.NewAdam(-1),
		"adamw lr":                  train.NewAdamW(-1),
		"adamw eps":                 with(train.NewAdamW(.1), func(a *adamw) { a.Eps = -1 }),
		"adamw beta2":               with(train.NewAdamW(.1), func(a *adamw) { a.Betas[1] = -1 }),
		"adamw decay":               with(train.NewAdamW(.1), func(a *adamw) { a.WeightDecay = -1 }),
		"rmsprop lr":                train.NewRMSprop(-1),
		"rmsprop alpha":             with(train.NewRMSprop(.1), func(a *rms) { a.Alpha = -1 }),
		"rmsprop eps":               with(train.NewRMSprop(.1), func(a *rms) { a.Eps = -1 }),
		"rmsprop momentum":          with(train.NewRMSprop(.1), func(a *rms) { a.Momentum = -1 }),
		"rmsprop decay":             with(train.NewRMSprop(.1), func(a *rms) { a.WeightDecay = -1 }),
		"adagrad lr":                train.NewAdagrad(-1),
		"adagrad lr_decay":          with(train.NewAdagrad(.1), func(a *adagrad) { a.LRDecay = -1 }),
		"adagrad decay":             with(train.NewAdagrad(.1), func(a *adagrad) { a.WeightDecay = -1 }),
		"adagrad sum":               with(train.NewAdagrad(.1), func(a *adagrad) { a.InitialAccumulator = -1 }),
		"adagrad eps":               with(train.NewAdagrad(.1), func(a *adagrad) { a.Eps = -1 }),
		"an SGD literal":            train.SGD{LR: .1},
		"an Adam literal":           train.Adam{LR: .1},
		"an AdamW literal":          train.AdamW{LR: .1},
		"an RMSprop literal":        train.RMSprop{LR: .1},
		"an Adagrad literal":        train.Adagrad{LR: .1},
	} {
		if _, err := train.NewOptimizer(a); !errors.Is(err, train.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchedulesRefuse(t *testing.T) {
	cycle := func(change func(s *train.OneCycleLR)) train.Scheduler {
		s := train.NewOneCycleLR(1, 4)
		change(s)
		return s
	}
	plateau := func(change func(s *train.ReduceLROnPlateau)) train.Scheduler {
		s := train.NewReduceLROnPlateau()
		change(s)
		return s
	}
	linear := func(change func(s *train.LinearLR)) train.Scheduler {
		s := train.NewLinearLR()
		change(s)
		return s
	}
	step, cosine := train.NewStepLR(1), train.NewCosineAnnealingLR(1)
	step.Gamma, cosine.EtaMin = -1, -1
	for name, s := range map[string]train.Scheduler{
		"step_size 0":        train.NewStepLR(0),
		"gamma -1":           step,
		"T_max 0":            train.NewCosineAnnealingLR(0),
		"eta_min -1":         cosine,
		"no steps":           train.NewOneCycleLR(1, 0),
		"max_lr -1":          train.NewOneCycleLR(-1, 4),
		"pct_start 2":        cycle(func(s *train.OneCycleLR) { s.PctStart = 2 }),
		"div_factor 0":       cycle(func(s *train.OneCycleLR) { s.DivFactor = 0 }),
		"final_div_factor 0": cycle(func(s *train.OneCycleLR) { s.FinalDivFactor = 0 }),
		"base_momentum -1":   cycle(func(s *train.OneCycleLR) { s.BaseMomentum = -1 }),
		"max_momentum -1":    cycle(func(s *train.OneCycleLR) { s.MaxMomentum = -1 }),
		"factor 1":           plateau(func(s *train.ReduceLROnPlateau) { s.Factor = 1 }),
		"patience -1":        plateau(func(s *train.ReduceLROnPlateau) { s.Patience = -1 }),
		"cooldown -1":        plateau(func(s *train.ReduceLROnPlateau) { s.Cooldown = -1 }),
		"threshold -1":       plateau(func(s *train.ReduceLROnPlateau) { s.Threshold = -1 }),
		"min_lr -1":          plateau(func(s *train.ReduceLROnPlateau) { s.MinLR = -1 }),
		"plateau eps -1":     plateau(func(s *train.ReduceLROnPlateau) { s.Eps = -1 }),
		"start_factor 0":     linear(func(s *train.LinearLR) { s.StartFactor = 0 }),
		"start above 1":      linear(func(s *train.LinearLR) { s.StartFactor = 2 }),
		"end above 1":        linear(func(s *train.LinearLR) { s.EndFactor = 2 }),
		"total_iters -1":     linear(func(s *train.LinearLR) { s.TotalIters = -1 }),
		"one of two":         train.NewSequentialLR(train.NewLinearLR(), nil, 3),
		"milestone 0":        train.NewSequentialLR(train.NewLinearLR(), train.NewLinearLR(), 0),
		"first of two":       train.NewSequentialLR(train.NewStepLR(0), train.NewLinearLR(), 3),
		"second of two":      train.NewSequentialLR(train.NewLinearLR(), train.NewStepLR(0), 3),
		"a StepLR literal":   &train.StepLR{StepSize: 2},
		"a cosine literal":   &train.CosineAnnealingLR{TMax: 2},
		"a OneCycleLR":       &train.OneCycleLR{MaxLR: 1, TotalSteps: 4},
		"a LinearLR literal": &train.LinearLR{StartFactor: .5},
		"a plateau literal":  &train.ReduceLROnPlateau{},
	} {
		if err := s.Validate(); !errors.Is(err, train.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Settings as an earlier release wrote them, which left out zeros and wrote lr 0
// for PyTorch's default, mean what they meant; settings of this one come back as
// they were, zeros too.
func TestSavedSettings(t *testing.T) {
	for old, want := range map[string]train.Algorithm{
		`SGD {"lr":0}`:                            train.NewSGD(1e-3),
		`SGD {"lr":0,"momentum":0.9}`:             with(train.NewSGD(1e-3), func(a *train.SGD) { a.Momentum = .9 }),
		`Adam {"lr":0}`:                           train.NewAdam(1e-3),
		`Adam {"lr":0.1,"betas":[0,0.5]}`:         with(train.NewAdam(.1), func(a *train.Adam) { a.Betas = [2]float64{0, .5} }),
		`AdamW {"lr":0,"weight_decay":0}`:         with(train.NewAdamW(1e-3), func(a *train.AdamW) { a.WeightDecay = 0 }),
		`AdamW {"lr":0.5}`:                        train.NewAdamW(.5),
		`RMSprop {"lr":0}`:                        train.NewRMSprop(1e-2),
		`RMSprop {"lr":0,"alpha":0,"momentum":1}`: with(train.NewRMSprop(1e-2), func(a *train.RMSprop) { a.Alpha, a.Momentum = 0, 1 }),
		`Adagrad {"lr":0}`:                        train.NewAdagrad(1e-2),
	} {
		name, raw, _ := strings.Cut(old, " ")
		if got := saved(t, name, json.RawMessage(raw)); got != want {
			t.Errorf("%s: %+v, want %+v", old, got, want)
		}
	}
	for name, want := range map[string]train.Algorithm{
		"SGD": train.NewSGD(1e-3), "Adam": train.NewAdam(1e-3), "AdamW": train.NewAdamW(1e-3),
		"RMSprop": train.NewRMSprop(1e-2), "Adagrad": train.NewAdagrad(1e-2),
	} {
		if got := saved(t, name, json.RawMessage(`{}`)); got != want {
			t.Errorf("%s without settings: %+v, want %+v", name, got, want)
		}
	}
	zero := []train.Algorithm{
		train.NewSGD(0), with(train.NewAdam(0), func(a *train.Adam) { a.Eps, a.Betas = 0, [2]float64{} }),
		with(train.NewAdamW(0), func(a *train.AdamW) { a.Eps, a.WeightDecay = 0, 0 }),
		with(train.NewRMSprop(0), func(a *train.RMSprop) { a.Alpha, a.Eps = 0, 0 }),
		with(train.NewAdagrad(0), func(a *train.Adagrad) { a.Eps = 0 }),
	}
	for _, a := range zero {
		raw, err := json.Marshal(a)
		must(t, err)
		if got := saved(t, a.Name(), raw); got != a {
			t.Errorf("%s came back as %+v, was %+v", raw, got, a)
		}
	}
	for old, want := range map[string]train.Scheduler{
		`StepLR {"step_size":2}`:                    train.NewStepLR(2),
		`CosineAnnealingLR {"T_max":5}`:             train.NewCosineAnnealingLR(5),
		`OneCycleLR {"max_lr":0.1,"total_steps":9}`: train.NewOneCycleLR(.1, 9),
		`LinearLR {}`:                               train.NewLinearLR(),
		`ReduceLROnPlateau {}`:                      train.NewReduceLROnPlateau(),
	} {
		name, raw, _ := strings.Cut(old, " ")
		got := scheduler(t, name, json.RawMessage(raw))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", old, got, want)
		}
		raw2, err := json.Marshal(got)
		must(t, err)
		again := reflect.New(reflect.TypeOf(got).Elem()).Interface()
		must(t, json.Unmarshal(raw2, again))
		if !reflect.DeepEqual(again, got) {
			t.Errorf("%s came back as %+v", raw2, again)
		}
	}
	for _, s := range []any{new(train.StepLR), new(train.CosineAnnealingLR), new(train.OneCycleLR)} {
		must(t, json.Unmarshal([]byte(`{}`), s))
		if err := s.(train.Scheduler).Validate(); !errors.Is(err, train.ErrArgument) {
			t.Errorf("%T without what has no default: %v", s, err)
		}
	}
}

func TestStepRefusesOtherParameters(t *testing.T) {
	if _, err := train.NewOptimizerOf[float64](nil); !errors.Is(err, train.ErrArgument) {
		t.Errorf("no algorithm: %v", err)
	}
	if err := new(train.OptimizerOf[float64]).Step(param([]float64{1}, []float64{1})); !errors.Is(err, train.ErrState) {
		t.Errorf("an optimiser that NewOptimizer did not make: %v", err)
	}
	o, _ := train.NewOptimizerOf[float64](train.NewAdam(1e-3))
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
	for _, alg := range []train.Algorithm{
		train.NewSGD(.1), with(train.NewSGD(.1), func(a *train.SGD) { a.Momentum = .9 }), train.NewAdam(1e-3), train.NewAdagrad(1e-2), train.NewRMSprop(1e-2),
	} {
		run := func(sparse bool) []float64 {
			o, _ := train.NewOptimizerOf[float64](alg)
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
	o, _ := train.NewOptimizerOf[float64](with(train.NewAdam(1e-3), func(a *train.Adam) { a.Sparse = true }))
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

// States that no schedule of the kind gave are refused, whatever is wrong of them.
func TestScheduleStatesRefuse(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	counted := [][]float64{nil, {1, 2}, {1, 2, 3, 4}, {1, 2, -1}, {1, 2, 1 << 53}, {1, 2, .5}, {1, 2, nan}, {1, 2, inf}}
	for _, s := range []train.Scheduler{train.NewStepLR(1), train.NewCosineAnnealingLR(1), train.NewOneCycleLR(1, 1), train.NewLinearLR()} {
		for _, v := range counted {
			if err := s.SetState(v); !errors.Is(err, train.ErrState) {
				t.Errorf("%s, %v: %v", s.Name(), v, err)
			}
		}
		must(t, s.SetState([]float64{1, 2, 1<<53 - 1}))
	}
	plateau := train.NewReduceLROnPlateau()
	for _, v := range [][]float64{nil, {1, 2}, {1, 2, 3, 4}, {1, -1, 0}, {1, 0, -1}, {1, 1 << 53, 0}, {1, 0, 1 << 53}, {1, nan, 0}, {1, 0, nan}} {
		if err := plateau.SetState(v); !errors.Is(err, train.ErrState) {
			t.Errorf("ReduceLROnPlateau, %v: %v", v, err)
		}
	}
	must(t, plateau.SetState([]float64{inf, 0, 0}))
	both := train.NewSequentialLR(train.NewLinearLR(), train.NewCosineAnnealingLR(3), 2)
	for _, v := range [][]float64{nil, {1, 2, 0}, {1, 2, 0, -1}, {1, 2, 0, 4}, {1, 2, 0, .5, 1}, {1, 2, 0, 3, 1, 2, 0}, {1, 2, -1, 3, 1, 2, 0, 1, 2, 0}} {
		if err := both.SetState(v); !errors.Is(err, train.ErrState) {
			t.Errorf("SequentialLR, %v: %v", v, err)
		}
	}
	must(t, both.SetState(both.State()))
}

// A state without momentum, of a release that did not take a schedule's, goes on
// without it.
func TestStateWithoutMomentumGoesOnWithout(t *testing.T) {
	for _, alg := range []train.Algorithm{train.NewSGD(.1), train.NewRMSprop(.1)} {
		run := func(momentum float64) []float64 {
			o, err := train.NewOptimizerOf[float64](alg)
			must(t, err)
			p := []float64{1, 2}
			must(t, o.Step(param(p, []float64{1, -1})))
			n, err := train.NewOptimizerOf[float64](alg)
			must(t, err)
			must(t, n.SetState(1, []string{"p"}, o.State()))
			n.Momentum = momentum
			must(t, n.Step(param(p, []float64{2, 3})))
			return p
		}
		if a, b := run(0), run(.9); !slices.Equal(a, b) {
			t.Errorf("%s: %v without momentum, %v with one that came later", alg.Name(), a, b)
		}
	}
}
