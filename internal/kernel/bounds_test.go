//go:build (amd64 || arm64) && !purego

package kernel

import (
	"testing"
	"unsafe"
)

// TestArgumentsStayInBounds: whatever microkernels walk the panels, the
// pointers that the assembly moves on end at the last panel and not beyond it.
func TestArgumentsStayInBounds(t *testing.T) {
	eachLevel(t, func(t *testing.T, name string) {
		atLevel(t, name, func() {
			for nv := 1; nv <= 4; nv++ {
				for m := 1; m <= 9; m++ {
					for panels := 1; panels <= 8; panels++ {
						const depth = 5
						cols := nv * Lane
						w, dst, init := make([]float32, panels*depth*cols), make([]float32, panels*m*cols), make([]float32, panels*cols)
						a := make([]float32, m*depth)
						width := 4 - 2*(panels%2) // bfloat16 too, in half the memory
						g := mulArgs{
							w: unsafe.Pointer(&w[0]), panel: depth * cols * width, depth: depth,
							width: width, set: map[int]*microLevel{4: &microLevels[level.Load()], 2: &microLevelsH[level.Load()]}[width],
							dst: unsafe.Pointer(&dst[0]), dstPanel: m * cols * 4, dstRow: cols * 4,
							init: unsafe.Pointer(&init[0]), initPanel: cols * 4,
							last: unsafe.Pointer(&init[cols-Lane]), lastPanel: cols * 4,
							a: unsafe.Pointer(&a[0]), row: depth * 4, col: 4,
						}
						g.panelsOf(level.Load(), panels, nv, m)
						last := panels - 1
						if g.w != unsafe.Add(unsafe.Pointer(&w[0]), last*depth*cols*width) || g.dst != unsafe.Pointer(&dst[last*m*cols]) ||
							g.init != unsafe.Pointer(&init[last*cols]) || g.last != unsafe.Pointer(&init[last*cols+cols-Lane]) {
							t.Fatalf("%d panels of %d vectors, %d rows: an argument does not end at the last panel", panels, nv, m)
						}
					}
				}
			}
		})
	})
}

// TestArgumentsOfIntegersStayInBounds is it for products of 8-bit integers.
func TestArgumentsOfIntegersStayInBounds(t *testing.T) {
	eachLevel8(t, func(t *testing.T, name string) {
		before := level.Load()
		defer level.Store(before)
		if err := SetLevel(name); err != nil {
			t.Fatal(err)
		}
		micros := micros8Of(level.Load())
		if level.Load() == levelGo || micros == nil {
			t.Skip("no vectors of bytes")
		}
		for nv := 1; nv <= 4; nv++ {
			for m := 1; m <= 9; m++ {
				for panels := 1; panels <= 8; panels++ {
					const groups = 3
					cols := nv * Lane
					w, a := make([]int8, panels*groups*4*cols), make([]uint8, m*groups*4)
					dst, init := make([]float32, panels*m*cols), make([]float32, panels*cols)
					scale, shift, steps := make([]float32, panels*cols), make([]int32, panels*cols), make([]Steps, m)
					g := mul8Args{
						w: unsafe.Pointer(&w[0]), panel: groups * 4 * cols, groups: groups,
						scale: unsafe.Pointer(&scale[0]), shift: unsafe.Pointer(&shift[0]), own: unsafe.Pointer(&shift[0]), cols: cols * 4,
						dst: unsafe.Pointer(&dst[0]), dstPanel: m * cols * 4, dstRow: cols * 4,
						init: unsafe.Pointer(&init[0]), initPanel: cols * 4,
						last: unsafe.Pointer(&init[cols-Lane]), lastPanel: cols * 4,
						a: unsafe.Pointer(&a[0]), row: groups * 4, steps: unsafe.Pointer(&steps[0]), stepsRow: int(unsafe.Sizeof(Steps{})),
					}
					most := microRows
					for micros[most-1][nv-1] == 0 {
						most--
					}
					g.rows(micros, most, nv, m)
					g.panelsOf(micros, panels, 1+panels%3)
					at := (panels - 1) * cols
					if g.w != unsafe.Pointer(&w[at*groups*4]) || g.dst != unsafe.Pointer(&dst[at*m]) || g.scale != unsafe.Pointer(&scale[at]) ||
						g.shift != unsafe.Pointer(&shift[at]) || g.init != unsafe.Pointer(&init[at]) || g.last != unsafe.Pointer(&init[at+cols-Lane]) {
						t.Fatalf("%d panels of %d vectors, %d rows: an argument does not end at the last panel", panels, nv, m)
					}
				}
			}
		}
	})
}
