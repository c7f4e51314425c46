package model

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// folder saves a model and opens it.
func folder(t *testing.T, cfg nn.Config) *Model {
	t.Helper()
	trained, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	trained.ResetParameters(rng.New(1))
	dir := filepath.Join(t.TempDir(), "m")
	if err := trained.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return open(t, Options{}, dir)
}

// written is a model of an ONNX file that a builder wrote.
func written(t *testing.T, b *graph.Builder) *Model {
	t.Helper()
	var file bytes.Buffer
	if err := graph.WriteONNX(&file, b.Graph()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, file.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return open(t, Options{}, path)
}

// anySize is a dimension of any size.
func anySize(name string) graph.Dim { return graph.Dim{Size: -1, Name: name} }

func sized(n int) graph.Dim { return graph.Dim{Size: n} }

func drawnValue(t *testing.T, b *graph.Builder, g *rng.Generator, shape ...int) string {
	t.Helper()
	n := 1
	for _, d := range shape {
		n *= d
	}
	data := make([]float32, n)
	rng.Randn(g, data)
	v, err := graph.Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return b.Constant("", v)
}

// detector is a frame model as silero's: an axis of sequences first in x and second
// in the state, samples of a number that the file does not say, a rate by which an
// If chooses, an LSTM from parts of one state, a counter, two outputs, one of them
// of integers.
func detector(t *testing.T) *Model {
	t.Helper()
	g := rng.New(5)
	b := &graph.Builder{}
	x := b.Input("input", graph.F32, anySize(""), anySize(""))
	state := b.Input("state", graph.F32, sized(2), anySize(""), sized(4))
	seen := b.Input("seen", graph.I64, anySize(""), sized(1))
	sr := b.Input("sr", graph.I64)
	branch := func(k float32) *graph.Graph {
		var in graph.Builder
		in.Output("scaled"+string('a'+rune(k)), graph.F32, in.Op("Mul", nil, x, in.Constant("k"+string('a'+rune(k)), graph.Scalar(k))))
		return in.Graph()
	}
	is := b.Op("Equal", nil, sr, b.Constant("", graph.Scalar(int64(16000))))
	x = b.Op("If", graph.Attrs{"then_branch": branch(1), "else_branch": branch(2)}, is)
	y := b.Op("Relu", nil, b.Op("Conv", graph.Attrs{"strides": []int64{2}}, b.Op("Unsqueeze", nil, x, b.Ints(1)), drawnValue(t, b, g, 3, 1, 4)))
	y = b.Op("ReduceMean", graph.Attrs{"keepdims": int64(0)}, y, b.Ints(2)) // [B,3]
	parts := b.Ops("Split", 2, graph.Attrs{"axis": int64(0), "num_outputs": int64(2)}, state)
	out := b.Ops("LSTM", 3, graph.Attrs{"hidden_size": int64(4)}, b.Op("Unsqueeze", nil, y, b.Ints(0)), drawnValue(t, b, g, 1, 16, 3), drawnValue(t, b, g, 1, 16, 4), "", "", parts[0], parts[1])
	h := b.Op("Squeeze", nil, out[1], b.Ints(0)) // [B,4]
	b.Output("output", graph.F32, b.Op("Sigmoid", nil, b.Op("MatMul", nil, h, drawnValue(t, b, g, 4, 2))), anySize(""), sized(2))
	b.Output("best", graph.I64, b.Op("ArgMax", graph.Attrs{"axis": int64(1)}, h), anySize(""), sized(1))
	b.Output("stateN", graph.F32, b.Op("Concat", graph.Attrs{"axis": int64(0)}, out[1], out[2]), sized(2), anySize(""), sized(4))
	b.Output("seenN", graph.I64, b.Op("Add", nil, seen, b.Ints(1<<40)), anySize(""), sized(1))
	return written(t, b)
}

// Steps of many sequences, in any company, give the bits that runs of each alone
// give, whole or step by step, and so do streams.
func TestRowsAreEachAlone(t *testing.T) {
	for name, c := range map[string]struct {
		m       *Model
		opt     RowsOptions
		batched bool
		tokens  int // x are numbers below it, 0: any
	}{
		"a layer":         {m: layerFile(t), batched: true},
		"tokens":          {m: folder(t, nn.Config{NumEmbeddings: 7, EmbeddingDim: 3, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 5, NumLayers: 2}, OutFeatures: 7}), batched: true, tokens: 7},
		"batch first":     {m: folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5, BatchFirst: true}, OutFeatures: 2}), batched: true},
		"the last output": {m: folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 5}, Output: "last", OutFeatures: 2}), batched: true},
		"frames":          {m: detector(t), opt: RowsOptions{Set: map[string]Value{"sr": of(t, []int64{16000})}, Sizes: map[string]int{"input[1]": 12}}, batched: true},
	} {
		t.Run(name, func(t *testing.T) {
			const most, steps = 40, 4
			r, err := c.m.NewRows(most, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if ok, why := r.Batched(); ok != c.batched {
				t.Errorf("batched %v: %s", ok, why)
			}
			if err := r.Prepare(); err != nil {
				t.Fatal(err)
			}
			in, out := r.In(), r.Out()
			g := rng.New(9)
			states, streams := make([][]float32, most), make([]*Stream, most)
			for i := range states {
				states[i] = make([]float32, r.StateLen())
				r.Begin(states[i])
				if streams[i], err = c.m.NewStream(c.opt); err != nil {
					t.Fatal(err)
				}
			}
			for step := range steps {
				for _, n := range []int{1, 5, 8, 9, 15, 16, 23, most} {
					x, y, alone := make([]float32, n*in), make([]float32, n*out), make([]float32, out)
					rng.Randn(g, x)
					if c.tokens > 0 {
						for i, v := range x {
							x[i] = float32(int(math.Abs(float64(v))*100) % c.tokens)
						}
					}
					if err := r.Step(y, x, states[:n]); err != nil {
						t.Fatal(err)
					}
					for i := range n {
						if err := streams[i].Step(alone, x[i*in:(i+1)*in]); err != nil {
							t.Fatal(err)
						}
						testkit.Bits(t, "output", y[i*out:(i+1)*out], alone)
						testkit.Bits(t, "state", states[i], streams[i].state[0])
						if step == 0 && n == 9 && i == 3 {
							likeRun(t, c.m, c.opt, streams[i], x[i*in:(i+1)*in])
						}
					}
				}
			}
			x, y := make([]float32, most*in), make([]float32, most*out)
			for _, n := range []int{1, 7, 13, most} {
				if got := testing.AllocsPerRun(5, func() {
					if err := r.Step(y[:n*out], x[:n*in], states[:n]); err != nil {
						t.Fatal(err)
					}
				}); got != 0 {
					t.Errorf("a step of %d rows allocates %v times", n, got)
				}
			}
		})
	}
}

