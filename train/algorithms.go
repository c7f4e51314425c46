package train

// Fields are those of the classes of torch.optim
// (https://docs.pytorch.org/docs/stable/optim.html); zero means the default.

// SGD is torch.optim.SGD.
type SGD struct {
	LR          float64 `json:"lr"` // 0: 1e-3
	Momentum    float64 `json:"momentum,omitempty"`
	Dampening   float64 `json:"dampening,omitempty"`
	WeightDecay float64 `json:"weight_decay,omitempty"`
	Nesterov    bool    `json:"nesterov,omitempty"`
	Maximize    bool    `json:"maximize,omitempty"`
}

// Adam is torch.optim.Adam.
type Adam struct {
	LR          float64     `json:"lr"`              // 0: 1e-3
	Betas       *[2]float64 `json:"betas,omitempty"` // nil: 0.9, 0.999
	Eps         float64     `json:"eps,omitempty"`   // 0: 1e-8
	WeightDecay float64     `json:"weight_decay,omitempty"`
	AMSGrad     bool        `json:"amsgrad,omitempty"`
	Maximize    bool        `json:"maximize,omitempty"`
	// Sparse leaves rows of an embedding without gradient alone, as
	// torch.optim.SparseAdam does; otherwise their momentum moves them.
	Sparse bool `json:"sparse,omitempty"`
}

// AdamW is torch.optim.AdamW.
type AdamW struct {
	LR          float64     `json:"lr"`                     // 0: 1e-3
	Betas       *[2]float64 `json:"betas,omitempty"`        // nil: 0.9, 0.999
	Eps         float64     `json:"eps,omitempty"`          // 0: 1e-8
	WeightDecay *float64    `json:"weight_decay,omitempty"` // nil: 1e-2
	AMSGrad     bool        `json:"amsgrad,omitempty"`
	Maximize    bool        `json:"maximize,omitempty"`
}

// RMSprop is torch.optim.RMSprop.
type RMSprop struct {
	LR          float64  `json:"lr"`              // 0: 1e-2
	Alpha       *float64 `json:"alpha,omitempty"` // nil: 0.99
	Eps         float64  `json:"eps,omitempty"`   // 0: 1e-8
	WeightDecay float64  `json:"weight_decay,omitempty"`
	Momentum    float64  `json:"momentum,omitempty"`
	Centered    bool     `json:"centered,omitempty"`
	Maximize    bool     `json:"maximize,omitempty"`
}

// Adagrad is torch.optim.Adagrad.
type Adagrad struct {
	LR                 float64 `json:"lr"` // 0: 1e-2
	LRDecay            float64 `json:"lr_decay,omitempty"`
	WeightDecay        float64 `json:"weight_decay,omitempty"`
	InitialAccumulator float64 `json:"initial_accumulator_value,omitempty"`
	Eps                float64 `json:"eps,omitempty"` // 0: 1e-10
	Maximize           bool    `json:"maximize,omitempty"`
}

func or(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

func orNil(v *float64, def float64) float64 {
	if v == nil {
		return def
	}
	return *v
}

func orBetas(b *[2]float64) (float64, float64) {
	if b == nil {
		return 0.9, 0.999
	}
	return b[0], b[1]
}

// Name returns "SGD".
func (SGD) Name() string { return "SGD" }

// Name returns "Adam".
func (Adam) Name() string { return "Adam" }

// Name returns "AdamW".
func (AdamW) Name() string { return "AdamW" }

// Name returns "RMSprop".
func (RMSprop) Name() string { return "RMSprop" }

// Name returns "Adagrad".
func (Adagrad) Name() string { return "Adagrad" }

// atLeast0 checks pairs of a name and a value.
func atLeast0(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if v := pairs[i+1].(float64); !(v >= 0) {
			return badArg(pairs[i].(string), v, "0 or above")
		}
	}
	return nil
}

func checkBetas(p *[2]float64) error {
	a, b := orBetas(p)
	for i, v := range []float64{a, b} {
		if !(v >= 0 && v < 1) {
			return badArg([]string{"betas[0]", "betas[1]"}[i], v, "0 to below 1")
		}
	}
	return nil
}

// Validate is the check of torch.optim.SGD's constructor.
func (a SGD) Validate() error {
	if a.Nesterov && (!(a.Momentum > 0) || a.Dampening != 0) {
		return badArg("nesterov", a.Nesterov, "a momentum and no dampening with it")
	}
	return atLeast0("lr", a.LR, "momentum", a.Momentum, "weight_decay", a.WeightDecay)
}

// Validate is the check of torch.optim.Adam's constructor.
func (a Adam) Validate() error {
	if err := checkBetas(a.Betas); err != nil {
		return err
	}
	return atLeast0("lr", a.LR, "eps", a.Eps, "weight_decay", a.WeightDecay)
}

// Validate is the check of torch.optim.AdamW's constructor.
func (a AdamW) Validate() error {
	if err := checkBetas(a.Betas); err != nil {
		return err
	}
	return atLeast0("lr", a.LR, "eps", a.Eps, "weight_decay", orNil(a.WeightDecay, 0))
}

// Validate is the check of torch.optim.RMSprop's constructor.
func (a RMSprop) Validate() error {
	return atLeast0("lr", a.LR, "eps", a.Eps, "momentum", a.Momentum, "weight_decay", a.WeightDecay, "alpha", orNil(a.Alpha, 0))
}

// Validate is the check of torch.optim.Adagrad's constructor.
func (a Adagrad) Validate() error {
	return atLeast0("lr", a.LR, "lr_decay", a.LRDecay, "weight_decay", a.WeightDecay,
		"initial_accumulator_value", a.InitialAccumulator, "eps", a.Eps)
}

func (a SGD) start() Hyper { return Hyper{or(a.LR, 1e-3), a.Momentum} }

func (a Adam) start() Hyper {
	b, _ := orBetas(a.Betas)
	return Hyper{or(a.LR, 1e-3), b}
}

func (a AdamW) start() Hyper {
	b, _ := orBetas(a.Betas)
	return Hyper{or(a.LR, 1e-3), b}
}
func (a RMSprop) start() Hyper { return Hyper{or(a.LR, 1e-2), a.Momentum} }
func (a Adagrad) start() Hyper { return Hyper{LR: or(a.LR, 1e-2)} }

func (a SGD) slots() []string {
	if a.Momentum != 0 {
		return []string{"momentum_buffer"}
	}
	return nil
}

func (a Adam) slots() []string {
	if a.AMSGrad {
		return []string{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
	}
	return []string{"exp_avg", "exp_avg_sq"}
}

func (a AdamW) slots() []string { return Adam{AMSGrad: a.AMSGrad}.slots() }

func (a RMSprop) slots() []string {
	s := []string{"square_avg"}
	if a.Centered {
		s = append(s, "grad_avg")
	}
	if a.Momentum > 0 {
		s = append(s, "momentum_buffer")
	}
	return s
}

func (a Adagrad) slots() []string { return []string{"sum"} }

func (a SGD) sparse() bool     { return a.Momentum == 0 && a.WeightDecay == 0 }
func (a Adam) sparse() bool    { return a.Sparse }
func (a AdamW) sparse() bool   { return false }
func (a RMSprop) sparse() bool { return false }
func (a Adagrad) sparse() bool { return a.WeightDecay == 0 }
