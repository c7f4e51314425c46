package model

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func open(t *testing.T, o Options, path string) *Model {
	t.Helper()
	m, err := o.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func of[T Element](t *testing.T, data []T, shape ...int) Value {
	t.Helper()
	v, err := Of(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A model folder, as a program, gives what its embedding, layer and head give by
// themselves; a state that is left out is zeros, and one that is carried goes on.
func TestAFolderIsItsModel(t *testing.T) {
	for _, cfg := range []nn.Config{
		{NumEmbeddings: 7, EmbeddingDim: 3, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 5, NumLayers: 2}, OutFeatures: 7},
		{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 5, Bidirectional: true, BatchFirst: true}, Output: "last", OutFeatures: 2, NoHeadBias: true},
	} {
		trained, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := rng.New(1)
		trained.ResetParameters(g)
		dir := filepath.Join(t.TempDir(), "m")
		if err := trained.Save(dir, ""); err != nil {
			t.Fatal(err)
		}
		m := open(t, Options{}, dir)
		const T, B = 4, 3
		in, given := nn.Input{}, map[string]Value{}
		if cfg.NumEmbeddings > 0 {
			in = nn.Input{T: T, B: B}
			var tokens []int64
			for i := range T * B {
				in.Tokens, tokens = append(in.Tokens, i%7), append(tokens, int64(i%7))
			}
			given["tokens"] = of(t, tokens, T, B)
		} else {
			in.Features = tensor.New(B, T, 3)
			rng.Randn(g, in.Features.Data)
			given["input"] = of(t, in.Features.Data, B, T, 3)
		}
		p := nn.Pass{Model: trained}
		want, sn, err := p.Forward(in, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Run(given)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "output", Data[float32](out["output"]), want.Data)
		testkit.Bits(t, "h_n", Data[float32](out["h_n"]), sn.H.Data)
		given["h_0"] = out["h_n"]
		if cfg.RNN.Mode == unroll.LSTM {
			testkit.Bits(t, "c_n", Data[float32](out["c_n"]), sn.C.Data)
			given["c_0"] = out["c_n"]
		}
		want, _, err = p.Forward(in, sn.Clone())
		if err != nil {
			t.Fatal(err)
		}
		if out, err = m.Run(given); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "output of the next chunk", Data[float32](out["output"]), want.Data)
		if len(m.States()) != len(given)-1 {
			t.Errorf("states %v", m.States())
		}
		if m.Trained() == nil || m.Format() != "folder" {
			t.Errorf("format %s", m.Format())
		}
	}
}

// A file of weights is its recurrent layer, and what is not run is said.
func TestAFileOfWeightsIsItsLayer(t *testing.T) {
	l, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, ProjSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	set := checkpoint.Set{checkpoint.Of("fc.weight", tensor.New(2, 2))}
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of("lstm."+p.Name, p.Value))
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrAsk) {
		t.Errorf("which dimension is time is not asked: %v", err)
	}
	m := open(t, Options{Layout: TimeFirst}, path)
	x := tensor.New(5, 1, 3)
	rng.Randn(rng.New(2), x.Data)
	out, err := m.Run(map[string]Value{"input": of(t, x.Data, 5, 1, 3)})
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := l.Forward(x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Bits(t, "output", Data[float32](out["output"]), want.Data)
	if notes := strings.Join(m.Notes(), "\n"); !strings.Contains(notes, `not run: ["fc.weight"]`) {
		t.Errorf("it does not say what is not run: %s", notes)
	}
	layers, err := m.Layers()
	if err != nil || len(layers) != 1 || layers[0].Name != "lstm" || layers[0].Config().ProjSize != 2 {
		t.Errorf("layers %v, %v", layers, err)
	}
}

// ONNX and Keras files of the readers' tests open and run by names.
func TestFilesOfOtherToolsRun(t *testing.T) {
	m := open(t, Options{}, "../checkpoint/onnx/testdata/golden/lstm_language_model.onnx")
	if got := m.Inputs()[0].String(); got == "" {
		t.Error("no inputs")
	}
	layers, err := m.Layers()
	if err != nil || len(layers) != 2 && len(layers) != 1 {
		t.Errorf("layers %v, %v", layers, err)
	}
	if m.Operators()["LSTM"] == 0 {
		t.Errorf("operators %v", m.Operators())
	}
	all, err := filepath.Glob("../checkpoint/keras/testdata/models/*.keras")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, path := range all {
		if m, err := Open(path); err == nil {
			if len(m.Inputs()) == 0 || len(m.Outputs()) == 0 {
				t.Errorf("%s: inputs %v, outputs %v", path, m.Inputs(), m.Outputs())
			}
			_ = m.Close()
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("an error that does not name the file: %v", err)
		}
	}
}

