package rng

import "math"

// Rand fills dst with uniform values on [0,1): for float32 24 bits of one
// 32-bit draw each, for float64 53 bits of a 64-bit draw. PyTorch: torch.rand.
func Rand[F Float](g *Generator, dst []F) {
	switch d := any(dst).(type) {
	case []float32:
		for len(d) > 0 {
			w := g.ready(len(d))
			for i, y := range w {
				d[i] = float32(temper(y)&(1<<24-1)) * 0x1p-24
			}
			d = d[len(w):]
		}
	case []float64:
		for len(d) > 0 {
			w := g.ready(2 * len(d))
			n := len(w) / 2
			for i := range d[:n] {
				d[i] = unit64(temper(w[2*i]), temper(w[2*i+1]))
			}
			if d = d[n:]; len(w)%2 == 1 { // the low word comes from the next state
				d[0] = unit64(temper(w[2*n]), g.Uint32())
				d = d[1:]
			}
		}
	}
}

// Uniform fills dst with uniform values on [lo,hi): x·(hi-lo)+lo in the
// element type, where x is what Rand draws; one fused multiply-add, or two
// roundings with g.Scalar. Rounding can give hi itself. It is an ErrArgument
// if lo > hi or hi-lo is not finite. PyTorch: Tensor.uniform_.
func Uniform[F Float](g *Generator, dst []F, lo, hi float64) error {
	a, b := F(lo), F(hi)
	width := b - a
	if !(lo <= hi) || math.IsInf(float64(width), 0) || math.IsNaN(float64(width)) {
		return &ArgumentError{Func: "Uniform", Arg: "[lo,hi)", Got: [2]float64{lo, hi}, Want: "lo <= hi and a finite difference"}
	}
	Rand(g, dst)
	if a == 0 && width == 1 {
		return nil
	}
	if g.Scalar {
		for i, x := range dst {
			dst[i] = F(x*width) + a
		}
		return nil
	}
	switch d := any(dst).(type) {
	case []float32:
		a, width := float32(a), float32(width)
		for i, x := range d {
			v, ok := easyFMA32(x, width, a)
			if !ok {
				v = fma32(x, width, a)
			}
			d[i] = v
		}
	case []float64:
		a, width := float64(a), float64(width)
		for i, x := range d {
			d[i] = math.FMA(x, width, a)
		}
	}
	return nil
}

// Bernoulli fills dst with 1 where a float64 uniform value is below p, and 0
// elsewhere: one 64-bit draw per element, whatever the element type. It is an
// ErrArgument if p is not in [0,1]. PyTorch: Tensor.bernoulli_(p).
func Bernoulli[F Float](g *Generator, dst []F, p float64) error {
	if !(p >= 0 && p <= 1) {
		return &ArgumentError{Func: "Bernoulli", Arg: "p", Got: p, Want: "a probability in [0,1]"}
	}
	bernoulli(g, dst, p, 1)
	return nil
}

// bernoulli fills dst with value where a float64 uniform is below p.
func bernoulli[F Float](g *Generator, dst []F, p float64, value F) {
	var u [256]float64
	for len(dst) > 0 {
		n := min(len(dst), len(u))
		Rand(g, u[:n])
		for i, u := range u[:n] {
			dst[i] = 0
			if u < p {
				dst[i] = value
			}
		}
		dst = dst[n:]
	}
}

// BernoulliTensor fills dst[i] with 1 where a uniform value of the element
// type is below p[i], and 0 elsewhere. dst and p may be the same slice. It is
// an ErrArgument if their lengths differ or a p[i] is not in [0,1]. PyTorch:
// torch.bernoulli(p).
func BernoulliTensor[F Float](g *Generator, dst, p []F) error {
	if len(dst) != len(p) {
		return &ArgumentError{Func: "BernoulliTensor", Arg: "len(dst)", Got: len(dst), Want: "the length of p"}
	}
	for _, q := range p {
		if !(q >= 0 && q <= 1) {
			return &ArgumentError{Func: "BernoulliTensor", Arg: "p", Got: q, Want: "probabilities in [0,1]"}
		}
	}
	for i, q := range p {
		var x [1]F
		Rand(g, x[:])
		dst[i] = 0
		if x[0] < q {
			dst[i] = 1
		}
	}
	return nil
}

// Dropout fills dst with the noise that dropout multiplies its input by: 0
// with probability p, else 1/(1-p). With p 0 or 1 nothing is drawn. It is an
// ErrArgument if p is not in [0,1]. PyTorch: torch.dropout(x, p, train=True),
// which is x times this noise.
func Dropout[F Float](g *Generator, dst []F, p float64) error {
	if !(p >= 0 && p <= 1) {
		return &ArgumentError{Func: "Dropout", Arg: "p", Got: p, Want: "a probability in [0,1]"}
	}
	switch p {
	case 0:
		for i := range dst {
			dst[i] = 1
		}
	case 1:
		clear(dst)
	default:
		bernoulli(g, dst, 1-p, 1/F(1-p))
	}
	return nil
}
