package kerasgraph

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// weightsOf are the weights in a .keras archive.
func weightsOf(t testing.TB, path string) *hdf5.File {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open("model.weights.h5")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hdf5.New(bytes.NewReader(b), int64(len(b)), path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// changed is a golden whose settings were changed.
func changed(t *testing.T, name string, change func(string) string) (*keras.Model, error) {
	t.Helper()
	path := "testdata/" + name + ".keras"
	old := string(config(t, path))
	text := change(old)
	if text == old {
		t.Fatal("nothing was changed")
	}
	return keras.Assemble([]byte(text), "changed.json", weightsOf(t, path))
}

func replaced(from, to string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, from, to) }
}

func TestWhatIsNotSupportedIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		golden string
		change func(string) string
		want   string
	}{
		"a class":          {"dropouts", replaced(`"class_name": "GaussianNoise"`, `"class_name": "IntegerLookup"`), `layer "gaussian_noise": IntegerLookup is not supported`},
		"an activation":    {"act_elu", replaced(`"activation": "elu"`, `"activation": "quick"`), `layer "activation" (Activation): activation "quick" is not supported`},
		"a cell's":         {"lstm_relu", replaced(`"activation": "relu"`, `"activation": "softmax"`), `(LSTM): activation "softmax" is not supported`},
		"an interpolation": {"upsampling2d", replaced(`"nearest"`, `"bicubic"`), `interpolation "bicubic" is not supported`},
		"rms":              {"layernorm", replaced(`"rms_scaling": false`, `"rms_scaling": true`), "rms_scaling is not supported"},
	} {
		m, err := changed(t, tt.golden, tt.change)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, _, err = Build(m, Options{}); !errors.Is(err, graph.ErrOperator) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestAllMissingClassesAreNamed: those of the user's own, inside others too.
func TestAllMissingClassesAreNamed(t *testing.T) {
	m, err := changed(t, "td_dense", func(s string) string {
		s = strings.ReplaceAll(s, `"class_name": "Dense"`, `"class_name": "StringLookup"`)
		return strings.Replace(s, `{"module": "keras.layers", "class_name": "TimeDistributed"`, `{"module": "my.code", "class_name": "Own", "config": {"name": "own"}, "registered_name": "my>Own"}, {"module": "keras.layers", "class_name": "TimeDistributed"`, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Build(m, Options{})
	for _, want := range []string{`layer "own": my>Own is a class of the user's own`, `layer "time_distributed/dense": StringLookup is not supported`} {
		if !errors.Is(err, graph.ErrOperator) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestWhatNoLayerHasIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		golden string
		change func(string) string
		want   string
	}{
		"an axis":     {"batchnorm", replaced(`"axis": -1`, `"axis": 7`), "axis 7 of 3 dimensions"},
		"a type":      {"conv1d", replaced(`"groups": 2`, `"groups": "two"`), `setting groups is "two", expected a whole number`},
		"a kernel":    {"conv1d", replaced(`"kernel_size": [3]`, `"kernel_size": [4]`), "with kernel_size [4]"},
		"strides":     {"conv1d", replaced(`"strides": [2]`, `"strides": [0]`), "setting strides is [0]"},
		"a shape":     {"dense3", replaced(`"batch_shape": [null, 3, 4]`, `"batch_shape": [null, 3, 5]`), "its input has shape [? 3 5], its kernel [4 2]"},
		"dims":        {"permute3", replaced(`"dims": [3, 1, 2]`, `"dims": [3, 3, 2]`), "expected each axis from 1 on once"},
		"merge_mode":  {"bi_lstm_sum", replaced(`"merge_mode": "sum"`, `"merge_mode": "max"`), `merge_mode is "max"`},
		"data_format": {"flatten_first", replaced(`"channels_first"`, `"channels_middle"`), `data_format is "channels_middle"`},
	} {
		m, err := changed(t, tt.golden, tt.change)
		if err == nil {
			_, _, err = Build(m, Options{})
		}
		if !errors.Is(err, graph.ErrGraph) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "layer ") {
			t.Errorf("%s: %v, want %q and the layer", name, err, tt.want)
		}
	}
}

// TestModelsThatCallEachOtherEnd: each of 16 models calls the next 10 times.
func TestModelsThatCallEachOtherEnd(t *testing.T) {
	text := `{"class_name": "ReLU", "config": {"name": "r"}`
	for range 14 {
		calls := strings.TrimSuffix(strings.Repeat(`[["x", 0, 0, {}]],`, 10), ",")
		var outs []string
		for i := range 10 {
			outs = append(outs, fmt.Sprintf(`["r", %d, 0, {}]`, i))
		}
		text = `{"class_name": "Functional", "config": {"name": "r", "layers": [{"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_shape": [null, 3]}, "inbound_nodes": []},` +
			text + `, "name": "r", "inbound_nodes": [` + calls + `]}, {"class_name": "Add", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[` + strings.Join(outs, ",") + `]]}],
			"input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0]]}`
	}
	m, err := keras.Assemble([]byte(text+"}"), "deep.json", weightsOf(t, "testdata/relu.keras"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Build(m, Options{}); !errors.Is(err, graph.ErrGraph) || !strings.Contains(err.Error(), "more than 65536 times") {
		t.Error(err)
	}
}

func TestWeightsAloneAreRefused(t *testing.T) {
	m, err := keras.Open("../../checkpoint/keras/testdata/models/sequential.weights.h5")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, _, err := Build(m, Options{}); !errors.Is(err, graph.ErrGraph) || !strings.Contains(err.Error(), "give the model's JSON beside it") {
		t.Error(err)
	}
}

func TestNotes(t *testing.T) {
	for name, want := range map[string]string{"lstm_stateful": "is stateful in Keras", "mask_initial": "does not use the mask"} {
		m, err := keras.Open("testdata/" + name + ".keras")
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		_, notes, err := Build(m, Options{})
		if err != nil || len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("%s: %q, %v", name, notes, err)
		}
	}
}

// FuzzBuild changes the settings of goldens: they are refused by a kind of error
// or make a program.
func FuzzBuild(f *testing.F) {
	names := []string{"conv1d", "prelu", "bi_gru_sum", "shared_nested", "mask_functional", "rnn_stacked", "dot33", "batchnorm", "td_conv", "layernorm_axes", "normalization", "upsampling2d", "seq2seq", "cropping2d"}
	var weights []*hdf5.File
	for i, name := range names {
		path := filepath.Join("testdata", name+".keras")
		weights = append(weights, weightsOf(f, path))
		f.Add(config(f, path), uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		m, err := keras.Assemble(b, "x", weights[int(which)%len(weights)])
		if err != nil {
			return
		}
		g, _, err := Build(m, Options{})
		if err == nil {
			_, err = graph.Compile(g, graph.Limits{})
		}
		kinds := []error{graph.ErrGraph, graph.ErrOperator, checkpoint.ErrFormat, checkpoint.ErrMissing}
		if err != nil && !slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) }) {
			t.Fatalf("refused with another kind of error: %v", err)
		}
	})
}
