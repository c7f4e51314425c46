package unroll

import (
	"encoding/json"
	"fmt"
	"math"
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

var modeNames = [...]string{"RNN_TANH", "RNN_RELU", "LSTM", "GRU"}

// String returns PyTorch's name of the mode: RNN_TANH, RNN_RELU, LSTM or GRU.
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

// ParseMode returns the mode of a name as String writes it; "RNN" is RNN_TANH.
// Anything else is an ErrConfig.
func ParseMode(name string) (Mode, error) {
	for i, n := range modeNames {
		if n == name {
			return Mode(i), nil
		}
	}
	if name == "RNN" {
		return RNNTanh, nil
	}
	return 0, &ArgError{Kind: ErrConfig, Arg: "mode", Got: fmt.Sprintf("%q", name), Want: "RNN_TANH, RNN_RELU, LSTM or GRU"}
}

// MarshalText writes the name of the mode.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

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
func (c Config) HasCell() bool { return c.Mode == LSTM }

// maxSize bounds every size, so that no product of sizes overflows before the
// memory for it would be asked for.
const maxSize = 1 << 28

// Validate reports the first setting that PyTorch refuses, as an ErrConfig that
// names the field.
func (c Config) Validate() error {
	bad := func(arg string, got any, want string) error {
		return &ArgError{Kind: ErrConfig, Arg: arg, Got: fmt.Sprint(got), Want: want}
	}
	switch {
	case c.Mode < RNNTanh || c.Mode > GRU:
		return bad("mode", int(c.Mode), "RNN_TANH, RNN_RELU, LSTM or GRU")
	case c.InputSize < 0 || c.InputSize > maxSize:
		return bad("input_size", c.InputSize, fmt.Sprintf("0 to %d", maxSize))
	case c.HiddenSize < 1 || c.HiddenSize > maxSize:
		return bad("hidden_size", c.HiddenSize, fmt.Sprintf("1 to %d", maxSize))
	case c.NumLayers < 0 || c.NumLayers > maxSize:
		return bad("num_layers", c.NumLayers, "at least 1 (0 stands for 1)")
	case !(c.Dropout >= 0 && c.Dropout <= 1) || math.IsNaN(c.Dropout):
		return bad("dropout", c.Dropout, "a probability from 0 to 1")
	case c.ProjSize < 0:
		return bad("proj_size", c.ProjSize, "a positive size, or 0 for no projection")
	case c.ProjSize > 0 && c.Mode != LSTM:
		return bad("proj_size", c.ProjSize, fmt.Sprintf("0: only an LSTM has a projection, not %s", c.Mode))
	case c.ProjSize >= c.HiddenSize && c.ProjSize > 0:
		return bad("proj_size", c.ProjSize, fmt.Sprintf("less than hidden_size %d", c.HiddenSize))
	}
	return nil
}

// configJSON is the form of Config in a config.json: PyTorch's arguments.
type configJSON struct {
	Mode          Mode    `json:"mode"`
	InputSize     int     `json:"input_size"`
	HiddenSize    int     `json:"hidden_size"`
	NumLayers     int     `json:"num_layers"`
	Bias          *bool   `json:"bias,omitempty"`
	BatchFirst    bool    `json:"batch_first,omitempty"`
	Dropout       float64 `json:"dropout,omitempty"`
	Bidirectional bool    `json:"bidirectional,omitempty"`
	ProjSize      int     `json:"proj_size,omitempty"`
}

// MarshalJSON writes the config under PyTorch's argument names: mode,
// input_size, hidden_size, num_layers, bias, batch_first, dropout,
// bidirectional, proj_size.
func (c Config) MarshalJSON() ([]byte, error) {
	bias := !c.NoBias
	return json.Marshal(configJSON{c.Mode, c.InputSize, c.HiddenSize, c.Layers(), &bias, c.BatchFirst, c.Dropout, c.Bidirectional, c.ProjSize})
}

// UnmarshalJSON reads what MarshalJSON writes; what is absent gets PyTorch's
// default. It does not validate.
func (c *Config) UnmarshalJSON(data []byte) error {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*c = Config{j.Mode, j.InputSize, j.HiddenSize, j.NumLayers, j.Bias != nil && !*j.Bias, j.BatchFirst, j.Dropout, j.Bidirectional, j.ProjSize}
	return nil
}
