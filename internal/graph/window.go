package graph

import "math"

// window is a kernel that slides over up to three spatial axes: what Conv,
// ConvTranspose, ConvInteger and the poolings share. Absent axes, the first ones,
// have size 1.
type window struct {
	in, out, kernel [3]int
	// from has, for each axis, the index in the input for kernel element k and
	// output o at k*out+o, -1 where that lies outside.
	from [3][]int
	// steady is set where neighbours of the last axis come from neighbours.
	steady bool
	rank   int // of the spatial axes said
	// stride, dilation and pads before each axis, where affine: from[k*out+o] is then
	// o*stride - before + k*dilation.
	stride, dilation, before [3]int
	affine                   bool
}

func (w *window) positions() int { return w.out[0] * w.out[1] * w.out[2] }
func (w *window) taps() int      { return w.kernel[0] * w.kernel[1] * w.kernel[2] }
func (w *window) plane() int     { return w.in[0] * w.in[1] * w.in[2] }

// windowAttrs are those of every operator with a window.
var windowAttrs = []string{"auto_pad", "dilations", "kernel_shape", "pads", "strides"}

// slide is what a window's attributes say of each spatial axis.
type slide struct {
	kernel, stride, dilation, before, after []int
}

// maxWindow bounds strides, dilations, pads and sizes of kernels.
const maxWindow = 1 << 24

// slide reads the attributes for spatial axes of those sizes; kernel is the
// kernel's where an operand has it, else nil.
func (c *call) slide(spatial, kernel []int, ceil, transposed bool) (*slide, error) {
	r := len(spatial)
	if r < 1 || r > 3 {
		return nil, c.unsupported("with %d spatial axes; 1 to 3 are", r)
	}
	read := func(name string, n int, def int64, least int64) ([]int, error) {
		list := c.intsAttr(name)
		out := make([]int, n)
		if list != nil && len(list) != n {
			return nil, c.fail("%s %v, expected %d numbers", name, list, n)
		}
		for i := range out {
			v := def
			if list != nil {
				v = list[i]
			}
			if v < least || v > maxWindow {
				return nil, c.fail("%s %v, expected numbers of %d to %d", name, list, least, maxWindow)
			}
			out[i] = int(v)
		}
		return out, nil
	}
	s := &slide{kernel: kernel}
	var err error
	if kernel == nil {
		if c.Attrs["kernel_shape"] == nil {
			return nil, c.fail("there is no kernel_shape")
		}
		if s.kernel, err = read("kernel_shape", r, 1, 1); err != nil {
			return nil, err
		}
	} else if list := c.intsAttr("kernel_shape"); list != nil {
		for i := range kernel {
			if len(list) != r || int64(kernel[i]) != list[i] {
				return nil, c.fail("kernel_shape %v, the weights have %v", list, kernel)
			}
		}
	}
	if s.stride, err = read("strides", r, 1, 1); err != nil {
		return nil, err
	}
	if s.dilation, err = read("dilations", r, 1, 1); err != nil {
		return nil, err
	}
	pads, err := read("pads", 2*r, 0, 0)
	if err != nil {
		return nil, err
	}
	s.before, s.after = pads[:r], pads[r:]
	mode := c.strAttr("auto_pad", "NOTSET")
	for i := range spatial {
		if s.kernel[i] < 1 || s.kernel[i] > maxWindow {
			return nil, c.fail("a kernel of %v", s.kernel)
		}
		switch mode {
		case "NOTSET", "":
		case "VALID":
			s.before[i], s.after[i] = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			if transposed {
				continue // they follow from the output's shape
			}
			if kernel == nil && s.dilation[i] > 1 { // ONNX Runtime pads as if it were 1
				return nil, c.unsupported("auto_pad %q with dilations %v", mode, s.dilation)
			}
			out := (spatial[i] + s.stride[i] - 1) / s.stride[i]
			total := max(0, (out-1)*s.stride[i]+(s.kernel[i]-1)*s.dilation[i]+1-spatial[i])
			s.before[i], s.after[i] = total/2, total-total/2
			if mode == "SAME_LOWER" {
				s.before[i], s.after[i] = s.after[i], s.before[i]
			}
		default:
			return nil, c.unsupported("auto_pad %q", mode)
		}
	}
	_ = ceil
	return s, nil
}

// outputs returns the sizes a window gives when it slides over sizes.
func (c *call) outputs(s *slide, spatial []int, ceil bool) ([]int, error) {
	out := make([]int, len(spatial))
	for i, n := range spatial {
		extent := (s.kernel[i]-1)*s.dilation[i] + 1
		room := n + s.before[i] + s.after[i] - extent
		if room < 0 {
			return nil, c.fail("a window of %d elements over %d with pads %d and %d", extent, n, s.before[i], s.after[i])
		}
		out[i] = room/s.stride[i] + 1
		if ceil && room%s.stride[i] != 0 && out[i]*s.stride[i] < n+s.before[i] { // none that begins in the pad behind
			out[i]++
		}
	}
	return out, nil
}

