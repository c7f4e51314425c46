package graph

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// allFunctions are all activations, with constants where they have some.
var allFunctions = []onnx.Activation{
	{Name: "Tanh"},
	{Name: "Sigmoid"},
	{Name: "Relu"},
	{Name: "Softsign"},
	{Name: "Softplus"},
	{Name: "Affine", Alpha: 0.5, Beta: 0.25},
	{Name: "LeakyRelu", Alpha: 0.1},
	{Name: "ThresholdedRelu", Alpha: 0.3},
	{Name: "ScaledTanh", Alpha: 0.8, Beta: 1.2},
	{Name: "HardSigmoid", Alpha: 0.3, Beta: 0.4},
	{Name: "Elu", Alpha: 0.7},
}

// drawnNode is a drawn node, and the same for the textbook.
type drawnNode struct {
	r         *onnx.Recurrent
	x, h0, c0 tensor.Dense
	lengths   []int
	op        ref.ONNXOp
	// ref's inputs; the order of gates there is ONNX's.
	want ref.ONNXInput
}

func draw(t *testing.T, g *rng.Generator) drawnNode {
	t.Helper()
	pick := func(n int) int { return int(g.Uint32() % uint32(n)) }
	numbers := func(shape ...int) tensor.Dense {
		d := tensor.New(shape...)
		if err := rng.Uniform(g, d.Data, -0.5, 0.5); err != nil {
			t.Fatal(err)
		}
		return d
	}
	wide := func(d tensor.Dense) []float64 { return tensor.Convert[float64](d).Data }
	op := []string{"RNN", "LSTM", "GRU"}[pick(3)]
	torch, theirs := map[string]string{"RNN": "h", "LSTM": "ifgo", "GRU": "rzn"}[op], map[string]string{"RNN": "h", "LSTM": "iofg", "GRU": "zrn"}[op]
	T, B, I, H, G := 1+pick(5), 1+pick(3), 1+pick(4), 1+pick(5), len(torch)
	r := &onnx.Recurrent{Op: op, InputSize: I, HiddenSize: H, NoBias: pick(4) == 0}
	r.Direction = []string{"forward", "reverse", "bidirectional"}[pick(3)]
	r.Clip = []float32{0, 0.25}[pick(2)]
	r.BatchFirst = pick(2) == 0
	r.InputForget, r.Peepholes = op == "LSTM" && pick(2) == 0, op == "LSTM" && pick(2) == 0
	r.LinearBeforeReset = op == "GRU" && pick(2) == 0
	D, per := r.Directions(), map[string]int{"RNN": 1, "LSTM": 3, "GRU": 2}[op]
	d := drawnNode{r: r}
	for range D * per {
		a := allFunctions[pick(len(allFunctions))]
		r.Activations = append(r.Activations, a)
		d.op.Activations = append(d.op.Activations, a.Name)
		if a.Alpha != 0 {
			d.op.Alpha = append(d.op.Alpha, float64(a.Alpha))
		}
		if a.Beta != 0 {
			d.op.Beta = append(d.op.Beta, float64(a.Beta))
		}
	}
	// onnxOrder takes blocks of rows from PyTorch's order of gates to ONNX's.
	onnxOrder := func(v []float64, from, to string) (out []float64) {
		size := len(v) / len(from)
		for _, gate := range to {
			at := slices.Index([]rune(from), gate)
			out = append(out, v[at*size:(at+1)*size]...)
		}
		return out
	}
	for dir := range D {
		end := []string{"_l0", "_l0_reverse"}[dir]
		add := func(name, from, to string, into *[]float64, shape ...int) {
			v := numbers(shape...)
			r.Params = append(r.Params, checkpoint.Of(name+end, v))
			*into = append(*into, onnxOrder(wide(v), from, to)...)
		}
		add("weight_ih", torch, theirs, &d.want.W, G*H, I)
		add("weight_hh", torch, theirs, &d.want.R, G*H, H)
		if !r.NoBias {
			add("bias_ih", torch, theirs, &d.want.Bias, G*H)
			add("bias_hh", torch, theirs, &d.want.Bias, G*H)
		}
		if r.Peepholes {
			add("weight_peephole", "ifo", "iof", &d.want.P, 3*H)
		}
	}
	x, states := []int{T, B, I}, []int{D, B, H}
	if r.BatchFirst {
		x, states = []int{B, T, I}, []int{B, D, H}
	}
	d.x = numbers(x...)
	d.want.T, d.want.B, d.want.I, d.want.X = T, B, I, wide(d.x)
	if pick(2) == 0 {
		d.h0 = numbers(states...)
		d.want.H0 = wide(d.h0)
	}
	if op == "LSTM" && pick(2) == 0 {
		d.c0 = numbers(states...)
		d.want.C0 = wide(d.c0)
	}
	if pick(2) == 0 {
		for range B {
			d.lengths = append(d.lengths, 1+pick(T))
		}
		d.want.Lengths = d.lengths
	}
	d.op.Op, d.op.Direction, d.op.HiddenSize, d.op.Clip = op, r.Direction, H, float64(r.Clip)
	d.op.InputForget, d.op.LinearBeforeReset, d.op.BatchFirst = r.InputForget, r.LinearBeforeReset, r.BatchFirst
	return d
}

