package keras

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
)

// goldenLayer is what Keras says of a layer: testdata/models/make.py writes it.
type goldenLayer struct {
	Class   string
	Weights [][3]any // role, shape, SHA-256
}

func settings(t testing.TB, path string) []byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open("config.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestModelsInEveryForm: the layers and weights of a .keras, an .h5, and
// settings with a .weights.h5 are those Keras has.
func TestModelsInEveryForm(t *testing.T) {
	for _, name := range []string{"sequential", "functional"} {
		base := "testdata/models/" + name
		b, err := os.ReadFile(base + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]goldenLayer
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{".keras", ".h5", ".weights.h5"} {
			t.Run(name+form, func(t *testing.T) {
				var m *Model
				if form == ".weights.h5" {
					h, err := hdf5.Open(base + form)
					if err != nil {
						t.Fatal(err)
					}
					defer h.Close()
					m, err = Assemble(settings(t, base+".keras"), base+".json", h)
					if err != nil {
						t.Fatal(err)
					}
				} else if m, err = Open(base + form); err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				compare(t, m, want)
			})
		}
	}
}

func compare(t *testing.T, m *Model, want map[string]goldenLayer) {
	t.Helper()
	found := 0
	m.Root.Walk(func(l *Layer) bool {
		w, ok := want[l.Path]
		if !ok && len(l.Weights) > 0 || ok && (w.Class != l.Class || len(w.Weights) != len(l.Weights)) {
			t.Errorf("layer %s (%s) has weights %v, Keras %v", l.Path, l.Class, l.Weights, w)
			return true
		}
		for i, x := range w.Weights {
			got := l.Weights[i]
			d, err := m.Tensor(l.Path + "/" + got.Role)
			if err != nil {
				t.Error(err)
				continue
			}
			sum := sha256.Sum256(d.Data)
			if got.Role != x[0] || fmt.Sprint(got.Shape) != fmt.Sprint(x[1]) || hex.EncodeToString(sum[:]) != x[2] {
				t.Errorf("layer %s: weight %d is %s %v, Keras has %v", l.Path, i, got.Role, got.Shape, x)
			}
			found++
		}
		return true
	})
	if found != len(m.Names()) || found == 0 {
		t.Errorf("%d weights compared, the model has %d", found, len(m.Names()))
	}
	if len(m.Unused) > 0 {
		t.Errorf("unused: %v", m.Unused)
	}
}

func TestConnections(t *testing.T) {
	m, err := Open("testdata/models/functional.keras")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	layers := map[string]*Layer{}
	for _, l := range m.Root.Inner {
		layers[l.Name] = l
	}
	calls := func(name string) string {
		var all []string
		for _, c := range layers[name].Calls {
			all = append(all, fmt.Sprint(c.Refs()))
		}
		return strings.Join(all, " ")
	}
	for name, want := range map[string]string{
		"shared": "[a] [b shared, output 1 shared, output 2]",
		"inner":  "[shared] [shared, call 1]",
		"add":    "[inner inner, call 1]",
		"concat": "[bi rnn]",
	} {
		if got := calls(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if fmt.Sprint(m.Root.Inputs, m.Root.InputNames, m.Root.Outputs) != "[a b] [a b] [out shared, output 1]" {
		t.Error(m.Root.Inputs, m.Root.InputNames, m.Root.Outputs)
	}
	if back, _ := layers["bi"].Inner[1].Config.Bool("go_backwards", false); !back {
		t.Error("the second layer of a Bidirectional does not go backwards")
	}
}

// TestKeras2Connections reads the form of Keras 2: lists, a model that was
// called before, constants.
func TestKeras2Connections(t *testing.T) {
	m := &Model{}
	err := m.config([]byte(`{"class_name": "Model", "keras_version": "2.2.4", "config": {"name": "m", "layers": [
		{"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [null, 3], "name": "x"}, "inbound_nodes": []},
		{"class_name": "Sequential", "name": "s", "config": [{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [null, 3]}}], "inbound_nodes": [[["x", 0, 0, {}]], [["x", 0, 0, {}]]]},
		{"class_name": "LSTM", "name": "l", "config": {"name": "l"}, "inbound_nodes": [[["s", 1, 0, {"initial_state": [["s", 2, 0], ["x", 0, 0]]}]]]},
		{"class_name": "Add", "name": "add", "config": {"name": "add"}, "inbound_nodes": [[["l", 0, 0, {}], ["s", 2, 0, {}]]]}],
		"input_layers": [["x", 0, 0]], "output_layers": [["add", 0, 0]]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range m.Root.Inner {
		for _, c := range l.Calls {
			got = append(got, fmt.Sprint(l.Class, c.Refs()))
		}
	}
	want := []string{"InputLayer[]", "Sequential[x]", "Sequential[x]", "LSTM[s s, call 1 x]", "Add[l s, call 1]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if inner := m.Root.Inner[1].Inner; len(inner) != 2 || inner[0].Class != "InputLayer" || inner[1].Path != "s/d" {
		t.Errorf("inside the Sequential: %v", inner)
	}
}

func TestSnakeIsKerass(t *testing.T) {
	for class, want := range map[string]string{
		"LSTM": "lstm", "LSTMCell": "lstm_cell", "Conv1D": "conv1d", "MaxPooling1D": "max_pooling1d", "GlobalAveragePooling1D": "global_average_pooling1d",
		"SimpleRNNCell": "simple_rnn_cell", "StackedRNNCells": "stacked_rnn_cells", "PReLU": "p_re_lu", "ELU": "elu", "LeakyReLU": "leaky_re_lu",
		"BatchNormalization": "batch_normalization", "GRUCell": "gru_cell", "RNN": "rnn", "ReLU": "re_lu", "Conv2DTranspose": "conv2d_transpose", "TimeDistributed": "time_distributed",
	} {
		if got := snake(class); got != want {
			t.Errorf("%s: %s, Keras says %s", class, got, want)
		}
	}
}

func TestDamagedModelsAreRefused(t *testing.T) {
	input := `{"class_name": "InputLayer", "name": "x", "config": {"name": "x"}, "inbound_nodes": []}`
	model := func(layers, rest string) string {
		return `{"class_name": "Functional", "config": {"name": "m", "layers": [` + layers + `]` + rest + `}}`
	}
	ends := `, "input_layers": ["x", 0, 0], "output_layers": ["x", 0, 0]`
	for name, tt := range map[string]struct{ json, want string }{
		"no JSON":            {"{", "it is no JSON"},
		"more":               {model(input, ends) + "x", "more follows"},
		"no class":           {"{}", "no class_name"},
		"twice":              {model(input+","+input, ends), "two layers are called"},
		"no such layer":      {model(input, `, "input_layers": ["x", 0, 0], "output_layers": ["y", 0, 0]`), "which there is not"},
		"no such call":       {model(input, `, "input_layers": ["x", 0, 0], "output_layers": ["x", 7, 0]`), "which there is not"},
		"no outputs":         {model(input, `, "input_layers": ["x", 0, 0], "output_layers": []`), "0 outputs"},
		"empty sequence":     {`{"class_name": "Sequential", "config": {"layers": []}}`, "has no layers"},
		"a wrapper of none":  {`{"class_name": "TimeDistributed", "config": {}}`, "expected a dictionary"},
		"wrappers of all":    {strings.Repeat(`{"class_name": "TimeDistributed", "config": {"layer": `, 40) + "{}" + strings.Repeat("}}", 40), "more than 16 deep"},
		"calls of all":       {model(input+`,{"class_name":"Add","config":{"name":"a"},"inbound_nodes":[{"args":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}]}`, ends), "lists in each other"},
		"a call of nothing":  {model(input+`,{"class_name":"Add","config":{"name":"a"},"inbound_nodes":[["x"]]}`, ends), "expected [layer, call, output, settings]"},
		"settings of a list": {`{"class_name": "Dense", "config": 3}`, "expected a dictionary"},
	} {
		m := &Model{file: "bad.keras", place: "entry config.json"}
		err := m.config([]byte(tt.json))
		if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "bad.keras: entry config.json: ") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestWeightsAlone(t *testing.T) {
	m, err := Open("testdata/models/sequential.weights.h5")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Root != nil || len(m.Layers) != 4 || m.Layers[2].Path != "layers/gru/cell" && m.Layers[2].Name == "" {
		t.Errorf("%v, %d layers", m.Root, len(m.Layers))
	}
}

// FuzzSettings: any JSON is refused or gives layers that can be walked.
func FuzzSettings(f *testing.F) {
	for _, name := range []string{"sequential", "functional"} {
		f.Add(settings(f, "testdata/models/"+name+".keras"))
	}
	f.Add([]byte(`{"class_name":"Model","config":{"layers":[{"class_name":"InputLayer","config":{"name":"x"}},{"class_name":"LSTM","config":{"name":"l"},"inbound_nodes":[[["x",0,0,{"initial_state":[["x",0,0]]}]]]}],"input_layers":[["x",0,0]],"output_layers":[["l",0,0]]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &Model{file: "x"}
		if err := m.config(b); err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				t.Fatalf("refused with another kind of error: %v", err)
			}
			return
		}
		m.Root.Walk(func(l *Layer) bool { l.slots(false); return true })
	})
}

// FuzzRead: any file is refused or every weight of it can be read.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/models/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		if strings.HasSuffix(p, ".py") || strings.HasSuffix(p, ".json") {
			continue
		}
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b), int64(len(b)), "x")
		if err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrMissing) {
				t.Fatalf("refused with another kind of error: %v", err)
			}
			return
		}
		for _, name := range m.Names() {
			x, err := m.Tensor(name)
			if err == nil && x.Check() != nil {
				t.Fatal(x.Check())
			}
		}
	})
}

