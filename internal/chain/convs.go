package chain

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

// slide is the window of a convolution or a pooling over n axes.
type slide struct {
	kernel, stride, padding, dilation []int64
	ceil                              bool
}

// attrs writes the window as ONNX has it.
func (s *slide) attrs() graph.Attrs {
	a := graph.Attrs{"kernel_shape": s.kernel, "strides": s.stride, "pads": append(slices.Clone(s.padding), s.padding...), "dilations": s.dilation}
	if s.ceil {
		a["ceil_mode"] = int64(1)
	}
	return a
}

// out returns the sizes that the window's places have, -1 where one is not known.
func (s *slide) out(in []int) []int {
	out := make([]int, len(in))
	for i, n := range in {
		if out[i] = -1; n < 0 {
			continue
		}
		room := n + 2*int(s.padding[i]) - int(s.dilation[i])*(int(s.kernel[i])-1) - 1
		if room < 0 {
			continue // the run will say so
		}
		step := int(s.stride[i])
		if s.ceil {
			room += step - 1
		}
		out[i] = room/step + 1
		if s.ceil && (out[i]-1)*step >= n+int(s.padding[i]) {
			out[i]--
		}
	}
	return out
}

// conv: x [N,C,...] with weight [M,C/groups,...].
func conv(c *call, v *value) (*value, error) {
	w := c.m.shape("weight")
	n := len(w) - 2
	if n < 1 || n > 3 {
		return nil, c.fail("%s: weight has shape %v, expected three to five dimensions", c.what, w)
	}
	if err := c.batched(v, n); err != nil {
		return nil, err
	}
	groups, err := c.groups(v, w)
	if err != nil {
		return nil, err
	}
	if c.args["groups"] != nil || w[1] > 1 { // one channel may be each of many groups'
		c.learn(v, 1, groups*w[1])
	}
	if bias := c.m.shape("bias"); bias != nil && !slices.Equal(bias, w[:1]) {
		return nil, c.fail("%s: weight has shape %v and bias %v, which do not make a Conv%dd; is it a ConvTranspose%dd? Then write %s(kind='conv_transpose')", c.what, w, bias, n, n, c.what)
	}
	s := &slide{kernel: wide(w[2:])}
	if s.stride, err = c.sizes("stride", n, 1); err != nil {
		return nil, err
	}
	if s.dilation, err = c.sizes("dilation", n, 1); err != nil {
		return nil, err
	}
	before, after, err := c.padding(s, n)
	if err != nil {
		return nil, err
	}
	if v, err = c.padded(v, before, after); err != nil {
		return nil, err
	}
	attrs := s.attrs()
	attrs["group"] = int64(groups)
	out := append([]int{v.dims[0], w[0]}, s.out(v.dims[2:])...)
	if c.args["padding"] == "same" {
		copy(out[2:], v.dims[2:])
	}
	attrs["pads"] = append(slices.Clone(before), after...)
	if c.mode() != "zeros" {
		attrs["pads"] = slices.Repeat([]int64{0}, 2*n)
	}
	inputs := []string{c.weight(c.m, "weight")}
	if bias := c.weight(c.m, "bias"); bias != "" {
		inputs = append(inputs, bias)
	}
	y := c.shaped(v, out, timeOf(v, n), "Conv", attrs, inputs...)
	c.g.Name(c.what)
	return y, nil
}

// timeOf keeps the axis of steps where it is one of the batch.
func timeOf(v *value, spatial int) int {
	if v.time >= v.rank()-spatial {
		return v.time
	}
	return -1
}

func (c *call) mode() string {
	s, _ := c.args["padding_mode"].(string)
	return s
}

// batched checks an input [N,C,...] of n spatial axes.
func (c *call) batched(v *value, n int) error {
	if _, err := c.numbers(v); err != nil {
		return err
	}
	if v.rank() != n+2 {
		return c.fail("%s takes %d dimensions, [N, C, %d more]; its input is %s", c.what, n+2, n, dims(v.dims))
	}
	return nil
}

