package nn

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// CrossEntropyOf is torch.nn.CrossEntropyLoss with class indices as targets.
// The zero value has PyTorch's defaults. Sums are float64, whatever F is.
//
// With p = softmax(logits) the loss of a row with target y is
//
//	-(1-s)*w[y]*log p[y] - s/C * sum over c of w[c]*log p[c]
//
// with s = LabelSmoothing. Mean divides the sum by the sum of w[y] over the
// rows that are not ignored; if all are, it is NaN, as in PyTorch.
//
// A value may be used by one goroutine at a time.
type CrossEntropyOf[F tensor.Float] struct {
	// Weight has a factor for each class; nil means ones.
	Weight []F
	// IgnoreIndex is the target of rows that count for nothing; nil means -100.
	IgnoreIndex *int
	// LabelSmoothing is in [0, 1].
	LabelSmoothing float64
	Reduction      Reduction
	// Workers is the most goroutines that share the rows; 0 is 1. The result
	// has the same bits for any number.
	Workers int

	team  kernel.Team
	p     []float64 // scratch: a row of exponentials for each worker
	task  rowsTask[F]
	share []float64 // losses of the rows
}

// rowsTask is Loss for the rows of each worker.
type rowsTask[F tensor.Float] struct {
	l       *CrossEntropyOf[F]
	logits  []F
	targets []int
	grad    []F
	c       int
	scale   float64
}

// Work is worker w's share of n.
func (t *rowsTask[F]) Work(w, n int) {
	lo, hi := kernel.Share(len(t.targets), w, n)
	for i := lo; i < hi; i++ {
		row, g := t.logits[i*t.c:(i+1)*t.c], gradRow(t.grad, i, t.c)
		if t.targets[i] == t.l.ignore() {
			clear(g)
			t.l.share[i] = 0
			continue
		}
		t.l.share[i] = t.l.row(row, t.l.p[w*t.c:(w+1)*t.c], t.targets[i], t.scale, g)
	}
}

// CrossEntropy is a CrossEntropyOf of float32.
type CrossEntropy = CrossEntropyOf[float32]

// Loss returns the reduced loss of logits [...,C] for the targets, one for
// each row, and writes the gradient by the logits to grad, which is nil or as
// long as logits and may be logits.Data itself. A target beyond the classes is
// an ErrIndex, a LabelSmoothing outside 0 to 1 an ErrConfig, and slices that do
// not fit the logits are an ErrShape. It allocates nothing after the first call.
func (l *CrossEntropyOf[F]) Loss(logits tensor.DenseOf[F], targets []int, grad []F) (float64, error) {
	c, err := l.check(logits, targets, nil, nil, grad)
	if err != nil {
		return 0, err
	}
	scale := 1.0
	if l.Reduction == Mean {
		scale = 1 / l.Total(targets)
	}
	workers := l.team.Workers(max(1, min(l.Workers, len(logits.Data)/rowsWork)))
	l.p, l.share = grow(l.p, workers*c), grow(l.share, len(targets))
	l.task = rowsTask[F]{l, logits.Data, targets, grad, c, scale}
	l.team.Run(&l.task, workers)
	l.task = rowsTask[F]{}
	sum := 0.0
	for _, v := range l.share {
		sum += v
	}
	return sum * scale, nil
}

// rowsWork is the number of logits below which a worker costs more than it
// gains: some 10 ns each.
const rowsWork = 1 << 14

// Each is the loss without reduction: it writes the loss of each row to each,
// 0 for ignored ones, and the gradient of sum(up*each) by the logits to grad.
// each and grad may be nil; a nil up is all ones. Errors are those of Loss.
func (l *CrossEntropyOf[F]) Each(each []F, logits tensor.DenseOf[F], targets []int, up, grad []F) error {
	c, err := l.check(logits, targets, each, up, grad)
	if err != nil {
		return err
	}
	l.p = grow(l.p, c)
	for n, y := range targets {
		row, g, u, v := logits.Data[n*c:(n+1)*c], gradRow(grad, n, c), 1.0, 0.0
		if up != nil {
			u = float64(up[n])
		}
		if y == l.ignore() {
			clear(g)
		} else {
			v = l.row(row, l.p, y, u, g)
		}
		if each != nil {
			each[n] = F(v)
		}
	}
	return nil
}

