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
						g := mulArgs{
							w: unsafe.Pointer(&w[0]), width: 4, set: &microLevels[level.Load()], panel: depth * cols * 4, depth: depth,
							dst: unsafe.Pointer(&dst[0]), dstPanel: m * cols * 4, dstRow: cols * 4,
							init: unsafe.Pointer(&init[0]), initPanel: cols * 4,
							last: unsafe.Pointer(&init[cols-Lane]), lastPanel: cols * 4,
							a: unsafe.Pointer(&a[0]), row: depth * 4, col: 4,
						}
						g.panelsOf(level.Load(), panels, nv, m)
						last := panels - 1
						if g.w != unsafe.Pointer(&w[last*depth*cols]) || g.dst != unsafe.Pointer(&dst[last*m*cols]) ||
							g.init != unsafe.Pointer(&init[last*cols]) || g.last != unsafe.Pointer(&init[last*cols+cols-Lane]) {
							t.Fatalf("%d panels of %d vectors, %d rows: an argument does not end at the last panel", panels, nv, m)
						}
					}
				}
			}
		})
	})
}
