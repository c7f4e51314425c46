package modelfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// onnxRuntime returns a command that runs models by ONNX Runtime: the npm
// package onnxruntime-node below $UNROLL_ORT or where bench/README.md installs
// it, or a Python package. It skips where neither is there.
func onnxRuntime(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: nothing outside is asked")
	}
	work := os.Getenv("BENCH_WORK")
	if work == "" {
		work = filepath.Join(os.TempDir(), "unroll-bench")
	}
	if node, err := exec.LookPath("node"); err == nil {
		for _, dir := range []string{os.Getenv("UNROLL_ORT"), filepath.Join(work, "ort")} {
			modules := filepath.Join(dir, "node_modules")
			if _, err := os.Stat(filepath.Join(modules, "onnxruntime-node")); dir != "" && err == nil {
				return []string{node, "testdata/ort.js", modules}
			}
		}
	}
	if p := python.With("onnxruntime", "numpy"); p != "" {
		return []string{p, "testdata/ort.py"}
	}
	t.Skip("ONNX Runtime is not installed: neither npm's onnxruntime-node ($UNROLL_ORT, bench/README.md) nor Python's onnxruntime")
	return nil
}

// runtimeRun is a model and what it is to give.
type runtimeRun struct {
	path string
	feed checkpoint.Set
	want map[string]tensor.Dense
}

// byRuntime runs models by ONNX Runtime and compares.
func byRuntime(t *testing.T, runs []runtimeRun) {
	t.Helper()
	args := onnxRuntime(t)
	for _, r := range runs {
		if err := safetensors.WriteFile(r.path+".in.safetensors", r.feed, nil); err != nil {
			t.Fatal(err)
		}
		args = append(args, r.path)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", args[:2], err)
	}
	t.Logf("%s ran %d models", strings.TrimSpace(string(said)), len(runs))
	for _, r := range runs {
		g := testkit.Load(t, r.path+".out.safetensors")
		for name, want := range r.want {
			testkit.Close(t, filepath.Base(r.path)+" "+name, want.Data, g.F32(name).Data, testkit.Default[float32]())
			if got := g.F32(name).Shape; !slices.Equal(got, want.Shape) {
				t.Errorf("%s: %s has shape %v, here %v", r.path, name, got, want.Shape)
			}
		}
	}
}

// exported writes layers and models of every kind in several opsets.
func exported(t *testing.T, opsets ...int64) (runs []runtimeRun) {
	t.Helper()
	dir := t.TempDir()
	for name, l := range drawn(t) {
		for _, opset := range opsets {
			path := filepath.Join(dir, fmt.Sprintf("%d.onnx", len(runs)))
			if _, err := l.Save(path, ONNX, opset); err != nil {
				t.Fatal(name, err)
			}
			feed, y, sn := run(t, l)
			want := map[string]tensor.Dense{"output": y, "h_n": sn.H}
			if l.Model != nil {
				delete(want, "output")
				want["logits"] = y
			}
			if !sn.C.IsZero() {
				want["c_n"] = sn.C
			}
			runs = append(runs, runtimeRun{path, feed, want})
		}
	}
	return runs
}

// What is exported gives ONNX Runtime the same numbers.
func TestLiveONNXRuntimeGivesTheSameNumbers(t *testing.T) {
	byRuntime(t, exported(t, 7, 9, 13, 17, 22))
}

