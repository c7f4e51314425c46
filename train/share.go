package train

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// shareLeast is how many elements of a gradient are worth another worker: one takes
// some 0.2 ns from memory, and two meet in 0.3 µs.
var shareLeast = 1 << 16

// elements returns how many elements of all gradients may not be zero.
func elements[F tensor.Float](params []nn.ParamOf[F]) (n int) {
	for i := range params {
		n += size(&params[i])
	}
	return n
}

// size is elements of one parameter.
func size[F tensor.Float](p *nn.ParamOf[F]) int {
	if p.Sparse {
		return len(p.Rows) * width(p)
	}
	return len(p.Grad.Data)
}

// width is the size of a row of a sparse gradient.
func width[F tensor.Float](p *nn.ParamOf[F]) int { return len(p.Grad.Data) / max(p.Grad.Shape[0], 1) }

// workersFor returns how many of n workers are worth it for so many elements.
func workersFor(t *kernel.Team, n, elements int) int {
	return t.Workers(max(1, min(n, elements/shareLeast)))
}
