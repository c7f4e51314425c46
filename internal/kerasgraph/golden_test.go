package kerasgraph

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/keras"
)

// TestGoldens runs a model for each layer and argument against Keras's own
// results: testdata/make.py wrote both.
func TestGoldens(t *testing.T) {
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
