package train

import "github.com/unroll-ml/unroll/tensor"

// AdamW is torch.optim.AdamW: Adam whose weight decay shrinks the parameters
// instead of joining the gradient. NewAdamW makes one.
type AdamW struct {
	LR          float64    `json:"lr"`
	Betas       [2]float64 `json:"betas"`
	Eps         float64    `json:"eps"`
	WeightDecay float64    `json:"weight_decay"`
	AMSGrad     bool       `json:"amsgrad"`
	Maximize    bool       `json:"maximize"`

	made
}

// NewAdamW returns torch.optim.AdamW's defaults with the given rate (PyTorch's
// is 1e-3): betas 0.9 and 0.999, eps 1e-8, weight decay 1e-2.
func NewAdamW(lr float64) AdamW {
	return AdamW{LR: lr, Betas: [2]float64{0.9, 0.999}, Eps: 1e-8, WeightDecay: 1e-2, made: true}
}

// Name returns "AdamW".
func (AdamW) Name() string { return "AdamW" }

// Validate is the check of torch.optim.AdamW's constructor. It is an
// ErrArgument if a beta is not from 0 to below 1, if the rate, eps or the weight
// decay is below 0, or if NewAdamW did not make a.
func (a AdamW) Validate() error {
	if err := checkBetas(a.Betas); err != nil {
		return err
	}
	return a.check("AdamW", atLeast0{"lr", a.LR}, atLeast0{"eps", a.Eps}, atLeast0{"weight_decay", a.WeightDecay})
}

// UnmarshalJSON reads settings over NewAdamW's; what is not named keeps its default.
func (a *AdamW) UnmarshalJSON(b []byte) error {
	type plain AdamW
	p := plain(NewAdamW(1e-3))
	if err := unmarshalSettings(b, &p, &p.LR, 1e-3); err != nil {
		return err
	}
	*a = AdamW(p)
	return nil
}

func (a AdamW) start() Hyper { return Hyper{a.LR, a.Betas[0]} }

func (a AdamW) slots(Hyper) []slot { return adamSlots(a.AMSGrad) }

func (AdamW) sparse(Hyper) bool { return false }

func (a AdamW) rule32() rule[float32] { return newAdamWRule[float32](a) }
func (a AdamW) rule64() rule[float64] { return newAdamWRule[float64](a) }

func newAdamWRule[F tensor.Float](a AdamW) *adamRule[F] {
	return &adamRule[F]{gradient: newGradient[F](a.Maximize, 0), beta2: a.Betas[1], small: F(a.Eps), shrink: a.WeightDecay}
}
