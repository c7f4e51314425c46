package graph

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Operators of sound: Fourier transforms, windows, mel filters. A transform is its
// definition, a sum in index order in float64, rounded once.

func signalRows() []row {
	window := []string{"output_datatype", "periodic"}
	return []row{
		{op: "DFT", since: 17, min: 1, max: 2, attrs: []string{"axis", "inverse", "onesided"}, plan: planDFT},
		{op: "DFT", since: 20, min: 1, max: 3, attrs: []string{"inverse", "onesided"}, plan: planDFT},
		{op: "STFT", min: 2, max: 4, attrs: []string{"onesided"}, plan: planSTFT, axes: firstAxis},
		{op: "HannWindow", min: 1, max: 1, attrs: window, plan: planWindow(0.5, 0.5, 0)},
		{op: "HammingWindow", min: 1, max: 1, attrs: window, plan: planWindow(25.0/46, 21.0/46, 0)},
		{op: "BlackmanWindow", min: 1, max: 1, attrs: window, plan: planWindow(0.42, 0.5, 0.08)},
		{op: "MelWeightMatrix", min: 5, max: 5, attrs: []string{"output_datatype"}, plan: planMel},
	}
}

// maxTransform bounds the length of a transform.
const maxTransform = 1 << 20

// circle is the cosine and sine of k of n parts of a turn.
func circle(n int) (cos, sin []float64) {
	cos, sin = make([]float64, n), make([]float64, n)
	for k := range n {
		a := 2 * math.Pi * float64(k) / float64(n)
		cos[k], sin[k] = fmath.Cos(a), fmath.Sin(a)
	}
	return cos, sin
}

// transform computes bins of the transform of n numbers, real and imaginary parts,
// step apart. sign is -1 forward, 1 back.
func transform(cos, sin []float64, re, im []float64, sign, scale float64, put func(bin int, re, im float64), bins int) {
	n := len(cos)
	for b := range bins {
		var x, y float64
		for i, at := 0, 0; i < len(re); i++ {
			c, s := cos[at], sign*sin[at]
			x = math.FMA(re[i], c, x)
			y = math.FMA(re[i], s, y)
			if im != nil {
				x = math.FMA(-im[i], s, x)
				y = math.FMA(im[i], c, y)
			}
			if at += b; at >= n {
				at -= n
			}
		}
		put(b, x*scale, y*scale)
	}
}

// parts returns how many numbers an element has: 1, real, or 2.
func (c *call) parts(shape []int) (int, error) {
	if len(shape) < 2 || shape[len(shape)-1] < 1 || shape[len(shape)-1] > 2 {
		return 0, c.fail("its input has shape %v, expected real or complex numbers in the last dimension", shape)
	}
	return shape[len(shape)-1], nil
}

// lengthOf reads a length from an input; n where it is absent.
func (c *call) lengthOf(i, n int) (int, error) {
	if !c.has(i) {
		return n, nil
	}
	list, err := c.needInts(i)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 || list[0] < 1 || list[0] > maxTransform {
		return 0, c.fail("a length of %v, expected one number of 1 to %d", list, maxTransform)
	}
	return int(list[0]), nil
}

