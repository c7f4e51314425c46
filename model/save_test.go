package model

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// classifier writes a state dict of an embedding, an LSTM and two linear layers.
func classifier(t *testing.T, proj int) string {
	t.Helper()
	l, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 5, ProjSize: proj, NumLayers: 2, Bidirectional: true})
	if err != nil {
		t.Fatal(err)
	}
	g := rng.New(3)
	l.ResetParameters(g)
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of("net.lstm."+p.Name, p.Value))
	}
	for name, shape := range map[string][]int{"emb.weight": {7, 4}, "fc1.weight": {6, l.Config().OutputSize()}, "fc1.bias": {6}, "fc2.weight": {3, 6}} {
		d := tensor.New(shape...)
		rng.Randn(g, d.Data)
		set = append(set, checkpoint.Of("net."+name, d))
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

const line = "emb | lstm | last | fc1 | relu | fc2 | softmax(dim=-1)"

// results runs a model on inputs of 3 and 5 in their free dimensions.
func results(t *testing.T, m *Model) map[string]Value {
	t.Helper()
	given := map[string]Value{}
	g := rng.New(8)
	for _, p := range m.program.Graph().Inputs {
		shape := make([]int, len(p.Shape))
		n := 1
		for i, d := range p.Shape {
			if shape[i] = d.Size; d.Size < 0 {
				shape[i] = []int{3, 5, 4}[i%3]
			}
			n *= shape[i]
		}
		if p.Type.String() == "int64" {
			data := make([]int64, n)
			for i := range data {
				data[i] = int64(i*5) % 7
			}
			given[p.Name] = of(t, data, shape...)
			continue
		}
		data := make([]float32, n)
		rng.Randn(g, data)
		given[p.Name] = of(t, data, shape...)
	}
	out, err := m.Run(given)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameResults(t *testing.T, what string, got, want map[string]Value) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d outputs, want %d", what, len(got), len(want))
	}
	for name, w := range want {
		if g := got[name]; g.String() != w.String() || !slices.EqualFunc(Data[float32](g), Data[float32](w), func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%s: output %q differs: %v %v, want %v %v", what, name, g, Data[float32](g), w, Data[float32](w))
		}
	}
}

// A chain that was saved opens without its line, in every format that holds it, and
// gives the same bits.
func TestSavedChainsOpenWithoutTheirLine(t *testing.T) {
	m := open(t, Options{Chain: line, Layout: BatchFirst}, classifier(t, 0))
	want := results(t, m)
	dir := t.TempDir()
	for _, name := range []string{"m.onnx", "folder", "m.safetensors"} {
		path := filepath.Join(dir, name)
		if err := m.Save(path); err != nil {
			t.Fatal(name, err)
		}
		sameResults(t, name, results(t, open(t, Options{}, path)), want)
	}
	s, err := m.SaveAs(filepath.Join(dir, "m.pt"), SaveOptions{})
	if !errors.Is(err, ErrLoss) || !strings.Contains(err.Error(), "pt would lose the chain") {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err = m.SaveAs(filepath.Join(dir, "m.pt"), SaveOptions{Loose: true}); err != nil || len(s.Lost) != 1 {
		t.Fatal(s, err)
	}
	sameResults(t, "m.pt", results(t, open(t, Options{Chain: line, Layout: BatchFirst}, filepath.Join(dir, "m.pt"))), want)

	// What ONNX has no operator for is held by a folder.
	m = open(t, Options{Chain: line, Layout: TimeFirst}, classifier(t, 3))
	if err := m.Save(filepath.Join(dir, "p.onnx")); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "no projection") {
		t.Errorf("got %v", err)
	}
	if err := m.Save(filepath.Join(dir, "p")); err != nil {
		t.Fatal(err)
	}
	sameResults(t, "projection", results(t, open(t, Options{}, filepath.Join(dir, "p"))), results(t, m))
}