// Drawn nodes with drawnNode settings, as layers, give what the published definition
// gives in float64, also from many goroutines at once.
func TestDrawnNodesGiveTheDefinitionsNumbers(t *testing.T) {
	g := rng.New(21)
	for i := range 500 {
		d := draw(t, g)
		what := fmt.Sprintf("draw %d, %+v", i, d.op)
		cfg, err := LayerConfig(d.r)
		if err != nil {
			t.Fatal(what, err)
		}
		l, err := unroll.New(cfg)
		if err != nil {
			t.Fatal(what, err)
		}
		params := map[string]tensor.Dense{}
		for _, p := range d.r.Params {
			if params[p.Name], err = checkpoint.FloatOf[float32](p); err != nil {
				t.Fatal(what, err)
			}
		}
		if err := l.Load(params); err != nil {
			t.Fatal(what, err)
		}
		run := func() (y, h, c tensor.Dense) {
			p := unroll.Pass{Layer: l, Lengths: d.lengths}
			s0 := unroll.State{H: d.states(d.h0), C: d.states(d.c0)}
			if cfg.HasCell() && s0.H.IsZero() != s0.C.IsZero() {
				zeros := tensor.New(d.r.Directions(), d.want.B, d.r.HiddenSize)
				if s0.H.IsZero() {
					s0.H = zeros
				} else {
					s0.C = zeros
				}
			}
			y, sn, err := p.Forward(d.x, s0)
			if err != nil {
				t.Error(what, err)
			}
			return d.y(y), d.states(sn.H), d.states(sn.C)
		}
		y, h, c := run()
		want := ref.RunONNX(d.op, d.want)
		testkit.Close(t, what+" Y", y.Data, want.Y, testkit.Default[float32]())
		testkit.Close(t, what+" Y_h", h.Data, want.YH, testkit.Default[float32]())
		testkit.Close(t, what+" Y_c", c.Data, want.YC, testkit.Default[float32]())
		if i%50 == 0 {
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() {
					again, _, _ := run()
					testkit.BitsDense(t, what, again, y)
				})
			}
			wait.Wait()
		}
		if t.Failed() {
			return
		}
	}
}

// states takes a state between the layer's [D,B,H] and the node's form, which
// with layout 1 is [B,D,H].
func (d drawnNode) states(s tensor.Dense) tensor.Dense {
	if s.IsZero() || !d.r.BatchFirst {
		return s
	}
	a, b, h := s.Shape[0], s.Shape[1], s.Shape[2]
	out := tensor.New(b, a, h)
	for i := range a {
		for j := range b {
			copy(out.Data[(j*a+i)*h:][:h], s.Data[(i*b+j)*h:])
		}
	}
	return out
}

// y takes the layer's output [T,B,D*H] to Y [T,D,B,H]; with layout 1 both begin
// with [B,T].
func (d drawnNode) y(y tensor.Dense) tensor.Dense {
	D, H := d.r.Directions(), d.r.HiddenSize
	if d.r.BatchFirst || D == 1 {
		return y
	}
	T, B := y.Shape[0], y.Shape[1]
	out := tensor.New(T, D, B, H)
	for t := range T {
		for b := range B {
			for k := range D {
				copy(out.Data[((t*D+k)*B+b)*H:][:H], y.Data[((t*B+b)*D+k)*H:])
			}
		}
	}
	return out
}
