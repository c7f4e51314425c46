package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/testkit/toy"
)

// A cell that is one line more in the table is trained, saved, opened, streamed,
// shown, explained, timed and exported as far as its Kind says, without a line
// anywhere else.
func TestACellOfOneLineWorksEverywhere(t *testing.T) {
	_, undo := cell.Register(&toy.Kind)
	defer undo()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("she sells sea shells by the sea shore. ", 20)), 0o666); err != nil {
		t.Fatal(err)
	}
	model, weights, input := filepath.Join(dir, "model"), filepath.Join(dir, "w.safetensors"), filepath.Join(dir, "x.csv")
	if err := os.WriteFile(input, []byte("1,2,3\n0,-1,2\n.5,.5,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	wants := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("it does not say %q:\n%s", w, out)
			}
		}
	}
	out, errs := command(t, 0, "train", "--task", "text", "--mode", "MGU", "--hidden", "12", "--epochs", "2", "--batch", "2", "--window", "10", "-o", model, text)
	wants(out+errs, "MGU(")
	out, _ = command(t, 0, "inspect", model)
	wants(out, "MGU(")
	out, _ = command(t, 0, "eval", model, text)
	wants(out, "nats a character")
	command(t, 0, "predict", model, "she ")
	out, _ = command(t, 0, "train", "--help")
	wants(out, "RNN_TANH, RNN_RELU, LSTM, GRU or MGU")
	out, _ = command(t, 0, "bench", "--mode", "MGU", "--input-size", "3", "--hidden-size", "20", "--runs", "1", "--workers", "1")
	wants(out, "MGU(3, 20)")

	// A fresh layer, its weights and back.
	whole, _ := command(t, 0, "run", "--mode", "MGU", "--input-size", "3", "--hidden-size", "4", "--num-layers", "2", input)
	wants(whole, "MGU(3, 4, num_layers=2)", "\nh_n\n")
	step, _ := command(t, 0, "run", "--mode", "MGU", "--input-size", "3", "--hidden-size", "4", "--num-layers", "2", "--stream", input)
	if step != whole {
		t.Errorf("step by step it is\n%s\nand whole\n%s", step, whole)
	}
	out, _ = command(t, 0, "run", "--mode", "MGU", "--input-size", "3", "--hidden-size", "4", "--trace", input)
	wants(out, "gate_f_l0", "gate_n_l0")
	command(t, 0, "convert", "--verify", model, weights)
	out, _ = command(t, 0, "inspect", weights)
	wants(out, "MGU(")
	_, errs = command(t, 1, "convert", model, filepath.Join(dir, "w.onnx"))
	wants(errs, "ONNX has no operator for MGU")
	out, _ = command(t, 0, "explain", model, "--text", "sea", "--step", "1")
	wants(out, "W_if", "W_in", "(1 - f)")
	page := filepath.Join(dir, "page.html")
	command(t, 0, "explain", model, "--text", "sea", "--html", page)
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "MGU") {
		t.Errorf("the page does not name the cell: %v", err)
	}
}
