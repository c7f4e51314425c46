package live

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/model"
)

// scaled is a model of an open size and an input that is said once: h becomes h
// plus the rate times the mean of x, and is the output too.
func scaled(t *testing.T) *model.Model {
	t.Helper()
	b := &graph.Builder{}
	any := graph.Dim{Size: -1}
	x := b.Input("x", graph.F32, any, any)
	h := b.Input("h0", graph.F32, any, graph.Dim{Size: 1})
	rate := b.Input("rate", graph.F32)
	mean := b.Op("ReduceMean", graph.Attrs{"keepdims": int64(1)}, x, b.Ints(1))
	hn := b.Op("Add", nil, h, b.Op("Mul", nil, mean, rate))
	b.Output("y", graph.F32, b.Op("Neg", nil, hn), any, graph.Dim{Size: 1})
	b.Output("hn", graph.F32, hn, any, graph.Dim{Size: 1})
	var file bytes.Buffer
	must(t, graph.WriteONNX(&file, b.Graph()))
	path := filepath.Join(t.TempDir(), "m.onnx")
	must(t, os.WriteFile(path, file.Bytes(), 0o600))
	m, err := model.Open(path)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// What is said once of a model is part of what its states are.
func TestSizesAndInputsAreIdentity(t *testing.T) {
	m := scaled(t)
	with := func(n int, rate float32) Target {
		v, err := model.Of([]float32{rate})
		must(t, err)
		target, err := OfModel(m, model.RowsOptions{Set: map[string]model.Value{"rate": v}, Sizes: map[string]int{"x[1]": n}})
		must(t, err)
		return target
	}
	a := with(2, 1)
	for _, c := range []struct {
		other              Target
		signature, digests bool // are equal
	}{{with(2, 1), true, true}, {with(2, 3), true, false}, {with(4, 1), false, false}} {
		if (c.other.Signature() == a.Signature()) != c.signature || (c.other.Digest() == a.Digest()) != c.digests {
			t.Errorf("%q %.8s beside %q %.8s", c.other.Signature(), c.other.Digest(), a.Signature(), a.Digest())
		}
	}
	p, err := Over(with(2, 3), Options{})
	must(t, err)
	defer p.Close()
	y := make([]float32, 1)
	for n := range 3 {
		if must(t, p.Step(ctx, "a", y, []float32{1, 3})); y[0] != -6*float32(n+1) {
			t.Errorf("step %d: %v, expected %v", n, y, -6*(n+1))
		}
	}
	capsule, err := p.Capsule("a")
	must(t, err)
	to, err := Over(a, Options{})
	must(t, err)
	defer to.Close()
	wants(t, "of another rate", to.Restore("a", capsule), ErrForeign)
}
