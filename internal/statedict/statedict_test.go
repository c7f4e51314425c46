package statedict

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// goldens are files that torch.save wrote, as read by safetensors beside them;
// checkpoint/torchfile/testdata tells their origin.
const goldens = "../../checkpoint/torchfile/testdata/golden"

func golden(t *testing.T, name string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(goldens, name+".expect.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFindTellsWhatPyTorchSaved(t *testing.T) {
	relu := unroll.RNNReLU
	tests := []struct {
		file   string
		opt    Options
		prefix string
		want   unroll.Config
	}{
		{"bfloat16.pt", Options{}, "", unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 1}},
		{"half.pt", Options{BatchFirst: true}, "", unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 1, BatchFirst: true}},
		{"double.pt", Options{}, "", unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 1}},
		{"state_dict_rnn.pt", Options{Mode: &relu}, "", unroll.Config{Mode: unroll.RNNReLU, InputSize: 3, HiddenSize: 4, NumLayers: 2}},
		{"module_gru.pt", Options{}, "", unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 5, NumLayers: 2}},
		{"state_dict_gru_nobias.pt", Options{}, "", unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 3, NumLayers: 1, NoBias: true}},
		{"state_dict_lstm_bi_proj.pth", Options{}, "", unroll.Config{Mode: unroll.LSTM, InputSize: 5, HiddenSize: 6, NumLayers: 2, Bidirectional: true, ProjSize: 2}},
		{"checkpoint_adam.pt", Options{}, "model_state_dict/rnn.", unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 5, NumLayers: 1}},
		{"data_parallel_prefix.pt", Options{}, "module.rnn.", unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 1}},
		{"model_prefix.pt", Options{}, "rnn.", unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 6, NumLayers: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			parts, err := Find(golden(t, tt.file), tt.opt)
			if err != nil || len(parts) != 1 {
				t.Fatalf("got %d parts, error %v; want one", len(parts), err)
			}
			p := parts[0]
			if p.Err != nil || p.Config != tt.want || p.Prefix != tt.prefix {
				t.Errorf("got %q %+v error %v\nwant %q %+v", p.Prefix, p.Config, p.Err, tt.prefix, tt.want)
			}
			if guess := tt.want.Mode == unroll.RNNTanh; p.ModeGuessed != guess {
				t.Errorf("ModeGuessed is %t, want %t", p.ModeGuessed, guess)
			}
		})
	}
}

func TestFindRefusesASourceWithoutRecurrentLayer(t *testing.T) {
	for _, file := range []string{"module_sequential.pt", "dtypes.pt", "views.pt"} {
		if _, err := Find(golden(t, file), Options{}); !errors.Is(err, ErrNone) {
			t.Errorf("%s: got %v, want ErrNone", file, err)
		}
	}
}

// set makes a source of names and shapes, all zeros.
func set(shapes map[string][]int) checkpoint.Set {
	var s checkpoint.Set
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		s = append(s, checkpoint.Of(name, tensor.New(shapes[name]...)))
	}
	return s
}

// stateDict is the names and shapes torch.nn gives a layer.
func stateDict(prefix string, c unroll.Config) map[string][]int {
	shapes := map[string][]int{}
	rows := Gates(c.Mode) * c.HiddenSize
	for l := range c.Layers() {
		for d := range c.Directions() {
			in, s := c.InputSize, fmt.Sprintf("_l%d", l)
			if l > 0 {
				in = c.OutputSize()
			}
			if d == 1 {
				s += "_reverse"
			}
			shapes[prefix+"weight_ih"+s] = []int{rows, in}
			shapes[prefix+"weight_hh"+s] = []int{rows, c.StateSize()}
			if !c.NoBias {
				shapes[prefix+"bias_ih"+s] = []int{rows}
				shapes[prefix+"bias_hh"+s] = []int{rows}
			}
			if c.ProjSize > 0 {
				shapes[prefix+"weight_hr"+s] = []int{c.ProjSize, c.HiddenSize}
			}
		}
	}
	return shapes
}

