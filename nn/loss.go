package nn

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/tensor"
)

// Reduction says how the losses of a batch become one number.
type Reduction int

// The reductions of torch.nn's losses. For Reduction "none" every loss has the
// method Each.
const (
	Mean Reduction = iota
	Sum
)

// String returns PyTorch's name.
func (r Reduction) String() string {
	switch r {
	case Mean:
		return "mean"
	case Sum:
		return "sum"
	}
	return fmt.Sprintf("Reduction(%d)", int(r))
}

// A PointwiseOf is a loss that compares each element of the input with one of
// the target: MSE, L1, Huber, SmoothL1, BCEWithLogits. All is computed in
// float64 and rounded once.
type PointwiseOf[F tensor.Float] struct {
	Reduction Reduction
	name      string
	// at returns value and derivative; c is the index in the last dimension.
	at func(x, y float64, c int) (value, slope float64)
	// last is the required size of the last dimension, 0 for any.
	last int
	err  error
}

// Pointwise is a PointwiseOf of float32.
type Pointwise = PointwiseOf[float32]

// MSE is torch.nn.MSELoss: (x-y)^2.
func MSE(r Reduction) *Pointwise { return MSEOf[float32](r) }

// MSEOf is MSE for the element type F.
func MSEOf[F tensor.Float](r Reduction) *PointwiseOf[F] {
	return &PointwiseOf[F]{Reduction: r, name: "MSE", at: func(x, y float64, _ int) (float64, float64) {
		d := x - y
		return d * d, 2 * d
	}}
}

// L1 is torch.nn.L1Loss: |x-y|, with slope 0 where they are equal.
func L1(r Reduction) *Pointwise { return L1Of[float32](r) }

// L1Of is L1 for the element type F.
func L1Of[F tensor.Float](r Reduction) *PointwiseOf[F] {
	return &PointwiseOf[F]{Reduction: r, name: "L1", at: func(x, y float64, _ int) (float64, float64) {
		return math.Abs(x - y), sign(x - y)
	}}
}

// Huber is torch.nn.HuberLoss: (x-y)^2/2 up to |x-y| = delta, then
// delta*(|x-y|-delta/2). delta is above 0 (PyTorch's default: 1).
func Huber(delta float64, r Reduction) *Pointwise { return HuberOf[float32](delta, r) }

// HuberOf is Huber for the element type F.
func HuberOf[F tensor.Float](delta float64, r Reduction) *PointwiseOf[F] {
	p := &PointwiseOf[F]{Reduction: r, name: "Huber", at: func(x, y float64, _ int) (float64, float64) {
		d := x - y
		if a := math.Abs(d); a > delta {
			return delta * (a - delta/2), delta * sign(d)
		}
		return d * d / 2, d
	}}
	if !(delta > 0) {
		p.err = badConfig("delta", delta, "a number above 0")
	}
	return p
}

// SmoothL1 is torch.nn.SmoothL1Loss: (x-y)^2/(2 beta) below |x-y| = beta, then
// |x-y|-beta/2. With beta 0 it is L1 (PyTorch's default: 1).
func SmoothL1(beta float64, r Reduction) *Pointwise { return SmoothL1Of[float32](beta, r) }

// SmoothL1Of is SmoothL1 for the element type F.
func SmoothL1Of[F tensor.Float](beta float64, r Reduction) *PointwiseOf[F] {
	p := &PointwiseOf[F]{Reduction: r, name: "SmoothL1", at: func(x, y float64, _ int) (float64, float64) {
		d := x - y
		if a := math.Abs(d); a >= beta {
			return a - beta/2, sign(d)
		}
		return d * d / (2 * beta), d / beta
	}}
	if !(beta >= 0) {
		p.err = badConfig("beta", beta, "0 or a number above it")
	}
	return p
}

// BCEWithLogits is torch.nn.BCEWithLogitsLoss: the binary cross entropy of
// sigmoid(x) with y,
//
//	(1-y)*x + (1+(w-1)*y)*log(1+exp(-x))
//
// where w is posWeight of the element's column, 1 if posWeight is nil.
func BCEWithLogits(posWeight []float32, r Reduction) *Pointwise {
	return BCEWithLogitsOf(posWeight, r)
}

