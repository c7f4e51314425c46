package explain

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// configs are every mode with every option that changes an equation.
func configs() []unroll.Config {
	var all []unroll.Config
	for _, c := range []unroll.Config{
		{InputSize: 3, HiddenSize: 4, NumLayers: 2},
		{InputSize: 4, HiddenSize: 4, NumLayers: 3},
		{InputSize: 3, HiddenSize: 17, NumLayers: 2, Bidirectional: true},
		{InputSize: 2, HiddenSize: 5, NoBias: true, NumLayers: 2},
		{InputSize: 2, HiddenSize: 5, Bidirectional: true, BatchFirst: true},
	} {
		for m := unroll.RNNTanh; m <= unroll.GRU; m++ {
			c.Mode = m
			all = append(all, c)
		}
	}
	return append(all,
		unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, NumLayers: 2},
		unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, NumLayers: 2, Bidirectional: true})
}

func traceOf(t testing.TB, cfg unroll.Config, steps int) *Trace {
	t.Helper()
	g := rng.New(7)
	layer, err := unroll.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	layer.ResetParameters(g)
	x := tensor.New(steps, cfg.InputSize)
	rng.Randn(g, x.Data)
	s0 := unroll.State{H: tensor.New(cfg.Layers()*cfg.Directions(), cfg.StateSize())}
	rng.Randn(g, s0.H.Data)
	if cfg.HasCell() {
		s0.C = tensor.New(cfg.Layers()*cfg.Directions(), cfg.HiddenSize)
		rng.Randn(g, s0.C.Data)
	}
	tr, err := NewTrace(layer, x, s0)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(nil); err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestTraceIsTheLayersOwnRecord(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 6)
		pass := unroll.Pass{Layer: tr.Layer, Record: true}
		y, sn, err := pass.Forward(tr.X, tr.S0)
		if err != nil {
			t.Fatal(err)
		}
		if n := differ(y.Data, tr.Output().Data); n > 0 {
			t.Errorf("%v: %d numbers of output differ", cfg, n)
		}
		if n := differ(sn.H.Data, tr.HN().Data); n > 0 {
			t.Errorf("%v: %d numbers of h_n differ", cfg, n)
		}
		if cfg.HasCell() {
			if n := differ(sn.C.Data, tr.CN().Data); n > 0 {
				t.Errorf("%v: %d numbers of c_n differ", cfg, n)
			}
		}
		for i := range tr.H {
			h, err := pass.Hidden(i/cfg.Directions(), i%cfg.Directions())
			if err != nil {
				t.Fatal(err)
			}
			if n := differ(h.Data, tr.H[i].Data); n > 0 {
				t.Errorf("%v lane %d: %d hidden states differ", cfg, i, n)
			}
			for _, name := range tr.Layer.Gates() {
				if !cfg.HasCell() && cfg.Mode != unroll.GRU {
					continue
				}
				want, err := pass.Gate(i/cfg.Directions(), i%cfg.Directions(), name)
				if err != nil {
					t.Fatal(err)
				}
				got, err := tr.Gate(i/cfg.Directions(), i%cfg.Directions(), 1, 5, name)
				if err != nil {
					t.Fatal(err)
				}
				if n := differ(got.Data, want.Data[cfg.HiddenSize:5*cfg.HiddenSize]); n > 0 {
					t.Errorf("%v lane %d gate %s: %d numbers differ", cfg, i, name, n)
				}
			}
		}
	}
}

// Every number of every cell, spelled out, arrives at the bits of the record,
// and so does every gate.
func TestEveryUnitSpelledOutEqualsTheRecord(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 5)
		for l := range tr.cfg.NumLayers {
			for d := range cfg.Directions() {
				gates := map[string]tensor.Dense{}
				if cfg.Mode == unroll.LSTM || cfg.Mode == unroll.GRU {
					for _, name := range tr.Layer.Gates() {
						gates[name], _ = tr.Gate(l, d, 0, 5, name)
					}
				}
				for s := range 5 {
					for u := range cfg.HiddenSize {
						inner := u >= cfg.StateSize() || cfg.ProjSize > 0
						unit, err := tr.Unit(l, d, s, u, inner)
						if err != nil {
							t.Fatal(err)
						}
						if !unit.Same {
							t.Fatalf("%v layer %d direction %d step %d unit %d: spelled out %v, record %v", cfg, l, d, s, u, unit.H, unit.Record)
						}
						for _, g := range unit.Gates {
							if want, ok := gates[g.Name]; ok && float32(g.Value) != row(want, s)[u] {
								t.Fatalf("%v gate %s: spelled out %v, record %v", cfg, g.Name, g.Value, row(want, s)[u])
							}
						}
						if u < cfg.StateSize() {
							if unit, err = tr.Unit(l, d, s, u, false); err != nil || !unit.Same {
								t.Fatalf("%v layer %d direction %d step %d unit %d: %v, spelled out %v, record %v", cfg, l, d, s, u, err, unit.H, unit.Record)
							}
						}
					}
				}
			}
		}
	}
}

