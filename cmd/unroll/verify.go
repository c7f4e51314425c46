package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// A conversion is verified against the meaning that the source has for those who made
// it: ONNX Runtime, Keras or PyTorch runs it on drawn inputs, where a Python has them
// (UNROLL_PYTHON, python3), and what was written has to give the same. Where none is
// there unroll is compared with itself, and that is said.

//go:embed verify.py
var verifyScript string

// judge is who says what a source means.
type judge struct {
	name   string // its name with the version; empty: unroll itself
	absent string // why it is unroll itself
}

func (j judge) String() string {
	if j.name == "" {
		return "unroll itself: " + j.absent
	}
	return j.name
}

// tolerance is how far two engines' float32 numbers may be apart.
func tolerance(want float64) float64 { return 1e-4 + 1e-4*math.Abs(want) }

// interpreter finds a Python that has modules: UNROLL_PYTHON, or python3.
func interpreter(cmd *cobra.Command, modules ...string) string {
	python := os.Getenv("UNROLL_PYTHON")
	if python == "" {
		python = "python3"
	}
	const has = "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(m) is None for m in sys.argv[1:]))"
	if exec.CommandContext(cmd.Context(), python, append([]string{"-c", has}, modules...)...).Run() != nil {
		return ""
	}
	return python
}

// ask runs the script of an engine on a file and arrays, and returns its arrays.
func ask(cmd *cobra.Command, python, engine, path, settings string, in checkpoint.Set) (outputs checkpoint.Set, version string, err error) {
	dir, err := os.MkdirTemp("", "unroll-verify-*")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	from, to := filepath.Join(dir, "in.npz"), filepath.Join(dir, "out.npz")
	if err := atomicfile.Write(from, func(w io.Writer) error { return npy.WriteArchive(w, in) }); err != nil {
		return nil, "", err
	}
	run := exec.CommandContext(cmd.Context(), python, "-c", verifyScript, engine, path, from, to, settings)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, "", fmt.Errorf("%s does not run it: %v: %s", engine, err, visible(lines[len(lines)-1]))
	}
	src, err := npy.OpenArchive(to)
	if err != nil {
		return nil, "", err
	}
	defer src.Close()
	for _, name := range src.Names() {
		t, err := src.Tensor(name)
		if err != nil {
			return nil, "", err
		}
		outputs = append(outputs, t)
	}
	return outputs, strings.TrimSpace(stdout.String()), nil
}

// verifyModel compares a model with what was written of it.
func verifyModel(cmd *cobra.Command, m, back *model.Model, saved *model.Saved) error {
	given, own, err := drawnInputs(m)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	want, by, err := meaning(cmd, m, given, own)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	name := func(n string) string {
		if to, ok := saved.Names[n]; ok {
			return to
		}
		return n
	}
	renamed := map[string]model.Value{}
	for n, v := range given {
		if name(n) != "" {
			renamed[name(n)] = v
		}
	}
	got, err := back.Run(renamed)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	most := 0.0
	for _, p := range m.Outputs() {
		d, err := apart(got[name(p.Name)], want[p.Name])
		if err != nil {
			return fmt.Errorf("verify: output %q of %s: %w (compared with %s)", p.Name, back.Path(), err, by)
		}
		most = max(most, d)
	}
	sayVerified(cmd, most, by)
	return nil
}

func sayVerified(cmd *cobra.Command, most float64, by judge) {
	fmt.Fprintf(cmd.OutOrStdout(), "verified: largest difference %g\ncompared with %s\n", most, by)
}