// groups follow from the channels that come and those the weights have.
func (c *call) groups(v *value, w []int) (int, error) {
	have := v.dims[1]
	groups := 1
	if c.args["groups"] != nil {
		var err error
		if groups, err = c.int("groups"); err != nil {
			return 0, err
		}
		if groups < 1 || have >= 0 && have != groups*w[1] {
			return 0, c.fail("%s: %d groups of %d channels, its input has %d channels", c.what, groups, w[1], have)
		}
		return groups, nil
	}
	if have >= 0 && w[1] > 0 {
		if have%w[1] != 0 {
			return 0, c.fail("%s takes %d channels, or a multiple for groups; its input has %d: %s", c.what, w[1], have, dims(v.dims))
		}
		groups = have / w[1]
	}
	if groups < 1 || w[0]%groups != 0 {
		return 0, c.fail("%s: %d channels come in %d groups, and %d go out", c.what, have, groups, w[0])
	}
	return groups, nil
}

// padding reads the argument: a number, a tuple, "valid" or "same".
func (c *call) padding(s *slide, n int) (before, after []int64, err error) {
	s.padding = slices.Repeat([]int64{0}, n)
	switch p := c.args["padding"]; p {
	case "valid":
		return s.padding, slices.Clone(s.padding), nil
	case "same":
		for i := range n {
			if s.stride[i] != 1 {
				return nil, nil, c.fail("%s: padding='same' goes with stride 1 alone, as in torch", c.what)
			}
			total := s.dilation[i] * (s.kernel[i] - 1)
			before, after = append(before, total/2), append(after, total-total/2)
		}
		return before, after, nil
	}
	if s.padding, err = c.sizes("padding", n, 0); err != nil {
		return nil, nil, err
	}
	return s.padding, s.padding, nil
}

