package unroll

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/cell"
)

// Mode says which recurrent layer a Config describes.
type Mode int

// The modes of torch.nn: RNN with nonlinearity "tanh" (the zero value) and
// "relu", LSTM, GRU.
const (
	RNNTanh Mode = iota
	RNNReLU
	LSTM
	GRU
)

// kind returns the cell of a mode, nil for a number that is none.
func (m Mode) kind() *cell.Kind {
	if all := cell.Kinds(); m >= 0 && int(m) < len(all) {
		return all[m]
	}
	return nil
}

// String returns PyTorch's name of the mode: RNN_TANH, RNN_RELU, LSTM or GRU.
func (m Mode) String() string {
	if k := m.kind(); k != nil {
		return k.Name
	}
	return fmt.Sprintf("Mode(%d)", int(m))
}

// ParseMode returns the mode of a name as String writes it; "RNN" is RNN_TANH.
// Anything else is an ErrConfig.
func ParseMode(name string) (Mode, error) {
	for i, k := range cell.Kinds() {
		if k.Name == name || k.Class == name && k.Functions[0] == "Tanh" {
			return Mode(i), nil
		}
	}
	return 0, &ArgError{Kind: ErrConfig, Arg: "mode", Got: fmt.Sprintf("%q", name), Want: cell.Names()}
}

// MarshalText writes the name of the mode. It is an ErrConfig for a number
// that is none of the modes.
func (m Mode) MarshalText() ([]byte, error) {
	if m.kind() == nil {
		return nil, Config{Mode: m, HiddenSize: 1}.Validate()
	}
	return []byte(m.String()), nil
}

// UnmarshalText is ParseMode.
func (m *Mode) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMode(string(text))
	return err
}

// Config says what a layer is. It is plain data; the zero value of each field
// is the default of torch.nn.RNN, LSTM and GRU, whose arguments the fields are
// (https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers). As JSON it
// has PyTorch's argument names.
type Config struct {
	Mode Mode
	// InputSize is I, the number of features of x. Zero is allowed.
	InputSize int
	// HiddenSize is H, the number of hidden units; at least 1.
	HiddenSize int
	// NumLayers is L, the number of stacked layers; 0 means 1.
	NumLayers int
	// NoBias leaves out bias_ih and bias_hh (PyTorch: bias=False).
	NoBias bool
	// BatchFirst makes input and output [B,T,...] instead of [T,B,...]. States
	// stay [L*D,B,...], as in PyTorch.
	BatchFirst bool
	// Dropout is the probability that an element of the output of every layer
	// but the last is zeroed while a Pass trains; in [0, 1].
	Dropout float64
	// Bidirectional adds a reverse direction to every layer: D is 2.
	Bidirectional bool
	// ProjSize is P, the size that an LSTM's hidden state is projected to; 0 for
	// no projection, otherwise below HiddenSize.
	ProjSize int
	// Variant is how the cell differs from torch.nn's; the zero value: not at
	// all.
	Variant Variant
}

// Layers returns L, the number of layers: NumLayers, or 1 where that is 0.
func (c Config) Layers() int { return max(c.NumLayers, 1) }

// Directions returns D: 2 if the layer is bidirectional, else 1.
func (c Config) Directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

// StateSize returns the size of a hidden state h: P with a projection, else H.
// (A cell state c always has size H.)
func (c Config) StateSize() int {
	if c.ProjSize > 0 {
		return c.ProjSize
	}
	return c.HiddenSize
}

// OutputSize returns the last dimension of the output: D*StateSize.
func (c Config) OutputSize() int { return c.Directions() * c.StateSize() }

// HasCell reports whether states have a cell state c, as those of an LSTM do.
func (c Config) HasCell() bool {
	k := c.Mode.kind()
	return k != nil && k.Traits.CellState
}

// The bounds keep products of sizes within an int and within what make can be
// asked for without a panic; real layers are far below them.
const (
	maxSize       = 1 << 28 // of a single size: I, H, T, B
	maxLayers     = 1 << 16
	maxParameters = min(1<<32, math.MaxInt/8) // of a layer in all, 16 GiB in float32
	maxElements   = min(1<<36, math.MaxInt/8) // of the largest buffer of a run, 256 GiB in float32
	maxEmptyRows  = 1 << 20                   // T*B of an input without features, which no memory of the caller's stands behind
)

// Validate reports the first setting that PyTorch refuses, as an ErrConfig that
// names the field.
func (c Config) Validate() error {
	bad := func(arg string, got any, want string) error {
		return &ArgError{Kind: ErrConfig, Arg: arg, Got: fmt.Sprint(got), Want: want}
	}
	k := c.Mode.kind()
	switch {
	case k == nil:
		return bad("mode", int(c.Mode), cell.Names())
	case c.InputSize < 0 || c.InputSize > maxSize:
		return bad("input_size", c.InputSize, fmt.Sprintf("0 to %d", maxSize))
	case c.HiddenSize < 1 || c.HiddenSize > maxSize:
		return bad("hidden_size", c.HiddenSize, fmt.Sprintf("1 to %d", maxSize))
	case c.NumLayers < 0 || c.NumLayers > maxLayers:
		return bad("num_layers", c.NumLayers, fmt.Sprintf("1 to %d (0 stands for 1)", maxLayers))
	case !(c.Dropout >= 0 && c.Dropout <= 1): // a NaN too
		return bad("dropout", c.Dropout, "a probability from 0 to 1")
	case c.ProjSize < 0:
		return bad("proj_size", c.ProjSize, "a positive size, or 0 for no projection")
	case c.ProjSize > 0 && !k.Projects:
		return bad("proj_size", c.ProjSize, fmt.Sprintf("0: only an LSTM has a projection, not %s", c.Mode))
	case c.ProjSize >= c.HiddenSize && c.ProjSize > 0:
		return bad("proj_size", c.ProjSize, fmt.Sprintf("less than hidden_size %d", c.HiddenSize))
	}
	if err := c.Variant.validate(c); err != nil {
		return err
	}
	if n := c.NumParameters(); n > maxParameters {
		return bad(c.String(), fmt.Sprintf("%.3g parameters", n), fmt.Sprintf("at most %d", maxParameters))
	}
	return nil
}

