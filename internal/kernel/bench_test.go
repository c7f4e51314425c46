package kernel

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkMul reports GFLOP/s and the share of the measured peak. The shapes
// are a step of the benchmark's workloads (m = batch) and a projection.
func BenchmarkMul(b *testing.B) {
	peak := PeakGFLOPS(50 * time.Millisecond)
	for _, c := range []struct{ k, units, gates, m int }{
		{256, 256, 4, 1},
		{128, 128, 3, 1},
		{256, 256, 1, 1},
		{650, 650, 4, 20},
		{650, 650, 4, 700},
		{1024, 1024, 3, 64},
		{1024, 1024, 3, 640},
		{1040, 1024, 3, 64},
		{256, 256, 4, 32},
		{256, 256, 4, 256},
	} {
		b.Run(fmt.Sprintf("k%d_u%d_g%d_m%d", c.k, c.units, c.gates, c.m), func(b *testing.B) {
			p := NewPanels[float32](c.k, c.units, c.gates)
			for i := range p.Data {
				p.Data[i] = float32(i%17) * 0.01
			}
			cols := p.MaxCols()
			dst, init, a := make([]float32, p.Len()*c.m*cols), make([]float32, p.Len()*cols), make([]float32, c.m*c.k)
			for i := range a {
				a[i] = float32(i%13) * 0.1
			}
			for b.Loop() {
				Mul(p, 0, p.Len(), Block[float32]{dst, c.m * cols, cols}, Block[float32]{init, cols, 0}, nil, Rows[float32]{a, c.k}, c.m)
			}
			gf := 2 * float64(c.m*c.k*c.gates*c.units) * float64(b.N) / float64(b.Elapsed().Nanoseconds())
			b.ReportMetric(gf, "GFLOP/s")
			b.ReportMetric(100*gf/peak, "%peak")
		})
	}
}
