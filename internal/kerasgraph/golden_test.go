package kerasgraph

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// TestGoldens runs a model for each layer and argument against Keras's own
// results: testdata/make.py wrote both.
func TestGoldens(t *testing.T) { goldens(t, "testdata", ".keras", 150) }

// TestGoldensOfKeras2 runs .h5 files as Keras 2 writes them against its own results:
// testdata/keras2/make.py wrote both.
func TestGoldensOfKeras2(t *testing.T) { goldens(t, "testdata/keras2", ".h5", 8) }

// goldens runs the models of a folder, so many at least, against the results in its
// io.npz.
func goldens(t *testing.T, folder, ending string, least int) {
	numbers, err := array.Open(filepath.Join(folder, "io.npz"), array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	files, err := filepath.Glob(filepath.Join(folder, "*"+ending))
	if err != nil || len(files) < least {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ending)
		t.Run(name, func(t *testing.T) {
			m, err := keras.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			p, err := compile(m)
			if err != nil {
				t.Fatal(err)
			}
			if worst, err := runs(t, p, numbers, name+"/"); err != nil {
				t.Errorf("%v (largest difference %.2g)", err, worst)
			}
		})
	}
}

// TestKeras2Calls runs a golden whose settings are written as Keras 2 writes
// them: lists, and initial states among the inputs.
func TestKeras2Calls(t *testing.T) {
	lstm := `"units": 2, "return_state": true, "activation": "tanh", "recurrent_activation": "sigmoid"`
	text := `{"class_name": "Model", "keras_version": "2.3.1", "backend": "tensorflow", "config": {"name": "m", "layers": [
		{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4, 3], "dtype": "float32", "name": "a"}, "name": "a", "inbound_nodes": []},
		{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 5, 3], "dtype": "float32", "name": "b"}, "name": "b", "inbound_nodes": []},
		{"class_name": "LSTM", "config": {"name": "l", ` + lstm + `}, "name": "l", "inbound_nodes": [[["a", 0, 0, {}]]]},
		{"class_name": "LSTM", "config": {"name": "l1", "return_sequences": true, ` + lstm + `}, "name": "l1", "inbound_nodes": [[["b", 0, 0, {}], ["l", 0, 1, {}], ["l", 0, 2, {}]]]}],
		"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["l1", 0, 0]]}}`
	m, err := keras.Assemble([]byte(text), "old.json", weightsOf(t, "testdata/seq2seq.keras"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := compile(m)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := array.Open("testdata/io.npz", array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	if _, err := runs(t, p, numbers, "seq2seq/"); err != nil {
		t.Error(err)
	}
}

// TestGoldensHaveABatchAxis: every model of Keras computes its sequences
// independently of each other, along the first axis of inputs and outputs.
func TestGoldensHaveABatchAxis(t *testing.T) {
	numbers, err := array.Open("testdata/io.npz", array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	files, err := filepath.Glob("testdata/*.keras")
	if err != nil || len(files) < 150 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".keras")
		m, err := keras.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		p, err := compile(m)
		if err != nil {
			t.Fatal(err)
		}
		var in []graph.Value
		for i, port := range p.Graph().Inputs {
			x, err := numbers.Tensor(fmt.Sprintf("%s/in%d", name, i))
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, given(t, x, port.Type))
		}
		from, to, ok, why, err := p.BatchAxes(in)
		if err != nil || !ok || slices.Max(slices.Concat(from, to)) != 0 || slices.Min(slices.Concat(from, to)) != 0 {
			t.Errorf("%s: axes %v to %v, %v: %s, %v", name, from, to, ok, why, err)
		}
	}
}