// Same is false where a sum that is spelled out is not what the engine computed,
// and where the record has another number.
func TestSameSeesWhatDiffers(t *testing.T) {
	for _, cfg := range configs()[:4] {
		tr := traceOf(t, cfg, 3)
		own := tr.lanes[0].ih
		tr.lanes[0].ih = own.Clone()
		tr.lanes[0].ih.Data[1*3] += 0.25 // of unit 1 in the first gate
		if u, err := tr.Unit(0, 0, 1, 1, false); err != nil || u.Same {
			t.Errorf("%v: another weight, and all is said to be the same (%v)", cfg, err)
		}
		if u, err := tr.Unit(0, 0, 1, 0, false); err != nil || !u.Same {
			t.Errorf("%v: a unit without that weight is said to differ (%v)", cfg, err)
		}
		tr.lanes[0].ih = own
		row(tr.H[0], 1)[1] += 0.25
		if u, err := tr.Unit(0, 0, 1, 1, false); err != nil || u.Same {
			t.Errorf("%v: another record, and all is said to be the same (%v)", cfg, err)
		}
	}
}

func TestPlacesThatAreNotThereAreRefused(t *testing.T) {
	tr := traceOf(t, unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2}, 5)
	for _, at := range [][4]int{{2, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 5, 0}, {0, 0, 0, 4}, {-1, 0, 0, 0}, {0, 0, -1, 0}, {0, 0, 0, -1}} {
		if _, err := tr.Unit(at[0], at[1], at[2], at[3], false); !errors.Is(err, unroll.ErrUsage) {
			t.Errorf("Unit%v: %v", at, err)
		}
		if _, err := tr.Influence(Target{at[0], at[1], at[2], at[3]}, 0, nil); !errors.Is(err, unroll.ErrUsage) {
			t.Errorf("Influence%v: %v", at, err)
		}
	}
	if _, err := NewTrace(tr.Layer, tensor.New(5, 4), unroll.State{}); !errors.Is(err, unroll.ErrShape) {
		t.Errorf("input of the wrong size: %v", err)
	}
}

// The derivative by an input is what the target does when the input moves.
func TestInfluenceIsTheSlope(t *testing.T) {
	for _, cfg := range configs() {
		if cfg.Mode == unroll.RNNReLU {
			continue // kinks
		}
		slopes(t, traceOf(t, cfg, 5))
	}
}

// slopes compares the derivative by every input with the slope of the target.
func slopes(t *testing.T, tr *Trace) {
	t.Helper()
	cfg := tr.cfg
	g := Target{tr.cfg.NumLayers - 1, cfg.Directions() - 1, 2, 1}
	inf, err := tr.Influence(g, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := g.Layer*cfg.Directions() + g.Direction
	at := func(x tensor.Dense) float64 {
		moved, _ := NewTrace(tr.Layer, x, tr.S0)
		if err := moved.Run(nil); err != nil {
			t.Fatal(err)
		}
		return float64(row(moved.H[i], g.Step)[g.Unit])
	}
	for k := range tr.X.Data {
		const e = 1.0 / 64
		up, down := tr.X.Clone(), tr.X.Clone()
		up.Data[k] += e
		down.Data[k] -= e
		slope := (at(up) - at(down)) / (2 * e)
		if got := float64(inf.X.Data[k]); math.Abs(got-slope) > 2e-3 {
			t.Errorf("%v input %d: derivative %g, slope %g", cfg, k, got, slope)
		}
	}
	if inf.H[i][g.Step] != 1 {
		t.Errorf("%v: the derivative of the target by its own state has norm %g", cfg, inf.H[i][g.Step])
	}
}

// The derivative by a hidden state is what the target does when that state is
// another one: for layer 0, a run that starts there.
func TestInfluenceOfStatesIsTheSlope(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4}
	tr := traceOf(t, cfg, 6)
	inf, err := tr.Influence(Target{0, 0, 5, 2}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	tail := tensor.Dense{Shape: []int{3, 3}, Data: tr.X.Data[9:]}
	sum := 0.0
	for u := range 4 {
		at := func(e float32) float64 {
			h, c := tensor.New(1, 4), tensor.New(1, 4)
			copy(h.Data, row(tr.H[0], 2))
			copy(c.Data, row(tr.C[0], 2))
			h.Data[u] += e
			y, _, err := tr.Layer.Forward(tail, unroll.State{H: h, C: c})
			if err != nil {
				t.Fatal(err)
			}
			return float64(row(y, 2)[2])
		}
		slope := (at(1.0/64) - at(-1.0/64)) * 32
		sum += slope * slope
	}
	if want := math.Sqrt(sum); math.Abs(inf.H[0][2]-want) > 1e-3 {
		t.Errorf("norm %g, slopes say %g", inf.H[0][2], want)
	}
}

func TestLoopWithoutMistakesIsTheLayer(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 5)
		res, err := tr.Loop(Loop{})
		if err != nil || res.Break != nil || res.WrongStates+res.WrongOutput+res.WrongHN > 0 || res.Overwritten {
			t.Errorf("%v: %v %+v", cfg, err, res)
		}
	}
}

