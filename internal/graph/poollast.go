package graph

import (
	"math"
	"slices"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// maxPoolLast is maxPool32 of images with channels last: a line of the output is the
// maxima of rows of channels, taken in index order.
func maxPoolLast(w *window, images, channels int) kernel {
	wide := k.Pad(channels)
	inside := !slices.Contains(w.from[1], -1) && !slices.Contains(w.from[2], -1)
	line := w.out[2] * wide
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		for i := range images {
			plane := x[i*w.plane()*wide:][:w.plane()*wide]
			for oh := range w.out[1] {
				w.poolLine(dst[(i*w.out[1]+oh)*line:][:line], plane, oh, wide, inside)
			}
		}
		return nil
	}
}

// window22 reports whether the window has two lines of two places.
func (w *window) window22() bool { return w.kernel[1] == 2 && w.kernel[2] == 2 }

// poolLine writes line oh of the output; inside says that no place lies outside.
func (w *window) poolLine(to, plane []float32, oh, wide int, inside bool) {
	n := w.out[2]
	if inside && w.window22() {
		at := func(i int) k.Rows[float32] {
			from := w.from[1][i/2*w.out[1]+oh]*w.in[2] + w.from[2][i%2*n]
			return k.Rows[float32]{Data: plane[from*wide:], Row: w.stride[2] * wide}
		}
		k.Largest4Rows(n, wide, k.Rows[float32]{Data: to, Row: wide}, at(0), at(1), at(2), at(3))
		return
	}
	var first k.Rows[float32] // of the first place, until the second is there
	taken := 0
	if !inside {
		fill(to, float32(math.Inf(-1)))
		taken = 2
	}
	for kh := range w.kernel[1] {
		h := w.from[1][kh*w.out[1]+oh]
		if h < 0 {
			continue
		}
		for kw := range w.kernel[2] {
			from := w.from[2][kw*n : (kw+1)*n]
			lo, hi := 0, n
			for lo < hi && from[lo] < 0 {
				lo++
			}
			for hi > lo && from[hi-1] < 0 {
				hi--
			}
			if lo == hi {
				continue
			}
			rows := k.Rows[float32]{Data: plane[(h*w.in[2]+from[lo])*wide:], Row: w.stride[2] * wide}
			best := k.Rows[float32]{Data: to[lo*wide:], Row: wide}
			switch taken++; taken {
			case 1:
				first = rows
			case 2:
				k.LargerRows(n, wide, best, first, rows)
			default:
				k.LargerRows(hi-lo, wide, best, best, rows)
			}
		}
	}
	if taken == 1 {
		for i := range n {
			copy(to[i*wide:(i+1)*wide], first.At(i, wide))
		}
	}
}
