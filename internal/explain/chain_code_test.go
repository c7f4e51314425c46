package explain

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
)

// The program for a set of single layers runs in PyTorch as it stands and finds no
// difference, for every kind of layer.
func TestChainCodeRuns(t *testing.T) {
	python := os.Getenv("UNROLL_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import torch").Run(); err != nil {
		t.Skipf("no PyTorch: UNROLL_PYTHON names a Python that has it: %v", err)
	}
	var all []string
	n := 0
	for _, cfg := range configs() {
		if code := traceOf(t, cfg, 4).ChainCode(); code != nil {
			all = append(all, code...)
			n++
		}
	}
	out, err := exec.Command(python, "-c", strings.Join(all, "\n")).Output() // PyTorch's warnings are not answers
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, strings.Join(all, "\n"))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != n || n < 4 {
		t.Fatalf("%d programs say %s", n, out)
	}
	for _, line := range lines {
		_, number, _ := strings.Cut(line, "(")
		number, _, _ = strings.Cut(number, ",")
		if v, err := strconv.ParseFloat(strings.TrimSuffix(number, ")"), 64); err != nil || v > 1e-6 {
			t.Errorf("PyTorch says %s", line)
		}
	}
}

// The text has the set of single layers, and what torch.nn does not have no program.
func TestTextHasASetOfSingleLayers(t *testing.T) {
	var out strings.Builder
	if err := exampleTrace(t).Text(&out, TextOptions{Step: -1, Layer: -1, Unit: -1}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  every other one the output of the one below. Of the last output 20 of 20 numbers\n", "    stack = torch.nn.RNN(3, 4, num_layers=2)\n", "        layer = torch.nn.RNN(y.shape[-1], 4)\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if code := traceOf(t, unroll.Config{InputSize: 2, HiddenSize: 3, Variant: unroll.Variant{Clip: 0.5}}, 3).ChainCode(); code != nil {
		t.Errorf("a program for a layer that torch.nn does not have: %v", code)
	}
}