// Every mistake is one in every kind of layer, and the loop's own numbers differ
// where it says so. Copies of the last state stand at all other steps of each
// direction, T-1 of T.
func TestLoopMistakesOfEveryCell(t *testing.T) {
	for _, cfg := range configs() {
		cfg.InputSize, cfg.ProjSize = cfg.HiddenSize*cfg.Directions(), 0 // so that the sizes fit
		tr := traceOf(t, cfg, 5)
		res, err := tr.Loop(Loop{EveryLayer: true})
		if err != nil || res.Break != nil {
			t.Fatalf("%v: %v %+v", cfg, err, res.Break)
		}
		if want := cfg.NumLayers > 1; (res.WrongOutput > 0) != want || want && (res.FirstLayer != 1 || res.FirstDirection != 0 || res.FirstStep != 0) {
			t.Errorf("%v: x[t] in every layer: %+v", cfg, res)
		}
		wrong := 0
		for i := range res.H {
			wrong += differ(res.H[i].Data, tr.H[i].Data)
		}
		if wrong != res.WrongStates {
			t.Errorf("%v: %d numbers of the loop differ, it says %d", cfg, wrong, res.WrongStates)
		}
		if res, err = tr.Loop(Loop{InPlace: true}); err != nil || res.WrongOutput+res.WrongStates > 0 || !res.Overwritten {
			t.Errorf("%v in place: %v %+v", cfg, err, res)
		}
		if res, err = tr.Loop(Loop{InPlace: true, NoClone: true}); err != nil || res.WrongOutput == 0 || !cfg.Bidirectional && res.WrongStates > 0 {
			t.Errorf("%v no clone: %v %+v", cfg, err, res)
		}
		for _, loop := range []Loop{{}, {EveryLayer: true, InPlace: true, NoClone: true}} {
			wrong := 0
			for _, line := range tr.LoopCode(loop) {
				if line.Wrong {
					wrong++
				}
			}
			if want := map[bool]int{false: 0, true: 3}[loop.NoClone]; wrong != want {
				t.Errorf("%v: %d lines are marked as mistakes, expected %d", cfg, wrong, want)
			}
		}
	}
}

func TestLoopMistakes(t *testing.T) {
	tr := traceOf(t, unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2}, 5)
	res, err := tr.Loop(Loop{EveryLayer: true})
	if err != nil || res.Break == nil {
		t.Fatalf("%v %+v", err, res)
	}
	if got, want := res.Break.Error(), "mat1 and mat2 shapes cannot be multiplied (1x3 and 4x4)"; got != want || res.Break.Step != 0 || res.Break.Layer != 1 {
		t.Errorf("step %d layer %d: %s", res.Break.Step, res.Break.Layer, got)
	}

	tr = traceOf(t, unroll.Config{InputSize: 4, HiddenSize: 4, NumLayers: 2}, 5)
	if res, err = tr.Loop(Loop{EveryLayer: true}); err != nil || res.Break != nil {
		t.Fatalf("%v %+v", err, res)
	}
	if res.FirstStep != 0 || res.FirstLayer != 1 || res.WrongOutput != 20 || res.WrongStates != 20 || res.WrongHN != 4 {
		t.Errorf("x[t] in every layer: %+v", res)
	}
	if res, err = tr.Loop(Loop{InPlace: true}); err != nil || res.WrongOutput+res.WrongStates > 0 || !res.Overwritten {
		t.Errorf("in place: %v %+v", err, res)
	}
	// Every row is one memory, so that all but the last are wrong.
	if res, err = tr.Loop(Loop{InPlace: true, NoClone: true}); err != nil || res.WrongOutput != 16 || res.WrongHN != 0 {
		t.Errorf("no clone: %v %+v", err, res)
	}
}

func TestChainOfSingleLayersIsTheStack(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 5)
		n, wrong, err := tr.Chain()
		if err != nil || wrong > 0 || n != 5*cfg.OutputSize() {
			t.Errorf("%v: %d of %d differ, %v", cfg, wrong, n, err)
		}
	}
}

func TestRunStopsWhenPauseSaysSo(t *testing.T) {
	whole := traceOf(t, unroll.Config{InputSize: 3, HiddenSize: 4}, 5)
	tr, err := NewTrace(whole.Layer, whole.X, whole.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(func(float64) error { return io.EOF }); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestNumReadsBackAsItself(t *testing.T) {
	for _, v := range []float32{0.1, 1.0 / 3, 1e-20, 3.4e38, -0.91212344, 16777217} {
		var back float32
		if _, err := fmt.Sscan(Num(v).String(), &back); err != nil || back != v {
			t.Errorf("%v: %q reads back as %v (%v)", v, Num(v).String(), back, err)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if b, _ := Num(float32(v)).MarshalJSON(); !strings.HasPrefix(string(b), `"`) {
			t.Errorf("%v is written as %s", v, b)
		}
	}
}
