package train

import (
	"encoding/json"
	"math"

	"github.com/unroll-ml/unroll/tensor"
)

// Algorithm describes an optimiser: SGD, Adam, AdamW, RMSprop or Adagrad. Each
// is plain data under the names of the class in torch.optim
// (https://docs.pytorch.org/docs/stable/optim.html). Its constructor gives
// PyTorch's defaults, and after it every field means what it says, also 0. A
// literal that no constructor made is refused, for its zeros would be settings.
//
// An algorithm is one file: its settings, what it keeps for each parameter, and
// its update.
type Algorithm interface {
	// Name is the name of the class in torch.optim.
	Name() string
	// Validate reports the first setting torch.optim refuses: an ErrArgument.
	Validate() error
	start() Hyper
	// slots are the numbers kept for each element of a parameter, by the settings
	// of the first step: a schedule may have given a momentum by then.
	slots(first Hyper) []slot
	// sparse reports whether rows without gradient may be left alone, with these
	// settings at the first step.
	sparse(first Hyper) bool
	// rule32 and rule64 return the update of an element type.
	rule32() rule[float32]
	rule64() rule[float64]
}

// slot is a number kept for each element, by torch.optim's name.
type slot struct {
	name  string
	begin float64 // its value before the first step
}

// rule is an algorithm's arithmetic, in the order of torch.optim's
// single-tensor loops. Products are converted before they are added, so that no
// platform fuses them.
type rule[F tensor.Float] interface {
	// begin prepares the numbers of step t, counted from 1.
	begin(h Hyper, t int)
	// apply changes p along its gradient d, which is at least as long; the
	// state of p[0] stands at index at of the slots.
	apply(p, d []F, state [][]F, at int)
}

// ruleOf returns the rule of F.
func ruleOf[F tensor.Float](a Algorithm) rule[F] {
	if r, ok := a.rule32().(rule[F]); ok {
		return r
	}
	r, _ := a.rule64().(rule[F]) // F is one of the two
	return r
}

// gradient is what every algorithm does to a gradient first: its sign, and
// decay times the parameter added.
type gradient[F tensor.Float] struct{ sign, decay F }

func newGradient[F tensor.Float](maximize bool, decay float64) gradient[F] {
	if maximize {
		return gradient[F]{-1, F(decay)}
	}
	return gradient[F]{1, F(decay)}
}

func (u *gradient[F]) of(w, d F) F { return F(u.sign*d) + F(u.decay*w) }

func sqrt[F tensor.Float](x F) F { return F(math.Sqrt(float64(x))) }

// made is true in what a constructor or JSON made.
type made bool

// atLeast0 is a setting that is not below 0.
type atLeast0 struct {
	name  string
	value float64
}

// check refuses what no constructor made, and values below 0.
func (m made) check(name string, values ...atLeast0) error {
	if !m {
		return badArg(name, "a literal", "the result of New"+name+", whose fields may then be set")
	}
	for _, v := range values {
		if !(v.value >= 0) {
			return badArg(v.name, v.value, "0 or above")
		}
	}
	return nil
}

// unmarshalSettings reads a JSON object over the defaults in v. Releases up to
// the first left out what was 0 and wrote lr 0 for the default rate; so where
// something is left out, lr 0 still means that.
func unmarshalSettings(b []byte, v any, lr *float64, def float64) error {
	all, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var given, known map[string]json.RawMessage
	if err := json.Unmarshal(all, &known); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &given); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	if *lr == 0 && len(given) < len(known) {
		*lr = def
	}
	return nil
}
