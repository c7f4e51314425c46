package kernel

import (
	"fmt"
	"math"
	"testing"
	"unsafe"
)

// TestLargeMemoryIsMemory: slices that large pages were asked for, and what stands
// beside them, hold what was written, and a slice that suffices is used again.
func TestLargeMemoryIsMemory(t *testing.T) {
	defer func(n int) { hugeLeast = n }(hugeLeast)
	hugeLeast = 1
	var all [][]float32
	for i, n := range []int{0, 1, 1000, 100_000, 700_000, 3, 1_100_000, 50_000} {
		x := Large[float32](nil, n)
		if len(x) != n {
			t.Fatalf("%d elements, want %d", len(x), n)
		}
		for j := range x {
			x[j] = float32(i*7 + j%1000)
		}
		all = append(all, x)
	}
	for i, x := range all {
		for j, v := range x {
			if v != float32(i*7+j%1000) {
				t.Fatalf("slice %d: element %d is %v", i, j, v)
			}
		}
	}
	if x := all[4]; &Large(x, 5)[0] != &x[0] {
		t.Error("a slice that suffices was not used")
	}
}

// TestPackedWeightsAskForLargePages: packed weights ask for them in every form, once
// for all of their bytes, and not for those of a small product.
func TestPackedWeightsAskForLargePages(t *testing.T) {
	defer func(f func(unsafe.Pointer, uintptr)) { ask = f }(ask)
	type memory struct {
		p    unsafe.Pointer
		size uintptr
	}
	var asked []memory
	ask = func(p unsafe.Pointer, size uintptr) { asked = append(asked, memory{p, size}) }
	large, small := NewLayout(513, 400, 3), NewLayout(513, 40, 3)
	var (
		full  Panels[float32]
		half  Panels16
		whole Panels8
	)
	for _, resize := range []func(Layout){
		func(l Layout) { full.Resize(l.K, l.Units, l.Gates) }, half.Resize, whole.Resize,
	} {
		resize(small)
		if len(asked) > 0 {
			t.Fatalf("small weights asked for %v", asked)
		}
		resize(large)
		resize(large)
		if len(asked) != 1 {
			t.Fatalf("asked %d times, want 1", len(asked))
		}
		var want memory
		switch {
		case whole.Data != nil:
			want = memory{unsafe.Pointer(&whole.Data[0]), uintptr(len(whole.Data))}
		case half.Data != nil:
			want = memory{unsafe.Pointer(&half.Data[0]), uintptr(2 * len(half.Data))}
		default:
			want = memory{unsafe.Pointer(&full.Data[0]), uintptr(4 * len(full.Data))}
		}
		if asked[0] != want {
			t.Errorf("asked for %v, want %v", asked[0], want)
		}
		asked = nil
	}
}

// BenchmarkManyWeights is a product of one row with weights that the buffers of
// translations do not cover in small pages.
func BenchmarkManyWeights(b *testing.B) {
	for _, large := range []bool{false, true} {
		b.Run(fmt.Sprint("large pages ", large), func(b *testing.B) {
			defer func(n int) { hugeLeast = n }(hugeLeast)
			if !large {
				hugeLeast = math.MaxInt
			}
			p := NewPanels[float32](1024, 2048, 3)
			for i := range p.Data {
				p.Data[i] = float32(i%19) * 0.1
			}
			cols := p.MaxCols()
			dst, a := make([]float32, p.Len()*cols), make([]float32, 1024)
			for b.Loop() {
				Mul(p, 0, p.Len(), Block[float32]{dst, cols, cols}, Block[float32]{}, nil, Rows[float32]{a, 1024}, 1)
			}
			b.ReportMetric(float64(4*len(p.Data))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
		})
	}
}
