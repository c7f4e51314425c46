package kerasgraph

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/keras"
)

// TestGoldensOfKeras2 runs .h5 files as Keras 2 writes them against its own results:
// testdata/keras2/make.py wrote both.
func TestGoldensOfKeras2(t *testing.T) {
	numbers, err := array.Open("testdata/keras2/io.npz", array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	files, err := filepath.Glob("testdata/keras2/*.h5")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".h5")
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