func planDFT(c *call) (kernel, error) {
	shape := c.shape(0)
	parts, err := c.parts(shape)
	if err != nil {
		return nil, err
	}
	at := c.intAttr("axis", 1)
	if c.row.since >= 20 {
		at = -2
		if c.has(2) {
			list, err := c.needInts(2)
			if err != nil {
				return nil, err
			}
			if len(list) != 1 {
				return nil, c.fail("axis %v", list)
			}
			at = list[0]
		}
	}
	axis, err := c.axis(at, len(shape))
	if err != nil || axis == len(shape)-1 {
		return nil, c.fail("axis %d of %v", at, shape)
	}
	inverse, half := c.intAttr("inverse", 0) != 0, c.intAttr("onesided", 0) != 0
	back := inverse && half // from one side of a spectrum to a real signal
	usual := shape[axis]
	if back {
		if usual = 2 * (shape[axis] - 1); parts != 2 || usual < 1 && !c.has(1) {
			return nil, c.fail("one side of a spectrum has shape %v, expected two or more complex numbers along axis %d", shape, axis)
		}
	}
	n, err := c.lengthOf(1, usual)
	if err != nil {
		return nil, err
	}
	bins, numbers := n, 2
	switch {
	case back && shape[axis] != n/2+1: // ONNX's reference and ONNX Runtime disagree
		return nil, c.fail("one side of a spectrum of %d numbers has %d bins along axis %d, expected %d; bring it there by Slice or Pad", n, shape[axis], axis, n/2+1)
	case back:
		numbers = 1
	case half:
		bins = n/2 + 1
	}
	out := withDim(withDim(shape, axis, bins), len(shape)-1, numbers)
	if err := c.result(0, c.typ(0), out...); err != nil {
		return nil, err
	}
	inner := product(shape[axis+1 : len(shape)-1])
	outer := product(shape[:axis])
	c.work = macs(outer, inner, n, bins, 2*parts)
	for range 2 {
		if err := c.memory(F64, n); err != nil {
			return nil, err
		}
	}
	switch c.typ(0) {
	case F32:
		return dft[float32](shape[axis], n, bins, outer, inner, parts, numbers, inverse), nil
	case F64:
		return dft[float64](shape[axis], n, bins, outer, inner, parts, numbers, inverse), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// dft transforms lines of n complex or real numbers (parts), of which have are there, to
// bins of as many numbers each: one is the real part, of a spectrum whose other side
// mirrors the one that is there.
func dft[T float](have, n, bins, outer, inner, parts, numbers int, inverse bool) kernel {
	cos, sin := circle(n)
	sign, scale := -1.0, 1.0
	if inverse {
		sign, scale = 1, 1/float64(n)
	}
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		re, im := data[float64](a.scratch[0]), data[float64](a.scratch[1])
		for o := range outer {
			for i := range inner {
				for t := range n {
					re[t], im[t] = 0, 0
					if t < have {
						at := ((o*have+t)*inner + i) * parts
						re[t] = float64(x[at])
						if parts == 2 {
							im[t] = float64(x[at+1])
						}
					}
				}
				if numbers == 1 {
					for t := n/2 + 1; t < n; t++ {
						re[t], im[t] = re[n-t], -im[n-t]
					}
				}
				imaginary := im
				if parts == 1 {
					imaginary = nil
				}
				transform(cos, sin, re, imaginary, sign, scale, func(b int, re, im float64) {
					at := ((o*bins+b)*inner + i) * numbers
					if dst[at] = T(re); numbers == 2 {
						dst[at+1] = T(im)
					}
				}, bins)
			}
		}
		return nil
	}
}

// planSTFT: frames of a signal [B,L,1 or 2], each times the window, transformed.
func planSTFT(c *call) (kernel, error) {
	shape := c.shape(0)
	if len(shape) == 2 {
		shape = append(slices.Clone(shape), 1)
	}
	parts, err := c.parts(shape)
	if err != nil || len(shape) != 3 {
		return nil, c.fail("its signal has shape %v, expected [B,L,1] or [B,L,2]", c.shape(0))
	}
	step, err := c.lengthOf(1, 0)
	if err != nil {
		return nil, err
	}
	n := 0
	if c.has(2) {
		n = c.in[2].n
		if c.typ(2) != c.typ(0) || len(c.shape(2)) != 1 {
			return nil, c.fail("its window is %s %v", c.typ(2), c.shape(2))
		}
	}
	if n, err = c.lengthOf(3, n); err != nil {
		return nil, err
	}
	if n < 1 || n > maxTransform || n > shape[1] || c.has(2) && c.in[2].n != n {
		return nil, c.fail("frames of %d numbers of a signal of %d, with a window of its own", n, shape[1])
	}
	bins := n
	if c.intAttr("onesided", 1) != 0 {
		if bins = n/2 + 1; parts == 2 {
			return nil, c.fail("one side of a complex signal")
		}
	}
	frames := (shape[1]-n)/step + 1
	if err := c.result(0, c.typ(0), shape[0], frames, bins, 2); err != nil {
		return nil, err
	}
	c.work = macs(shape[0], frames, n, bins, 2*parts)
	for range 2 {
		if err := c.memory(F64, n); err != nil {
			return nil, err
		}
	}
	switch c.typ(0) {
	case F32:
		return stft[float32](shape, n, step, frames, bins, parts), nil
	case F64:
		return stft[float64](shape, n, step, frames, bins, parts), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func stft[T float](shape []int, n, step, frames, bins, parts int) kernel {
	cos, sin := circle(n)
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		re, im := data[float64](a.scratch[0]), data[float64](a.scratch[1])
		imaginary := im
		if parts == 1 {
			imaginary = nil
		}
		for b := range shape[0] {
			for f := range frames {
				from := (b*shape[1] + f*step) * parts
				for t := range n {
					w := T(1)
					if v := absent(a.in, 2); v != nil {
						w = data[T](v)[t]
					}
					re[t] = float64(x[from+t*parts] * w)
					if parts == 2 {
						im[t] = float64(x[from+t*parts+1] * w)
					}
				}
				to := dst[(b*frames+f)*bins*2:]
				transform(cos, sin, re, imaginary, -1, 1, func(bin int, re, im float64) {
					to[2*bin], to[2*bin+1] = T(re), T(im)
				}, bins)
			}
		}
		return nil
	}
}

// planWindow: a - b*cos(2 pi k/N) + c*cos(4 pi k/N), N one less where the window is
// symmetric.
func planWindow(first, second, third float64) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) {
		n, err := c.lengthOf(0, 0)
		if err != nil {
			return nil, err
		}
		t, ok := onnxTypes[c.intAttr("output_datatype", 1)]
		if !ok || t != F32 && t != F64 {
			return nil, c.unsupported("of element type %d", c.intAttr("output_datatype", 1))
		}
		whole := float64(n)
		if c.intAttr("periodic", 1) == 0 {
			whole--
		}
		return func(a *args) error {
			for k := range n {
				angle := 0.0
				if whole > 0 {
					angle = 2 * math.Pi * float64(k) / whole
				}
				v := first - float64(second*fmath.Cos(angle)) + float64(third*fmath.Cos(2*angle))
				if t == F64 {
					data[float64](a.out[0])[k] = v
				} else {
					data[float32](a.out[0])[k] = float32(v)
				}
			}
			return nil
		}, c.result(0, t, n)
	}
}

