package train

import (
	"math"
	"sync/atomic"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// ClipGradNorm is torch.nn.utils.clip_grad_norm_ with norm_type 2: it returns
// the norm of all gradients together and, where that exceeds maxNorm, scales
// them by maxNorm/(norm+1e-6). The sum of squares is float64, that of
// kernel.SumSquares for each gradient, gradient after gradient; so the result
// does not depend on the machine. It is an ErrArgument if maxNorm is below 0 or
// NaN.
func ClipGradNorm[F tensor.Float](params []nn.ParamOf[F], maxNorm float64) (norm float64, err error) {
	var c NormClipOf[F]
	return c.Clip(params, maxNorm)
}

// NormClipOf is ClipGradNorm shared by goroutines. The zero value is ready. It may be
// used by one goroutine at a time, and allocates nothing after the first call.
type NormClipOf[F tensor.Float] struct {
	// Workers is the most goroutines that share the gradients; 0 is 1. The bits are
	// the same for any number.
	Workers int

	team   kernel.Team
	next   atomic.Int32
	params []nn.ParamOf[F]
	parts  []float64 // of each gradient, the sum of squares
	by     F         // what the gradients are multiplied with; only where scaling
	scales bool
}

// NormClip is a NormClipOf of float32.
type NormClip = NormClipOf[float32]

// Clip is ClipGradNorm.
func (c *NormClipOf[F]) Clip(params []nn.ParamOf[F], maxNorm float64) (norm float64, err error) {
	if !(maxNorm >= 0) {
		return 0, badArg("max_norm", maxNorm, "0 or above")
	}
	c.params, c.parts, c.scales = params, resize(c.parts, len(params)), false
	defer func() { c.params = nil }()
	workers := workersFor(&c.team, c.Workers, elements(params))
	c.next.Store(0)
	c.team.Run(c, workers)
	sum := 0.0
	for i := range params {
		sum = addSquares(&params[i], c.parts[i], sum)
	}
	norm = math.Sqrt(sum)
	k := maxNorm / (norm + 1e-6)
	if k < 1 || k != k {
		c.by, c.scales = F(k), true
		c.team.Run(c, workers)
	}
	return norm, nil
}

// addSquares adds the squares of a parameter's gradient to sum: part, or of a sparse
// gradient row by row.
func addSquares[F tensor.Float](p *nn.ParamOf[F], part, sum float64) float64 {
	if !p.Sparse {
		return sum + part
	}
	w := width(p)
	for _, r := range p.Rows {
		sum += kernel.SumSquares(p.Grad.Data[r*w : (r+1)*w])
	}
	return sum
}

// Work sums the squares of gradients that no worker has taken, or scales worker w's
// part of each.
func (c *NormClipOf[F]) Work(w, n int) {
	if !c.scales {
		for { // from the last, the head's, which is the largest
			i := len(c.params) - int(c.next.Add(1))
			if i < 0 {
				return
			}
			if p := &c.params[i]; !p.Sparse {
				c.parts[i] = kernel.SumSquares(p.Grad.Data)
			}
		}
	}
	for i := range c.params {
		p := &c.params[i]
		if !p.Sparse {
			lo, hi := kernel.Share(len(p.Grad.Data), w, n)
			kernel.Scale(p.Grad.Data[lo:hi], c.by)
			continue
		}
		wide := width(p)
		lo, hi := kernel.Share(len(p.Rows), w, n)
		for _, r := range p.Rows[lo:hi] {
			kernel.Scale(p.Grad.Data[r*wide:(r+1)*wide], c.by)
		}
	}
}

// ClipGradValue is torch.nn.utils.clip_grad_value_: it limits every element of
// every gradient to [-limit, limit]. It is an ErrArgument if limit is below 0 or
// NaN.
func ClipGradValue[F tensor.Float](params []nn.ParamOf[F], limit float64) error {
	if !(limit >= 0) {
		return badArg("clip_value", limit, "0 or above")
	}
	l := F(limit)
	each(params, func(g []F) {
		for i, v := range g {
			switch {
			case v > l:
				g[i] = l
			case v < -l:
				g[i] = -l
			}
		}
	})
	return nil
}

// each calls f with all parts of all gradients that may not be zero.
func each[F tensor.Float](params []nn.ParamOf[F], f func([]F)) {
	for _, p := range params {
		if !p.Sparse {
			f(p.Grad.Data)
			continue
		}
		w := len(p.Grad.Data) / max(p.Grad.Shape[0], 1)
		for _, r := range p.Rows {
			f(p.Grad.Data[r*w : (r+1)*w])
		}
	}
}
