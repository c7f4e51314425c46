package graph

import "math"

// Pictures sampled at places that are computed: the spatial transformer before a
// network that reads text.

func gridRows() []row {
	return []row{
		{op: "AffineGrid", since: 20, min: 2, max: 2, attrs: []string{"align_corners"}, plan: expanded(planAffineGrid)},
		{op: "GridSample", since: 16, min: 2, max: 2, attrs: []string{"align_corners", "mode", "padding_mode"}, plan: planGridSample, axes: firstAxis},
	}
}

// planAffineGrid multiplies the places of a picture of the size asked for, from -1 to
// 1, with theta [N,D,D+1].
func planAffineGrid(c *call, e *expander) error {
	size, err := c.shapeInput(1)
	if err != nil {
		return err
	}
	d := len(size) - 2
	if theta := c.shape(0); d < 2 || d > 3 || len(theta) != 3 || theta[1] != d || theta[2] != d+1 || theta[0] != size[0] {
		return c.fail("theta %v for size %v, expected [N 2 3] for [N C H W] or [N 3 4] for [N C D H W]", theta, size)
	}
	space := size[2:]
	bound, err := c.pl.operand(F64, append([]int{d + 1}, space...))
	if err != nil {
		return err
	}
	n := bound.n / (d + 1)
	at := make([]float64, 0, n*(d+1))
	for i := range n {
		for a, k := d-1, i; a >= 0; a-- { // x stands first, and runs fastest
			at = append(at, place(k%space[a], space[a], c.intAttr("align_corners", 0) != 0))
			k /= space[a]
		}
		at = append(at, 1)
	}
	base := must(Of(at, n, d+1))
	if c.typ(0) == F32 {
		short := must(New(F32, n, d+1))
		convert(&short, &base)
		base = short
	}
	grid := e.op("MatMul", nil, e.value(base), e.transpose(c.in[0], 0, 2, 1))
	return e.give(e.reshape(grid, append(append([]int{size[0]}, space...), d)...))
}

// place is where index i of n lies between -1 and 1: at the corners of the picture, or
// in the middle of its pixels.
func place(i, n int, corners bool) float64 {
	if corners {
		if n == 1 {
			return 0
		}
		return -1 + 2*float64(i)/float64(n-1)
	}
	return float64(2*i+1)/float64(n) - 1
}

// gridder samples pictures of up to three spatial axes.
type gridder struct {
	in, out          []int // sizes of the spatial axes
	channels, images int
	mode             string
	border, reflect  bool
	corners          bool
}

// gridTap has the places of an axis that a sample is made of, and how much of each.
type gridTap struct {
	at     [4]int // -1: outside, where zeros are
	weight [4]float32
}

func planGridSample(c *call) (kernel, error) {
	x, grid := c.shape(0), c.shape(1)
	d := len(x) - 2
	if d < 1 || d > 3 || len(grid) != len(x) || grid[len(grid)-1] != d || grid[0] != x[0] {
		return nil, c.fail("a grid %v for %v, expected one of %d numbers a place", grid, x, d)
	}
	g := &gridder{in: x[2:], out: grid[1 : 1+d], channels: x[1], images: x[0], corners: c.intAttr("align_corners", 0) != 0}
	switch g.mode = c.strAttr("mode", "linear"); g.mode {
	case "bilinear":
		g.mode = "linear"
	case "bicubic":
		g.mode = "cubic"
	case "linear", "nearest", "cubic":
	default:
		return nil, c.unsupported("mode %q", g.mode)
	}
	switch pad := c.strAttr("padding_mode", "zeros"); pad {
	case "zeros":
	case "border":
		g.border = true
	case "reflection":
		g.reflect = true
	default:
		return nil, c.unsupported("padding_mode %q", pad)
	}
	for i := range 2 {
		if err := c.is(i, F32); err != nil {
			return nil, err
		}
	}
	if product(g.in) == 0 && product(g.out) > 0 {
		return nil, c.fail("a picture of %v has no place to sample", x)
	}
	c.work = macs(g.images, g.channels, product(g.out), 1<<(2*d))
	return g.run, c.result(0, F32, append([]int{x[0], x[1]}, g.out...)...)
}