func TestFindTellsEveryConfigItsNamesCanTell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := unroll.Config{
			Mode:          rapid.SampledFrom([]unroll.Mode{unroll.RNNTanh, unroll.LSTM, unroll.GRU}).Draw(t, "mode"),
			InputSize:     rapid.IntRange(0, 5).Draw(t, "I"),
			HiddenSize:    rapid.IntRange(1, 5).Draw(t, "H"),
			NumLayers:     rapid.IntRange(1, 4).Draw(t, "L"),
			NoBias:        rapid.Bool().Draw(t, "no bias"),
			Bidirectional: rapid.Bool().Draw(t, "bidirectional"),
		}
		if want.Mode == unroll.LSTM && want.HiddenSize > 1 {
			want.ProjSize = rapid.IntRange(0, want.HiddenSize-1).Draw(t, "P")
		}
		prefix := rapid.SampledFrom([]string{"", "rnn.", "module._orig_mod.a.b.", "model_state_dict/rnn."}).Draw(t, "prefix")
		shapes := stateDict(prefix, want)
		parts, err := Find(set(shapes), Options{})
		if err != nil || len(parts) != 1 || parts[0].Err != nil || parts[0].Config != want {
			t.Fatalf("got %+v, %v\nwant %+v", parts, err, want)
		}
		for name, stored := range parts[0].Params {
			if stored != prefix+name {
				t.Fatalf("%s is taken from %s", name, stored)
			}
		}
		if len(parts[0].Params) != len(shapes) {
			t.Fatalf("%d parameters of %d tensors", len(parts[0].Params), len(shapes))
		}

		// Without any one of its tensors, no layer of the same Config is found.
		gone := rapid.SampledFrom(slices.Sorted(maps.Keys(shapes))).Draw(t, "gone")
		delete(shapes, gone)
		parts, err = Find(set(shapes), Options{})
		if err == nil && len(parts) == 1 && parts[0].Err == nil && parts[0].Config == want {
			t.Fatalf("found the same layer without %s", gone)
		}
	})
}

func TestCellNamesMakeOneLayer(t *testing.T) {
	src := set(map[string][]int{"c.weight_ih": {12, 3}, "c.weight_hh": {12, 4}, "c.bias_ih": {12}, "c.bias_hh": {12}})
	parts, err := Find(src, Options{})
	want := unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 1}
	if err != nil || len(parts) != 1 || parts[0].Config != want || !parts[0].Cell || parts[0].Params["bias_hh_l0"] != "c.bias_hh" {
		t.Errorf("got %+v, %v", parts, err)
	}
}

func TestInconsistentPartsSayWhatIsWrong(t *testing.T) {
	base := func() map[string][]int {
		return stateDict("r.", unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true})
	}
	gru := unroll.GRU
	tests := map[string]struct {
		change map[string][]int
		drop   []string
		opt    Options
		want   string
	}{
		"missing matrix":       {drop: []string{"r.weight_hh_l1_reverse"}, want: "r.weight_hh_l1_reverse is missing: other names say 2 layers, 2 directions, bias true"},
		"missing first":        {drop: []string{"r.weight_hh_l0"}, want: "r.weight_hh_l0 is missing beside r.bias_hh_l1"},
		"missing bias":         {drop: []string{"r.bias_ih_l0"}, want: "r.bias_ih_l0 is missing"},
		"gap in layers":        {change: map[string][]int{"r.weight_ih_l3": {16, 8}}, want: "r.weight_ih_l2 is missing"},
		"absurd layer":         {change: map[string][]int{"r.weight_ih_l999999": {16, 8}}, want: "names layer 999999, but there are only 17 parameters"},
		"one-sided projection": {change: map[string][]int{"r.weight_hr_l1": {2, 4}}, want: "r.weight_hr_l1 is there, but layer 0 has no weight_hr"},
		"rows":                 {change: map[string][]int{"r.weight_hh_l0": {15, 4}}, want: "r.weight_hh_l0 has shape [15 4], expected 1 (RNN), 3 (GRU) or 4 (LSTM) times as many rows as columns"},
		"no columns":           {change: map[string][]int{"r.weight_hh_l0": {15, 0}}, want: "expected 1 (RNN)"},
		"input of layer 1":     {change: map[string][]int{"r.weight_ih_l1": {16, 4}}, want: "r.weight_ih_l1 has shape [16 4], expected [16 8]"},
		"rank":                 {change: map[string][]int{"r.weight_ih_l0": {16}}, want: "r.weight_ih_l0 has shape [16], expected two dimensions"},
		"bias":                 {change: map[string][]int{"r.bias_hh_l1": {15}}, want: "r.bias_hh_l1 has shape [15], expected [16]"},
		"projection too large": {change: map[string][]int{"r.weight_hr_l0": {4, 4}}, want: "proj_size"},
		"projection of a GRU":  {change: map[string][]int{"r.weight_hr_l0": {2, 5}}, want: "only an LSTM has a projection"},
		"both kinds of names":  {change: map[string][]int{"r.weight_ih": {16, 3}}, want: "names with and without _l0"},
		"another mode":         {opt: Options{Mode: &gru}, want: "r.weight_hh_l0 has shape [16 4], which fits LSTM and not GRU"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			shapes := base()
			maps.Copy(shapes, tt.change)
			for _, d := range tt.drop {
				delete(shapes, d)
			}
			parts, err := Find(set(shapes), tt.opt)
			if err != nil || len(parts) != 1 {
				t.Fatalf("got %d parts, error %v", len(parts), err)
			}
			if e := parts[0].Err; !errors.Is(e, ErrInconsistent) || !strings.Contains(e.Error(), tt.want) {
				t.Errorf("got %v\nwant an ErrInconsistent with %q", e, tt.want)
			}
		})
	}
}

