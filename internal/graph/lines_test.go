package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	k "github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
)

// plainFloatConv is the definition of docs/graph.md: from the bias, over (channel,
// place in the kernel) in index order, one fused multiply-add a term.
func plainFloatConv(x, w, bias Value, stride, dilation, pads [2]int) []float32 {
	n, c, h, wide := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	m, kh, kw := w.Shape[0], w.Shape[2], w.Shape[3]
	oh := (h+2*pads[0]-(kh-1)*dilation[0]-1)/stride[0] + 1
	ow := (wide+2*pads[1]-(kw-1)*dilation[1]-1)/stride[1] + 1
	in, weights, b := Data[float32](x), Data[float32](w), Data[float32](bias)
	var out []float32
	for i := range n * m * oh * ow {
		image, ch, row, col := i/(m*oh*ow), i/(oh*ow)%m, i/ow%oh, i%ow
		acc := b[ch]
		for j := range c * kh * kw {
			y, z := row*stride[0]-pads[0]+j/kw%kh*dilation[0], col*stride[1]-pads[1]+j%kw*dilation[1]
			v := float32(0)
			if y >= 0 && y < h && z >= 0 && z < wide {
				v = in[((image*c+j/(kh*kw))*h+y)*wide+z]
			}
			acc = k.FMA32(v, weights[ch*c*kh*kw+j], acc)
		}
		out = append(out, acc)
	}
	return out
}

// TestConvolutionIsItsDefinition: bit for bit at every level, for strides, dilations,
// pads, one column, one line, channels on both sides of whole vectors.
func TestConvolutionIsItsDefinition(t *testing.T) {
	r, g := rand.New(rand.NewPCG(3, 4)), rng.New(4)
	for trial := range 60 {
		c, m := 1+r.IntN(20), 8+r.IntN(70)
		stride, dilation, pads := [2]int{1 + r.IntN(2), 1 + r.IntN(3)}, [2]int{1 + r.IntN(2), 1 + r.IntN(2)}, [2]int{r.IntN(3), r.IntN(3)}
		kh, kw := 1+r.IntN(3), 1+r.IntN(3)
		h, wide := (kh-1)*dilation[0]+1+r.IntN(8), (kw-1)*dilation[1]+1+r.IntN(20)
		if trial%5 == 0 {
			wide, pads[1] = (kw-1)*dilation[1]+1, 0
		}
		x, w, bias := drawn(t, g, 1+r.IntN(2), c, h, wide), drawn(t, g, m, c, kh, kw), drawn(t, g, m)
		var b Builder
		in := b.Input("x", F32, fixedDims(x.Shape)...)
		y := b.Op("Conv", Attrs{
			"strides": []int64{int64(stride[0]), int64(stride[1])}, "dilations": []int64{int64(dilation[0]), int64(dilation[1])},
			"pads": []int64{int64(pads[0]), int64(pads[1]), int64(pads[0]), int64(pads[1])},
		}, in, b.Constant("w", w), b.Constant("b", bias))
		relu := trial%2 == 0
		want := plainFloatConv(x, w, bias, stride, dilation, pads)
		if relu {
			y = b.Op("Relu", nil, y)
			for i, v := range want {
				want[i] = max(v, 0)
			}
		}
		b.Output("y", F32, y)
		levels.Each(func(level string) {
			p, out := compiled(t, &b, Limits{}), make([]Value, 1)
			for range 2 { // in fresh memory and in used memory
				if err := p.Run([]Value{x}, out); err != nil {
					t.Fatal(err)
				}
				if err := testkit.SameBits(Data[float32](out[0]), want); err != nil {
					t.Fatalf("%s, trial %d, %v by %v, stride %v, dilation %v, pads %v: %v", level, trial, x.Shape, w.Shape, stride, dilation, pads, err)
				}
			}
		})
	}
}

// held builds a network whose values can stay with channels last for a while: what
// reads them are convolutions, poolings, sums, functions, and others.
func heldNetwork(t *testing.T, b *Builder, r *rand.Rand, g *rng.Generator) {
	x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 3}, Dim{Size: 18}, Dim{Size: 23})
	conv := func(x string, from, to, size int64) string {
		w := drawn(t, g, int(to), int(from), int(size), int(size))
		return b.Op("Conv", Attrs{"pads": []int64{size / 2, size / 2, size / 2, size / 2}}, x, b.Constant("", w), b.Constant("", drawn(t, g, int(to))))
	}
	m := int64([]int{16, 24, 40}[r.IntN(3)])
	y := b.Op("Relu", nil, conv(x, 3, m, 3))
	y = b.Op("MaxPool", Attrs{"kernel_shape": []int64{2, 3}, "strides": []int64{2, 1}, "pads": []int64{int64(r.IntN(2)), 1, 0, 1}}, y)
	z := conv(y, m, m, 3)
	z = b.Op("Mul", nil, z, b.Op("Sigmoid", nil, z))
	y = b.Op("Add", nil, y, conv(z, m, m, 1))
	if r.IntN(2) == 0 {
		b.Output("mid", F32, y) // read by an output too
	}
	y = b.Op("Div", nil, y, b.Constant("", Scalar(float32(3))))
	y = b.Op("MaxPool", Attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}, y)
	y = b.Op("Conv", Attrs{"group": int64(2)}, y, b.Constant("", drawn(t, g, int(m), int(m/2), 1, 1))) // not one group
	y = b.Op("MaxPool", Attrs{"kernel_shape": []int64{1, 1}}, conv(b.Op("Relu", nil, conv(y, m, 32, 1)), 32, 16, 1))
	b.Output("y", F32, b.Op("Transpose", Attrs{"perm": []int64{3, 0, 1, 2}}, y))
	b.Output("sum", F32, b.Op("ReduceSum", nil, y))
	y = b.Op("MaxPool", Attrs{"kernel_shape": []int64{4, 1}}, b.Op("Abs", nil, y)) // one line of positions
	y = b.Op("Squeeze", nil, y, b.Constant("", Vector(int64(2))))
	b.Output("line", F32, b.Op("Transpose", Attrs{"perm": []int64{2, 0, 1}}, y))
}

