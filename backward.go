package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/tensor"
)

// GradsOf holds a gradient for each parameter of a layer. A nil one holds none.
type GradsOf[F tensor.Float] struct{ params []ParamOf[F] }

// Grads are gradients of float32.
type Grads = GradsOf[float32]

// NewGrads returns gradients of zeros for the parameters of l.
func (l *LayerOf[F]) NewGrads() *GradsOf[F] {
	g := &GradsOf[F]{}
	for _, p := range l.Params() {
		g.params = append(g.params, ParamOf[F]{p.Name, tensor.NewOf[F](p.Value.Shape...)})
	}
	return g
}

// Params returns the gradients under the names and in the order of the layer's
// Params. The values are g's own memory: write to it (to clip, say) as you like
// between calls of Backward.
func (g *GradsOf[F]) Params() []ParamOf[F] {
	if g == nil {
		return nil
	}
	return g.params
}

// Zero sets all gradients to zero.
func (g *GradsOf[F]) Zero() {
	for _, p := range g.Params() {
		clear(p.Value.Data)
	}
}

// Backward runs the last recorded Forward backwards: given the gradients dy of
// its output and dsn of its final state, it adds those of the parameters to
// Grads and returns those of the input, dx [T,B,I] laid out as the input was,
// and of the initial state, ds0. Absent tensors (the zero value) count as
// zeros, also single halves of dsn. dy beyond a sequence's end is not read, dx
// is zero there. With Resets, ds0 gathers what reached every new beginning; with
// NoInputGrad there is no dx.
//
// It may be called again for another dy. The bits do not depend on the number
// of workers. It allocates nothing if a call of the same shape went before.
//
// Errors: ErrUsage without a recorded Forward of this very Layer, or where its
// parameters have changed since, and for a LeakyRelu or Elu whose alpha is not
// above 0, and for a layer that Quantize made; ErrShape for dy, dsn or Grads that do not fit.
func (p *PassOf[F]) Backward(dy tensor.DenseOf[F], dsn StateOf[F]) (dx tensor.DenseOf[F], ds0 StateOf[F], err error) {
	if err := p.recorded("Backward"); err != nil {
		return dx, ds0, err
	}
	if p.Layer.stack.Version.Load() != p.version {
		return dx, ds0, &ArgError{Kind: ErrUsage, Arg: "Pass.Backward", Got: "parameters that changed after the Forward", Want: "those of the Forward", Hint: "call Forward again, or Backward before Update"}
	}
	if err := p.Layer.trains("Pass.Backward"); err != nil {
		return dx, ds0, err
	}
	if err := p.Layer.cfg.Variant.backwards(); err != nil {
		return dx, ds0, err
	}
	c, d := p.Layer.cfg, p.dims
	if !dy.IsZero() || len(dy.Data) > 0 {
		if err := sameShape("dy", dy, p.y.Shape); err != nil {
			return dx, ds0, err
		}
	}
	if err := checkState(&p.Layer.cfg, "dsn", dsn, d.batched, true, d.b); err != nil {
		return dx, ds0, err
	}
	if err := p.useGrads(); err != nil {
		return dx, ds0, err
	}
	if p.NoInputGrad {
		p.dx = tensor.DenseOf[F]{Data: p.dx.Data[:0]}
	} else {
		p.dx = shaped(p.dx, &p.dxShape, p.outShape(c.InputSize))
	}
	p.ds.H = shaped(p.ds.H, &p.hShape[1], p.stateShape(c.StateSize()))
	if c.HasCell() {
		p.ds.C = shaped(p.ds.C, &p.cShape[1], p.stateShape(c.HiddenSize))
	} else {
		p.ds.C = tensor.DenseOf[F]{}
	}
	if p.run.Perm != nil { // Lengths may have changed since the Forward
		clear(p.dx.Data)
	}
	b := scan.Back[F]{
		DHN: given(dsn.H), DCN: given(dsn.C), DH0: p.ds.H.Data, DC0: p.ds.C.Data,
		Grads: p.scanGrads,
	}
	if !p.NoInputGrad {
		b.DX = p.strided(p.dx.Data, c.InputSize)
	}
	if !dy.IsZero() {
		b.DY = p.strided(dy.Data, c.OutputSize())
	}
	p.run.Backward(b)
	if p.NoInputGrad {
		return tensor.DenseOf[F]{}, p.ds, nil
	}
	return p.dx, p.ds, nil
}

// useGrads makes Grads if need be and lays out the engine's view of them, anew
// in each call: what Params returned may have been changed.
func (p *PassOf[F]) useGrads() error {
	if p.Grads == nil {
		p.Grads = p.Layer.NewGrads()
	}
	for i, want := range p.Layer.params {
		if i >= len(p.Grads.params) || len(p.Grads.params) != len(p.Layer.params) || sameShape("", p.Grads.params[i].Value, want.Value.Shape) != nil {
			return &ArgError{Kind: ErrShape, Arg: "Pass.Grads", Got: "the gradients of another layer", Want: "what NewGrads of " + p.Layer.describe() + " returns"}
		}
	}
	p.scanGrads = view(p.scanGrads, p.Layer.cfg, p.Grads.params)
	return nil
}

// sameShape reports whether t has the shape, and as much data as it needs.
func sameShape[F tensor.Float](arg string, t tensor.DenseOf[F], shape []int) error {
	same := len(t.Shape) == len(shape)
	for i := range shape {
		same = same && t.Shape[i] == shape[i]
	}
	if !same {
		return &ArgError{Kind: ErrShape, Arg: arg, Got: fmt.Sprintf("shape %v", t.Shape), Want: fmt.Sprint(shape)}
	}
	return checked(arg, t)
}

// checked is t.Check as an *ArgError.
func checked[F tensor.Float](arg string, t tensor.DenseOf[F]) error {
	if t.Check(arg) == nil {
		return nil
	}
	return &ArgError{Kind: ErrShape, Arg: arg, Got: fmt.Sprintf("%d elements for shape %v", len(t.Data), t.Shape), Want: "as many elements as the shape has"}
}
