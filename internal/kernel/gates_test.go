package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// gateSlice draws a slice of m rows with its leading dimension; the last row
// has need elements and ends (or the first begins) at forbidden memory.
type gateSlice struct {
	x  []float32
	ld int
}

func (s source) rows(t *testing.T, m, need int) gateSlice {
	g := gateSlice{ld: need + s.IntN(3)*s.IntN(20)}
	g.x = guarded(t, (m-1)*g.ld+need, s.IntN(2) == 0)
	s.fill(g.x)
	for i := range g.x {
		if s.IntN(4) == 0 {
			g.x[i] *= 20 // far tails
		}
	}
	return g
}

// gates are the fused functions, each as a run over drawn slices that returns
// everything it may have written.
var gates = []struct {
	name string
	wide bool // one gate: up to 64 lanes
	run  func(t *testing.T, s source, m, n int) []gateSlice
}{
	{"LSTMForward", false, func(t *testing.T, s source, m, n int) []gateSlice {
		z, c, h, rec := s.rows(t, m, 64), s.rows(t, m, n), s.rows(t, m, n), s.rows(t, m, 64)
		switch s.IntN(3) {
		case 0:
			rec = gateSlice{}
		case 1:
			rec = z
		}
		LSTMForward(m, n, z.x, z.ld, c.x, c.ld, h.x, h.ld, rec.x, rec.ld)
		return []gateSlice{z, c, h, rec}
	}},
	{"GRUForward", false, func(t *testing.T, s source, m, n int) []gateSlice {
		z, x, hp, h := s.rows(t, m, 48), s.rows(t, m, 48), s.rows(t, m, n), s.rows(t, m, n)
		rec, nh := s.rows(t, m, 48), s.rows(t, m, n)
		switch s.IntN(3) {
		case 0:
			rec, nh = gateSlice{}, gateSlice{}
		case 1:
			rec = x
		}
		if s.IntN(2) == 0 {
			h = hp
		}
		GRUForward(m, n, z.x, z.ld, x.x, x.ld, hp.x, hp.ld, h.x, h.ld, rec.x, rec.ld, nh.x, nh.ld)
		return []gateSlice{z, x, hp, h, rec, nh}
	}},
	{"TanhForward", true, func(t *testing.T, s source, m, n int) []gateSlice {
		z, h := s.rows(t, m, n), s.rows(t, m, n)
		TanhForward(m, n, z.x, z.ld, h.x, h.ld)
		return []gateSlice{z, h}
	}},
	{"ReLUForward", true, func(t *testing.T, s source, m, n int) []gateSlice {
		z, h := s.rows(t, m, n), s.rows(t, m, n)
		ReLUForward(m, n, z.x, z.ld, h.x, h.ld)
		return []gateSlice{z, h}
	}},
	{"LSTMBackward", false, func(t *testing.T, s source, m, n int) []gateSlice {
		gate := n + s.IntN(20)
		rec, c, cp, dh := s.rows(t, m, 64), s.rows(t, m, n), s.rows(t, m, n), s.rows(t, m, n)
		dc, dz := s.rows(t, m, n), s.rows(t, m, 3*gate+n)
		LSTMBackward(m, n, rec.x, rec.ld, c.x, c.ld, cp.x, cp.ld, dh.x, dh.ld, dc.x, dc.ld, dz.x, dz.ld, gate)
		return []gateSlice{rec, c, cp, dh, dc, dz}
	}},
	{"GRUBackward", false, func(t *testing.T, s source, m, n int) []gateSlice {
		gate := n + s.IntN(20)
		rec, nh, hp, dh := s.rows(t, m, 48), s.rows(t, m, n), s.rows(t, m, n), s.rows(t, m, n)
		dp, dx := s.rows(t, m, n), s.rows(t, m, 2*gate+n)
		dz := gateSlice{guarded(t, len(dx.x), true), dx.ld}
		if s.IntN(2) == 0 {
			dp = dh
		}
		GRUBackward(m, n, rec.x, rec.ld, nh.x, nh.ld, hp.x, hp.ld, dh.x, dh.ld, dp.x, dp.ld, dx.x, dz.x, dx.ld, gate)
		return []gateSlice{rec, nh, hp, dh, dp, dx, dz}
	}},
	{"TanhBackward", true, func(t *testing.T, s source, m, n int) []gateSlice {
		h, dh, dz := s.rows(t, m, n), s.rows(t, m, n), s.rows(t, m, n)
		TanhBackward(m, n, h.x, h.ld, dh.x, dh.ld, dz.x, dz.ld)
		return []gateSlice{h, dh, dz}
	}},
	{"ReLUBackward", true, func(t *testing.T, s source, m, n int) []gateSlice {
		h, dh, dz := s.rows(t, m, n), s.rows(t, m, n), s.rows(t, m, n)
		ReLUBackward(m, n, h.x, h.ld, dh.x, dh.ld, dz.x, dz.ld)
		return []gateSlice{h, dh, dz}
	}},
	{"FlushTo", true, func(t *testing.T, s source, m, n int) []gateSlice {
		src, dst := s.rows(t, 1, m*n), s.rows(t, 1, m*n)
		if s.IntN(2) == 0 {
			dst = src
		}
		FlushTo(dst.x, src.x)
		return []gateSlice{src, dst}
	}},
	{"TanhTo", true, func(t *testing.T, s source, m, n int) []gateSlice {
		src, dst := s.rows(t, 1, m*n), s.rows(t, 1, m*n)
		TanhTo(dst.x, src.x)
		return []gateSlice{src, dst}
	}},
	{"SigmoidTo", true, func(t *testing.T, s source, m, n int) []gateSlice {
		src, dst := s.rows(t, 1, m*n), s.rows(t, 1, m*n)
		SigmoidTo(dst.x, src.x)
		return []gateSlice{src, dst}
	}},
}