// run samples: the weights of a place are the same for all channels, and the taps are
// added in index order.
func (g *gridder) run(a *args) error {
	x, grid, dst := data[float32](a.in[0]), data[float32](a.in[1]), data[float32](a.out[0])
	d, in, out := len(g.in), product(g.in), product(g.out)
	var taps [3]gridTap // of axes, the first one first; those that are not there stay
	for n := range g.images {
		for o := range out {
			places := grid[(n*out+o)*d:][:d]
			for i := range 3 {
				taps[i] = gridTap{weight: [4]float32{1}, at: [4]int{0, -1, -1, -1}}
			}
			for axis := range d {
				taps[3-d+axis] = g.tap(places[d-1-axis], g.in[axis])
			}
			height, width := 1, g.in[d-1]
			if d > 1 {
				height = g.in[d-2]
			}
			for c := range g.channels {
				plane := x[(n*g.channels+c)*in:][:in]
				var sum float32
				for i, z := range taps[0].at {
					for j, y := range taps[1].at {
						for k, w := range taps[2].at {
							if z >= 0 && y >= 0 && w >= 0 {
								weight := taps[0].weight[i] * taps[1].weight[j] * taps[2].weight[k]
								sum = fma32(plane[(z*height+y)*width+w], weight, sum)
							}
						}
					}
				}
				dst[(n*g.channels+c)*out+o] = sum
			}
		}
	}
	return nil
}

// tap says what a sample at p, of -1 to 1, is made of along an axis of n.
func (g *gridder) tap(p float32, n int) gridTap {
	t := gridTap{at: [4]int{-1, -1, -1, -1}}
	x, lo, hi := (float32((p+1)*float32(n))-1)/2, float32(-0.5), float32(n)-0.5
	if g.corners {
		x, lo, hi = (p+1)/2*float32(n-1), 0, float32(n-1)
	}
	const far = 1 << 30 // a place that an int holds; no number is outside
	if x != x {
		x = -far
	}
	x = min(max(x, -far), far)
	if g.mode == "nearest" {
		t.at[0], t.weight[0] = g.inside(int(math.RoundToEven(float64(x))), n, lo, hi), 1
		return t
	}
	if g.mode == "linear" { // cubic weights are those of the place itself
		if g.border {
			x = min(max(x, 0), float32(n-1))
		}
		if g.reflect {
			x = reflected(x, lo, hi)
		}
	}
	floor := float32(math.Floor(float64(x)))
	f := x - floor
	first, weights := int(floor), []float32{1 - f, f}
	if g.mode == "cubic" {
		first, weights = first-1, weights[:0]
		for i := range 4 {
			weights = append(weights, float32(keys.cubic(math.Abs(float64(f)+1-float64(i)))))
		}
	}
	for i, w := range weights {
		t.at[i], t.weight[i] = g.inside(first+i, n, lo, hi), w
	}
	return t
}

// keys has the weights of the four places around one.
var keys = resizer{a: -0.75}

// inside returns the pixel that stands for place i, -1 for zeros.
func (g *gridder) inside(i, n int, lo, hi float32) int {
	switch {
	case i >= 0 && i < n:
		return i
	case g.border:
		return min(max(i, 0), n-1)
	case g.reflect:
		return min(max(int(reflected(float32(i), lo, hi)), 0), n-1)
	}
	return -1
}

// reflected brings x between lo and hi by reflection at both.
func reflected(x, lo, hi float32) float32 {
	span := hi - lo
	if span <= 0 {
		return 0
	}
	at := math.Mod(math.Abs(float64(x-lo)), 2*float64(span))
	if at > float64(span) {
		at = 2*float64(span) - at
	}
	return lo + float32(at)
}
