package nn

import (
	"fmt"

	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// DropoutOf is torch.nn.Dropout in training mode: each element is zeroed with
// probability P, the others are divided by 1-P. In evaluation mode nothing is to
// be done, so nothing is called. It belongs to one goroutine.
type DropoutOf[F tensor.Float] struct {
	P float64

	noise []F
	drawn bool // noise is of a Forward
}

// Dropout is a DropoutOf of float32.
type Dropout = DropoutOf[float32]

// Forward draws noise in PyTorch's order and writes x times the noise to dst,
// which is as long as x and may be x. With P 0 or 1 nothing is drawn and g may
// be nil. It is an ErrConfig if P is no probability, an ErrShape if dst and x
// differ in length, an ErrUsage if a g is needed and missing. It allocates nothing after
// the first call of a size.
func (d *DropoutOf[F]) Forward(g *rng.Generator, dst, x []F) error {
	d.drawn = false
	switch {
	case !(d.P >= 0 && d.P <= 1):
		return badConfig("p", d.P, "a probability from 0 to 1")
	case len(dst) != len(x):
		return badShape("dst", []int{len(dst)}, fmt.Sprintf("%d elements, as x", len(x)))
	case g == nil && d.P > 0 && d.P < 1:
		return badUse("generator", "none", fmt.Sprintf("one, for dropout %v", d.P))
	}
	d.noise = grow(d.noise, len(x))
	if err := rng.Dropout(g, d.noise, d.P); err != nil {
		return err
	}
	for i, v := range x {
		dst[i] = v * d.noise[i]
	}
	d.drawn = true
	return nil
}

// Backward turns the gradient of what the last Forward wrote into that of its
// x, in place. It is an ErrUsage without a Forward before it, and an ErrShape if
// grad is not as long as its x.
func (d *DropoutOf[F]) Backward(grad []F) error {
	if !d.drawn {
		return badUse("Dropout.Backward", "no Forward before it", "one")
	}
	if len(grad) != len(d.noise) {
		return badShape("gradient", []int{len(grad)}, fmt.Sprintf("%d elements, as x", len(d.noise)))
	}
	for i, k := range d.noise {
		grad[i] *= k
	}
	return nil
}