// Whole .h5 files of Keras 3 name no modules, and a spatial dropout's settings lack
// what tells a layer from an operation.
func TestSpatialDropoutIsALayer(t *testing.T) {
	const text = `{"class_name": "Functional", "config": {"name": "m", "layers": [
		{"class_name": "InputLayer", "config": {"batch_shape": [null, 5, 3], "dtype": "float32", "name": "a"}, "name": "a", "inbound_nodes": []},
		{"class_name": "SpatialDropout1D", "config": {"rate": 0.2, "seed": null, "name": "s", "dtype": "float32"}, "name": "s", "inbound_nodes": [{"args": [%[1]s], "kwargs": {}}]},
		{"class_name": "NotEqual", "config": {"name": "n"}, "name": "n", "inbound_nodes": [{"args": [%[1]s, 0], "kwargs": {}}]}],
		"input_layers": [["a", 0, 0]], "output_layers": [["s", 0, 0]]}}`
	const a = `{"class_name": "__keras_tensor__", "config": {"shape": [null, 5, 3], "dtype": "float32", "keras_history": ["a", 0, 0]}}`
	m := &Model{file: "m.h5"}
	if err := m.config(fmt.Appendf(nil, text, a)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true} {
		if l := m.Root.Inner[i]; l.IsOperation() != want {
			t.Errorf("%s: an operation %v, want %v", l.Class, l.IsOperation(), want)
		}
	}
}