// TestHeldChannelsChangeNoBit: a plan whose values keep channels last gives what the
// steps one by one give, for batches and at every level, and holds some.
func TestHeldChannelsChangeNoBit(t *testing.T) {
	r, g := rand.New(rand.NewPCG(5, 6)), rng.New(7)
	for trial := range 8 {
		var b Builder
		heldNetwork(t, &b, r, g)
		x := drawn(t, g, 1+r.IntN(3), 3, 18, 23)
		if trial == 7 {
			Data[float32](x)[700], Data[float32](x)[40] = float32(math.NaN()), 0x1p-120
		}
		var want []Value
		levels.Each(func(level string) {
			p := compiled(t, &b, Limits{})
			got := make([]Value, len(p.graph.Outputs))
			for range 2 {
				if err := p.Run([]Value{x}, got); err != nil {
					t.Fatal(err)
				}
			}
			if n := heldBy(p); n < 8 {
				t.Errorf("%s: %d values held with channels last", level, n)
			}
			p.plans.list, p.plans.eager = nil, true
			alone := make([]Value, len(got))
			if err := p.Run([]Value{x}, alone); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = alone
			}
			for i := range got {
				for name, v := range map[string]Value{"held": got[i], "one by one": alone[i]} {
					if err := testkit.SameBits(Data[float32](v), Data[float32](want[i])); err != nil {
						t.Fatalf("%s, trial %d, output %d, %s: %v", level, trial, i, name, err)
					}
				}
			}
		})
	}
}

// heldBy counts the results of a plan's steps whose shape no node gave them.
func heldBy(p *Program) (n int) {
	for _, s := range p.plans.list[0].steps {
		if o := s.out[0]; len(o.shape) == 4 && o.shape[3]%k.Lane == 0 && s.n.Op != "Transpose" {
			n++
		}
	}
	return n
}

// TestHeldRunsAllocateNothing: also with what brings values back.
func TestHeldRunsAllocateNothing(t *testing.T) {
	r, g := rand.New(rand.NewPCG(8, 9)), rng.New(10)
	var b Builder
	heldNetwork(t, &b, r, g)
	in := []Value{drawn(t, g, 2, 3, 18, 23)}
	levels.Each(func(level string) {
		p := compiled(t, &b, Limits{})
		out := make([]Value, len(p.graph.Outputs))
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() { _ = p.Run(in, out) }); n > 0 {
			t.Errorf("%s: %s allocations a run", level, fmt.Sprint(n))
		}
	})
}

// TestDirectionsStayTogether: a recurrent node whose directions the step behind it
// brings together writes them so, with the same bits, and the step is gone.
func TestDirectionsStayTogether(t *testing.T) {
	g := rng.New(11)
	for _, op := range []string{"LSTM", "GRU"} {
		gates := map[string]int{"LSTM": 4, "GRU": 3}[op]
		var b Builder
		x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: -1}, Dim{Size: 5})
		y := b.Op(op, Attrs{"hidden_size": int64(6), "direction": "bidirectional"}, x,
			b.Constant("", drawn(t, g, 2, gates*6, 5)), b.Constant("", drawn(t, g, 2, gates*6, 6)))
		y = b.Op("Transpose", Attrs{"perm": []int64{0, 2, 1, 3}}, y)
		b.Output("y", F32, b.Op("Reshape", nil, y, b.Constant("", Vector(int64(0), 0, 12))))
		p, got, want := compiled(t, &b, Limits{}), make([]Value, 1), make([]Value, 1)
		in := []Value{drawn(t, g, 7, 3, 5)}
		if err := p.Run(in, got); err != nil {
			t.Fatal(err)
		}
		if n := len(p.plans.list[0].steps); n != 1 {
			t.Errorf("%s: %d steps, want 1", op, n)
		}
		p.plans.list, p.plans.eager = nil, true
		if err := p.Run(in, want); err != nil {
			t.Fatal(err)
		}
		if err := testkit.SameBits(Data[float32](got[0]), Data[float32](want[0])); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}
