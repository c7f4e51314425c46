package modelfile

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Keras's own weights give Keras's own numbers.
func TestKerasGoldens(t *testing.T) {
	paths, err := filepath.Glob("../../checkpoint/keras/testdata/*.expect.npz")
	if err != nil || len(paths) != 10 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".expect.npz")
		t.Run(name, func(t *testing.T) {
			e, err := npy.OpenArchive(path)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			x, err := checkpoint.Float[float32](e, "x")
			if err != nil {
				t.Fatal(err)
			}
			want, err := checkpoint.Float[float32](e, "y")
			if err != nil {
				t.Fatal(err)
			}
			f, err := Open(strings.TrimSuffix(path, ".expect.npz") + ".npz")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			opt := Options{Keras: true}
			opt.BatchFirst = true // as Keras always is
			if mode := unroll.RNNReLU; strings.HasSuffix(name, "relu") {
				opt.Mode = &mode
			}
			l, err := f.Load(opt)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Layer.Config().Variant.ResetBefore; got != strings.Contains(name, "reset_before") {
				t.Errorf("reset before the product: %v", got)
			}
			y, _, err := l.Layer.Forward(x, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			testkit.CloseDense(t, "y", y, want, testkit.Default[float32]())
		})
	}
}