// padded pads a value for a convolution whose padding is not of zeros.
func (c *call) padded(v *value, before, after []int64) (*value, error) {
	mode, ok := map[string]string{"zeros": "", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[c.mode()]
	if !ok {
		return nil, c.wrong("padding_mode", "'zeros', 'reflect', 'replicate' or 'circular'")
	}
	if mode == "" || slices.Max(slices.Concat(before, after)) == 0 {
		return v, nil
	}
	pads := slices.Concat([]int64{0, 0}, before, []int64{0, 0}, after)
	return c.shaped(v, v.dims, v.time, "Pad", graph.Attrs{"mode": mode}, c.vector(pads...)), nil
}

// convTranspose: x [N,C,...] with weight [C,M/groups,...].
func convTranspose(c *call, v *value) (*value, error) {
	w := c.m.shape("weight")
	n := len(w) - 2
	if n < 1 || n > 3 {
		return nil, c.fail("%s: weight has shape %v, expected three to five dimensions", c.what, w)
	}
	if err := c.batched(v, n); err != nil {
		return nil, err
	}
	if v.dims[1] >= 0 && v.dims[1] != w[0] {
		return nil, c.fail("%s takes %d channels, its input has %d: %s", c.what, w[0], v.dims[1], dims(v.dims))
	}
	c.learn(v, 1, w[0])
	if c.mode() != "zeros" {
		return nil, c.wrong("padding_mode", "'zeros'")
	}
	var lists [4][]int64
	for i, name := range []string{"stride", "padding", "output_padding", "dilation"} {
		least := 0
		if name == "stride" || name == "dilation" {
			least = 1
		}
		var err error
		if lists[i], err = c.sizes(name, n, least); err != nil {
			return nil, err
		}
	}
	groups, err := c.int("groups")
	if err != nil {
		return nil, err
	}
	s := &slide{kernel: wide(w[2:]), stride: lists[0], padding: lists[1], dilation: lists[3]}
	attrs := s.attrs()
	attrs["group"], attrs["output_padding"] = int64(groups), lists[2]
	out := []int{v.dims[0], w[1] * groups}
	for i, d := range v.dims[2:] {
		size := -1
		if d > 0 {
			size = (d-1)*int(s.stride[i]) - 2*int(s.padding[i]) + int(s.dilation[i])*(int(s.kernel[i])-1) + int(lists[2][i]) + 1
		}
		out = append(out, max(size, -1))
	}
	inputs := []string{c.weight(c.m, "weight")}
	if bias := c.weight(c.m, "bias"); bias != "" {
		inputs = append(inputs, bias)
	}
	return c.shaped(v, out, timeOf(v, n), "ConvTranspose", attrs, inputs...), nil
}

// pool is a pooling over n axes.
func (c *call) pool(op string, n int) (*value, error) {
	v := c.in[0]
	if err := c.batched(v, n); err != nil {
		return nil, err
	}
	s := &slide{}
	var err error
	if s.kernel, err = c.sizes("kernel_size", n, 1); err != nil {
		return nil, err
	}
	if s.stride = s.kernel; c.args["stride"] != nil {
		if s.stride, err = c.sizes("stride", n, 1); err != nil {
			return nil, err
		}
	}
	if s.padding, err = c.sizes("padding", n, 0); err != nil {
		return nil, err
	}
	for i := range n {
		if 2*s.padding[i] > s.kernel[i] {
			return nil, c.fail("%s: padding %d is more than half of kernel_size %d, which torch refuses", c.what, s.padding[i], s.kernel[i])
		}
	}
	s.dilation = slices.Repeat([]int64{1}, n)
	if _, ok := c.args["dilation"]; ok {
		if s.dilation, err = c.sizes("dilation", n, 1); err != nil {
			return nil, err
		}
	}
	if s.ceil, err = c.bool("ceil_mode"); err != nil {
		return nil, err
	}
	attrs := s.attrs()
	if op == "AveragePool" {
		include, err := c.bool("count_include_pad")
		if err != nil {
			return nil, err
		}
		if d, ok := c.args["divisor_override"]; ok && d != nil {
			return nil, c.fail("%s: divisor_override is not run", c.what)
		}
		if include {
			attrs["count_include_pad"] = int64(1)
		}
		delete(attrs, "dilations")
	}
	if ret, ok := c.args["return_indices"]; ok && ret != false {
		return nil, c.fail("%s: return_indices is not run", c.what)
	}
	return c.shaped(v, append(slices.Clone(v.dims[:2]), s.out(v.dims[2:])...), timeOf(v, n), op, attrs), nil
}

// adaptive is a pooling to given sizes: 1 is over everything; others need sizes
// that they divide.
func (c *call) adaptive(global, op string, n int) (*value, error) {
	v := c.in[0]
	if err := c.batched(v, n); err != nil {
		return nil, err
	}
	list, isList := c.args["output_size"].([]any)
	if !isList {
		list = slices.Repeat([]any{c.args["output_size"]}, n)
	}
	if len(list) != n {
		return nil, c.wrong("output_size", fmt.Sprintf("a number or %d of them", n))
	}
	s := &slide{padding: slices.Repeat([]int64{0}, n), dilation: slices.Repeat([]int64{1}, n)}
	all := true
	out := slices.Clone(v.dims)
	for i, x := range list {
		have := v.dims[2+i]
		size, ok := x.(int64)
		switch {
		case x == nil:
			all, s.kernel = false, append(s.kernel, 1)
			continue
		case !ok || size < 1 || size > maxSize:
			return nil, c.wrong("output_size", "numbers of at least 1, or None")
		case size == 1 && have < 0:
			s.kernel = append(s.kernel, 0)
		case have < 0:
			return nil, c.fail("%s to %d needs to know the size of what it pools, which is %s here; say the input's shape", c.what, size, dims(v.dims))
		case have%int(size) != 0:
			return nil, c.fail("%s to %d of a size of %d, which it does not divide, takes windows of different sizes; that is not run", c.what, size, have)
		default:
			s.kernel = append(s.kernel, int64(have)/size)
		}
		all = all && size == 1
		out[2+i] = int(size)
	}
	if all {
		return c.shaped(v, out, -1, global, nil), nil
	}
	if slices.Contains(s.kernel, 0) {
		return nil, c.fail("%s to %s needs to know the sizes of what it pools, which is %s here; say the input's shape", c.what, literal(c.args["output_size"]), dims(v.dims))
	}
	s.stride = s.kernel
	attrs := s.attrs()
	delete(attrs, "dilations")
	return c.shaped(v, out, timeOf(v, n), op, attrs), nil
}