// TestGatesLevelsAgree: every level leaves the memory the definition leaves,
// for every number of rows and lanes, with and without a record.
func TestGatesLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	eachLevel(t, func(t *testing.T, level string) {
		for _, g := range gates {
			t.Run(g.name, func(t *testing.T) {
				lanes := Lane
				if g.wide {
					lanes = 4 * Lane
				}
				for n := 1; n <= lanes; n++ {
					for _, m := range []int{1, 2, 3, 1 + r.IntN(20)} {
						t.Run("", func(t *testing.T) {
							seed, odd := r.Uint64(), []int{0, 3, 30}[r.IntN(3)]
							at := func(level string) (out []gateSlice) {
								atLevel(t, level, func() {
									out = g.run(t, source{rand.New(rand.NewPCG(seed, 1)), odd}, m, n)
								})
								return out
							}
							want, got := at("go"), at(level)
							for i := range want {
								sameBits(t, fmt.Sprintf("m %d n %d slice %d", m, n, i), got[i].x, want[i].x)
							}
						})
					}
				}
			})
		}
	})
}

// TestGatesManyRows: more rows than one call of assembly does.
func TestGatesManyRows(t *testing.T) {
	const m, n = 9000, 5
	x := make([]float32, m*n)
	source{rand.New(rand.NewPCG(1, 1)), 9}.fill(x)
	long := make([]float32, 200_001)
	source{rand.New(rand.NewPCG(2, 1)), 9}.fill(long)
	run := func(level string) (h, f []float32) {
		h, f = make([]float32, m*n), make([]float32, len(long))
		atLevel(t, level, func() {
			TanhForward(m, n, x, n, h, n)
			FlushTo(f, long)
		})
		return h, f
	}
	wantH, wantF := run("go")
	eachLevel(t, func(t *testing.T, level string) {
		h, f := run(level)
		sameBits(t, "TanhForward", h, wantH)
		sameBits(t, "FlushTo", f, wantF)
	})
}

// TestGatesAllocateNothing: steps of a stream call them for every panel.
func TestGatesAllocateNothing(t *testing.T) {
	x := make([]float32, 256)
	for _, level := range Levels() {
		atLevel(t, level, func() {
			if n := testing.AllocsPerRun(10, func() {
				LSTMForward(1, 16, x, 64, x[64:], 16, x[80:], 16, nil, 0)
				GRUForward(1, 16, x, 48, x[64:], 48, x[112:], 16, x[128:], 16, nil, 0, nil, 0)
				TanhForward(1, 16, x, 16, x, 16)
				FlushTo(x, x)
			}); n != 0 {
				t.Errorf("%s: %v allocations", level, n)
			}
		})
	}
}

// TestReLUBackwardOfNaN: torch.relu of [nan, 1, -1, 0] has the gradient
// [1, 1, 0, 0].
func TestReLUBackwardOfNaN(t *testing.T) {
	for _, level := range Levels() {
		atLevel(t, level, func() {
			dz := make([]float32, 4)
			ReLUBackward(1, 4, []float32{float32(math.NaN()), 1, 0, 0}, 4, []float32{1, 1, 1, 1}, 4, dz, 4)
			sameBits(t, level, dz, []float32{1, 1, 0, 0})
		})
	}
}
