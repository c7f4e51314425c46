package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
)

// quantizedConv writes a convolution as dynamic quantisation leaves it.
func quantizedConv(b *Builder, r *rand.Rand, x string, from, to, size, stride int, bias bool) string {
	n := Node{Op: "DynamicQuantizeLinear", Inputs: []string{x}, Outputs: []string{b.fresh("q"), b.fresh("scale"), b.fresh("zero")}}
	b.Add(n)
	q, scale, zero := n.Outputs[0], n.Outputs[1], n.Outputs[2]
	typ := []Type{U8, U8, I8}[r.IntN(3)]
	w, wz := drawnBytes(r, typ, to, from, size, size), must(New(typ))
	if r.IntN(4) > 0 {
		wz.bytes()[0] = byte(r.IntN(256))
	} else { // a zero point that fits into the weights
		for i := range w.bytes() {
			w.bytes()[i] &= 0x7f
		}
	}
	pad := int64(size / 2)
	y := b.Op("ConvInteger", Attrs{"pads": []int64{pad, pad, pad, pad}, "strides": []int64{int64(stride), 1}}, q, b.Constant("", w), zero, b.Constant("", wz))
	if bias {
		v := must(New(I32, 1, to, 1, 1))
		for i := range Data[int32](v) {
			Data[int32](v)[i] = int32(r.IntN(20000) - 10000)
		}
		y = b.Op("Add", nil, y, b.Constant("", v))
	}
	y = b.Op("Cast", Attrs{"to": int64(1)}, y)
	return b.Op("Mul", nil, y, b.Op("Mul", nil, scale, b.Constant("", Scalar(float32(0.003)))))
}

// TestQuantizedConvolutionsChangeNoBit: a plan that makes one step of each and keeps
// channels last gives what the nodes one by one give, at every level, for weights of
// both signs and every zero point.
func TestQuantizedConvolutionsChangeNoBit(t *testing.T) {
	r, g := rand.New(rand.NewPCG(15, 16)), rng.New(17)
	for trial := range 12 {
		var b Builder
		x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 3}, Dim{Size: 13}, Dim{Size: 22})
		m := []int{16, 24, 40}[trial%3]
		y := quantizedConv(&b, r, x, 3, m, 3, 2, trial%2 == 0)
		y = b.Op("Mul", nil, y, b.Op("Sigmoid", nil, y))
		y = b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Abs", nil, y))) // 1 in what fills up channels
		y = b.Op("Sub", nil, y, b.Constant("", Scalar(float32(2))))
		z := quantizedConv(&b, r, y, m, 48, 1, 1, true)
		z = quantizedConv(&b, r, z, 48, m, 3, 1, trial%2 == 1)
		y = b.Op("Add", nil, y, z)
		y = quantizedConv(&b, r, y, m, 5, 3, 1, true) // too few channels to stay so
		b.Output("y", F32, y)
		in := []Value{drawn(t, g, 1+r.IntN(2), 3, 13, 22)}
		var want []float32
		levels.Each(func(level string) {
			p, got := compiled(t, &b, Limits{}), make([]Value, 1)
			for range 2 {
				if err := p.Run(in, got); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range p.plans.list[0].steps {
				if s.integer != nil {
					t.Errorf("%s: %v is a step of its own", level, s.n)
				}
			}
			if n := testing.AllocsPerRun(3, func() { _ = p.Run(in, got) }); n > 0 {
				t.Errorf("%s: %v allocations a run", level, n)
			}
			p.plans.list, p.plans.eager = nil, true
			alone := make([]Value, 1)
			if err := p.Run(in, alone); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = Data[float32](alone[0])
			}
			for name, v := range map[string]Value{"planned": got[0], "one by one": alone[0]} {
				if err := testkit.SameBits(Data[float32](v), want); err != nil {
					t.Fatalf("%s, trial %d, %s: %v", level, trial, name, err)
				}
			}
		})
	}
}
