package cell

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// Kind is all there is to know of one recurrent cell: what it is called, its
// gates, what it may be set to, its arithmetic and the text of its formulas.
// Every other package reads it from here; a new cell is one file with a Kind
// and one line in the table below.
type Kind struct {
	// Name is the mode's name, as PyTorch writes it: RNN_TANH, LSTM.
	Name string
	// Class is the class of torch.nn that has this cell, and Options what
	// stands among its arguments to choose it ("nonlinearity=relu").
	Class, Options string
	// Gates in the order in which the rows of weight_ih and weight_hh hold
	// them. A single gate is the hidden state itself.
	Gates []Gate
	// Traits are those of the plain cell, without settings; Gates counts Gates.
	Traits Traits
	// Projects reports whether the hidden state may be projected (proj_size).
	Projects bool
	// Functions names the default of each function that a setting may replace,
	// in ONNX's order f, g, h.
	Functions []string
	// Takes says which settings beside functions and clip the cell has.
	Takes Takes
	// States are the formulas after the gates', in the order they are computed.
	States []Formula
	// ONNX is the operator that is this cell, Keras the class of layer; empty
	// where there is none.
	ONNX, Keras Outside

	// Single and Double make the arithmetic of the Kind itself with settings.
	Single func(*Kind, Settings) Cell[float32]
	Double func(*Kind, Settings) Cell[float64]
}

// Gate is one gate of a Kind: its function of the sum
//
//	W_i x + b_i + W_h h + b_h
//
// unless one of the formulas below, in the language of Formula, says otherwise.
type Gate struct {
	Name string
	// Function is the place of its activation among Kind.Functions.
	Function int
	// Apart, of a last gate whose recurrent part stays apart (Traits.Apart), is
	// what multiplies that part: W_i x + b_i + Apart * (W_h h + b_h).
	Apart string
	// Late, of a last gate that is late (Traits.Late), is what its recurrent
	// weights multiply in the place of h.
	Late string
	// Coupled is the gate itself with Settings.InputForget; it has no sum then.
	Coupled string
	// Peephole is the state that the gate's sum sees with Settings.Peepholes,
	// {c-} or {c}. A unit's own parameters are those of the gates that have
	// one, in their order.
	Peephole string
}

// Formula is the formula of a state. In it {i} is the gate i, {h-} and {c-} are
// the states before the step, {c} is a state of a formula above, [2](...) is the
// function of that place among Kind.Functions, 1 is one, and + - * ( ) mean what
// they do, element by element.
type Formula struct{ Left, Right string }

// Outside is a cell as another system has it.
type Outside struct {
	Name string
	// Order[k] is the gate, by its place in Kind.Gates, that stands k-th there.
	Order []int
}

// Takes says which settings a cell has.
type Takes struct{ InputForget, ResetBefore, Peepholes bool }

// kinds is the table of cells; unroll.Mode counts its rows.
var kinds = []*Kind{
	&tanhKind,
	&reluKind,
	&lstmKind,
	&gruKind,
}

// Kinds returns the table of cells. It is shared and not to be changed.
func Kinds() []*Kind { return kinds }

// Register adds a cell to the table and returns its row, and what takes it off
// again. It is for tests of what a new cell needs, before anything else runs.
func Register(k *Kind) (row int, undo func()) {
	before := kinds
	kinds = append(slices.Clip(kinds), k)
	return len(before), func() { kinds = before }
}

// Names returns the names of all cells, such as "RNN_TANH, RNN_RELU, LSTM or
// GRU".
func Names() string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// GateNames returns the names of the gates in order.
func (k *Kind) GateNames() []string {
	names := make([]string, len(k.Gates))
	for i, g := range k.Gates {
		names[i] = g.Name
	}
	return names
}

// Of returns the arithmetic of a cell.
func Of[F kernel.Float](k *Kind, s Settings) Cell[F] {
	var f F
	if _, single := any(f).(float32); single {
		return any(k.Single(k, s)).(Cell[F])
	}
	return any(k.Double(k, s)).(Cell[F])
}

// Settings are what ONNX and Keras allow of a cell beyond torch.nn. The zero
// value is the plain cell.
type Settings struct {
	// Functions replace those of the Kind, place by place; one without a name
	// does not.
	Functions [3]Function
	// Clip bounds the sums of gates to +-Clip before their activation; 0: none.
	Clip float64
	// InputForget makes the forget gate 1 - i.
	InputForget bool
	// ResetBefore multiplies the state with the reset gate before the product
	// with the recurrent weights: ONNX's linear_before_reset 0, Keras's
	// reset_after=False.
	ResetBefore bool
	// Peepholes lets the gates i, f and o see the cell state, each unit its own.
	Peepholes bool
}

// Check reports the first setting that the cell does not have, as what is wrong
// with which.
func (k *Kind) Check(s Settings) (setting, wrong string) {
	for i, f := range s.Functions {
		if f.Name == "" {
			continue
		}
		if i >= len(k.Functions) {
			return fmt.Sprintf("activations[%d]", i), fmt.Sprintf("%s has %d", k.Name, len(k.Functions))
		}
		if functions[f.Name].make == nil {
			return fmt.Sprintf("activations[%d]", i), "one of " + FunctionNames()
		}
	}
	switch {
	case !(s.Clip >= 0): // a NaN too
		return "clip", "a bound above 0, or 0 for none"
	case s.InputForget && !k.Takes.InputForget:
		return "input_forget", k.Name + " does not have it"
	case s.ResetBefore && !k.Takes.ResetBefore:
		return "reset_before", k.Name + " does not have it"
	case s.Peepholes && !k.Takes.Peepholes:
		return "peepholes", k.Name + " does not have it"
	}
	return "", ""
}

// Plain returns the settings without functions that are the cell's own, and so
// the zero value where nothing differs from torch.nn.
func (k *Kind) Plain(s Settings) Settings {
	for i, name := range k.Functions {
		if s.Functions[i].normal() == (Function{Name: name}).normal() {
			s.Functions[i] = Function{}
		}
	}
	return s
}

// function returns the cell's function of a place, as set or its own.
func function[F kernel.Float](k *Kind, s Settings, place int) activation[F] {
	return activate[F](k.FunctionOf(s, place), s.Clip)
}