// A stream's steps, one after another, give the bits of a run of the whole.
func TestStepsAreTheWhole(t *testing.T) {
	const steps = 6
	x := make([]float32, steps*3)
	rng.Randn(rng.New(3), x)
	for name, c := range map[string]struct {
		m     *Model
		input string
		shape []int
		last  bool
	}{
		"a layer":         {layerFile(t), "input", []int{steps, 1, 3}, false},
		"batch first":     {folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, NumLayers: 2, BatchFirst: true}, OutFeatures: 2}), "input", []int{1, steps, 3}, false},
		"the last output": {folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5}, Output: "last", OutFeatures: 2}), "input", []int{steps, 1, 3}, true},
	} {
		want, err := c.m.Run(map[string]Value{c.input: of(t, x, c.shape...)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.m.NewStream(RowsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var all []float32
		y := make([]float32, s.Out())
		for step := range steps {
			if err := s.Step(y, x[step*3:][:3]); err != nil {
				t.Fatal(err)
			}
			all = append(all, y...)
		}
		if c.last {
			all = y
		}
		testkit.Bits(t, name, all, Data[float32](want["output"]))
		for _, pair := range c.m.States() {
			testkit.Bits(t, name+" "+pair.Input, Data[float32](s.State()[pair.Input]), Data[float32](want[pair.Output]))
		}
	}
}

// likeRun compares a further step of a stream with a run of the model by names.
func likeRun(t *testing.T, m *Model, opt RowsOptions, s *Stream, x []float32) {
	t.Helper()
	given := s.State()
	for name, v := range opt.Set {
		given[name] = v
	}
	at := 0
	for k, slot := range s.inputs {
		v, err := graph.New(slot.typ, slot.rows(1)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.inputs[k].put(v, 1, 0, x); err != nil {
			t.Fatal(err)
		}
		given[slot.name] = Value{v}
		at += slot.n
	}
	want, err := m.Run(given)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(s.state[0])
	y := make([]float32, s.Out())
	if err := s.Step(y, x); err != nil {
		t.Fatal(err)
	}
	first := Data[float32](want[s.Outputs()[0].Name])
	testkit.Bits(t, "output of Run", y[:len(first)], first)
	for name, v := range s.State() {
		for _, pair := range m.States() {
			if pair.Input == name && v.String() != want[pair.Output].String() {
				t.Errorf("%s is %v, of Run %v", name, v, want[pair.Output])
			}
		}
		if name == "seen" && Data[int64](v)[0] != Data[int64](want["seenN"])[0] {
			t.Errorf("seen is %d", Data[int64](v)[0])
		}
	}
	copy(s.state[0], before)
}

// A state that is left out is zeros for as many sequences as there are, also where
// the file gives their number no name.
func TestStatesOfUnnamedSizesAreZeros(t *testing.T) {
	m := detector(t)
	for _, n := range []int{3, 1} {
		x := make([]float32, n*12)
		rng.Randn(rng.New(2), x)
		given := map[string]Value{"input": of(t, x, n, 12), "sr": of(t, []int64{16000})}
		got, err := m.Run(given)
		if err != nil {
			t.Fatal(err)
		}
		given["state"], given["seen"] = of(t, make([]float32, 8*n), 2, n, 4), of(t, make([]int64, n), n, 1)
		want, err := m.Run(given)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "output", Data[float32](got["output"]), Data[float32](want["output"]))
	}
}

// A state goes out by names and comes back, a counter beyond 2^24 exactly.
func TestStreamStates(t *testing.T) {
	m := detector(t)
	opt := RowsOptions{Set: map[string]Value{"sr": of(t, []int64{8000})}, Sizes: map[string]int{"input[1]": 12}}
	a, err := m.NewStream(opt)
	if err != nil {
		t.Fatal(err)
	}
	x, ya, yb := make([]float32, a.In()), make([]float32, a.Out()), make([]float32, a.Out())
	for range 3 {
		rng.Randn(rng.New(2), x)
		if err := a.Step(ya, x); err != nil {
			t.Fatal(err)
		}
	}
	state := a.State()
	if got := Data[int64](state["seen"]); len(got) != 1 || got[0] != 3<<40 {
		t.Errorf("seen is %v, want %d", got, int64(3<<40))
	}
	b, err := m.NewStream(opt)
	if err != nil {
		t.Fatal(err)
	}
	state["stateN"] = state["state"]
	if err := b.SetState(state); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), `"state" and "stateN"`) {
		t.Errorf("two of one state: %v", err)
	}
	delete(state, "state")
	if err := b.SetState(state); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Stream{a, b} {
		if err := s.Step(map[*Stream][]float32{a: ya, b: yb}[s], x); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Bits(t, "after the state went over", yb, ya)
	for want, change := range map[string]func(map[string]Value){
		`the state has no "seen"`:        func(s map[string]Value) { delete(s, "seen") },
		`which the model does not carry`: func(s map[string]Value) { s["other"] = s["seen"] },
		`expected int64 [1 1]`:           func(s map[string]Value) { s["seen"] = of(t, []float32{1}, 1, 1) },
		`expected float32 [2 1 4]`:       func(s map[string]Value) { s["state"] = of(t, make([]float32, 8), 1, 2, 4) },
	} {
		s := a.State()
		change(s)
		before := slices.Clone(b.state[0])
		if err := b.SetState(s); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		testkit.Bits(t, "a state that was refused", b.state[0], before)
	}
	b.Reset()
	if got := Data[int64](b.State()["seen"]); got[0] != 0 {
		t.Errorf("after Reset it is %v", got)
	}
}

// What an integer is as digits is what it was.
func TestDigits(t *testing.T) {
	s := &slot{typ: graph.I64, shape: []int{1}, axis: -1, outer: 1, inner: 1, digits: 3, n: 3}
	flat := make([]float32, 3)
	for _, v := range []int64{0, 1, -1, 1<<22 - 1, 1 << 22, -1 << 22, -1<<22 - 1, 1<<44 + 5, math.MaxInt64, math.MinInt64, -123456789012345} {
		s.take(graph.Vector(v), 1, 0, flat)
		got := graph.Vector(int64(7))
		if err := s.put(got, 1, 0, flat); err != nil || graph.Data[int64](got)[0] != v {
			t.Errorf("%d became %v, then %d, %v", v, flat, graph.Data[int64](got)[0], err)
		}
	}
	s.typ, s.digits, s.n = graph.I32, 2, 2
	for _, v := range []int32{0, -1, math.MaxInt32, math.MinInt32} {
		s.take(graph.Vector(v), 1, 0, flat)
		got := graph.Vector(int32(7))
		if err := s.put(got, 1, 0, flat); err != nil || graph.Data[int32](got)[0] != v {
			t.Errorf("%d became %v, then %d, %v", v, flat[:2], graph.Data[int32](got)[0], err)
		}
	}
	if err := s.put(graph.Vector(int32(0)), 1, 0, []float32{1 << 12, 0}); !errors.Is(err, ErrInput) {
		t.Errorf("2^34 is taken for an int32: %v", err)
	}
}

// A row that the model refuses, or that is not finite, keeps its state and has
// zeros for y; the others step.
func TestRowsAreRefusedOneByOne(t *testing.T) {
	m := folder(t, nn.Config{NumEmbeddings: 7, EmbeddingDim: 3, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 5}, OutFeatures: 7})
	r, err := m.NewRows(6, RowsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.SetFinite(unroll.RefuseNonFinite)
	states := make([][]float32, 6)
	for i := range states {
		states[i] = make([]float32, r.StateLen())
		states[i][0] = 0.25
	}
	states[5][0] = float32(math.NaN())
	before := slices.Clone(states[1])
	x, y := []float32{1, 99, 2, 0.5, float32(math.NaN()), 3}, make([]float32, 6*r.Out())
	err = r.Step(y, x, states)
	var e *RowError
	if !errors.As(err, &e) || !slices.Equal(e.Rows, []int{1, 3, 4}) || !errors.Is(err, ErrInput) {
		t.Errorf("got %v", err)
	}
	var f *unroll.NonFiniteError
	if !errors.As(err, &f) || !slices.Equal(f.Results, []int{5}) || !f.Refused {
		t.Errorf("got %v", err)
	}
	for i, st := range states {
		zeros := !slices.ContainsFunc(y[i*7:(i+1)*7], func(v float32) bool { return v != 0 })
		if stepped := i == 0 || i == 2; zeros == stepped || stepped == slices.Equal(st, before) && i < 5 {
			t.Errorf("row %d: y %v, state %v", i, y[i*7:(i+1)*7], st)
		}
	}
}

// Numbers that are not finite are found in the row that has them, also where the
// step is taken.
func TestRowsThatAreNotFinite(t *testing.T) {
	m := layerFile(t)
	r, err := m.NewRows(4, RowsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []unroll.Finite{unroll.ReportNonFinite, unroll.RefuseNonFinite} {
		r.SetFinite(how)
		states := make([][]float32, 4)
		for i := range states {
			states[i] = make([]float32, r.StateLen())
		}
		states[3][2] = float32(math.Inf(1))
		x, y := make([]float32, 4*r.In()), make([]float32, 4*r.Out())
		x[1*r.In()+2] = float32(math.NaN())
		var e *unroll.NonFiniteError
		if err := r.Step(y, x, states); !errors.As(err, &e) || !slices.Equal(e.Inputs, []int{1}) || e.Refused != (how == unroll.RefuseNonFinite) {
			t.Errorf("got %v", err)
		}
		if taken := states[1][0] != 0; taken != (how == unroll.ReportNonFinite) {
			t.Errorf("row 1 stepped: %v", taken)
		}
		if states[0][0] == 0 || states[2][0] == 0 {
			t.Error("rows that are finite did not step")
		}
	}
}

// What rows cannot be made of is refused with what to do.
func TestRowsAreRefusedByName(t *testing.T) {
	lstm := func(states bool) *Model {
		g, b := rng.New(5), &graph.Builder{}
		x := b.Input("x", graph.F32, anySize("T"), anySize("B"), sized(3))
		h := ""
		if states {
			h = b.Input("h0", graph.F64, sized(1), anySize("B"), sized(4))
			h = b.Op("Cast", graph.Attrs{"to": int64(1)}, h)
		}
		out := b.Ops("GRU", 2, graph.Attrs{"hidden_size": int64(4)}, x, drawnValue(t, b, g, 1, 12, 3), drawnValue(t, b, g, 1, 12, 4), "", "", h)
		b.Output("y", graph.F32, out[0], anySize(""), anySize(""), anySize(""), anySize(""))
		if states {
			b.Output("hn", graph.F64, b.Op("Cast", graph.Attrs{"to": int64(11)}, out[1]), sized(1), anySize("B"), sized(4))
		}
		return written(t, b)
	}
	m := layerFile(t)
	both := folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5, Bidirectional: true}, OutFeatures: 2})
	mean := func() *Model {
		g, b := rng.New(5), &graph.Builder{}
		x := b.Input("x", graph.F32, anySize("steps"), anySize("B"), sized(3))
		h := b.Input("h0", graph.F32, sized(1), anySize("B"), sized(4))
		out := b.Ops("GRU", 2, graph.Attrs{"hidden_size": int64(4)}, b.Op("Sub", nil, x, b.Op("ReduceMean", nil, x, b.Ints(0))), drawnValue(t, b, g, 1, 12, 3), drawnValue(t, b, g, 1, 12, 4), "", "", h)
		b.Output("y", graph.F32, out[0], anySize(""), anySize(""), anySize(""), anySize(""))
		b.Output("hn", graph.F32, out[1], sized(1), anySize("B"), sized(4))
		return written(t, b)
	}()
	if _, err := mean.NewRows(1, RowsOptions{Sizes: map[string]int{"steps": 5}}); err != nil {
		t.Errorf("a size that is said: %v", err)
	}
	for want, c := range map[string]struct {
		m    *Model
		most int
		opt  RowsOptions
		kind error
	}{
		"no inputs and outputs that carry a state":                                        {lstm(false), 1, RowsOptions{}, unroll.ErrUsage},
		`the state "h0" is float64`:                                                       {lstm(true), 1, RowsOptions{}, ErrInput},
		"also reads a sequence from its end":                                              {both, 1, RowsOptions{}, unroll.ErrUsage},
		"no steps of time along steps (node \"ReduceMean.2\" (ReduceMean) may mix steps)": {mean, 1, RowsOptions{}, ErrInput},
		"most: got 0": {m, 0, RowsOptions{}, unroll.ErrUsage},
		`Set has "z", which is no input; they are input, h_0`:   {m, 1, RowsOptions{Set: map[string]Value{"z": of(t, []float32{1})}}, ErrInput},
		`Set has "h_0", which is a state`:                       {m, 1, RowsOptions{Set: map[string]Value{"h_0": of(t, []float32{1})}}, ErrInput},
		`Set["input"] is int64 [], expected float32`:            {m, 1, RowsOptions{Set: map[string]Value{"input": of(t, []int64{1})}}, ErrInput},
		`Sizes has "Q", which is no open dimension of an input`: {m, 1, RowsOptions{Sizes: map[string]int{"Q": 1}}, ErrInput},
		`Sizes["T"] is 0`: {m, 1, RowsOptions{Sizes: map[string]int{"T": 0}}, ErrInput},
	} {
		if _, err := c.m.NewRows(c.most, c.opt); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Models that compute the same have one digest, others another; that of a layer is
// the layer's, so that their states go over.
func TestDigests(t *testing.T) {
	cfg := nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5, BatchFirst: true}, OutFeatures: 2}
	other := cfg
	other.NoHeadBias = true
	layer, found := layerFile(t), map[string]bool{}
	for _, m := range []*Model{folder(t, cfg), folder(t, other), layer, detector(t)} {
		d := m.Digest()
		if len(d) != 64 || found[d] {
			t.Errorf("digest %q of %s", d, m.Signature())
		}
		found[d] = true
	}
	if a, b := folder(t, cfg), folder(t, cfg); a.Digest() != b.Digest() {
		t.Error("one model has two digests")
	}
	wet := cfg
	wet.RNN.NumLayers, wet.RNN.Dropout = 2, 0.5
	dry := wet
	dry.RNN.Dropout = 0
	if a, b := folder(t, wet), folder(t, dry); a.Digest() != b.Digest() {
		t.Error("dropout, on which no step depends, changes the digest")
	}
	if got, want := folder(t, cfg).Signature(), "input float32 [B, T, 3] -> output float32 [B, T, 2], state h_0 float32 [1, B, 5]"; got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
	if a, b := detector(t), detector(t); a.Digest() != b.Digest() {
		t.Error("one ONNX file has two digests")
	}
	layers, err := layer.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.NewRows(1, RowsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := layers[0].Digest(); layer.Digest() != d || r.Digest() != d || r.Signature() != layers[0].Signature() {
		t.Errorf("%s and %s, of the layer %s", layer.Digest(), r.Digest(), d)
	}
	rates := map[string]bool{}
	for _, sr := range []int64{8000, 16000} {
		r, err := detector(t).NewRows(1, RowsOptions{Set: map[string]Value{"sr": of(t, []int64{sr})}, Sizes: map[string]int{"input[1]": 12}})
		if err != nil {
			t.Fatal(err)
		}
		rates[r.Digest()] = true
		if !strings.Contains(r.Signature(), "sr = int64 []") || !strings.Contains(r.Signature(), "state float32 [2, 4]") {
			t.Errorf("signature %s", r.Signature())
		}
	}
	if len(rates) != 2 {
		t.Error("states of two rates are one")
	}
}
