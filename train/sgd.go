package train

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// SGD is torch.optim.SGD. NewSGD makes one.
type SGD struct {
	LR          float64 `json:"lr"`
	Momentum    float64 `json:"momentum"`
	Dampening   float64 `json:"dampening"`
	WeightDecay float64 `json:"weight_decay"`
	Nesterov    bool    `json:"nesterov"`
	Maximize    bool    `json:"maximize"`

	made
}

// NewSGD returns torch.optim.SGD's defaults with the given rate (PyTorch's is
// 1e-3): no momentum, no dampening, no weight decay.
func NewSGD(lr float64) SGD { return SGD{LR: lr, made: true} }

// Name returns "SGD".
func (SGD) Name() string { return "SGD" }

// Validate is the check of torch.optim.SGD's constructor. It is an ErrArgument
// if the rate, the momentum or the weight decay is below 0, if Nesterov comes
// without momentum or with dampening, or if NewSGD did not make a.
func (a SGD) Validate() error {
	if a.Nesterov && (!(a.Momentum > 0) || a.Dampening != 0) {
		return badArg("nesterov", a.Nesterov, "a momentum and no dampening with it")
	}
	return a.check("SGD", atLeast0{"lr", a.LR}, atLeast0{"momentum", a.Momentum}, atLeast0{"weight_decay", a.WeightDecay})
}

// UnmarshalJSON reads settings over NewSGD's; what is not named keeps its default.
func (a *SGD) UnmarshalJSON(b []byte) error {
	type plain SGD
	p := plain(NewSGD(1e-3))
	if err := unmarshalSettings(b, &p, &p.LR, 1e-3); err != nil {
		return err
	}
	*a = SGD(p)
	return nil
}

func (a SGD) start() Hyper { return Hyper{a.LR, a.Momentum} }

func (SGD) slots(first Hyper) []slot {
	if first.Momentum != 0 {
		return []slot{{name: "momentum_buffer"}}
	}
	return nil
}

func (a SGD) sparse(first Hyper) bool { return first.Momentum == 0 && a.WeightDecay == 0 }

func (a SGD) rule32() rule[float32] { return newSGDRule[float32](a) }
func (a SGD) rule64() rule[float64] { return newSGDRule[float64](a) }

// sgdRule is torch.optim's _single_tensor_sgd.
type sgdRule[F tensor.Float] struct {
	gradient[F]
	lr, keep, add F // add is 1 - dampening
	nesterov      bool
	first         bool
}

func newSGDRule[F tensor.Float](a SGD) *sgdRule[F] {
	return &sgdRule[F]{
		gradient: newGradient[F](a.Maximize, a.WeightDecay), add: F(1 - a.Dampening),
		nesterov: a.Nesterov,
	}
}

func (u *sgdRule[F]) begin(h Hyper, t int) {
	u.lr, u.keep, u.first = F(h.LR), F(h.Momentum), t == 1
}

func (u *sgdRule[F]) apply(p, d []F, state [][]F, at int) {
	d = d[:len(p)]
	switch {
	case len(state) > 0 && u.keep != 0:
		u.heavy(p, d, state[0][at:at+len(p)])
	case u.sign == 1 && u.decay == 0:
		kernel.SubScaled(p, d, u.lr)
	default:
		for i, w := range p {
			p[i] = w - F(u.lr*u.of(w, d[i]))
		}
	}
}

// heavy is the step with momentum, kept in buf.
func (u *sgdRule[F]) heavy(p, d, buf []F) {
	for i, w := range p {
		g := u.of(w, d[i])
		if u.first {
			buf[i] = g
		} else {
			buf[i] = F(u.keep*buf[i]) + F(u.add*g)
		}
		if u.nesterov {
			g += F(u.keep * buf[i])
		} else {
			g = buf[i]
		}
		p[i] = w - F(u.lr*g)
	}
}
