package main

import (
	"fmt"
	"testing"
)

// BenchmarkWorkloads is what "unroll bench" times, for profiles.
func BenchmarkWorkloads(b *testing.B) {
	for _, w := range workloads {
		for _, n := range []int{1, 2} {
			b.Run(fmt.Sprint(w.name, "/", n), func(b *testing.B) {
				call, err := w.call(n)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := call(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(w.flops()*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
