package modelfile

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// torchFiles are PyTorch's checkpoints and the layer that is found in each,
// as PyTorch prints it; or why none is.
var torchFiles = map[string]string{
	"bfloat16.pt":                 "GRU(3, 4)",
	"checkpoint_adam.pt":          "LSTM(4, 5)",
	"data_parallel_prefix.pt":     "RNN(3, 4)",
	"double.pt":                   "RNN(3, 4)",
	"dtypes.pt":                   "no recurrent layer: none of the 14 tensors",
	"half.pt":                     "LSTM(3, 4)",
	"legacy_module_rnn.pt":        "RNN(3, 4, nonlinearity=relu)",
	"legacy_state_dict_lstm.pt":   "LSTM(3, 4)",
	"model_prefix.pt":             "GRU(4, 6)",
	"module_gru.pt":               "GRU(4, 5, num_layers=2, batch_first=True)",
	"module_sequential.pt":        "no recurrent layer: none of the 4 tensors",
	"state_dict_gru_nobias.pt":    "GRU(4, 3, bias=False)",
	"state_dict_lstm_bi_proj.pth": "LSTM(5, 6, proj_size=2, num_layers=2, bidirectional=True)",
	"state_dict_rnn.pt":           "RNN(3, 4, num_layers=2)",
	"views.pt":                    "no recurrent layer: none of the 10 tensors",
}

func TestPyTorchsCheckpointsBecomeLayers(t *testing.T) {
	all, err := filepath.Glob(torchGoldens + "*.pt*")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, path := range all {
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".safetensors") {
			continue
		}
		files++
		want, ok := torchFiles[name]
		if !ok {
			t.Errorf("%s is in no row of this test", name)
			continue
		}
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		l, err := f.Load(Options{})
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %s", name, err, want)
		case err == nil && l.Layer.Config().String() != want:
			t.Errorf("%s: %s, want %s", name, l.Layer.Config(), want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if files != len(torchFiles) {
		t.Errorf("%d files, %d rows", files, len(torchFiles))
	}
}

// liveTorch builds the layer that a Config prints, gives it the file's own
// parameters and runs it.
const liveTorch = `
import json, re, struct, sys, torch
from torch import nn
torch.set_grad_enabled(False)
out = {}
for path, config, prefix, x in json.load(sys.stdin):
    d = torch.load(path, weights_only=False)
    if isinstance(d, nn.Module):
        m, d = d.float().eval(), None
    else:
        for key in prefix.split("/")[:-1]:
            d = d[key]
        prefix = prefix.split("/")[-1]
        m = eval("nn." + re.sub(r"nonlinearity=(\w+)", r"nonlinearity='\1'", config))
        m.load_state_dict({k[len(prefix):]: v.float() for k, v in d.items() if k.startswith(prefix)})
    y, h = m(torch.tensor(x))
    out[path] = [y.flatten().tolist(), (h[0] if isinstance(h, tuple) else h).flatten().tolist()]
print(json.dumps(out))
`

// The layer found in each checkpoint gives what the installed PyTorch gives with
// the same file.
func TestLivePyTorchRunsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing outside is asked")
	}
	interpreter := python.With("torch")
	if interpreter == "" {
		t.Skip("PyTorch is not installed: no Python has the package torch (UNROLL_PYTHON names one)")
	}
	type result struct{ y, h tensor.Dense }
	var in [][]any
	want := map[string]result{}
	for name, config := range torchFiles {
		if strings.HasPrefix(config, "no ") {
			continue
		}
		path := torchGoldens + name
		l := load(t, path, Options{})
		c := l.Layer.Config()
		x := tensor.New(3, 2, c.InputSize)
		rng.Randn(rng.New(1), x.Data)
		y, sn, err := l.Layer.Forward(x, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		var nested [][][]float32
		for i := range 3 {
			nested = append(nested, [][]float32{x.Data[2*i*c.InputSize:][:c.InputSize], x.Data[(2*i+1)*c.InputSize:][:c.InputSize]})
		}
		in = append(in, []any{path, c.String(), l.Part.Prefix, nested})
		want[path] = result{y, sn.H}
	}
	feed, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, "-W", "ignore", "-c", liveTorch)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(feed)), os.Stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][2][]float64
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(got) != 12 {
		t.Fatalf("PyTorch ran %d files, want 12", len(got))
	}
	for path, w := range want {
		testkit.Close(t, path+" output", w.y.Data, got[path][0], testkit.Default[float32]())
		testkit.Close(t, path+" h_n", w.h.Data, got[path][1], testkit.Default[float32]())
	}
}

// Several recurrent layers are listed, and a prefix, without wrappers and last
// dot or with them, chooses one.
func TestPrefixChoosesOneOfSeveralLayers(t *testing.T) {
	var set checkpoint.Set
	for prefix, hidden := range map[string]int{"module._orig_mod.encoder.": 2, "module._orig_mod.decoder.rnn.": 3} {
		for name, shape := range map[string][]int{"weight_ih_l0": {4 * hidden, 5}, "weight_hh_l0": {4 * hidden, hidden}, "bias_ih_l0": {4 * hidden}, "bias_hh_l0": {4 * hidden}} {
			set = append(set, checkpoint.Of(prefix+name, tensor.New(shape...)))
		}
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Load(Options{})
	for _, want := range []string{path, `"module._orig_mod.encoder" (LSTM)`, `"module._orig_mod.decoder.rnn" (LSTM)`, "choose one by its prefix"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	for prefix, hidden := range map[string]int{"encoder": 2, "encoder.": 2, "decoder.rnn": 3, "module._orig_mod.encoder": 2} {
		l, err := f.Load(Options{Prefix: prefix})
		if err != nil || l.Layer.Config().HiddenSize != hidden {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}