// meaning runs a model by the engine of its format, or by unroll.
func meaning(cmd *cobra.Command, m *model.Model, given, own map[string]model.Value) (map[string]model.Value, judge, error) {
	engine := map[string]string{"onnx": "onnxruntime", "h5": "keras"}[m.Format()]
	if engine == "" {
		return own, judge{absent: "a state dict holds no forward()"}, nil
	}
	python := interpreter(cmd, "numpy", engine)
	if python == "" {
		return own, judge{absent: fmt.Sprintf("no Python has %s (UNROLL_PYTHON names one)", engine)}, nil
	}
	var in checkpoint.Set
	for i, p := range m.Inputs() {
		t, err := storedValue(named{fmt.Sprintf("i%d", i), given[p.Name]})
		if err != nil {
			return nil, judge{}, err
		}
		in = append(in, t)
	}
	outputs, version, err := ask(cmd, python, engine, m.Path(), "", in)
	if err != nil {
		return nil, judge{}, err
	}
	want := map[string]model.Value{}
	for i, p := range m.Outputs() {
		t, err := outputs.Tensor(fmt.Sprintf("o%d", i))
		if err != nil {
			return nil, judge{}, err
		}
		x, err := widened(t)
		if err != nil {
			return nil, judge{}, err
		}
		if want[p.Name], err = model.Of(x, t.Shape...); err != nil {
			return nil, judge{}, err
		}
	}
	return want, judge{name: engine + " " + version}, nil
}