func TestSameParameterTwiceIsRefused(t *testing.T) {
	parts, err := Find(set(map[string][]int{"weight_ih_l0": {4, 4}, "weight_ih_l00": {4, 4}, "weight_hh_l0": {4, 4}}), Options{})
	if err != nil || len(parts) != 1 || parts[0].Err == nil || !strings.Contains(parts[0].Err.Error(), "weight_ih_l0 twice") {
		t.Errorf("got %+v, %v", parts, err)
	}
}

func TestChoose(t *testing.T) {
	one := unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}
	shapes := stateDict("module.encoder.", one)
	maps.Copy(shapes, stateDict("module.decoder.", one))
	parts, err := Find(set(shapes), Options{})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(shapes, stateDict("", one))
	withPlain, err := Find(set(shapes), Options{})
	if err != nil {
		t.Fatal(err)
	}
	delete(shapes, "module.encoder.bias_ih_l0")
	damaged, err := Find(set(shapes), Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		parts  []Part
		prefix string
		want   string
		err    error
		says   string
	}{
		{"whole prefix", parts, "module.encoder.", "module.encoder.", nil, ""},
		{"without the dot", parts, "module.encoder", "module.encoder.", nil, ""},
		{"without the wrapper", parts, "decoder", "module.decoder.", nil, ""},
		{"with another wrapper", parts, "_orig_mod.decoder.", "module.decoder.", nil, ""},
		{"the only one", parts[:1], "", "module.decoder.", nil, ""},
		{"the plain one", withPlain, "", "", nil, ""},
		{"none chosen", parts, "", "", ErrAmbiguous, `"module.decoder" (GRU), "module.encoder" (GRU)`},
		{"not there", parts, "rnn", "", ErrPrefix, `"rnn"; there is "module.decoder" (GRU), "module.encoder" (GRU)`},
		{"not the only one", parts[:1], "rnn", "", ErrPrefix, `there is "module.decoder" (GRU)`},
		{"damaged", damaged, "encoder", "module.encoder.", ErrInconsistent, "bias_ih_l0 is missing"},
		{"nothing", nil, "", "", ErrNone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Choose(tt.parts, tt.prefix)
			if p.Prefix != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", p.Prefix, err, tt.want, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

// Parameters under names that torch does not have are shown as torch has them.
func TestOtherNamesAreTold(t *testing.T) {
	var src checkpoint.Set
	for name, shape := range map[string][]int{"enc_w_ih": {24, 5}, "enc_w_hh": {24, 8}, "enc_b_ih": {24}} {
		src = append(src, checkpoint.Of(name, tensor.New(shape...)))
	}
	if _, err := Find(src, Options{}); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), `{"enc.weight_ih": old["enc_w_ih"], ...}`) {
		t.Error(err)
	}
}