// gates returns G, the number of gates.
func (c Config) gates() int { return c.Mode.kind().Traits.Gates }

// NumParameters returns how many numbers the parameters are, as a float64, which
// no product overflows; 0 for a mode that is none.
func (c Config) NumParameters() float64 {
	if c.Mode.kind() == nil {
		return 0
	}
	h, s, d := float64(c.HiddenSize), float64(c.StateSize()), float64(c.Directions())
	gh, rest := float64(c.gates())*h, s
	if !c.NoBias {
		rest += 2
	}
	own := float64(c.ProjSize+c.perUnit()) * h
	one := func(in float64) float64 { return d * (gh*(in+rest) + own) }
	return one(float64(c.InputSize)) + float64(c.Layers()-1)*one(d*s)
}

// fits reports, as an ErrShape, whether the buffers of b sequences of t steps
// can be asked for.
func (c Config) fits(t, b int) error {
	if c.InputSize == 0 && float64(t)*float64(b) > maxEmptyRows {
		return &ArgError{Kind: ErrShape, Arg: "input of " + c.String(), Got: fmt.Sprintf("%d steps of %d sequences without features", t, b), Want: fmt.Sprintf("at most %d rows of nothing", maxEmptyRows)}
	}
	if row := max(c.gates()*c.HiddenSize, c.OutputSize(), 1); t > maxSize || b > maxSize || float64(t)*float64(b)*float64(row) > maxElements {
		return &ArgError{Kind: ErrShape, Arg: "input of " + c.String(), Got: fmt.Sprintf("%d steps of %d sequences", t, b), Want: fmt.Sprintf("at most %d values in the sums of all gates, %d a step and sequence", maxElements, row)}
	}
	return nil
}

// String writes the config as PyTorch prints a layer, such as LSTM(10, 20,
// num_layers=2), and with it the nonlinearity relu, which PyTorch leaves out.
func (c Config) String() string {
	name, options := c.Mode.String(), ""
	if k := c.Mode.kind(); k != nil {
		name, options = k.Class, k.Options
	}
	s := fmt.Sprintf("%s(%d, %d", name, c.InputSize, c.HiddenSize)
	if c.ProjSize > 0 {
		s += fmt.Sprintf(", proj_size=%d", c.ProjSize)
	}
	if c.Layers() > 1 {
		s += fmt.Sprintf(", num_layers=%d", c.Layers())
	}
	if options != "" {
		s += ", " + options
	}
	if c.NoBias {
		s += ", bias=False"
	}
	if c.BatchFirst {
		s += ", batch_first=True"
	}
	if c.Dropout > 0 {
		s += fmt.Sprintf(", dropout=%v", c.Dropout)
	}
	if c.Bidirectional {
		s += ", bidirectional=True"
	}
	return s + c.Variant.text() + ")"
}

// configJSON is the form of Config in a config.json: PyTorch's arguments.
type configJSON struct {
	Mode          Mode    `json:"mode"`
	InputSize     int     `json:"input_size"`
	HiddenSize    int     `json:"hidden_size"`
	NumLayers     *int    `json:"num_layers,omitempty"`
	Bias          *bool   `json:"bias,omitempty"`
	BatchFirst    bool    `json:"batch_first,omitempty"`
	Dropout       float64 `json:"dropout,omitempty"`
	Bidirectional bool    `json:"bidirectional,omitempty"`
	ProjSize      int     `json:"proj_size,omitempty"`
	Variant       Variant `json:"variant,omitzero"`
}

// MarshalJSON writes the config under PyTorch's argument names: mode,
// input_size, hidden_size, num_layers, bias, batch_first, dropout,
// bidirectional, proj_size, and variant where there is one.
func (c Config) MarshalJSON() ([]byte, error) {
	bias, layers := !c.NoBias, c.Layers()
	return json.Marshal(configJSON{c.Mode, c.InputSize, c.HiddenSize, &layers, &bias, c.BatchFirst, c.Dropout, c.Bidirectional, c.ProjSize, c.Variant})
}

// UnmarshalJSON reads what MarshalJSON writes; what is absent gets PyTorch's
// default, other names are left to others. It does not validate, but a value of
// the wrong type and a num_layers of 0, which is there and so no default, are
// an ErrConfig.
func (c *Config) UnmarshalJSON(data []byte) error {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return &ArgError{Kind: ErrConfig, Arg: wrong.Field, Got: "a JSON " + wrong.Value, Want: "a value of Go's type " + wrong.Type.String()}
		}
		return err
	}
	layers := 0
	if j.NumLayers != nil {
		if layers = *j.NumLayers; layers == 0 {
			return &ArgError{Kind: ErrConfig, Arg: "num_layers", Got: "0", Want: "at least 1"}
		}
	}
	*c = Config{j.Mode, j.InputSize, j.HiddenSize, layers, j.Bias != nil && !*j.Bias, j.BatchFirst, j.Dropout, j.Bidirectional, j.ProjSize, j.Variant}
	return nil
}