// What is missing, not known or of the wrong type or shape is refused by name.
func TestRunRefusesByName(t *testing.T) {
	m := layerFile(t)
	x := make([]float32, 6)
	for want, given := range map[string]map[string]Value{
		`input "input" is missing; it is input float32 [T, B, 3]`: {},
		`has no input "x"; its inputs are input, h_0`:             {"x": of(t, x, 2, 1, 3)},
		`"input"`: {"input": of(t, make([]float64, 6), 2, 1, 3)},
		"3":       {"input": of(t, x, 3, 1, 2)},
	} {
		if _, err := m.Run(given); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrInput) && want != "3" {
			t.Errorf("%v: got %v, want %q", given, err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.onnx")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func layerFile(t *testing.T) *Model {
	t.Helper()
	l, err := unroll.New(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of(p.Name, p.Value))
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
	return open(t, Options{Layout: TimeFirst}, path)
}

// Many goroutines get the bits of one, a steady pass allocates nothing, and zeros
// that stand for a state are not those of a batch before.
func TestPassesAreApart(t *testing.T) {
	m := layerFile(t)
	x := make([]float32, 30)
	rng.Randn(rng.New(3), x)
	given := map[string]Value{"input": of(t, x, 5, 2, 3)}
	want, err := m.Run(given)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			out, err := m.Run(given)
			if err != nil || !slices.Equal(Data[float32](out["output"]), Data[float32](want["output"])) {
				t.Errorf("another result: %v", err)
			}
		})
	}
	wait.Wait()
	p := m.NewPass()
	if err := p.Set("input", given["input"]); err != nil {
		t.Fatal(err)
	}
	h := make([]float32, 8)
	for i := range h {
		h[i] = float32(math.Inf(1))
	}
	for _, state := range []Value{{}, of(t, h, 1, 2, 4), {}} {
		if err := p.Set("h_0", state); err != nil {
			t.Fatal(err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		if same := slices.Equal(Data[float32](p.Output("output")), Data[float32](want["output"])); same != state.IsZero() {
			t.Errorf("with state %v the result is that of zeros: %v", state, same)
		}
	}
	if n := testing.AllocsPerRun(10, func() {
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations in a steady run", n)
	}
}

// With Float64 a model computes as its layer does in float64; what has no such form
// is refused by name.
func TestModelsInFloat64(t *testing.T) {
	narrow := layerFile(t)
	m := open(t, Options{Layout: TimeFirst, Float64: true, Workers: 2}, narrow.Path())
	layers, err := narrow.Layers()
	if err != nil {
		t.Fatal(err)
	}
	l, err := unroll.NewOf[float64](layers[0].Config())
	if err != nil {
		t.Fatal(err)
	}
	params := map[string]tensor.DenseOf[float64]{}
	for _, p := range layers[0].Params() {
		params[p.Name] = tensor.Convert[float64](p.Value)
	}
	if err := l.Load(params); err != nil {
		t.Fatal(err)
	}
	x := tensor.NewOf[float64](5, 2, 3)
	rng.Randn(rng.New(2), x.Data)
	want, _, err := l.Forward(x, unroll.StateOf[float64]{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Run(map[string]Value{"input": of(t, x.Data, 5, 2, 3)})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Bits(t, "output", Data[float64](out["output"]), want.Data)
	if got := m.Inputs()[1].String(); got != "h_0 float64 [1, B, 4]" {
		t.Errorf("the state is %s", got)
	}
	b := &graph.Builder{}
	y := b.Ops("DynamicQuantizeLinear", 3, nil, b.Input("x", graph.F32, sized(4)))
	b.Output("y", graph.F32, b.Op("DequantizeLinear", nil, y...), sized(4))
	path := written(t, b).Path()
	if _, err := (Options{Float64: true}).Open(path); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "DynamicQuantizeLinear") {
		t.Errorf("got %v", err)
	}
	g, b := rng.New(3), &graph.Builder{}
	h := b.Op("Mul", nil, b.Input("x", graph.F32, sized(2), sized(4)), b.Op("Constant", graph.Attrs{"value_float": float32(0.5)}))
	h = b.Op("MatMul", nil, b.Op("Add", nil, h, b.Op("ConstantOfShape", nil, b.Op("Shape", nil, h))), drawnValue(t, b, g, 4, 3))
	b.Output("y", graph.F32, b.Op("Softmax", nil, b.Op("Cast", graph.Attrs{"to": int64(1)}, b.Op("Tanh", nil, h))), sized(2), sized(3))
	single := written(t, b)
	wide := open(t, Options{Float64: true}, single.Path())
	in := []float64{1, -2, 0.5, 3, 0.25, 1, -1, 2}
	a, err := wide.Run(map[string]Value{"x": of(t, in, 2, 4)})
	if err != nil {
		t.Fatal(err)
	}
	short := make([]float32, len(in))
	for i, v := range in {
		short[i] = float32(v)
	}
	c, err := single.Run(map[string]Value{"x": of(t, short, 2, 4)})
	if err != nil {
		t.Fatal(err)
	}
	differs := false
	for i, v := range Data[float64](a["y"]) {
		d := math.Abs(v - float64(Data[float32](c["y"])[i]))
		if differs = differs || d > 0; d > 1e-6 {
			t.Errorf("[%d] is %v in float64, %v in float32", i, v, Data[float32](c["y"])[i])
		}
	}
	if !differs {
		t.Error("float64 has the digits of float32")
	}
}

// A chain and what is found without one read the same weights where a file has them in pieces.
func TestChainOverPieces(t *testing.T) {
	path := filepath.Join("..", "internal", "statedict", "testdata", "forms", "pruned.safetensors")
	x := of(t, []float32{1, -2, 0.5, 3, 0.25, 1, -1, 2, 0.75}, 1, 3, 3)
	var want []float32
	for _, o := range []Options{{Layout: BatchFirst}, {Layout: BatchFirst, Chain: "rnn"}} {
		m := open(t, o, path)
		in := m.Inputs()[0]
		out, err := m.Run(map[string]Value{in.Name: x})
		if err != nil {
			t.Fatal(err)
		}
		got := Data[float32](out[m.Outputs()[0].Name])
		if want == nil {
			want = got
		}
		testkit.Close(t, "chain "+o.Chain, got, want, testkit.Tol{Abs: 1e-6})
	}
}
