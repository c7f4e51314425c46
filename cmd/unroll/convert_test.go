package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
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
	for _, want := range []string{"layer  LSTM(4, 6, num_layers=2)", "Embedding(11, 4)", "Linear(6, 11) on every step", "embedding.weight  F32  [11 4]", "opset 13", "hidden_size:6"} {
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

func TestInspectSaysWhyANodeIsNotRun(t *testing.T) {
	out, _ := command(t, 0, "inspect", "../../checkpoint/onnx/testdata/operators/published_gru_defaults.onnx")
	if !strings.Contains(out, "not run: ") {
		t.Errorf("got\n%s", out)
	}
}

func TestConvertGivesTheSameNumbersInEveryFormat(t *testing.T) {
	dir := t.TempDir()
	from := languageModel
	for _, name := range []string{"a", "b.onnx", "c.safetensors", "d.npz", "e.onnx", "f"} {
		to := filepath.Join(dir, name)
		out, _ := command(t, 0, "convert", "--verify", from, to)
		if !strings.Contains(out, "verified: largest difference 0\n") {
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
	tests := map[string]struct {
		code int
		args []string
		want string
	}{
		"ending":     {2, []string{adam, "x.xyz"}, "say --to"},
		"convention": {2, []string{"--convention", "caffe", adam, "x.npz"}, "torch or keras"},
		"mode":       {2, []string{"--mode", "QRNN", adam, "x.npz"}, "--mode"},
		"pt":         {1, []string{adam, filepath.Join("x.pt")}, "pt is not written; safetensors"},
		"opset":      {1, []string{"--opset", "3", adam, filepath.Join(t.TempDir(), "x.onnx")}, "opset 3, expected 7 to 22"},
		"projection": {1, []string{"../../checkpoint/torchfile/testdata/golden/state_dict_lstm_bi_proj.pth", "x.onnx"}, "no projection"},
		"prefix":     {1, []string{"--prefix", "encoder", adam, "x.npz"}, `"encoder"; there is "model_state_dict/rnn"`},
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

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
