package nn

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// InputOf is what a model reads: tokens, or features.
type InputOf[F tensor.Float] struct {
	// Tokens are [T,B] token indices, flattened ([B,T] with BatchFirst). With T and
	// B 0 they are one sequence without a batch dimension.
	Tokens []int
	T, B   int // of Tokens
	// Features [T,B,I] is read by models without embedding; [T,I] is one sequence
	// without a batch dimension.
	Features tensor.DenseOf[F]
}

// Input is an InputOf of float32.
type Input = InputOf[float32]

// PassOf is how one goroutine runs a model: the options, the memory and, in
// training, the gradients. With its Model set it is ready. A pass must not be
// copied after its first use, nor used by two goroutines at once. What it returns belongs to it and holds until
// its next call. After the first call of a shape nothing is allocated.
type PassOf[F tensor.Float] struct {
	Model *ModelOf[F]
	// Train turns on dropout, and the record that Backward needs.
	Train     bool
	Generator *rng.Generator // draws the masks, first those inside RNN, then the head's
	Workers   int            // 0: the engine chooses
	Lengths   []int          // of the B sequences; nil: all T
	Resets    []bool         // [T,B], see unroll.Pass

	rnn    unroll.PassOf[F]
	prod   productOf[F]
	in     InputOf[F]
	x      tensor.DenseOf[F] // what the layer read
	h      tensor.DenseOf[F] // what the head read: own, or the layer's output
	own    tensor.DenseOf[F]
	logits tensor.DenseOf[F]
	drop   DropoutOf[F] // before the head
	dh     tensor.DenseOf[F]
	dn     unroll.StateOf[F]
	ran    *ModelOf[F] // by a Forward that a Backward may follow; else nil
	drops  bool        // in that Forward

	params []ParamOf[F]
	of     *ModelOf[F] // that params are of
	rows   *RowGradOf[F]
	gw, gb tensor.DenseOf[F]
}

// Pass is a PassOf of float32.
type Pass = PassOf[float32]

// Forward returns the head's output, logits [T,B,C] ([B,T,C] with BatchFirst)
// or, with Output "last", [B,C], and the layer's final state. For one sequence
// without a batch dimension they are [T,C] or [C], and states have none either
// (unroll.Pass.Forward). Where a sequence has ended (Lengths) the logits are those
// of a zero output: the head's bias.
//
// It is an ErrUsage without a Model, with features for a model that reads tokens
// or the other way round, with dropout but no Generator, and with Train for a model
// that Quantize made; an ErrIndex for a
// token outside the embedding; an ErrShape for an input or a state that does not
// fit; and what unroll.Pass.Forward says of Lengths and Resets. After an error
// there is nothing to go Backward from.
func (p *PassOf[F]) Forward(in InputOf[F], s0 unroll.StateOf[F]) (logits tensor.DenseOf[F], sn unroll.StateOf[F], err error) {
	p.ran = nil
	m := p.Model
	if m == nil || m.fc == nil {
		return logits, sn, badUse("pass.Model", "none", "the result of New or Open")
	}
	if p.Train && len(m.cfg.Precision) > 0 {
		return logits, sn, badUse("pass.Train", fmt.Sprintf("a model of %v", m.cfg.Precision), "one of float32: train before Quantize")
	}
	if err := p.read(in); err != nil {
		return logits, sn, err
	}
	p.rnn.Layer, p.rnn.Train, p.rnn.Record, p.rnn.Generator = m.rnn, p.Train, p.Train, p.Generator
	p.rnn.Workers, p.rnn.Lengths, p.rnn.Resets = p.Workers, p.Lengths, p.Resets
	p.rnn.NoInputGrad = m.embedding == nil // features are data
	y, sn, err := p.rnn.Forward(p.x, s0)
	if err != nil {
		return logits, sn, err
	}
	if m.cfg.Output == "last" {
		y = p.gather(sn.H)
	}
	if y, err = p.headDropout(y); err != nil {
		return logits, sn, err
	}
	p.h = y
	n := len(y.Data) / m.fc.in
	p.logits.Shape = append(append(p.logits.Shape[:0], y.Shape[:len(y.Shape)-1]...), m.fc.out)
	p.logits.Data = grow(p.logits.Data, n*m.fc.out)
	p.prod.n = max(p.Workers, 1)
	m.fc.forward(&p.prod, p.logits.Data, y.Data, n)
	if p.Train {
		p.ran = m
	}
	return p.logits, sn, nil
}

