package model_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// layerFiles are files of one LSTM of H inputs and units, whose weights take 32*H*H
// bytes.
func layerFiles(tb testing.TB, h int) map[string]string {
	tb.Helper()
	l, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: h, HiddenSize: h})
	if err != nil {
		tb.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of(p.Name, p.Value))
	}
	dir := tb.TempDir()
	files := map[string]string{"safetensors": filepath.Join(dir, "l.safetensors")}
	if err := safetensors.WriteFile(files["safetensors"], set, nil); err != nil {
		tb.Fatal(err)
	}
	m, err := model.Options{Layout: model.TimeFirst}.Open(files["safetensors"])
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	for _, ending := range []string{"pt", "onnx"} {
		files[ending] = filepath.Join(dir, "l."+ending)
		if _, err := m.SaveAs(files[ending], model.SaveOptions{}); err != nil {
			tb.Fatal(err)
		}
	}
	return files
}

// loadAndStep opens a file and runs one step, which packs the weights.
func loadAndStep(tb testing.TB, path string, h int) {
	tb.Helper()
	m, err := model.Options{Layout: model.TimeFirst}.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	x, err := model.FromDense(tensor.New(1, 1, h))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := m.Run(map[string]model.Value{m.Inputs()[0].Name: x}); err != nil {
		tb.Fatal(err)
	}
}

// TestLoadingTakesEachNumberTwice: what a model allocates from opening to its first
// step is its parameters and their packed copy; an ONNX file's also pass through a
// constant and its gates in another order.
func TestLoadingTakesEachNumberTwice(t *testing.T) {
	const h = 512
	for ending, path := range layerFiles(t, h) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		loadAndStep(t, path, h)
		runtime.ReadMemStats(&after)
		most := 2.1
		if ending == "onnx" {
			most = 4.2
		}
		if got := float64(after.TotalAlloc-before.TotalAlloc) / (32 * h * h); got > most {
			t.Errorf("%s: %.2f times the weights were allocated, expected at most %v", ending, got, most)
		}
	}
}

// BenchmarkLoad is a file of 134 MB from opening to the first step, beside reading its
// bytes into new memory.
func BenchmarkLoad(b *testing.B) {
	const h = 2048
	for ending, path := range layerFiles(b, h) {
		b.Run(ending, func(b *testing.B) {
			b.SetBytes(32 * h * h)
			for b.Loop() {
				loadAndStep(b, path, h)
			}
		})
		b.Run(ending+" bytes alone", func(b *testing.B) {
			b.SetBytes(32 * h * h)
			for b.Loop() {
				if _, err := os.ReadFile(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