// A stream goes on by handing h_n and c_n back in as h0 and c0.
func TestLiveONNXRuntimeGoesOnWithAStream(t *testing.T) {
	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	layer.ResetParameters(rng.New(3))
	dir := t.TempDir()
	x := tensor.New(6, 1, 3)
	rng.Randn(rng.New(4), x.Data)
	whole, sn, err := layer.Forward(x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	state := unroll.State{H: tensor.New(2, 1, 4), C: tensor.New(2, 1, 4)}
	for step := range 6 { // each step's state is what ONNX Runtime gave before
		path := filepath.Join(dir, fmt.Sprintf("%d.onnx", step))
		if _, err := (&Loaded{Layer: layer}).Save(path, ONNX, 0); err != nil {
			t.Fatal(err)
		}
		feed := checkpoint.Set{
			checkpoint.Of("input", tensor.Dense{Shape: []int{1, 1, 3}, Data: x.Data[3*step:][:3]}),
			checkpoint.Of("h0", state.H), checkpoint.Of("c0", state.C),
		}
		byRuntime(t, []runtimeRun{{path, feed, map[string]tensor.Dense{"output": {Shape: []int{1, 1, 4}, Data: whole.Data[4*step:][:4]}}}})
		g := testkit.Load(t, path+".out.safetensors")
		state = unroll.State{H: g.F32("h_n"), C: g.F32("c_n")}
	}
	testkit.CloseDense(t, "h_n", sn.H, state.H, testkit.Default[float32]())
	testkit.CloseDense(t, "c_n", sn.C, state.C, testkit.Default[float32]())
}

// ONNX's own checker accepts what is exported, shapes inferred.
func TestLiveONNXCheckerAcceptsWhatIsExported(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing outside is asked")
	}
	const script = `
import sys, onnx
top, n = onnx.defs.onnx_opset_version(), 0
for path in sys.argv[1:]:
    m = onnx.load(path)
    if m.opset_import[0].version <= top:
        onnx.checker.check_model(m, full_check=True)
        n += 1
print("onnx", onnx.__version__, "checked", n, "of", len(sys.argv) - 1)
assert n > 0`
	p := python.With("onnx")
	if p == "" {
		t.Skip("ONNX's checker is not installed: no Python has the package onnx (UNROLL_PYTHON names one)")
	}
	args := []string{"-c", script}
	for _, r := range exported(t, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22) {
		args = append(args, r.path)
	}
	out, err := exec.Command(p, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

// uniform draws numbers from -most to most.
func uniform(g *rng.Generator, most float64, shape ...int) tensor.Dense {
	d := tensor.New(shape...)
	if err := rng.Uniform(g, d.Data, -most, most); err != nil {
		panic(err) // the bounds are constants
	}
	return d
}

// drawnVariant draws a stack of cells with settings of the operators.
func drawnVariant(t *testing.T, g *rng.Generator) *unroll.Layer {
	t.Helper()
	pick := func(n int) int { return int(g.Uint32() % uint32(n)) }
	c := unroll.Config{
		Mode: []unroll.Mode{unroll.RNNTanh, unroll.LSTM, unroll.GRU}[pick(3)], InputSize: 1 + pick(4), HiddenSize: 1 + pick(5),
		NumLayers: 1 + pick(3), NoBias: pick(4) == 0, BatchFirst: pick(2) == 0,
	}
	direction := pick(3)
	c.Bidirectional, c.Variant.Reverse = direction == 2, direction == 1
	c.Variant.Clip = []float64{0, 0, 0.75}[pick(3)]
	forget, before, peep, other := pick(3) == 0, pick(2) == 0, pick(2) == 0, pick(2) == 0
	c.Variant.InputForget, c.Variant.Peepholes = c.Mode == unroll.LSTM && forget, c.Mode == unroll.LSTM && peep
	c.Variant.ResetBefore = c.Mode == unroll.GRU && before
	for _, list := range []*[3]unroll.Activation{&c.Variant.Activations, &c.Variant.ReverseActivations}[:c.Directions()] {
		for i := range map[unroll.Mode]int{unroll.RNNTanh: 1, unroll.LSTM: 3, unroll.GRU: 2}[c.Mode] {
			a := []unroll.Activation{
				{Name: "Tanh"},
				{Name: "Sigmoid"},
				{Name: "Relu"},
				{Name: "Softsign"},
				{Name: "Softplus"},
				{Name: "Affine", Alpha: 0.5, Beta: 0.25},
				{Name: "LeakyRelu", Alpha: 0.125},
				{Name: "ThresholdedRelu", Alpha: 0.25},
				{Name: "ScaledTanh", Alpha: 0.75, Beta: 1.25},
				{Name: "HardSigmoid", Alpha: 0.25, Beta: 0.375},
				{Name: "Elu", Alpha: 0.625},
			}[pick(11)]
			if other {
				list[i] = a
			}
		}
	}
	l, err := unroll.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Params() { // small, for functions without bound make a state grow
		if err := rng.Uniform(g, p.Value.Data, -0.4, 0.4); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// Drawn stacks of cells with drawn settings give ONNX Runtime's numbers.
func TestLiveONNXRuntimeGivesVariantsNumbers(t *testing.T) {
	onnxRuntime(t)
	dir := t.TempDir()
	g := rng.New(11)
	var runs []runtimeRun
	redrawn := 0
	for len(runs) < 200 {
		i, layer := len(runs), drawnVariant(t, g)
		path := filepath.Join(dir, fmt.Sprintf("%03d.onnx", i))
		if _, err := (&Loaded{Layer: layer}).Save(path, ONNX, []int64{7, 14, 22}[i%3]); err != nil {
			t.Fatal(err)
		}
		const T, B = 4, 2
		draw := func(shape ...int) tensor.Dense { return uniform(g, 1, shape...) }
		c := layer.Config()
		x := draw(T, B, c.InputSize)
		if c.BatchFirst {
			x = draw(B, T, c.InputSize)
		}
		h0, c0 := draw(c.Layers()*c.Directions(), B, c.HiddenSize), tensor.Dense{}
		feed := checkpoint.Set{checkpoint.Of("input", x), checkpoint.Of("h0", h0)}
		if c.HasCell() {
			c0 = draw(h0.Shape...)
			feed = append(feed, checkpoint.Of("c0", c0))
		}
		y, sn, err := layer.Forward(x, unroll.State{H: h0, C: c0})
		if err != nil {
			t.Fatal(err)
		}
		// A gate without bound can make a state grow at every step, and then small
		// differences too; ONNX Runtime's Softplus is infinite from 89 on.
		if size := slices.Max(slices.Concat(y.Data, sn.H.Data, sn.C.Data)); size > 50 {
			redrawn++
			continue
		}
		want := map[string]tensor.Dense{"output": y, "h_n": sn.H}
		if !sn.C.IsZero() {
			want["c_n"] = sn.C
		}
		runs = append(runs, runtimeRun{path, feed, want})
	}
	if t.Logf("%d draws grew without bound", redrawn); redrawn > 10 {
		t.Error("too many of the draws are left out")
	}
	byRuntime(t, runs)
}
