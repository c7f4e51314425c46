package nn

import (
	"fmt"
	"math"
	"sync"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// LinearOf is torch.nn.Linear: y = x W^T + b. Each element of y is a chain of
// fused multiply-adds along the inputs in index order, starting from the bias,
// so it does not depend on the batch or the number of workers.
//
// Many goroutines may call Forward at once; Update only while none does.
type LinearOf[F tensor.Float] struct {
	in, out int
	// precision is that of the weights, which stand in int8 instead of fwd where it
	// is that.
	precision unroll.Precision
	weight    tensor.DenseOf[F] // [out,in]
	bias      tensor.DenseOf[F] // [out]; absent without bias

	lock  sync.Mutex
	fresh bool // fwd holds the weights
	back  bool // bwd holds the weights
	fwd   kernel.Panels[F]
	bwd   kernel.Panels[F]
	int8  kernel.Panels8
}

// Linear is a LinearOf of float32.
type Linear = LinearOf[float32]

// NewLinear returns a float32 layer of zeros from in to out features, with a bias
// if asked for. It is an ErrConfig if a size is below 1 or the weights would be
// more than can be counted.
func NewLinear(in, out int, bias bool) (*Linear, error) { return NewLinearOf[float32](in, out, bias) }

// NewLinearOf is NewLinear for the element type F.
func NewLinearOf[F tensor.Float](in, out int, bias bool) (*LinearOf[F], error) {
	if in < 1 || in > maxSize {
		return nil, badConfig("in_features", in, fmt.Sprintf("1 to %d", maxSize))
	}
	if out < 1 || out > maxSize/in {
		return nil, badConfig("out_features", out, fmt.Sprintf("1 to %d, so that the weights can be counted", maxSize/in))
	}
	l := &LinearOf[F]{in: in, out: out, weight: tensor.DenseOf[F]{Shape: []int{out, in}, Data: kernel.Large[F](nil, out*in)}}
	if bias {
		l.bias = tensor.NewOf[F](out)
	}
	return l, nil
}

// maxSize bounds the number of elements of a parameter: 2^31, and on machines of
// 32 bits what a slice of float64 can have.
const maxSize = min(1<<31, math.MaxInt/8)

// Weight returns the weights [out,in], which must only be read.
func (l *LinearOf[F]) Weight() tensor.DenseOf[F] { return l.weight }

// Bias returns the bias [out], to be read only; absent if there is none.
func (l *LinearOf[F]) Bias() tensor.DenseOf[F] { return l.bias }

// ResetParameters draws weight and bias as PyTorch does: uniform on
// +-1/sqrt(in_features).
func (l *LinearOf[F]) ResetParameters(g *rng.Generator) {
	bound := 1 / math.Sqrt(float64(l.in))
	l.Update(func(w, b tensor.DenseOf[F]) {
		must(rng.Uniform(g, w.Data, -bound, bound))
		if !b.IsZero() {
			must(rng.Uniform(g, b.Data, -bound, bound))
		}
	})
}

// must is for errors that the arguments rule out.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Update lets f change weight and bias in place, and outdates the copies that
// products use.
func (l *LinearOf[F]) Update(f func(weight, bias tensor.DenseOf[F])) {
	l.lock.Lock()
	defer l.lock.Unlock()
	f(l.weight, l.bias)
	l.fresh, l.back = false, false
}

// Forward returns y [...,out] for x [...,in] in fresh memory. It is an ErrShape if
// x has another last dimension, and an ErrUsage if NewLinear did not make l.
func (l *LinearOf[F]) Forward(x tensor.DenseOf[F]) (tensor.DenseOf[F], error) {
	if err := checkLast("x", x, l.in); err != nil {
		return tensor.DenseOf[F]{}, err
	}
	shape := append([]int{}, x.Shape...)
	shape[len(shape)-1] = l.out
	y := tensor.NewOf[F](shape...)
	var p productOf[F]
	l.forward(&p, y.Data, x.Data, len(x.Data)/l.in)
	return y, nil
}

// Backward adds the gradients of weight [out,in] and bias [out] to gw and gb
// and returns dx [...,in], given x as Forward had it and dy [...,out]. gb is
// absent for a layer without bias. It is an ErrShape if one of them does not fit,
// and an ErrUsage if NewLinear did not make l or its weights are rounded.
func (l *LinearOf[F]) Backward(x, dy, gw, gb tensor.DenseOf[F]) (dx tensor.DenseOf[F], err error) {
	if l.precision != unroll.Full {
		return dx, badUse("Linear.Backward", "weights of "+l.precision.String(), "float32: only full precision trains")
	}
	if err := checkLast("x", x, l.in); err != nil {
		return dx, err
	}
	if err := checkLast("dy", dy, l.out); err != nil {
		return dx, err
	}
	n := len(x.Data) / l.in
	switch {
	case len(dy.Data) != n*l.out:
		return dx, badShape("dy", dy.Shape, fmt.Sprintf("%d rows of %d", n, l.out))
	case gw.Check("gw") != nil || len(gw.Data) != l.in*l.out:
		return dx, badShape("gw", gw.Shape, fmt.Sprint(l.weight.Shape))
	case len(gb.Data) != len(l.bias.Data):
		return dx, badShape("gb", gb.Shape, fmt.Sprint(l.bias.Shape))
	}
	dx = tensor.NewOf[F](x.Shape...)
	var p productOf[F]
	l.backward(&p, dx.Data, dy.Data, x.Data, n, gw.Data, gb.Data)
	return dx, nil
}

func checkLast[F tensor.Float](arg string, x tensor.DenseOf[F], size int) error {
	if size < 1 {
		return badUse("linear", "one without weights", "the result of NewLinear")
	}
	if err := x.Check(arg); err != nil {
		return err
	}
	if x.Rank() < 1 || x.Shape[x.Rank()-1] != size {
		return badShape(arg, x.Shape, fmt.Sprintf("[...,%d]", size))
	}
	return nil
}

// forward computes n rows of y.
func (l *LinearOf[F]) forward(p *productOf[F], y, x []F, n int) {
	l.lock.Lock()
	if !l.fresh {
		l.packForward(p)
		l.fresh = true
	}
	l.lock.Unlock()
	if l.precision == unroll.Int8 {
		p.int8 = &l.int8
		defer func() { p.int8 = nil }()
	}
	p.mul(kernel.Rows[F]{Data: y, Row: l.out}, kernel.Rows[F]{Data: l.bias.Data}, &l.fwd,
		kernel.Rows[F]{Data: x, Row: l.in}, n)
}

// packForward packs the weights in their precision. (Those of bfloat16 are rounded
// numbers of float32, and products of these.)
func (l *LinearOf[F]) packForward(p *productOf[F]) {
	if l.precision != unroll.Int8 {
		p.packed(&l.fwd, l.in, l.out, l.weight.Data, l.in, 1)
		return
	}
	l.fwd.Layout = kernel.NewLayout(l.in, l.out, 1)
	l.int8.Resize(l.fwd.Layout)
	for i := range l.int8.Len() {
		kernel.PackPanel8(&l.int8, i, l.weight.Data, 0, l.in, 1)
	}
}

// backward computes n rows of dx (unless dx is nil) and adds to gw and gb.
func (l *LinearOf[F]) backward(p *productOf[F], dx, dy, x []F, n int, gw, gb []F) {
	kernel.AddColumns(n, len(gb), gb, kernel.Rows[F]{Data: dy, Row: l.out})
	// gw[o][i] += sum over rows of dy[r][o]*x[r][i]
	from := kernel.Rows[F]{Data: dy, Row: l.out}
	p.addOuter(kernel.Rows[F]{Data: gw, Row: l.in}, l.out, l.in, from, kernel.Rows[F]{Data: x, Row: l.in}, n)
	if dx == nil {
		return
	}
	l.lock.Lock()
	if !l.back {
		p.packed(&l.bwd, l.out, l.in, l.weight.Data, 1, l.in)
		l.back = true
	}
	l.lock.Unlock()
	p.mul(kernel.Rows[F]{Data: dx, Row: l.in}, kernel.Rows[F]{}, &l.bwd, from, n)
}
