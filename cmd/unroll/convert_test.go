package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// command runs one command line and returns what it printed.
func command(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return commandWith(t, want, "", args...)
}

// commandWith is command with something on standard input.
func commandWith(t *testing.T, want int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(context.Background(), args, strings.NewReader(stdin), &out, &errs); code != want {
		t.Fatalf("unroll %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, want, errs.String())
	}
	return out.String(), errs.String()
}

const (
	languageModel = "../../checkpoint/onnx/testdata/golden/lstm_language_model.onnx"
	adam          = "../../checkpoint/torchfile/testdata/golden/checkpoint_adam.pt"
)

func TestInspectShowsLayersTensorsAndNodes(t *testing.T) {
	out, _ := command(t, 0, "inspect", languageModel)
	for _, want := range []string{
		"layer  /rnn/LSTM: LSTM(4, 6)\nlayer  /rnn/LSTM_1: LSTM(6, 6)\n", "input  tokens int64 [seq_len, batch]\n", "output logits float32 [seq_len, batch, 11]\n",
		"nodes  34: 1 Add, 1 Concat, 18 Constant", "embedding.weight  F32  [11 4]", "opset 13", "hidden_size:6",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	out, _ = command(t, 0, "inspect", "--json", adam)
	var in inspection
	if err := json.Unmarshal([]byte(out), &in); err != nil {
		t.Fatal(err)
	}
	if len(in.Layers) != 1 || in.Layers[0].Prefix != "model_state_dict/rnn" || len(in.Tensors) != 28 {
		t.Errorf("got %+v with %d tensors", in.Layers, len(in.Tensors))
	}
	found := false
	for _, v := range in.Values {
		found = found || v.Path == "epoch" && v.Value == "3"
	}
	if !found {
		t.Error("the epoch is not shown")
	}
}

// Operators that are not here are named, in branches too, and so is an element type
// that is not run; the rest of the file is shown.
func TestInspectNamesWhatIsNotRun(t *testing.T) {
	branch := func(op string) *onnx.Graph {
		return &onnx.Graph{Name: "branch", Nodes: []onnx.Node{{Op: op, Name: op + "1", Inputs: []string{"x"}, Outputs: []string{"in" + op}}}, Outputs: []onnx.Value{{Name: "in" + op}}}
	}
	g := &onnx.Graph{
		Nodes: []onnx.Node{
			{Op: "If", Inputs: []string{"c"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{{Name: "then_branch", Kind: onnx.GraphKind, G: branch("Relu")}, {Name: "else_branch", Kind: onnx.GraphKind, G: branch("StringNormalizer")}}},
			{Op: "Mystery", Domain: "com.example", Name: "m", Inputs: []string{"y"}, Outputs: []string{"z"}},
		},
		Inputs:  []onnx.Value{{Name: "x", Type: "F32", Shape: []onnx.Dim{{Size: -1, Name: "T"}, {Size: 2}}}, {Name: "c", Type: "BOOL", Shape: []onnx.Dim{}}, {Name: "s", Type: "STRING", Shape: []onnx.Dim{{Size: 3}}}},
		Outputs: []onnx.Value{{Name: "z", Type: "F32"}},
	}
	path := filepath.Join(t.TempDir(), "odd.onnx")
	var b bytes.Buffer
	if err := onnx.WriteGraph(&b, g, map[string]int64{"": 17, "com.example": 1}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := command(t, 0, "inspect", path)
	for _, want := range []string{
		"input  x float32 [T, 2]\n", "nodes  4: 1 If, 1 Relu, 1 StringNormalizer, 1 com.example.Mystery\n", "else_branch:a graph of 1 nodes",
		`not run: node "StringNormalizer1" (StringNormalizer): there is no such operator here`, `not run: node "m" (com.example.Mystery): `, `element types of ["s"] are none`,
	} {
		if !strings.Contains(out, want) || strings.Contains(out, "<nil>") {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	out, _ = command(t, 0, "inspect", "--json", path)
	var in inspection
	if err := json.Unmarshal([]byte(out), &in); err != nil {
		t.Fatal(err)
	}
	if g := in.Graph; g == nil || len(g.Missing) != 2 || g.Operators["Relu"] != 1 || len(g.Inputs) != 3 || g.Inputs[0].Shape[0] != "T" {
		t.Errorf("got %+v", in.Graph)
	}
}

// Keras's layers stand under their names, which --prefix takes, and states in pairs.
func TestInspectShowsModels(t *testing.T) {
	const keras = "../../checkpoint/keras/testdata/"
	for path, list := range map[string][]string{
		"../../examples/bach":                  {"layer  rnn: LSTM(88, 128, num_layers=2", "input  input float32 [T, B, 88]\n", "output output float32 [T, B, 88]\n", "state  h_0 goes on from h_n\nstate  c_0 goes on from c_n\n"},
		keras + "models/functional.keras":      {"layer  shared#2: LSTM(3, 2)\n", "layer  bi/forward_bi_lstm: LSTM(2, 2, bidirectional=True)\n", "input  b float32 [batch, 4, 3]\n", "output out float32 [batch, 1]\n"},
		keras + "models/functional.weights.h5": {"it holds Keras's weights alone"},
	} {
		out, _ := command(t, 0, "inspect", path)
		for _, want := range list {
			if !strings.Contains(out, want) {
				t.Errorf("%s: it does not say %q:\n%s", path, want, out)
			}
		}
	}
}

func TestConvertGivesTheSameNumbersInEveryFormat(t *testing.T) {
	t.Setenv("UNROLL_PYTHON", "none") // unroll is compared with itself
	dir := t.TempDir()
	from := languageModel
	for _, name := range []string{"a", "b.onnx", "c.safetensors", "d.npz", "e.onnx", "f.pt", "g.pth", "h"} {
		to := filepath.Join(dir, name)
		out, _ := command(t, 0, "convert", "--verify", from, to)
		want := "verified: largest difference 0\n"
		if from == languageModel {
			want = "verified: largest difference " // a bias after the sums, not before them, rounds otherwise
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s to %s: %s", from, to, out)
		}
		from = to
	}
}

func TestConvertSaysWhatItLeavesOut(t *testing.T) {
	_, errs := command(t, 0, "convert", adam, filepath.Join(t.TempDir(), "a.safetensors"))
	for _, want := range []string{"left out of " + adam + ": optimizer_state_dict/state/0/step", "every step is assumed", "not held by"} {
		if !strings.Contains(errs, want) {
			t.Errorf("it does not say %q:\n%s", want, errs)
		}
	}
}

func TestConvertRefusesWhatItCannotDo(t *testing.T) {
	hdf5 := filepath.Join(t.TempDir(), "x.h5")
	if err := os.WriteFile(hdf5, []byte("\x89HDF\r\n\x1a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		code int
		args []string
		want string
	}{
		"ending":     {2, []string{adam, "x.xyz"}, "say --to"},
		"convention": {2, []string{"--convention", "caffe", adam, "x.npz"}, "torch or keras"},
		"head":       {2, []string{"--head", "first", adam, "x.npz"}, "all or last"},
		"told":       {2, []string{"--batch-first", languageModel, "x.npz"}, "--batch-first: " + languageModel + " tells that itself"},
		"mode":       {2, []string{"--mode", "QRNN", adam, "x.npz"}, "--mode"},
		"format":     {2, []string{"--to", "h5", adam, "x.h5"}, `"h5"; safetensors, npz, pt, onnx and folder`},
		"keras":      {1, []string{hdf5, "x.npz"}, "superblock"},
		"opset":      {2, []string{"--opset", "3", adam, filepath.Join(t.TempDir(), "x.onnx")}, "--opset: got 3, expected 7 to 22"},
		"projection": {1, []string{"../../checkpoint/torchfile/testdata/golden/state_dict_lstm_bi_proj.pth", "x.onnx"}, "no projection"},
		"prefix":     {2, []string{"--prefix", "encoder", adam, "x.npz"}, `"encoder"; there is "model_state_dict/rnn"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, errs := command(t, tt.code, append([]string{"convert"}, tt.args...)...)
			if !strings.Contains(errs, tt.want) || strings.Count(strings.TrimSpace(lastLine(errs)), "\n") > 0 {
				t.Errorf("got %q, want %q", errs, tt.want)
			}
		})
	}
}

// stateDict writes an LSTM with two linear layers around a ReLU, and what stands
// between them as a line.
func stateDict(t *testing.T) (path, line string) {
	t.Helper()
	l, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	g := rng.New(2)
	l.ResetParameters(g)
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of("lstm."+p.Name, p.Value))
	}
	for _, w := range []struct {
		name  string
		shape []int
	}{{"fc1.weight", []int{5, 4}}, {"fc1.bias", []int{5}}, {"fc2.weight", []int{2, 5}}, {"fc2.bias", []int{2}}} {
		d := tensor.New(w.shape...)
		rng.Randn(g, d.Data)
		set = append(set, checkpoint.Of(w.name, d))
	}
	path = filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
	return path, "lstm | last | fc1 | relu | fc2"
}

// A chain is converted whole, and what was written runs without its line; a format
// that would lose the line wants --loose.
func TestConvertTakesChains(t *testing.T) {
	t.Setenv("UNROLL_PYTHON", "none") // unroll is compared with itself
	from, line := stateDict(t)
	dir := t.TempDir()
	const input = "1,2,3\n-1,0,.5\n"
	want, _ := commandWith(t, 0, input, "run", from, "-", "--chain", line, "--batch-first", "--json")
	for _, name := range []string{"m.onnx", "folder", "m.safetensors"} {
		to := filepath.Join(dir, name)
		out, errs := command(t, 0, "convert", "--verify", "--chain", line, "--batch-first", from, to)
		if !strings.Contains(out, "LSTM(3, 4") || !strings.Contains(out, "verified: largest difference 0\n") || !strings.Contains(out, "a state dict holds no forward()") || strings.Contains(errs, "not held") {
			t.Errorf("%s: %s%s", name, out, errs)
		}
		if got, _ := commandWith(t, 0, input, "run", to, "-", "--json"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	pt := filepath.Join(dir, "m.pt")
	if _, errs := command(t, 1, "convert", "--chain", line, "--batch-first", from, pt); !strings.Contains(errs, "pt would lose the chain") || !strings.Contains(errs, "--loose") {
		t.Errorf("got %s", errs)
	}
	out, errs := command(t, 0, "convert", "--verify", "--loose", "--chain", line, "--batch-first", from, pt)
	if !strings.Contains(errs, "not held by "+pt+": the chain") || !strings.Contains(out, "largest difference 0\n") {
		t.Errorf("got %s%s", out, errs)
	}
	if _, errs := command(t, 2, "convert", "--states", from, pt); !strings.Contains(errs, "--states is for whole models") {
		t.Errorf("got %s", errs)
	}
}

// Keras's files go into ONNX and folders whole, into tensors where these are all of it.
func TestConvertTakesKeras(t *testing.T) {
	t.Setenv("UNROLL_PYTHON", "none") // unroll is compared with itself
	const from = "../../internal/kerasgraph/testdata/bi_gru_None.keras"
	dir := t.TempDir()
	for _, name := range []string{"m.onnx", "folder"} {
		if out, _ := command(t, 0, "convert", "--verify", from, filepath.Join(dir, name)); !strings.Contains(out, "verified: largest difference ") {
			t.Errorf("%s: %s", name, out)
		}
	}
	npz := filepath.Join(dir, "m.npz")
	if _, errs := command(t, 1, "convert", from, npz); !strings.Contains(errs, "would lose the program") || !strings.Contains(errs, "--loose") {
		t.Errorf("got %s", errs)
	}
	if _, errs := command(t, 0, "convert", "--loose", from, npz); !strings.Contains(errs, "not held by "+npz) {
		t.Errorf("got %s", errs)
	}
	if _, errs := command(t, 2, "convert", "--batch-first", from, npz); !strings.Contains(errs, "tells that itself") {
		t.Errorf("got %s", errs)
	}
}

// What is written is verified by the engine of the source, where a Python has it.
func TestLiveConvertAsksTheSource(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing outside is asked")
	}
	for _, tt := range []struct{ modules, from, by string }{
		{"onnxruntime", languageModel, "compared with onnxruntime 1"},
		{"keras", "../../internal/kerasgraph/testdata/bi_gru_None.keras", "compared with keras 3"},
		{"torch", adam, "compared with torch "},
	} {
		t.Setenv("KERAS_BACKEND", "torch")
		interpreter := python.With("numpy", tt.modules)
		if interpreter == "" {
			t.Logf("no Python has %s", tt.modules)
			continue
		}
		t.Setenv("UNROLL_PYTHON", interpreter)
		out, _ := command(t, 0, "convert", "--verify", tt.from, filepath.Join(t.TempDir(), "m.onnx"))
		if !strings.Contains(out, "verified: largest difference ") || !strings.Contains(out, tt.by) {
			t.Errorf("%s: %s", tt.from, out)
		}
	}
}

// A recurrent layer of a graph or a Keras file is explained alone by its name.
func TestExplainTakesLayersOfModels(t *testing.T) {
	for _, tt := range []struct{ from, prefix string }{
		{"../../checkpoint/keras/testdata/models/functional.keras", "shared"},
		{operators + "lstm_bi_peepholes_clip.onnx", "node"},
	} {
		args := []string{"explain", tt.from, "-", "--step", "0", "--unit", "0", "--layer", "0", "--prefix"}
		if _, errs := commandWith(t, 1, "1,2,3\n", append(args, "other")...); !strings.Contains(errs, tt.prefix) {
			t.Errorf("%s: %s", tt.from, errs)
		}
		if out, _ := commandWith(t, 0, "1,2,3\n", append(args, tt.prefix)...); !strings.Contains(out, "h_0") {
			t.Errorf("%s:\n%s", tt.from, out)
		}
	}
}

// A model that comes by a pipe is a model too.
func TestRunTakesAModelByAPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no named pipes")
	}
	b, err := os.ReadFile(languageModel)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.Write(b)
		_ = w.Close()
	}()
	path := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	out, _ := commandWith(t, 0, "1\n2\n3\n", "run", path, "-", "--json")
	if !strings.HasPrefix(out, `{"logits":{"shape":[`) {
		t.Errorf("got %s", out)
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

const operators = "../../checkpoint/onnx/testdata/operators/"

// Cells that torch.nn lacks are shown, run and converted, from ONNX and from
// Keras's weights; other formats refuse them by the setting.
func TestVariantsAreShownRunAndConverted(t *testing.T) {
	t.Setenv("UNROLL_PYTHON", "none") // unroll is compared with itself
	dir := t.TempDir()
	for from, want := range map[string]string{
		operators + "lstm_bi_peepholes_clip.onnx":              "LSTM(3, 5, bidirectional=True, clip=0.5, peepholes=True)",
		operators + "gru_lbr0.onnx":                            "GRU(3, 5, reset_after=False)",
		operators + "rnn_elu_alpha.onnx":                       "RNN(3, 5, activations=Elu(0.5))",
		operators + "lstm_input_forget.onnx":                   "LSTM(3, 5, input_forget=True)",
		operators + "gru_nobias_reverse.onnx":                  "GRU(3, 5, bias=False, direction=reverse, reset_after=False)",
		"../../checkpoint/keras/testdata/gru_reset_before.npz": "GRU(3, 4, reset_after=False)",
	} {
		args := []string{"convert", "--verify", from, filepath.Join(dir, "v.onnx")}
		if strings.HasSuffix(from, ".npz") {
			args = append(args, "--convention", "keras")
		} else if out, _ := command(t, 0, "inspect", from); !strings.Contains(out, ": "+want+"\n") {
			t.Errorf("inspect %s:\n%s", from, out)
		}
		if out, _ := command(t, 0, args...); !strings.Contains(out, want+"\nverified: largest difference 0\n") {
			t.Errorf("convert %s:\n%s", from, out)
		}
		out, _ := commandWith(t, 0, "1,2,3\n-1,0,.5\n", "run", filepath.Join(dir, "v.onnx"), "-", "--recurrent")
		if !strings.HasPrefix(out, want+"\n\ninput\n") || !strings.Contains(out, "\nh_n\n") || strings.Contains(want, "LSTM") != strings.Contains(out, "\nc_n\n") {
			t.Errorf("run %s:\n%s", from, out)
		}
		args[3] = filepath.Join(dir, "v.safetensors")
		if _, errs := command(t, 1, args...); !strings.Contains(errs, "ONNX holds them") {
			t.Errorf("to safetensors: %s", errs)
		}
	}
	for flag, want := range map[string]string{"--trace": "h_n", "--stream": ","} {
		if out, _ := commandWith(t, 0, "1,2,3\n", "run", operators+"gru_lbr0.onnx", "-", "--recurrent", flag); !strings.Contains(out, want) {
			t.Errorf("%s: %s", flag, out)
		}
	}
}

func TestConvertSaysWhatItRounds(t *testing.T) {
	_, errs := command(t, 0, "convert", "../../checkpoint/torchfile/testdata/golden/double.pt", filepath.Join(t.TempDir(), "a.npz"))
	if !strings.Contains(errs, "4 tensors are float64 in the file and were rounded to float32") {
		t.Errorf("got %s", errs)
	}
}

func TestInspectShowsArrays(t *testing.T) {
	dir := t.TempDir()
	for _, f := range array.Formats {
		path := filepath.Join(dir, "x."+string(f))
		set := checkpoint.Set{checkpoint.Of("array", tensor.New(2, 3))}
		if err := array.WriteFile(path, set, array.Options{}); err != nil {
			t.Fatal(err)
		}
		if out, _ := command(t, 0, "inspect", path); !strings.Contains(out, string(f)) || !strings.Contains(out, "[2 3]") {
			t.Errorf("%s:\n%s", f, out)
		}
	}
	odd := filepath.Join(dir, "x.xyz")
	if err := os.WriteFile(odd, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs := command(t, 1, "inspect", odd); !strings.Contains(errs, `its ending ".xyz"`) {
		t.Errorf("got %s", errs)
	}
}

// A head on the last state goes through a format that does not hold that, if the
// command line does.
func TestConvertTakesWhatAHeadReads(t *testing.T) {
	t.Setenv("UNROLL_PYTHON", "none") // unroll is compared with itself
	dir := t.TempDir()
	from, middle, back := "../../checkpoint/onnx/testdata/exporters/torch_lstm_bi_final.onnx", filepath.Join(dir, "a.pt"), filepath.Join(dir, "b.onnx")
	command(t, 0, "convert", "--verify", from, middle)
	_, errs := command(t, 0, "convert", "--verify", "--batch-first", "--head", "last", middle, back)
	if strings.Contains(errs, "is assumed") {
		t.Errorf("it assumes what was said: %s", errs)
	}
	if out, _ := command(t, 0, "inspect", back); !strings.Contains(out, "output logits float32 [B, ") {
		t.Errorf("got\n%s", out)
	}
}

// Keras's weights are shown and run without a conversion.
func TestKerasWeightsAreShownAndRun(t *testing.T) {
	const dir = "../../checkpoint/keras/testdata/"
	for file, want := range map[string]string{
		"lstm_bi.npz": "LSTM(3, 4, bidirectional=True)", "gru.npz": "GRU(3, 4)", "gru_reset_before.npz": "GRU(3, 4, reset_after=False)",
	} {
		if out, _ := command(t, 0, "inspect", "--convention", "keras", dir+file); !strings.Contains(out, "layer  sequential") || !strings.Contains(out, want) {
			t.Errorf("%s:\n%s", file, out)
		}
		if out, _ := commandWith(t, 0, "1,2,3\n", "run", "--convention", "keras", dir+file, "-"); !strings.HasPrefix(out, want+"\n") {
			t.Errorf("%s:\n%s", file, out)
		}
	}
	for _, args := range [][]string{{"run", "--convention", "caffe", "x.npz", "y.npy"}, {"inspect", "--convention", "caffe", "x.npz"}} {
		if _, errs := command(t, 2, args...); !strings.Contains(errs, "torch or keras") {
			t.Errorf("%v: %s", args, errs)
		}
	}
}

// Keras's weights alone do not tell activations, direction and how directions are
// merged: what computes with them, or writes them down, says what it assumes, and
// the same numbers under PyTorch's names need no such word.
func TestWhatKerasWeightsDoNotTellIsSaid(t *testing.T) {
	dir := t.TempDir()
	file, x, plain := filepath.Join(dir, "weights.npz"), filepath.Join(dir, "x.npy"), filepath.Join(dir, "plain.safetensors")
	weights := checkpoint.Set{
		checkpoint.Of("sequential/lstm/lstm_cell/kernel", tensor.New(3, 16)),
		checkpoint.Of("sequential/lstm/lstm_cell/recurrent_kernel", tensor.New(4, 16)),
		checkpoint.Of("sequential/lstm/lstm_cell/bias", tensor.New(16)),
	}
	for path, set := range map[string]checkpoint.Set{file: weights, x: {checkpoint.Of("x", tensor.New(2, 6, 3))}} {
		if err := array.WriteFile(path, set, array.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	assumed := []string{"tanh and sigmoid", "go_backwards", "merge_mode", "are assumed"}
	for _, line := range []string{
		"run --convention keras " + file + " " + x + " --batch-first",
		"convert --convention keras " + file + " " + plain,
		"run " + plain + " " + x + " --batch-first",
	} {
		_, said := command(t, 0, strings.Fields(line)...)
		for _, word := range assumed {
			if strings.Contains(said, word) != strings.Contains(line, "keras") {
				t.Errorf("%s says %q, and %q is in it or not", line, said, word)
			}
		}
	}
}
