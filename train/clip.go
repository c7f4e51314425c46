package train

import (
	"math"

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
	if !(maxNorm >= 0) {
		return 0, badArg("max_norm", maxNorm, "0 or above")
	}
	sum := 0.0
	each(params, func(g []F) { sum += kernel.SumSquares(g) })
	norm = math.Sqrt(sum)
	k := maxNorm / (norm + 1e-6)
	if k < 1 || k != k {
		f := F(k)
		each(params, func(g []F) {
			for i, v := range g {
				g[i] = v * f
			}
		})
	}
	return norm, nil
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
