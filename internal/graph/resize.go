package graph

import (
	"math"
	"slices"
)

// Resize and Upsample. An axis is sampled after the other, the first one first: what
// stands at a place of the output is a sum over a few places of the input, one fused
// multiply-add each, from zero. Where a place comes from is computed in float32, as
// ONNX Runtime does: a rounding decides which neighbour is the nearest.

func resizeRows() []row {
	attrs := []string{"coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "mode", "nearest_mode", "antialias", "axes", "keep_aspect_ratio_policy"}
	return []row{
		{op: "Upsample", since: 7, min: 1, max: 2, attrs: []string{"mode", "scales", "width_scale", "height_scale"}, plan: planUpsample, axes: sampledAxes},
		{op: "Resize", since: 10, min: 2, max: 2, attrs: []string{"mode"}, plan: planUpsample, axes: sampledAxes},
		{op: "Resize", since: 11, min: 1, max: 4, attrs: attrs, plan: planResize, axes: sampledAxes},
	}
}

// sampler is how one axis is sampled.
type sampler struct {
	n, out int
	scale  float32
	begin  float32 // of the region, in tf_crop_and_resize
	end    float32
	still  bool // it stays as it is
}

// resizer is what the attributes say.
type resizer struct {
	mode, place, nearest string
	a                    float64 // of cubic
	exclude, smooth      bool
	outside              float32 // the value there, in tf_crop_and_resize
}

// sampledAxes keeps the axes that stay as they are.
var sampledAxes = axisIf(func(c *call, axis int) bool {
	list, err := c.samplers()
	return err == nil && list[axis].still
})

func (c *call) samplers() ([]sampler, error) {
	if c.Op == "Upsample" || c.row.since == 10 {
		return c.scalesAlone()
	}
	return c.regions()
}

// still is an axis that is not sampled.
func still(n int) sampler { return sampler{n: n, out: n, scale: 1, end: 1, still: true} }

// scalesAlone reads the scales of Upsample and of Resize before version 11.
func (c *call) scalesAlone() ([]sampler, error) {
	scales, _ := attr[[]float32](c, "scales")
	if c.has(1) {
		v, err := c.need(1)
		if err != nil {
			return nil, err
		}
		if v.Type != F32 {
			return nil, c.fail("scales are %s", v.Type)
		}
		scales = data[float32](v)
	}
	shape := c.shape(0)
	if len(scales) != len(shape) {
		return nil, c.fail("%d scales for %d dimensions", len(scales), len(shape))
	}
	list := make([]sampler, len(shape))
	for i, n := range shape {
		var err error
		if list[i], err = c.scaled(n, scales[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// maxScale bounds how much longer an axis gets.
const maxScale = 1 << 20

func (c *call) scaled(n int, scale float32) (sampler, error) {
	if !(scale > 0 && scale <= maxScale) {
		return sampler{}, c.fail("scale %g, expected one above 0, at most %d", scale, maxScale)
	}
	s := sampler{n: n, out: int(math.Floor(float64(float32(n) * scale))), scale: scale, end: 1}
	s.still = scale == 1
	return s, nil
}

// regions reads scales or sizes, and the region, for the axes named.
func (c *call) regions() ([]sampler, error) {
	shape := c.shape(0)
	list := make([]sampler, len(shape))
	for i, n := range shape {
		list[i] = still(n)
	}
	axes := make([]int, len(shape))
	for i := range axes {
		axes[i] = i
	}
	var err error
	if named := c.intsAttr("axes"); named != nil {
		if axes, err = c.axisList(named, len(shape)); err != nil {
			return nil, err
		}
	}
	var scales []float32
	var sizes []int64
	if c.has(2) && c.in[2].n > 0 {
		v, err := c.need(2)
		if err != nil {
			return nil, err
		}
		if v.Type != F32 {
			return nil, c.fail("scales are %s", v.Type)
		}
		scales = data[float32](v)
	}
	if c.has(3) && c.in[3].n > 0 {
		if sizes, err = c.needInts(3); err != nil {
			return nil, err
		}
	}
	if (scales == nil) == (sizes == nil) || scales != nil && len(scales) != len(axes) || sizes != nil && len(sizes) != len(axes) {
		return nil, c.fail("%d scales and %d sizes for %d axes, expected one of them", len(scales), len(sizes), len(axes))
	}
	for k, a := range axes {
		if scales != nil {
			list[a], err = c.scaled(shape[a], scales[k])
		} else {
			list[a], err = c.sized(shape[a], sizes[k])
		}
		if err != nil {
			return nil, err
		}
	}
	if sizes != nil {
		c.keepRatio(list, axes)
	}
	return list, c.crop(list, axes)
}

func (c *call) sized(n int, size int64) (sampler, error) {
	if size < 0 || size > maxScale*int64(max(n, 1)) || n == 0 && size > 0 {
		return sampler{}, c.fail("size %d of an axis of %d", size, n)
	}
	return sampler{n: n, out: int(size), scale: float32(size) / float32(max(n, 1)), end: 1, still: size == int64(n)}, nil
}

// keepRatio gives all axes one scale, where the policy says so.
func (c *call) keepRatio(list []sampler, axes []int) {
	policy := c.strAttr("keep_aspect_ratio_policy", "stretch")
	if policy == "stretch" || len(axes) == 0 {
		return
	}
	scale := list[axes[0]].scale
	for _, a := range axes {
		if policy == "not_larger" {
			scale = min(scale, list[a].scale)
		} else {
			scale = max(scale, list[a].scale)
		}
	}
	for _, a := range axes {
		s := &list[a]
		s.scale, s.out = scale, int(math.Floor(float64(scale*float32(s.n))+0.5))
		s.still = s.out == s.n && scale == 1
	}
}

// crop reads the region of tf_crop_and_resize.
func (c *call) crop(list []sampler, axes []int) error {
	if c.strAttr("coordinate_transformation_mode", "") != "tf_crop_and_resize" {
		return nil
	}
	if !c.has(1) || c.in[1].n != 2*len(axes) || c.typ(1) != F32 {
		return c.fail("tf_crop_and_resize wants a region of %d float32 numbers", 2*len(axes))
	}
	v, err := c.need(1)
	if err != nil {
		return err
	}
	for k, a := range axes {
		s := &list[a]
		s.begin, s.end = data[float32](v)[k], data[float32](v)[len(axes)+k]
		s.still = s.still && s.begin == 0 && s.end == 1
	}
	return nil
}

// planUpsample: places are divided by the scale.
func planUpsample(c *call) (kernel, error) {
	r := &resizer{mode: c.strAttr("mode", "nearest"), place: "asymmetric", nearest: "simple"}
	if r.mode == "bilinear" || r.mode == "trilinear" {
		r.mode = "linear"
	}
	if c.Attrs["width_scale"] != nil || c.Attrs["height_scale"] != nil {
		return nil, c.unsupported("with width_scale and height_scale, as in version 1")
	}
	return r.plan(c)
}

func planResize(c *call) (kernel, error) {
	r := &resizer{
		mode: c.strAttr("mode", "nearest"), place: c.strAttr("coordinate_transformation_mode", "half_pixel"),
		nearest: c.strAttr("nearest_mode", "round_prefer_floor"), a: float64(c.floatAttr("cubic_coeff_a", -0.75)),
		exclude: c.intAttr("exclude_outside", 0) != 0, smooth: c.intAttr("antialias", 0) != 0, outside: c.floatAttr("extrapolation_value", 0),
	}
	return r.plan(c)
}

func (r *resizer) plan(c *call) (kernel, error) {
	list, err := c.samplers()
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(list))
	for i, s := range list {
		shape[i] = s.out
	}
	if !slices.ContainsFunc(list, func(s sampler) bool { return !s.still }) {
		return nil, c.view(0, 0, shape...)
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	if product(shape) == 0 {
		return func(*args) error { return nil }, nil
	}
	if product(c.shape(0)) == 0 {
		return nil, c.fail("nothing of shape %v to sample", c.shape(0))
	}
	if r.mode == "nearest" {
		return r.nearestKernel(c, list)
	}
	if r.mode != "linear" && r.mode != "cubic" {
		return nil, c.unsupported("mode %q", r.mode)
	}
	if t := c.typ(0); t == U8 || t == I8 || t == I32 {
		return nil, r.integers(c)
	}
	switch c.typ(0) {
	case F32:
		return sampling(r, c, list, fma32)
	case F64:
		return sampling(r, c, list, math.FMA)
	}
	return nil, c.unsupported("mode %q of %s", r.mode, c.typ(0))
}

// integers samples integers as float32, and leaves out what is behind the point.
func (r *resizer) integers(c *call) error {
	numbers := map[Type]int64{U8: 2, I8: 3, I32: 6}
	e := &expander{c: c}
	in := append([]*operand{e.op("Cast", Attrs{"to": int64(1)}, c.in[0])}, c.in[1:]...)
	op := c.Op
	if c.row.since == 10 { // the form with scales alone
		op = "Upsample"
	}
	return e.give(e.op("Cast", Attrs{"to": numbers[c.typ(0)]}, e.op(op, c.Attrs, in...)))
}

// at is the place in the input that output i of an axis is sampled at.
func (r *resizer) at(s *sampler, i int) (float32, error) {
	x, n, out := float32(i), float32(s.n), float32(s.out)
	switch r.place {
	case "half_pixel", "pytorch_half_pixel":
		if s.out <= 1 && r.place == "pytorch_half_pixel" {
			return 0, nil
		}
		return float32((x+0.5)/s.scale) - 0.5, nil
	case "half_pixel_symmetric":
		whole := float32(s.scale * n)
		centre := n / 2
		return float32(float32(centre*(1-out/whole))+float32((x+0.5)/s.scale)) - 0.5, nil
	case "align_corners":
		if s.out <= 1 {
			return 0, nil
		}
		return float32(x*(n-1)) / (out - 1), nil
	case "asymmetric":
		return x / s.scale, nil
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / s.scale, nil
	case "tf_crop_and_resize":
		if s.out <= 1 {
			return float32(float32(0.5*(s.begin+s.end)) * (n - 1)), nil
		}
		return float32(s.begin*(n-1)) + float32(float32(x*(s.end-s.begin))*(n-1))/(out-1), nil
	}
	return 0, &Error{Reason: "coordinate_transformation_mode \"" + r.place + "\"", Err: ErrOperator}
}

// outsideAt reports whether a place lies outside, where that has a value of its own.
func (r *resizer) outsideAt(s *sampler, x float32) bool {
	return r.place == "tf_crop_and_resize" && (x < 0 || x > float32(s.n-1))
}

// near rounds a place.
func (r *resizer) near(s *sampler, x float32) (int, error) {
	v := float64(x)
	switch r.nearest {
	case "round_prefer_floor":
		v = math.Ceil(v - 0.5)
	case "round_prefer_ceil":
		v = math.Floor(v + 0.5)
	case "floor":
		v = math.Floor(v)
	case "ceil":
		v = math.Ceil(v)
	case "simple":
		if v = math.Trunc(v); s.scale < 1 {
			v = math.Ceil(float64(x))
		}
	default:
		return 0, &Error{Reason: "nearest_mode \"" + r.nearest + "\"", Err: ErrOperator}
	}
	return int(max(0, min(v, float64(s.n-1)))), nil
}

// nearestKernel moves elements: an index of -1 is outside.
func (r *resizer) nearestKernel(c *call, list []sampler) (kernel, error) {
	from := make([][]int, len(list))
	for a := range list {
		s := &list[a]
		from[a] = make([]int, s.out)
		for i := range from[a] {
			if s.still {
				from[a][i] = i
				continue
			}
			x, err := r.at(s, i)
			if err != nil {
				return nil, err
			}
			if from[a][i], err = r.near(s, x); err != nil {
				return nil, err
			}
			if r.outsideAt(s, x) {
				from[a][i] = -1
			}
		}
	}
	if len(list) == 0 {
		return nil, c.view(0, 0)
	}
	value := must(New(c.typ(0), 1))
	convert(&value, ptr(Vector(r.outside)))
	p := &padder{sources: from, strides: stridesOf(c.shape(0)), outStrides: stridesOf(c.out[0].shape), value: value}
	switch c.typ(0).size() {
	case 8:
		return picking[int64](p), nil
	case 4:
		return picking[int32](p), nil
	}
	return picking[uint8](p), nil
}

func picking[T int64 | int32 | uint8](p *padder) kernel {
	return func(a *args) error {
		padAxis(p, 0, rawData[T](a.out[0]), rawData[T](a.in[0]), 0, rawData[T](&p.value)[0])
		return nil
	}
}

// taps are the places of the input that one output is a sum of, and how much of each.
type taps struct {
	first  []int // of each output, where its taps begin; one more for the end
	from   []int
	weight []float64
}

// axisTaps computes the taps of an axis.
func (r *resizer) axisTaps(s *sampler) (*taps, error) {
	t := &taps{first: make([]int, 0, s.out+1)}
	for i := range s.out {
		t.first = append(t.first, len(t.from))
		x, err := r.at(s, i)
		if err != nil {
			return nil, err
		}
		switch {
		case r.outsideAt(s, x): // filled after
		case r.mode == "linear":
			r.linearTaps(t, s, x)
		default:
			r.cubicTaps(t, s, x)
		}
		if len(t.from) > 1<<24 {
			return nil, &Error{Reason: "more than 2^24 places are sampled along one axis", Err: ErrOperator}
		}
	}
	t.first = append(t.first, len(t.from))
	return t, nil
}

// stretch is how much wider a filter is that looks at all of a smaller output's part.
func (r *resizer) stretch(s *sampler) float64 {
	if r.smooth && s.scale < 1 {
		return 1 / float64(s.scale)
	}
	return 1
}

func (r *resizer) linearTaps(t *taps, s *sampler, x float32) {
	if wide := r.stretch(s); wide > 1 {
		r.wideTaps(t, s, float64(x), wide, 1, func(d float64) float64 { return max(0, 1-math.Abs(d)) })
		return
	}
	x = max(0, min(x, float32(s.n-1)))
	lo := int(x)
	part := float64(x - float32(lo))
	if lo == s.n-1 || part == 0 {
		t.from, t.weight = append(t.from, lo), append(t.weight, 1)
		return
	}
	t.from, t.weight = append(t.from, lo, lo+1), append(t.weight, float64(float32(1-part)), part)
}

// cubic is the convolution kernel of Keys with the parameter a.
func (r *resizer) cubic(d float64) float64 {
	a := r.a
	switch d = math.Abs(d); {
	case d <= 1:
		return float64(float64((a+2)*d)-(a+3))*float64(d*d) + 1
	case d < 2:
		return float64(a * (float64(d*(float64(d*(d-5))+8)) - 4))
	}
	return 0
}

func (r *resizer) cubicTaps(t *taps, s *sampler, x float32) {
	if wide := r.stretch(s); wide > 1 {
		r.wideTaps(t, s, float64(x), wide, 2, r.cubic)
		return
	}
	r.wideTaps(t, s, float64(x), 1, 2, r.cubic)
}

// wideTaps takes the places within reach*wide of x: those outside are the edge's, or
// left out, and the weights then sum to 1.
func (r *resizer) wideTaps(t *taps, s *sampler, x, wide float64, reach int, f func(float64) float64) {
	lo, hi := int(math.Floor(x-float64(reach)*wide))+1, int(math.Floor(x+float64(reach)*wide))
	begin, sum := len(t.from), 0.0
	for k := lo; k <= hi; k++ {
		w := f((float64(k) - x) / wide)
		if r.exclude && (k < 0 || k >= s.n) {
			continue
		}
		at := max(0, min(k, s.n-1))
		sum += w
		if last := len(t.from) - 1; last >= begin && t.from[last] == at {
			t.weight[last] += w
			continue
		}
		t.from, t.weight = append(t.from, at), append(t.weight, w)
	}
	if (r.exclude || wide > 1) && sum != 0 {
		for i := begin; i < len(t.weight); i++ {
			t.weight[i] /= sum
		}
	}
}

// sampling is the kernel of linear and cubic.
func sampling[T float](r *resizer, c *call, list []sampler, fma func(a, b, c T) T) (kernel, error) {
	type pass struct {
		outer, n, out, inner int
		taps                 *taps
		weight               []T
	}
	var passes []pass
	shape := slices.Clone(c.shape(0))
	for a := range list {
		s := &list[a]
		if s.still {
			continue
		}
		t, err := r.axisTaps(s)
		if err != nil {
			return nil, err
		}
		p := pass{product(shape[:a]), s.n, s.out, product(shape[a+1:]), t, make([]T, len(t.weight))}
		for i, w := range t.weight {
			p.weight[i] = T(w)
		}
		shape[a] = s.out
		passes = append(passes, p)
		c.work += macs(p.outer, len(t.from), p.inner)
		if len(passes) > 1 { // the one before goes through memory
			if err := c.memory(c.typ(0), p.outer*p.n*p.inner); err != nil {
				return nil, err
			}
		}
	}
	outside := T(r.outside)
	return func(a *args) error {
		src := data[T](a.in[0])
		for k, p := range passes {
			dst := data[T](a.out[0])
			if k < len(passes)-1 {
				dst = data[T](a.scratch[k])
			}
			for o := range p.outer {
				for i := range p.out {
					to := dst[(o*p.out+i)*p.inner:][:p.inner]
					clear(to)
					lo, hi := p.taps.first[i], p.taps.first[i+1]
					if lo == hi {
						fill(to, outside)
					}
					for j := lo; j < hi; j++ {
						w, from := p.weight[j], src[(o*p.n+p.taps.from[j])*p.inner:][:p.inner]
						for x := range to {
							to[x] = fma(w, from[x], to[x])
						}
					}
				}
			}
			src = dst
		}
		return nil
	}, nil
}