// drawnInputs draws the inputs of a model and runs it on them; sizes that are free
// are small, or as large as it wants them.
func drawnInputs(m *model.Model) (given, out map[string]model.Value, err error) {
	var first error
	features := 0
	if list, err := m.Layers(); err == nil && len(list) > 0 {
		features = list[0].Config().InputSize
	}
	for _, scale := range []int{1, 16, 256} {
		given = map[string]model.Value{}
		symbols := map[string]int{"features": features}
		g := rng.New(1)
		for _, p := range m.Inputs() {
			if given[p.Name], err = verifyInput(g, p, scale, symbols); err != nil {
				break
			}
		}
		if err == nil {
			out, err = m.Run(given)
		}
		if err == nil {
			return given, out, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, fmt.Errorf("it does not run on drawn inputs: %w", first)
}

// maxDrawnInput bounds the numbers of a drawn input.
const maxDrawnInput = 1 << 24

func verifyInput(g *rng.Generator, p model.Port, scale int, symbols map[string]int) (model.Value, error) {
	shape := make([]int, len(p.Shape))
	for i, d := range p.Shape {
		if _, err := fmt.Sscanf(d, "%d", &shape[i]); err == nil {
			continue
		}
		if features := symbols["features"]; d == "?" && i > 0 && i == len(shape)-1 && features > 0 {
			shape[i] = features // what the first layer reads, where the model does not say it
			continue
		}
		n, ok := symbols[d]
		if !ok || d == "?" {
			if n = 3 + 2*len(symbols); d != "batch" {
				n *= scale
			}
			symbols[d] = n
		}
		shape[i] = n
	}
	n, err := tensor.Size(shape)
	if err != nil || n > maxDrawnInput {
		return model.Value{}, fmt.Errorf("input %s is too large to be drawn", p)
	}
	switch p.Type {
	case "float32", "float16", "bfloat16":
		d := tensor.New(shape...)
		rng.Randn(g, d.Data)
		return model.FromDense(d)
	case "float64":
		d := tensor.NewOf[float64](shape...)
		rng.Randn(g, d.Data)
		return model.FromDense(d)
	case "int64":
		return small[int64](n, shape)
	case "int32":
		return small[int32](n, shape)
	case "int8":
		return small[int8](n, shape)
	case "uint8":
		return small[uint8](n, shape)
	case "bool":
		x := make([]bool, n)
		for i := range x {
			x[i] = i%3 > 0
		}
		return model.Of(x, shape...)
	}
	return model.Value{}, fmt.Errorf("input %s is of a type that is not drawn", p)
}

// small are 1 and 2, which are tokens of every vocabulary and lengths of most.
func small[T int64 | int32 | int8 | uint8](n int, shape []int) (model.Value, error) {
	x := make([]T, n)
	for i := range x {
		x[i] = T(1 + i%2)
	}
	return model.Of(x, shape...)
}

// apart returns the largest difference of two values, and refuses one that is more
// than rounding.
func apart(got, want model.Value) (float64, error) {
	a, err := wide(got)
	if err != nil {
		return 0, err
	}
	b, err := wide(want)
	if err != nil {
		return 0, err
	}
	if len(a) != len(b) {
		return 0, fmt.Errorf("it has shape %v, expected %v", got.Shape(), want.Shape())
	}
	most := 0.0
	for i, v := range a {
		d := math.Abs(v - b[i])
		if v == b[i] || v != v && b[i] != b[i] { // equal infinities, two NaNs
			continue
		}
		if !(d <= tolerance(b[i])) {
			return 0, fmt.Errorf("element %d is %g, expected %g", i, v, b[i])
		}
		most = max(most, d)
	}
	return most, nil
}

// wide returns a value's elements as float64.
func wide(v model.Value) ([]float64, error) {
	if v.IsZero() {
		return nil, fmt.Errorf("it is not there")
	}
	t, err := storedValue(named{"value", v})
	if err != nil {
		return nil, err
	}
	return widened(t)
}

func widened(t checkpoint.Tensor) ([]float64, error) {
	if t.DType.IsFloat() {
		d, err := checkpoint.FloatOf[float64](t)
		return d.Data, err
	}
	ints, _, err := checkpoint.IntsOf(t)
	out := make([]float64, len(ints))
	for i, n := range ints {
		out[i] = float64(n)
	}
	return out, err
}

// torchSettings are what PyTorch makes of a layer or model.
type torchSettings struct {
	Kind          string `json:"kind"`
	Nonlinearity  string `json:"nonlinearity"`
	Input         int    `json:"input"`
	Hidden        int    `json:"hidden"`
	Layers        int    `json:"layers"`
	Proj          int    `json:"proj"`
	Bias          bool   `json:"bias"`
	BatchFirst    bool   `json:"batch_first"`
	Bidirectional bool   `json:"bidirectional"`
	Last          bool   `json:"last"`
}

// byTorch runs a layer or model by PyTorch on x, whose results are y, h_n and c_n.
func byTorch(cmd *cobra.Command, l *modelfile.Loaded, in nn.Input) ([3]tensor.Dense, judge, error) {
	var out [3]tensor.Dense
	c := l.Layer.Config()
	s := torchSettings{Input: c.InputSize, Hidden: c.HiddenSize, Layers: c.Layers(), Proj: c.ProjSize, Bias: !c.NoBias, BatchFirst: c.BatchFirst, Bidirectional: c.Bidirectional}
	switch c.Mode {
	case unroll.LSTM, unroll.GRU:
		s.Kind = c.Mode.String()
	case unroll.RNNTanh, unroll.RNNReLU:
		s.Kind, s.Nonlinearity = "RNN", map[unroll.Mode]string{unroll.RNNTanh: "tanh", unroll.RNNReLU: "relu"}[c.Mode]
	}
	if s.Kind == "" || !c.Variant.IsZero() {
		return out, judge{absent: fmt.Sprintf("PyTorch has no %s", c)}, nil
	}
	python := interpreter(cmd, "numpy", "torch")
	if python == "" {
		return out, judge{absent: "no Python has torch (UNROLL_PYTHON names one)"}, nil
	}
	var set checkpoint.Set
	for _, t := range l.Tensors() {
		if l.Model == nil {
			t.Name = "rnn." + t.Name
		}
		set = append(set, t)
	}
	if l.Model != nil {
		s.Last = l.Model.Config().Output == "last"
	}
	if in.Tokens != nil {
		wide := make([]int64, len(in.Tokens))
		for i, n := range in.Tokens {
			wide[i] = int64(n)
		}
		shape := []int{in.T, in.B}
		if c.BatchFirst {
			shape = []int{in.B, in.T}
		}
		set = append(set, checkpoint.OfInts("x", wide, shape...))
	} else {
		set = append(set, checkpoint.Of("x", in.Features))
	}
	settings, err := json.Marshal(s)
	if err != nil {
		return out, judge{}, err
	}
	results, version, err := ask(cmd, python, "torch", "", string(settings), set)
	if err != nil {
		return out, judge{}, err
	}
	for i := range out {
		name := fmt.Sprintf("o%d", i)
		if _, ok := results.Info(name); !ok {
			continue
		}
		if out[i], err = checkpoint.Float[float32](results, name); err != nil {
			return out, judge{}, err
		}
	}
	return out, judge{name: "torch " + version}, nil
}