// read checks the input and makes the layer's input of it.
func (p *PassOf[F]) read(in InputOf[F]) error {
	e := p.Model.embedding
	p.in = in
	if e == nil {
		if in.Tokens != nil || in.Features.IsZero() {
			return badUse("input", "tokens, or nothing", fmt.Sprintf("features [T,B,%d]", p.Model.cfg.RNN.InputSize))
		}
		if r := in.Features.Rank(); r != 3 && r != 2 {
			return badShape("features", in.Features.Shape, fmt.Sprintf("[T,B,%d], or [T,%[1]d] for one sequence", p.Model.cfg.RNN.InputSize))
		}
		p.x = in.Features
		return nil
	}
	dim := e.Weight.Shape[1]
	if n := len(in.Tokens); n > 0 && in.T == 0 && in.B == 0 {
		p.x = tensor.DenseOf[F]{Shape: append(p.x.Shape[:0], n, dim), Data: grow(p.x.Data, n*dim)}
		return e.Forward(p.x.Data, in.Tokens)
	}
	if in.T < 1 || in.B < 1 || in.T > maxSize/in.B || len(in.Tokens) != in.T*in.B {
		return badShape("tokens", []int{len(in.Tokens)}, fmt.Sprintf("T*B = %d*%d of them, at least one", in.T, in.B))
	}
	a, b := in.T, in.B
	if p.Model.cfg.RNN.BatchFirst {
		a, b = b, a
	}
	p.x = tensor.DenseOf[F]{Shape: append(p.x.Shape[:0], a, b, dim), Data: grow(p.x.Data, a*b*dim)}
	return e.Forward(p.x.Data, in.Tokens)
}

// gather lays the top layer's final hidden states side by side: [B,D*H'], [D*H']
// without a batch dimension.
func (p *PassOf[F]) gather(h tensor.DenseOf[F]) tensor.DenseOf[F] {
	b, s, d := 1, p.Model.cfg.RNN.StateSize(), p.Model.cfg.RNN.Directions()
	p.own.Shape = p.own.Shape[:0]
	if h.Rank() == 3 {
		b = h.Shape[1]
		p.own.Shape = append(p.own.Shape, b)
	}
	top := h.Data[len(h.Data)-d*b*s:]
	p.own = tensor.DenseOf[F]{Shape: append(p.own.Shape, d*s), Data: grow(p.own.Data, b*d*s)}
	for r := range b {
		for k := range d {
			copy(p.own.Data[(r*d+k)*s:(r*d+k+1)*s], top[(k*b+r)*s:])
		}
	}
	return p.own
}

// headDropout applies the dropout before the head.
func (p *PassOf[F]) headDropout(y tensor.DenseOf[F]) (tensor.DenseOf[F], error) {
	p.drop.P = p.Model.cfg.HeadDropout
	p.drops = p.Train && p.drop.P > 0
	if !p.drops {
		return y, nil
	}
	// y may be the layer's memory, which is not to be changed.
	p.own = tensor.DenseOf[F]{Shape: append(p.own.Shape[:0], y.Shape...), Data: grow(p.own.Data, len(y.Data))}
	return p.own, p.drop.Forward(p.Generator, p.own.Data, y.Data)
}