// BCEWithLogitsOf is BCEWithLogits for the element type F.
func BCEWithLogitsOf[F tensor.Float](posWeight []F, r Reduction) *PointwiseOf[F] {
	p := &PointwiseOf[F]{Reduction: r, name: "BCEWithLogits", last: len(posWeight)}
	p.at = func(x, y float64, c int) (float64, float64) {
		w := 1.0
		if posWeight != nil {
			w = float64(posWeight[c])
		}
		e := fmath.Exp(-math.Abs(x))
		l, s := max(-x, 0)+fmath.Log1p(e), 1/(1+e) // log(1+exp(-x)), sigmoid(-|x|) mirrored
		if x >= 0 {
			s = e / (1 + e) // sigmoid(-x)
		}
		k := 1 + float64((w-1)*y)
		return float64((1-y)*x) + float64(k*l), (1 - y) - float64(k*s)
	}
	return p
}

func sign(d float64) float64 {
	switch {
	case d > 0:
		return 1
	case d < 0:
		return -1
	}
	return d // 0, NaN
}

// Loss returns the reduced loss of input x and target y, tensors of one shape,
// and writes its gradient by x to grad, which is nil or has as many elements as
// x. It allocates nothing. It is an ErrConfig if the loss's own argument or the
// Reduction is none it can have, an ErrShape if x, y or grad do not fit, an
// ErrUsage if no constructor made p.
func (p *PointwiseOf[F]) Loss(x, y tensor.DenseOf[F], grad []F) (float64, error) {
	if err := p.check(x, y, nil, nil, grad); err != nil {
		return 0, err
	}
	scale := 1.0
	if p.Reduction == Mean {
		scale = 1 / float64(len(x.Data))
	}
	sum, cols := 0.0, last(x)
	for i, v := range x.Data {
		value, slope := p.at(float64(v), float64(y.Data[i]), i%cols)
		sum += value
		if grad != nil {
			grad[i] = F(slope * scale)
		}
	}
	return sum * scale, nil
}

// Each is the loss without reduction: it writes the loss of every element to
// each, and the gradient of sum(up*each) by x to grad. each and grad may be
// nil; a nil up is all ones. Where up is 0 the gradient is 0, whatever x is.
// Errors are those of Loss.
func (p *PointwiseOf[F]) Each(each []F, x, y tensor.DenseOf[F], up, grad []F) error {
	if err := p.check(x, y, each, up, grad); err != nil {
		return err
	}
	cols := last(x)
	for i, v := range x.Data {
		value, slope := p.at(float64(v), float64(y.Data[i]), i%cols)
		if each != nil {
			each[i] = F(value)
		}
		if grad == nil {
			continue
		}
		u := 1.0
		if up != nil {
			u = float64(up[i])
		}
		grad[i] = 0
		if u != 0 {
			grad[i] = F(slope * u)
		}
	}
	return nil
}

func (p *PointwiseOf[F]) check(x, y tensor.DenseOf[F], slices ...[]F) error {
	switch {
	case p.err != nil:
		return p.err
	case p.at == nil:
		return badUse("loss", "a literal", "the result of MSE, L1, Huber, SmoothL1 or BCEWithLogits")
	case p.Reduction != Mean && p.Reduction != Sum:
		return badConfig("reduction", p.Reduction, "Mean or Sum")
	}
	if err := x.Check("input"); err != nil {
		return err
	}
	if err := y.Check("target"); err != nil {
		return err
	}
	if !sameShape(x.Shape, y.Shape) {
		return badShape("target", y.Shape, fmt.Sprintf("that of the input: %v", x.Shape))
	}
	if p.last > 0 && last(x) != p.last {
		return badShape("input", x.Shape, fmt.Sprintf("a last dimension of %d, the length of pos_weight", p.last))
	}
	for _, s := range slices {
		if s != nil && len(s) != len(x.Data) {
			return badShape("loss or gradient", []int{len(s)}, fmt.Sprintf("%d elements, as the input", len(x.Data)))
		}
	}
	return nil
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i, n := range a {
		if n != b[i] {
			return false
		}
	}
	return true
}

// last returns the size of the last dimension, 1 for a single number.
func last[F tensor.Float](x tensor.DenseOf[F]) int {
	if len(x.Shape) == 0 {
		return 1
	}
	return max(x.Shape[len(x.Shape)-1], 1)
}