// Total returns what Mean divides by: the sum of the weights of the targets
// that are not ignored.
func (l *CrossEntropyOf[F]) Total(targets []int) float64 {
	sum := 0.0
	for _, y := range targets {
		switch {
		case y == l.ignore():
		case l.Weight == nil:
			sum++
		case y >= 0 && y < len(l.Weight):
			sum += float64(l.Weight[y])
		}
	}
	return sum
}

func (l *CrossEntropyOf[F]) ignore() int {
	if l.IgnoreIndex == nil {
		return -100
	}
	return *l.IgnoreIndex
}

func (l *CrossEntropyOf[F]) weight(c int) float64 {
	if l.Weight == nil {
		return 1
	}
	return float64(l.Weight[c])
}

// row returns the loss of one row and writes its gradient times scale; p is
// scratch of its length.
func (l *CrossEntropyOf[F]) row(x []F, p []float64, y int, scale float64, grad []F) float64 {
	p, m, z := p[:len(x)], float64(kernel.Largest(x)), 0.0
	kernel.ExpShifted(p, x, m)
	for _, e := range p {
		z += e
	}
	logZ := m + fmath.Log(z) // log p[c] = x[c] - logZ
	s := l.LabelSmoothing / float64(len(x))
	a := (1 - l.LabelSmoothing) * l.weight(y)
	loss, all := float64(a*(logZ-float64(x[y]))), a
	if s != 0 {
		smooth := 0.0
		for c, v := range x {
			w := s * l.weight(c)
			smooth += float64(w * (logZ - float64(v)))
			all += w
		}
		loss += smooth
	}
	if grad == nil {
		return loss
	}
	k := all * scale / z
	if s == 0 {
		kernel.Narrow(grad, p, k)
		grad[y] = F(float64(p[y]*k) - float64(a*scale))
		return loss
	}
	for c, e := range p {
		d := float64(e*k) - float64(float64(s*l.weight(c))*scale)
		if c == y {
			d -= float64(a * scale)
		}
		grad[c] = F(d)
	}
	return loss
}

func (l *CrossEntropyOf[F]) check(logits tensor.DenseOf[F], targets []int, each, up, grad []F) (c int, err error) {
	if err := logits.Check("logits"); err != nil {
		return 0, err
	}
	if logits.Rank() < 1 {
		return 0, badShape("logits", logits.Shape, "[...,C]")
	}
	c = logits.Shape[logits.Rank()-1]
	switch {
	case l.Reduction != Mean && l.Reduction != Sum:
		return 0, badConfig("reduction", l.Reduction, "Mean or Sum")
	case !(l.LabelSmoothing >= 0 && l.LabelSmoothing <= 1):
		return 0, badConfig("label_smoothing", l.LabelSmoothing, "0 to 1")
	case c == 0 || len(targets)*c != len(logits.Data):
		return 0, badShape("logits", logits.Shape, fmt.Sprintf("%d rows, one for each target, of at least one class", len(targets)))
	case l.Weight != nil && len(l.Weight) != c:
		return 0, badShape("weight", []int{len(l.Weight)}, fmt.Sprintf("[%d], one for each class", c))
	case grad != nil && len(grad) != len(logits.Data):
		return 0, badShape("gradient", []int{len(grad)}, fmt.Sprintf("%d elements, as the logits", len(logits.Data)))
	case each != nil && len(each) != len(targets), up != nil && len(up) != len(targets):
		return 0, badShape("loss", []int{max(len(each), len(up))}, fmt.Sprintf("%d elements, one for each target", len(targets)))
	}
	for i, y := range targets {
		if (y < 0 || y >= c) && y != l.ignore() {
			return 0, &IndexError{Arg: "target", At: i, Got: y, Limit: c}
		}
	}
	return c, nil
}

func gradRow[F tensor.Float](grad []F, n, c int) []F {
	if grad == nil {
		return nil
	}
	return grad[n*c : (n+1)*c]
}
