package unroll_test

import (
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/toy"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// A cell that is added to the table needs nothing else to be a layer: it has
// names, parameters and bounds, draws them, streams, and its gradients, by the
// engine, are the slopes of its own forward pass.
func TestACellIsOneValue(t *testing.T) {
	row, undo := cell.Register(&toy.Kind)
	defer undo()
	mode := unroll.Mode(row)
	if got, err := unroll.ParseMode("MGU"); err != nil || got != mode {
		t.Fatalf("the mode is %v, %v", got, err)
	}
	cfg := unroll.Config{Mode: mode, InputSize: 3, HiddenSize: 18, NumLayers: 2, Bidirectional: true}
	if got := cfg.String(); got != "MGU(3, 18, num_layers=2, bidirectional=True)" {
		t.Errorf("it is called %s", got)
	}
	if got, want := cfg.NumParameters(), float64(2*(2*18*(3+18+2))+2*(2*18*(36+18+2))); got != want {
		t.Errorf("%v parameters, want %v", got, want)
	}
	k := newTrial[float64](t, cfg, 3)
	k.t, k.b, k.lengths = 4, 3, []int{4, 2, 3}
	k.fill(true)
	p := k.pass()
	p.Record, p.Workers = true, 2
	k.forward(t, p)
	kernel.RunInTurns(func(_, n int) []int { return lastFirst(n) })
	grads := k.backward(t, p)
	kernel.RunInTurns(nil)
	loss := func() float64 {
		k.layer.Update(func([]unroll.ParamOf[float64]) {}) // written in place below
		y, sn, err := k.pass().Forward(k.x, k.s0)
		if err != nil {
			t.Fatal(err)
		}
		return dot(y.Data, k.dy.Data) + dot(sn.H.Data, k.dsn.H.Data)
	}
	testkit.Gradient(t, "x", loss, k.x.Data, grads[0].data)
	testkit.Gradient(t, "h_0", loss, k.s0.H.Data, grads[1].data)
	for i, q := range k.layer.Params() {
		testkit.Gradient(t, q.Name, loss, q.Value.Data, grads[3+i].data)
	}
	one := cfg
	one.Bidirectional = false
	l, err := unroll.New(one)
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	x := tensor.New(5, 1, 3)
	rng.Randn(rng.New(2), x.Data)
	y, _, err := l.Forward(x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.NewStream(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		out := make([]float32, 18)
		if err := s.Step(out, x.Data[3*i:3*i+3]); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "a step of the stream", out, y.Data[18*i:18*i+18])
	}
}