// Backward adds to the gradients of all parameters those of a loss whose
// gradient by the logits of the last Forward is d, which may be the logits'
// own memory. A Forward has one Backward: it is an ErrUsage without a Forward of
// the same Model with Train before it, and an ErrShape if d has not the logits'
// shape.
func (p *PassOf[F]) Backward(d tensor.DenseOf[F]) error {
	if p.ran == nil || p.ran != p.Model {
		return badUse("Pass.Backward", "no Forward before it", "one of the same Model, with Train")
	}
	if !sameShape(d.Shape, p.logits.Shape) || len(d.Data) != len(p.logits.Data) {
		return badShape("gradient of the logits", d.Shape, fmt.Sprint(p.logits.Shape))
	}
	p.ran = nil
	p.Params()
	m, n := p.Model, len(p.h.Data)/p.Model.fc.in
	p.dh.Shape = append(p.dh.Shape[:0], p.h.Shape...)
	p.dh.Data = grow(p.dh.Data, len(p.h.Data))
	m.fc.backward(&p.prod, p.dh.Data, d.Data, p.h.Data, n, p.gw.Data, p.gb.Data)
	if p.drops {
		if err := p.drop.Backward(p.dh.Data); err != nil {
			return err
		}
	}
	dy, dn := p.dh, unroll.StateOf[F]{}
	if m.cfg.Output == "last" {
		dy, dn = tensor.DenseOf[F]{}, p.scatter()
	}
	dx, _, err := p.rnn.Backward(dy, dn)
	if err != nil || m.embedding == nil {
		return err
	}
	return m.embedding.Backward(dx.Data, p.in.Tokens, p.rows)
}

// scatter is gather the other way: the gradient of the final states.
func (p *PassOf[F]) scatter() unroll.StateOf[F] {
	cfg := p.Model.cfg.RNN
	b, s, d := 1, cfg.StateSize(), cfg.Directions()
	p.dn.H.Shape = append(p.dn.H.Shape[:0], cfg.Layers()*d)
	if p.dh.Rank() == 2 {
		b = p.dh.Shape[0]
		p.dn.H.Shape = append(p.dn.H.Shape, b)
	}
	p.dn.H.Shape = append(p.dn.H.Shape, s)
	p.dn.H.Data = grow(p.dn.H.Data, cfg.Layers()*d*b*s)
	lower := len(p.dn.H.Data) - d*b*s
	clear(p.dn.H.Data[:lower])
	for r := range b {
		for k := range d {
			copy(p.dn.H.Data[lower+(k*b+r)*s:][:s], p.dh.Data[(r*d+k)*s:])
		}
	}
	return p.dn
}

// Params returns the parameters with their gradients, in the order embedding,
// rnn, fc; tied weights once, as embedding.weight. The slice belongs to the
// pass. Values may be changed inside Model.Update only. Another Model begins
// with gradients of zeros; without one there are none.
func (p *PassOf[F]) Params() []ParamOf[F] {
	if p.of != p.Model {
		p.of, p.params, p.rows, p.gb = p.Model, nil, nil, tensor.DenseOf[F]{}
		if p.Model != nil && p.Model.fc != nil {
			p.makeGrads()
		}
	}
	if p.rows != nil {
		p.params[0].Rows = p.rows.Rows
	}
	return p.params
}

func (p *PassOf[F]) makeGrads() {
	m := p.Model
	p.rnn.Grads = m.rnn.NewGrads()
	if e := m.embedding; e != nil {
		p.rows = NewRowGradOf[F](e.Weight.Shape[0], e.Weight.Shape[1])
		p.params = append(p.params, ParamOf[F]{Name: "embedding.weight", Value: e.Weight, Grad: p.rows.Value, Sparse: !m.cfg.TieWeights})
	}
	grads := p.rnn.Grads.Params()
	for i, v := range m.rnn.Params() {
		p.params = append(p.params, ParamOf[F]{Name: "rnn." + v.Name, Value: v.Value, Grad: grads[i].Value})
	}
	if m.cfg.TieWeights {
		p.gw = p.rows.Value
	} else {
		p.gw = tensor.NewOf[F](m.fc.weight.Shape...)
		p.params = append(p.params, ParamOf[F]{Name: "fc.weight", Value: m.fc.weight, Grad: p.gw})
	}
	if !m.cfg.NoHeadBias {
		p.gb = tensor.NewOf[F](m.fc.out)
		p.params = append(p.params, ParamOf[F]{Name: "fc.bias", Value: m.fc.bias, Grad: p.gb})
	}
}

// Zero sets all gradients to zero, of an embedding only the touched rows.
func (p *PassOf[F]) Zero() {
	for _, g := range p.Params() {
		if !g.Sparse {
			clear(g.Grad.Data)
		}
	}
	if p.rows != nil {
		p.rows.Zero()
	}
}
