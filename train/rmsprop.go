package train

import "github.com/unroll-ml/unroll/tensor"

// RMSprop is torch.optim.RMSprop. NewRMSprop makes one.
type RMSprop struct {
	LR          float64 `json:"lr"`
	Alpha       float64 `json:"alpha"`
	Eps         float64 `json:"eps"`
	WeightDecay float64 `json:"weight_decay"`
	Momentum    float64 `json:"momentum"`
	Centered    bool    `json:"centered"`
	Maximize    bool    `json:"maximize"`

	made
}

// NewRMSprop returns torch.optim.RMSprop's defaults with the given rate
// (PyTorch's is 1e-2): alpha 0.99, eps 1e-8, no weight decay, no momentum.
func NewRMSprop(lr float64) RMSprop {
	return RMSprop{LR: lr, Alpha: 0.99, Eps: 1e-8, made: true}
}

// Name returns "RMSprop".
func (RMSprop) Name() string { return "RMSprop" }

// Validate is the check of torch.optim.RMSprop's constructor. It is an
// ErrArgument if the rate, alpha, eps, the weight decay or the momentum is below
// 0, or if NewRMSprop did not make a.
func (a RMSprop) Validate() error {
	return a.check("RMSprop", atLeast0{"lr", a.LR}, atLeast0{"eps", a.Eps}, atLeast0{"momentum", a.Momentum},
		atLeast0{"weight_decay", a.WeightDecay}, atLeast0{"alpha", a.Alpha})
}

// UnmarshalJSON reads settings over NewRMSprop's; what is not named keeps its default.
func (a *RMSprop) UnmarshalJSON(b []byte) error {
	type plain RMSprop
	p := plain(NewRMSprop(1e-2))
	if err := unmarshalSettings(b, &p, &p.LR, 1e-2); err != nil {
		return err
	}
	*a = RMSprop(p)
	return nil
}

func (a RMSprop) start() Hyper { return Hyper{a.LR, a.Momentum} }

func (a RMSprop) slots(first Hyper) []slot {
	s := []slot{{name: "square_avg"}}
	if a.Centered {
		s = append(s, slot{name: "grad_avg"})
	}
	if first.Momentum > 0 {
		s = append(s, slot{name: "momentum_buffer"})
	}
	return s
}

func (RMSprop) sparse(Hyper) bool { return false }

func (a RMSprop) rule32() rule[float32] { return newRMSpropRule[float32](a) }
func (a RMSprop) rule64() rule[float64] { return newRMSpropRule[float64](a) }

// rmspropRule is torch.optim's _single_tensor_rmsprop.
type rmspropRule[F tensor.Float] struct {
	gradient[F]
	b, b1, eps F // alpha and what is left of it to 1
	lr, keep   F
	centered   bool
	own        int // slots besides that of the momentum
}

func newRMSpropRule[F tensor.Float](a RMSprop) *rmspropRule[F] {
	return &rmspropRule[F]{
		gradient: newGradient[F](a.Maximize, a.WeightDecay), b: F(a.Alpha), b1: F(1 - a.Alpha), eps: F(a.Eps),
		centered: a.Centered, own: len(a.slots(Hyper{})),
	}
}

func (u *rmspropRule[F]) begin(h Hyper, _ int) { u.lr, u.keep = F(h.LR), F(h.Momentum) }

func (u *rmspropRule[F]) apply(p, d []F, state [][]F, at int) {
	d = d[:len(p)]
	v := state[0][at : at+len(p)]
	var mean, buf []F
	if u.centered {
		mean = state[1][at : at+len(p)]
	}
	if u.keep > 0 && len(state) > u.own {
		buf = state[len(state)-1][at : at+len(p)]
	}
	for i, w := range p {
		g := u.of(w, d[i])
		v[i] = F(v[i]*u.b) + F(u.b1*F(g*g))
		s := v[i]
		if mean != nil {
			mean[i] = F(mean[i]*u.b) + F(u.b1*g)
			s -= F(mean[i] * mean[i])
		}
		g /= sqrt(s) + u.eps
		if buf != nil {
			buf[i] = F(u.keep*buf[i]) + g
			g = buf[i]
		}
		p[i] = w - F(u.lr*g)
	}
}