// planMel: triangles on the mel scale, as ONNX defines them.
func planMel(c *call) (kernel, error) {
	var v [5]float64
	for i := range v {
		x, err := c.needFloat(i)
		if err != nil {
			return nil, err
		}
		v[i] = x
	}
	if t := c.intAttr("output_datatype", 1); t != 1 {
		return nil, c.unsupported("of element type %d", t)
	}
	if !(v[0] >= 1 && v[0] <= 1<<16 && v[1] >= 1 && v[1] <= maxTransform && v[2] >= 1 && v[3] >= 0 && v[4] >= v[3]) {
		return nil, c.fail("%g filters of %g numbers at %g a second, from %g to %g", v[0], v[1], v[2], v[3], v[4])
	}
	mels, bins := int(v[0]), int(v[1])/2+1
	const ln10 = 2.302585092994046
	mel := func(hertz float64) float64 { return float64(2595 * (fmath.Log(1+hertz/700) / ln10)) }
	low, high := mel(v[3]), mel(v[4])
	at := make([]int, mels+2)
	for i := range at {
		m := float64(float64(i)*((high-low)/float64(mels+2))) + low
		hertz := float64(700 * (fmath.Exp(float64(m/2595*ln10)) - 1))
		at[i] = int(math.Floor(float64((v[1]+1)*hertz) / v[2]))
		if at[i] >= bins {
			return nil, c.fail("a filter at %g beyond half of %g a second", hertz, v[2])
		}
	}
	return func(a *args) error {
		dst := data[float32](a.out[0])
		clear(dst)
		for i := range mels {
			lo, mid, hi := at[i], at[i+1], at[i+2]
			if lo == mid {
				dst[mid*mels+i] = 1
			}
			for j := lo; j <= mid && lo != mid; j++ {
				dst[j*mels+i] = float32(j-lo) / float32(mid-lo)
			}
			for j := mid; j < hi; j++ {
				dst[j*mels+i] = float32(hi-j) / float32(hi-mid)
			}
		}
		return nil
	}, c.result(0, F32, bins, mels)
}
