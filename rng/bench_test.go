package rng

import "testing"

func bench[F Float](b *testing.B, n int, fill func(g *Generator, dst []F) error) {
	g, dst := New(1), make([]F, n)
	b.ReportAllocs()
	for b.Loop() {
		if err := fill(g, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
}

func BenchmarkRand(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float32) error { Rand(g, x); return nil })
}

func BenchmarkRandFloat64(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float64) error { Rand(g, x); return nil })
}

func BenchmarkUniform(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float32) error { return Uniform(g, x, -0.1, 0.1) })
}

func BenchmarkRandn(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float32) error { Randn(g, x); return nil })
}

func BenchmarkRandnScalar(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float32) error { g.Scalar = true; Randn(g, x); return nil })
}

func BenchmarkRandnFloat64(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float64) error { Randn(g, x); return nil })
}

func BenchmarkDropout(b *testing.B) {
	bench(b, 10000, func(g *Generator, x []float32) error { return Dropout(g, x, 0.1) })
}
