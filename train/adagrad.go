package train

import "github.com/unroll-ml/unroll/tensor"

// Adagrad is torch.optim.Adagrad. NewAdagrad makes one.
type Adagrad struct {
	LR                 float64 `json:"lr"`
	LRDecay            float64 `json:"lr_decay"`
	WeightDecay        float64 `json:"weight_decay"`
	InitialAccumulator float64 `json:"initial_accumulator_value"`
	Eps                float64 `json:"eps"`
	Maximize           bool    `json:"maximize"`

	made
}

// NewAdagrad returns torch.optim.Adagrad's defaults with the given rate
// (PyTorch's is 1e-2): eps 1e-10, no decay of the rate or the weights, sums
// that begin at 0.
func NewAdagrad(lr float64) Adagrad { return Adagrad{LR: lr, Eps: 1e-10, made: true} }

// Name returns "Adagrad".
func (Adagrad) Name() string { return "Adagrad" }

// Validate is the check of torch.optim.Adagrad's constructor. It is an
// ErrArgument if a setting is below 0 or if NewAdagrad did not make a.
func (a Adagrad) Validate() error {
	return a.check("Adagrad", atLeast0{"lr", a.LR}, atLeast0{"lr_decay", a.LRDecay}, atLeast0{"weight_decay", a.WeightDecay},
		atLeast0{"initial_accumulator_value", a.InitialAccumulator}, atLeast0{"eps", a.Eps})
}

// UnmarshalJSON reads settings over NewAdagrad's; what is not named keeps its default.
func (a *Adagrad) UnmarshalJSON(b []byte) error {
	type plain Adagrad
	p := plain(NewAdagrad(1e-2))
	if err := unmarshalSettings(b, &p, &p.LR, 1e-2); err != nil {
		return err
	}
	*a = Adagrad(p)
	return nil
}

func (a Adagrad) start() Hyper { return Hyper{LR: a.LR} }

func (a Adagrad) slots(Hyper) []slot { return []slot{{"sum", a.InitialAccumulator}} }

func (a Adagrad) sparse(Hyper) bool { return a.WeightDecay == 0 }

func (a Adagrad) rule32() rule[float32] { return newAdagradRule[float32](a) }
func (a Adagrad) rule64() rule[float64] { return newAdagradRule[float64](a) }

// adagradRule is torch.optim's _single_tensor_adagrad.
type adagradRule[F tensor.Float] struct {
	gradient[F]
	eps, lr F
	lrDecay float64
}

func newAdagradRule[F tensor.Float](a Adagrad) *adagradRule[F] {
	return &adagradRule[F]{gradient: newGradient[F](a.Maximize, a.WeightDecay), eps: F(a.Eps), lrDecay: a.LRDecay}
}

func (u *adagradRule[F]) begin(h Hyper, t int) {
	u.lr = F(h.LR / (1 + float64(float64(t-1)*u.lrDecay)))
}

func (u *adagradRule[F]) apply(p, d []F, state [][]F, at int) {
	d = d[:len(p)]
	sum := state[0][at : at+len(p)]
	for i, w := range p {
		g := u.of(w, d[i])
		sum[i] += F(g * g)
		p[i] = w - F(u.lr*(g/(sqrt(sum[i])+u.eps)))
	}
}