// Keras's models and ONNX's graphs go into ONNX and folders with the same bits; what
// is an embedding, layer and head goes into a trainable folder.
func TestSavedGraphsGiveTheSameBits(t *testing.T) {
	const keras = "../internal/kerasgraph/testdata/"
	for _, from := range []string{
		keras + "add.keras", keras + "batchnorm.keras", "../checkpoint/keras/testdata/models/functional.keras", keras + "bi_gru_None.keras",
		"../checkpoint/onnx/testdata/exporters/refused_keras_gru_loop.onnx", "../checkpoint/onnx/testdata/exporters/torch_packed_enforced.onnx",
	} {
		if _, err := os.Stat(from); err != nil {
			continue
		}
		m := open(t, Options{}, from)
		dir := t.TempDir()
		var want map[string]Value
		for _, name := range []string{"m.onnx", "folder"} {
			path := filepath.Join(dir, name)
			s, err := m.SaveAs(path, SaveOptions{})
			if err != nil {
				t.Fatal(from, err)
			}
			back := open(t, Options{}, path)
			if back.Trained() != nil && name == "folder" {
				if len(s.Names) == 0 {
					t.Errorf("%s: no names", from)
				}
				continue
			}
			if want == nil {
				want = results(t, m)
			}
			sameResults(t, from+" "+name, results(t, back), want)
		}
	}
	m := open(t, Options{}, "../checkpoint/onnx/testdata/exporters/refused_keras_gru_loop.onnx")
	if err := m.Save(filepath.Join(t.TempDir(), "m.npz")); !errors.Is(err, ErrLoss) || !strings.Contains(err.Error(), "the program of") {
		t.Errorf("got %v", err)
	}
	m = open(t, Options{}, "../checkpoint/onnx/testdata/golden/lstm_language_model.onnx")
	if c := m.Trained(); c == nil || c.Config().NumEmbeddings != 11 {
		t.Errorf("got %v", c)
	}
	dir := filepath.Join(t.TempDir(), "trained")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if c := open(t, Options{}, dir).Trained(); c == nil || c.Config().RNN.NumLayers != 2 {
		t.Errorf("got %v", c)
	}
}

// A file of weights is its layer alone, also where a head stands beside it.
func TestWeightsAreTheirLayerAlone(t *testing.T) {
	m := open(t, Options{Layout: TimeFirst}, "../examples/bach/model.safetensors")
	if got := m.Outputs()[0].String(); got != "output float32 [T, B, 128]" || m.Trained() != nil {
		t.Errorf("got %s, trained %v", got, m.Trained())
	}
}

// A folder whose program was changed, lies outside, or stands among other files is
// refused.
func TestProgramFoldersAreChecked(t *testing.T) {
	m := open(t, Options{Chain: line, Layout: BatchFirst}, classifier(t, 0))
	dir := filepath.Join(t.TempDir(), "m")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(dir); err != nil { // again
		t.Fatal(err)
	}
	weights, config := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "config.json")
	b, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b[len(b)-1] ^= 1
	write(weights, b)
	refused := func(want string) {
		t.Helper()
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	refused("it is damaged, or was changed")
	write(config, []byte(`{"program": "../w.safetensors"}`))
	refused("expected the name of a file in the folder")
	write(config, []byte(`{"program": "gone.onnx"}`))
	refused(`program "gone.onnx"`)
	write(filepath.Join(dir, "README.md"), []byte("mine"))
	if err := m.Save(dir); err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Errorf("got %v", err)
	}
}

// ONNX's checker takes chains and Keras's models as they are written.
func TestLiveCheckerTakesSavedModels(t *testing.T) {
	interpreter := python.With("onnx", "onnxruntime")
	if interpreter == "" || testing.Short() {
		t.Skip("no Python with onnx and onnxruntime, or -short")
	}
	const script = `
import sys, onnx, onnxruntime
for path in sys.argv[1:]:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        onnxruntime.InferenceSession(path)
    except Exception as e:
        print(path, e)
        sys.exit(1)
`
	paths, err := filepath.Glob("../internal/kerasgraph/testdata/*.keras")
	if err != nil || len(paths) < 100 {
		t.Fatal(len(paths), err)
	}
	dir := t.TempDir()
	args := []string{"-c", script}
	save := func(m *Model) {
		path := filepath.Join(dir, fmt.Sprintf("%03d-%s.onnx", len(args), filepath.Base(m.Path())))
		if err := m.Save(path); err != nil {
			// Cells of Keras with functions that ONNX's operators lack.
			if !strings.Contains(m.Path(), "cell_") || !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "has no activation") {
				t.Error(m.Path(), err)
			}
			return
		}
		args = append(args, path)
	}
	for _, p := range append(paths, "../checkpoint/keras/testdata/models/functional.keras") {
		m, err := Open(p)
		if err != nil {
			continue // one that is refused
		}
		save(m)
		_ = m.Close()
	}
	save(open(t, Options{Chain: line, Layout: BatchFirst}, classifier(t, 0)))
	save(open(t, Options{Chain: line, Layout: TimeFirst, States: true}, classifier(t, 0)))
	if out, err := exec.Command(interpreter, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d models", len(args)-2)
}
