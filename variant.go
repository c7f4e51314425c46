package unroll

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/cell"
)

// Variant is what ONNX's operators RNN, LSTM and GRU and Keras's layers allow
// beyond torch.nn (https://onnx.ai/onnx/operators/onnx__LSTM.html). A layer with
// one runs, streams, trains and is recorded like any other. The zero value
// changes nothing.
type Variant struct {
	// Reverse makes the only direction go back through time: ONNX's direction
	// "reverse", Keras's go_backwards with its output in the order of time.
	// Results stand at the steps they belong to, and a stream cannot have it.
	Reverse bool `json:"reverse,omitempty"`
	// Activations replace the cell's functions f, g and h, as ONNX counts them:
	// f and g and h of an LSTM, f and g of a GRU, f of an RNN. One without a
	// name is the cell's own.
	Activations [3]Activation `json:"activations,omitzero"`
	// ReverseActivations are those of the reverse direction of a bidirectional
	// layer; the zero value: Activations.
	ReverseActivations [3]Activation `json:"reverse_activations,omitzero"`
	// Clip bounds the sums of gates to +-Clip before their activation; 0: none.
	Clip float64 `json:"clip,omitempty"`
	// InputForget makes an LSTM's forget gate 1 - i.
	InputForget bool `json:"input_forget,omitempty"`
	// ResetBefore multiplies a GRU's state with the reset gate before the
	// product with weight_hn: ONNX's linear_before_reset 0, Keras's
	// reset_after=False.
	ResetBefore bool `json:"reset_before,omitempty"`
	// Peepholes lets an LSTM's gates i, f and o see the cell state, by the
	// parameters weight_peephole_l0 [3*H].
	Peepholes bool `json:"peepholes,omitempty"`
}

// Activation is a function by its name in ONNX: Affine, Elu, HardSigmoid,
// LeakyRelu, Relu, ScaledTanh, Sigmoid, Softplus, Softsign, Tanh or
// ThresholdedRelu; or one that only Keras's layers take: Celu, Clip (between Alpha
// and Beta), Exp, LogSigmoid, Selu and Squareplus, and Gelu, HardSwish, Mish, Shrink,
// Swish and TanhShrink, which have no derivative by their value, so that no pass goes
// backward through them. Alpha and Beta are what the function takes; there are no
// defaults.
type Activation struct {
	Name  string  `json:"name,omitempty"`
	Alpha float64 `json:"alpha,omitempty"`
	Beta  float64 `json:"beta,omitempty"`
}

// String returns the name with the constants that are not 0, such as Elu(0.5).
func (a Activation) String() string {
	switch {
	case a.Beta != 0:
		return fmt.Sprintf("%s(%g, %g)", a.Name, a.Alpha, a.Beta)
	case a.Alpha != 0:
		return fmt.Sprintf("%s(%g)", a.Name, a.Alpha)
	}
	return a.Name
}

// IsZero reports whether v changes nothing.
func (v Variant) IsZero() bool { return v == Variant{} }

// settings returns those of a direction's cell.
func (v Variant) settings(m Mode, direction int) cell.Settings {
	s := cell.Settings{Clip: v.Clip, InputForget: v.InputForget, ResetBefore: v.ResetBefore, Peepholes: v.Peepholes}
	from := v.Activations
	if direction == 1 && v.ReverseActivations != [3]Activation{} {
		from = v.ReverseActivations
	}
	for i, a := range from {
		s.Functions[i] = cell.Function(a)
	}
	return m.kind().Plain(s)
}

// validate reports the first setting that the layer cannot have.
func (v Variant) validate(c Config) error {
	bad := func(arg string, got any, want string) error {
		return &ArgError{Kind: ErrConfig, Arg: "variant." + arg, Got: fmt.Sprint(got), Want: want}
	}
	switch {
	case v.Reverse && c.Bidirectional:
		return bad("reverse", true, "false, as bidirectional has a reverse direction")
	case !c.Bidirectional && v.ReverseActivations != [3]Activation{}:
		return bad("reverse_activations", v.ReverseActivations, "none, without bidirectional")
	}
	for d := range c.Directions() {
		if setting, wrong := c.Mode.kind().Check(v.settings(c.Mode, d)); setting != "" {
			return bad(setting, fmt.Sprintf("%+v", v), wrong)
		}
	}
	return nil
}

// of returns the variant of a direction alone, as a layer of one direction.
func (v Variant) of(direction int) Variant {
	if direction == 1 && v.ReverseActivations != [3]Activation{} {
		v.Activations = v.ReverseActivations
	}
	v.ReverseActivations = [3]Activation{}
	return v
}

// backwards reports, as an ErrUsage, a function whose derivative does not follow
// from its value.
func (v Variant) backwards() error {
	for _, list := range [][3]Activation{v.Activations, v.ReverseActivations} {
		for _, a := range list {
			if !cell.Function(a).Backwards() {
				return &ArgError{Kind: ErrUsage, Arg: "Pass.Backward", Got: fmt.Sprintf("%s with alpha %g", a.Name, a.Alpha), Want: "another function, or for LeakyRelu, Elu and Celu an alpha above 0", Hint: "one value of this function comes from two arguments, so its derivative does not follow from what the pass recorded"}
			}
		}
	}
	return nil
}

// text is the variant among the arguments that Config.String prints.
func (v Variant) text() string {
	s := ""
	add := func(is bool, format string, a ...any) {
		if is {
			s += ", " + fmt.Sprintf(format, a...)
		}
	}
	add(v.Reverse, "direction=reverse")
	for i, list := range [][3]Activation{v.Activations, v.ReverseActivations} {
		if list == [3]Activation{} {
			continue
		}
		var names []string
		for _, a := range list {
			names = append(names, a.String())
		}
		for names[len(names)-1] == "" {
			names = names[:len(names)-1]
		}
		s += ", " + []string{"activations=", "reverse_activations="}[i] + strings.Join(names, "/")
	}
	add(v.Clip != 0, "clip=%g", v.Clip)
	add(v.InputForget, "input_forget=True")
	add(v.ResetBefore, "reset_after=False")
	add(v.Peepholes, "peepholes=True")
	return s
}

// perUnit returns how many parameters each unit has for itself.
func (c Config) perUnit() int {
	n := c.Mode.kind().Traits.PerUnit
	if c.Variant.Peepholes {
		n += 3
	}
	return n
}
