package train

import (
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// BatchOf is what one step learns from. Its memory is reused from step to step.
type BatchOf[F tensor.Float] struct {
	In      nn.InputOf[F]
	Lengths []int // nil: all T long
	// Classes are the targets of a cross entropy, one for each row of logits;
	// -100 counts for nothing.
	Classes []int
	// Values are the targets of a pointwise loss, of the logits' shape.
	Values tensor.DenseOf[F]
	// Carry says that the sequences go on from the last batch: the state is
	// carried over, gradients are not (truncated backpropagation).
	Carry bool
}

// Batch is a BatchOf of float32.
type Batch = BatchOf[float32]

// DataOf gives the batches of an epoch.
type DataOf[F tensor.Float] interface {
	// Start begins an epoch: shuffled with g, or in file order if g is nil.
	Start(g *rng.Generator)
	// Len is the number of batches in an epoch.
	Len() int
	// Batch fills b with batch i.
	Batch(i int, b *BatchOf[F])
	// Order and SetOrder save and restore what Start drew.
	Order() []int
	SetOrder(order []int) error
}

// Data is a DataOf of float32.
type Data = DataOf[float32]

// ObjectiveOf is the loss that training lowers.
type ObjectiveOf[F tensor.Float] interface {
	// Loss returns the sum of the batch's losses and what to divide it
	// by, and writes the gradient of the quotient to grad, which is nil or
	// logits.Data itself.
	Loss(logits tensor.DenseOf[F], b *BatchOf[F], grad []F) (sum, count float64, err error)
}

// Objective is an ObjectiveOf of float32.
type Objective = ObjectiveOf[float32]

// ClassesOf is the mean cross entropy over all targets that count.
type ClassesOf[F tensor.Float] struct{ nn.CrossEntropyOf[F] }

// Classes is a ClassesOf of float32.
type Classes = ClassesOf[float32]

// Loss implements ObjectiveOf.
func (c *ClassesOf[F]) Loss(logits tensor.DenseOf[F], b *BatchOf[F], grad []F) (sum, count float64, err error) {
	c.Reduction = nn.Mean
	mean, err := c.CrossEntropyOf.Loss(logits, b.Classes, grad)
	count = c.Total(b.Classes)
	if count == 0 {
		return 0, 0, err
	}
	return mean * count, count, err
}

// KeysOf is the loss of piano rolls: the binary cross entropy summed over the
// keys of a step, its mean over the steps within Lengths.
type KeysOf[F tensor.Float] struct {
	loss *nn.PointwiseOf[F]
	up   []F
	each []F
}

// Keys is a KeysOf of float32.
type Keys = KeysOf[float32]

// Loss implements ObjectiveOf.
func (k *KeysOf[F]) Loss(logits tensor.DenseOf[F], b *BatchOf[F], grad []F) (sum, count float64, err error) {
	if k.loss == nil {
		k.loss = nn.BCEWithLogitsOf[F](nil, nn.Sum)
	}
	if logits.Rank() != 3 {
		return 0, 0, &tensor.ShapeError{Arg: "logits", Got: logits.Shape, Want: "[T,B,keys]"}
	}
	t, n, c := logits.Shape[0], logits.Shape[1], logits.Shape[2]
	steps := t * n
	if b.Lengths != nil {
		steps = 0
		for _, l := range b.Lengths {
			steps += l
		}
	}
	k.up, k.each = resize(k.up, len(logits.Data)), resize(k.each, len(logits.Data))
	for i := range t * n {
		u := F(0)
		if b.Lengths == nil || i/n < b.Lengths[i%n] {
			u = 1 / F(steps)
		}
		for j := range c {
			k.up[i*c+j] = u
		}
	}
	if err := k.loss.Each(k.each, logits, b.Values, k.up, grad); err != nil {
		return 0, 0, err
	}
	for i, v := range k.each {
		if k.up[i] != 0 {
			sum += float64(v)
		}
	}
	return sum, float64(steps), nil
}

// ValuesOf is the mean of a pointwise loss over all elements.
type ValuesOf[F tensor.Float] struct{ Pointwise *nn.PointwiseOf[F] }

// Values is a ValuesOf of float32.
type Values = ValuesOf[float32]

// Loss implements ObjectiveOf.
func (v *ValuesOf[F]) Loss(logits tensor.DenseOf[F], b *BatchOf[F], grad []F) (sum, count float64, err error) {
	if v.Pointwise.Reduction != nn.Mean {
		return 0, 0, badArg("reduction", v.Pointwise.Reduction, "Mean")
	}
	mean, err := v.Pointwise.Loss(logits, b.Values, grad)
	n := float64(len(logits.Data))
	return mean * n, n, err
}

func resize[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// Evaluate returns the mean loss over all batches of data, in evaluation mode.
// see, if not nil, is called with each batch and its logits; its error ends the
// evaluation. Without any target that counts it is an ErrArgument; other errors
// are those of nn.Pass.Forward and of the objective.
func Evaluate[F tensor.Float](m *nn.ModelOf[F], data DataOf[F], objective ObjectiveOf[F], workers int, see func(b *BatchOf[F], logits tensor.DenseOf[F]) error) (float64, error) {
	p := nn.PassOf[F]{Model: m, Workers: workers}
	var b BatchOf[F]
	var state carried[F]
	data.Start(nil)
	sum, count := 0.0, 0.0
	for i := range data.Len() {
		data.Batch(i, &b)
		p.Lengths = b.Lengths
		logits, sn, err := p.Forward(b.In, state.before(b.Carry))
		if err != nil {
			return 0, err
		}
		state.after(sn)
		s, n, err := objective.Loss(logits, &b, nil)
		if err != nil {
			return 0, err
		}
		sum += s
		count += n
		if see != nil {
			if err := see(&b, logits); err != nil {
				return 0, err
			}
		}
	}
	if count == 0 {
		return 0, badArg("data", "no targets", "at least one to evaluate on")
	}
	return sum / count, nil
}
