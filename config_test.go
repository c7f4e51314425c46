package unroll_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
)

// A config survives JSON, under PyTorch's argument names, and what is absent
// there is PyTorch's default.
func TestConfigAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawTrial[float32](t, bounds{}).layer.Config()
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back unroll.Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if c.NumLayers = c.Layers(); back != c {
			t.Fatalf("%+v became %s and %+v", c, text, back)
		}
	})
	text, err := json.Marshal(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NoBias: true, Bidirectional: true, ProjSize: 2})
	want := `{"mode":"LSTM","input_size":3,"hidden_size":4,"num_layers":1,"bias":false,"bidirectional":true,"proj_size":2}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
	var c unroll.Config
	if err := json.Unmarshal([]byte(`{"mode":"GRU","input_size":3,"hidden_size":4,"task":"classify"}`), &c); err != nil || c != (unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}) {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	for text, arg := range map[string]string{
		`{"mode":"QRNN"}`:        "mode",
		`{"num_layers":0}`:       "num_layers",
		`{"hidden_size":"four"}`: "hidden_size",
		`{"bias":1}`:             "bias",
	} {
		if err := json.Unmarshal([]byte(text), &c); !isArg(err, unroll.ErrConfig) || !strings.HasPrefix(err.Error(), arg+": ") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"mode":`), &c); err == nil || errors.Is(err, unroll.ErrConfig) {
		t.Errorf("broken JSON: %v", err)
	}
	if _, err := json.Marshal(unroll.Config{Mode: 9}); !errors.Is(err, unroll.ErrConfig) {
		t.Errorf("a mode that is none: %v", err)
	}
}

// The right column is what print(layer) of PyTorch 1.13.1 shows, but for the
// nonlinearity, which it leaves out.
func TestConfigAsText(t *testing.T) {
	for want, c := range map[string]unroll.Config{
		"RNN(3, 4)": {InputSize: 3, HiddenSize: 4},
		"RNN(3, 4, num_layers=2, nonlinearity=relu)": {Mode: unroll.RNNReLU, InputSize: 3, HiddenSize: 4, NumLayers: 2},
		"GRU(3, 4, dropout=0.5)":                     {Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 1, Dropout: .5},
		"LSTM(3, 4, proj_size=2, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)": {
			Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2, ProjSize: 2,
			NoBias: true, BatchFirst: true, Dropout: .5, Bidirectional: true,
		},
		"Mode(7)(3, 4)": {Mode: 7, InputSize: 3, HiddenSize: 4},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
