package train

import (
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// Adam is torch.optim.Adam. NewAdam makes one.
type Adam struct {
	LR          float64    `json:"lr"`
	Betas       [2]float64 `json:"betas"`
	Eps         float64    `json:"eps"`
	WeightDecay float64    `json:"weight_decay"`
	AMSGrad     bool       `json:"amsgrad"`
	Maximize    bool       `json:"maximize"`
	// Sparse leaves rows of an embedding without gradient alone, as
	// torch.optim.SparseAdam does; otherwise their momentum moves them.
	Sparse bool `json:"sparse"`

	made
}

// NewAdam returns torch.optim.Adam's defaults with the given rate (PyTorch's is
// 1e-3): betas 0.9 and 0.999, eps 1e-8, no weight decay.
func NewAdam(lr float64) Adam {
	return Adam{LR: lr, Betas: [2]float64{0.9, 0.999}, Eps: 1e-8, made: true}
}

// Name returns "Adam".
func (Adam) Name() string { return "Adam" }

// Validate is the check of torch.optim.Adam's constructor. It is an ErrArgument
// if a beta is not from 0 to below 1, if the rate, eps or the weight decay is
// below 0, or if NewAdam did not make a.
func (a Adam) Validate() error {
	if err := checkBetas(a.Betas); err != nil {
		return err
	}
	return a.check("Adam", atLeast0{"lr", a.LR}, atLeast0{"eps", a.Eps}, atLeast0{"weight_decay", a.WeightDecay})
}

// UnmarshalJSON reads settings over NewAdam's; what is not named keeps its default.
func (a *Adam) UnmarshalJSON(b []byte) error {
	type plain Adam
	p := plain(NewAdam(1e-3))
	if err := unmarshalSettings(b, &p, &p.LR, 1e-3); err != nil {
		return err
	}
	*a = Adam(p)
	return nil
}

func (a Adam) start() Hyper { return Hyper{a.LR, a.Betas[0]} }

func (a Adam) slots(Hyper) []slot { return adamSlots(a.AMSGrad) }

func (a Adam) sparse(Hyper) bool { return a.Sparse }

func (a Adam) rule32() rule[float32] { return newAdamRule[float32](a) }
func (a Adam) rule64() rule[float64] { return newAdamRule[float64](a) }

func newAdamRule[F tensor.Float](a Adam) *adamRule[F] {
	return &adamRule[F]{gradient: newGradient[F](a.Maximize, a.WeightDecay), beta2: a.Betas[1], small: F(a.Eps)}
}

func checkBetas(b [2]float64) error {
	for i, v := range b {
		if !(v >= 0 && v < 1) {
			return badArg([]string{"betas[0]", "betas[1]"}[i], v, "0 to below 1")
		}
	}
	return nil
}

func adamSlots(amsgrad bool) []slot {
	s := []slot{{name: "exp_avg"}, {name: "exp_avg_sq"}}
	if amsgrad {
		s = append(s, slot{name: "max_exp_avg_sq"})
	}
	return s
}

// adamRule is torch.optim's _single_tensor_adam, with the decay of AdamW.
type adamRule[F tensor.Float] struct {
	gradient[F]
	beta2  float64
	shrink float64 // AdamW's weight decay
	small  F       // eps

	lr, root   F // step size and root, corrected for the steps taken
	a, a1      F // beta1 and what is left of it to 1
	b, b1      F // beta2 likewise
	afterDecay F // 1 - lr*shrink
}

func (u *adamRule[F]) begin(h Hyper, t int) {
	u.a, u.a1 = F(h.Momentum), F(1-h.Momentum)
	u.b, u.b1 = F(u.beta2), F(1-u.beta2)
	u.lr = F(h.LR / (1 - fmath.PowInt(h.Momentum, t)))
	u.root = F(math.Sqrt(1 - fmath.PowInt(u.beta2, t)))
	u.afterDecay = F(1 - float64(h.LR*u.shrink))
}

func (u *adamRule[F]) apply(p, d []F, state [][]F, at int) {
	d = d[:len(p)]
	m, v := state[0][at:at+len(p)], state[1][at:at+len(p)]
	var most []F
	if len(state) > 2 {
		most = state[2][at : at+len(p)]
	} else if n := u.vectors(p, d, m, v); n > 0 {
		p, d, m, v = p[n:], d[n:], m[n:], v[n:]
	}
	for i, w := range p {
		w = F(w * u.afterDecay)
		g := u.of(w, d[i])
		m[i] = F(m[i]*u.a) + F(u.a1*g)
		v[i] = F(v[i]*u.b) + F(u.b1*F(g*g))
		s := v[i]
		if most != nil {
			most[i] = max(most[i], s)
			s = most[i]
		}
		p[i] = w - F(u.lr*(m[i]/(sqrt(s)/u.root+u.small)))
	}
}

// vectors does the loop of apply for the first elements, where there are vectors for
// it, and returns how many it did.
func (u *adamRule[F]) vectors(p, d, m, v []F) int {
	p32, ok := any(p).([]float32)
	if !ok {
		return 0
	}
	by := kernel.AdamStep{
		Shrink: float32(u.afterDecay), Sign: float32(u.sign), Decay: float32(u.decay),
		A: float32(u.a), A1: float32(u.a1), B: float32(u.b), B1: float32(u.b1),
		Root: float32(u.root), Small: float32(u.small), LR: float32(u.lr),
	}
	return by.Step(p32, any(d).([]float32), any(m).([]float32), any(v).([]float32))
}