// window makes the tables for output sizes out.
func (c *call) window(s *slide, spatial, out []int) (*window, error) {
	w := &window{in: [3]int{1, 1, 1}, out: [3]int{1, 1, 1}, kernel: [3]int{1, 1, 1}, rank: len(spatial)}
	lead := 3 - len(spatial)
	for a := range 3 {
		stride, dilation, before := 1, 1, 0
		if i := a - lead; i >= 0 {
			w.in[a], w.out[a], w.kernel[a] = spatial[i], out[i], s.kernel[i]
			stride, dilation, before = s.stride[i], s.dilation[i], s.before[i]
		}
		w.stride[a], w.dilation[a], w.before[a], w.affine = stride, dilation, before, true
		if err := c.tableFits(w, a); err != nil {
			return nil, err
		}
		w.from[a] = make([]int, w.kernel[a]*w.out[a])
		for k := range w.kernel[a] {
			for o := range w.out[a] {
				at := o*stride - before + k*dilation
				if at < 0 || at >= w.in[a] {
					at = -1
				}
				w.from[a][k*w.out[a]+o] = at
			}
		}
		w.steady = stride == 1
	}
	return w, nil
}

// transposedWindow makes the tables of ConvTranspose: output o takes kernel
// element k from input i where o = i*stride - before + k*dilation.
func (c *call) transposedWindow(s *slide, spatial, out []int) (*window, error) {
	w := &window{in: [3]int{1, 1, 1}, out: [3]int{1, 1, 1}, kernel: [3]int{1, 1, 1}, rank: len(spatial)}
	lead := 3 - len(spatial)
	for a := range 3 {
		stride, dilation, before := 1, 1, 0
		if i := a - lead; i >= 0 {
			w.in[a], w.out[a], w.kernel[a] = spatial[i], out[i], s.kernel[i]
			stride, dilation, before = s.stride[i], s.dilation[i], s.before[i]
		}
		if err := c.tableFits(w, a); err != nil {
			return nil, err
		}
		w.from[a] = make([]int, w.kernel[a]*w.out[a])
		for k := range w.kernel[a] {
			for o := range w.out[a] {
				at := o + before - k*dilation
				if at < 0 || at%stride != 0 || at/stride >= w.in[a] {
					at = -1
				} else {
					at /= stride
				}
				w.from[a][k*w.out[a]+o] = at
			}
		}
		w.steady = stride == 1
	}
	return w, nil
}

// tableFits bounds a table by the limit on memory.
func (c *call) tableFits(w *window, a int) error {
	if b := macs(w.kernel[a], w.out[a], 8); b > c.pl.p.limits.Memory/4 || b > math.MaxInt32*16 {
		return limitError("bytes for the places of a window", b, c.pl.p.limits.Memory/4, "Memory")
	}
	return nil
}

// columns writes what kernel elements see: for each channel and tap, in index
// order, a row of the positions p0 to p1, zeros where they lie outside. x has the
// channels one after another.
func columns[T Element](w *window, dst, x []T, channels, p0, p1 int, zero T) {
	n := p1 - p0
	row := 0
	for ch := range channels {
		plane := x[ch*w.plane():]
		for kd := range w.kernel[0] {
			for kh := range w.kernel[1] {
				for kw := range w.kernel[2] {
					w.row(kd, kh, kw, p0, p1, func(at, count, base, kw, ow int) {
						seg := dst[row*n+at : row*n+at+count]
						if base < 0 {
							fill(seg, zero)
							return
						}
						segment(w, seg, plane[base:], w.from[2][kw*w.out[2]+ow:], zero)
					})
					row++
				}
			}
		}
	}
}

// row calls f for each part of a row of columns that lies in one line of the
// output: count elements at at of the row, from output column ow on; base is
// where their line begins in the plane, -1 where it lies outside.
func (w *window) row(kd, kh, kw, p0, p1 int, f func(at, count, base, kw, ow int)) {
	for p := p0; p < p1; {
		ow := p % w.out[2]
		oh := p / w.out[2] % w.out[1]
		od := p / (w.out[2] * w.out[1])
		count := min(w.out[2]-ow, p1-p)
		d, h := w.from[0][kd*w.out[0]+od], w.from[1][kh*w.out[1]+oh]
		base := -1
		if d >= 0 && h >= 0 {
			base = (d*w.in[1] + h) * w.in[2]
		}
		f(p-p0, count, base, kw, ow)
		p += count
	}
}

// segment copies elements by a table; -1 is zero.
func segment[T Element](w *window, dst, line []T, from []int, zero T) {
	from = from[:len(dst)]
	i, n := 0, len(dst)
	for i < n && from[i] < 0 {
		dst[i] = zero
		i++
	}
	if w.steady && i < n {
		run := min(n-i, w.in[2]-from[i])
		copy(dst[i:i+run], line[from[i]:])
		i += run
	}
	for ; i < n; i++ {
		dst[i] = zero
		if from[i] >= 0 {
			dst[i] = line[from[i]]
		}
	}
}
