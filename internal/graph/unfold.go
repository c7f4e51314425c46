package graph

// planCol2Im adds windows up to pictures: the inverse of cutting them out, and the
// overlap and add of networks that go over parts of a signal. Input 0 is
// [N, C*window, L]; what lies outside is left out.
func planCol2Im(c *call) (kernel, error) {
	shape := c.shape(0)
	var size, block []int
	for i, to := range []*[]int{&size, &block} {
		var err error
		if *to, err = c.shapeInput(1 + i); err != nil {
			return nil, err
		}
	}
	d := len(size)
	lists := [3][]int64{c.intsAttr("strides"), c.intsAttr("dilations"), c.intsAttr("pads")}
	for i, want := range []int{d, d, 2 * d} {
		for len(lists[i]) == 0 && want > 0 {
			lists[i] = make([]int64, want)
			for k := range lists[i] {
				lists[i][k] = int64(min(1, 2-i)) // pads are none, the others 1
			}
		}
		if len(lists[i]) != want {
			return nil, c.fail("attribute %q has %d numbers, expected %d", []string{"strides", "dilations", "pads"}[i], len(lists[i]), want)
		}
	}
	strides, dilations, pads := lists[0], lists[1], lists[2]
	window, steps := 1, make([]int, d)
	for a := range d {
		for _, n := range []int64{int64(size[a]), int64(block[a]), strides[a], dilations[a]} {
			if n < 1 || n > 1<<30 {
				return nil, c.fail("a size, window, stride or dilation of %d", n)
			}
		}
		n := int64(size[a]) + pads[a] + pads[d+a] - dilations[a]*(int64(block[a])-1) - 1
		if pads[a] < 0 || pads[d+a] < 0 || pads[a] > 1<<30 || pads[d+a] > 1<<30 || n < 0 {
			return nil, c.fail("windows %v do not fit a picture %v with pads %v", block, size, pads)
		}
		steps[a] = int(n/strides[a]) + 1
		if window *= block[a]; window > 1<<30 {
			return nil, c.fail("a window of %v", block)
		}
	}
	if len(block) != d || len(shape) != 3 || shape[1]%window != 0 {
		return nil, c.fail("windows %v of a picture %v in %v", block, size, shape)
	}
	places, err := c.pl.operand(I64, steps)
	if err != nil {
		return nil, err
	}
	if places.n != shape[2] {
		return nil, c.fail("%d windows of %v in a picture %v, expected %d", shape[2], block, size, places.n)
	}
	channels := shape[1] / window
	if err := c.result(0, c.typ(0), append([]int{shape[0], channels}, size...)...); err != nil {
		return nil, err
	}
	// to is where the elements of the windows of a channel go; -1: nowhere.
	to := make([]int, 0, window*places.n)
	for k := range window {
		for l := range places.n {
			at, run := 0, 1
			for a, kk, ll := d-1, k, l; a >= 0; a-- {
				i := int64(ll%steps[a])*strides[a] + int64(kk%block[a])*dilations[a] - pads[a]
				kk, ll = kk/block[a], ll/steps[a]
				if i < 0 || i >= int64(size[a]) {
					at = -1
					break
				}
				at += int(i) * run
				run *= size[a]
			}
			to = append(to, at)
		}
	}
	switch c.typ(0) {
	case F32:
		return addingUp[float32](to), nil
	case F64:
		return addingUp[float64](to), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// addingUp adds, for each channel, each element where to says, in index order.
func addingUp[T float](to []int) kernel {
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		clear(dst)
		if len(to) == 0 || len(x) == 0 {
			return nil
		}
		n := len(dst) / (len(x) / len(to))
		for o := range len(x) / len(to) {
			picture := dst[o*n : (o+1)*n]
			for i, v := range x[o*len(to) : (o+1)*len(to)] {
				if k := to[i]; k >= 0 {
					picture[k] += v
				}
			}
		}
		return nil
	}
}
