package chain

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/graph"
)

// pickled opens a module of testdata/pickled.py, its input and its output.
func pickled(t *testing.T, name string) (f *torchfile.File, in, out []graph.Value) {
	t.Helper()
	f, err := torchfile.Open("testdata/" + name + ".pt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	io, err := safetensors.Open("testdata/pickled.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer io.Close()
	return f, []graph.Value{valueOf(t, io, name+".in0")}, []graph.Value{valueOf(t, io, name+".out0")}
}

// A Sequential saved whole runs without a line, and the line that Build writes of
// it runs its tensors alone.
func TestASequentialNeedsNoLine(t *testing.T) {
	f, in, out := pickled(t, "sequential")
	c, ok := Sequential(f.Modules())
	if !ok {
		t.Fatal("it is no Sequential")
	}
	n, err := Build(f, c, Options{Modules: f.Modules()})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, evaluate(t, n, in), out, 2e-6)
	alone, err := Build(f, n.Chain, Options{})
	if err != nil {
		t.Fatalf("%s: %v", n.Chain, err)
	}
	compare(t, evaluate(t, alone, in), out, 2e-6)
	const want = "0(stride=(2, 1), padding=(1, 1)) | 1(eps=0.1) | relu | dropout | max_pool2d(kernel_size=2, stride=2, ceil_mode=True) | hardtanh(min_val=-0.5, max_val=0.5) | 5(kind='conv_transpose', stride=(2, 2)) | flatten(start_dim=2) | unflatten(dim=1, sizes=(2, 1)) | flatten(start_dim=1) | 9 | 10 | 11(eps=0.2) | softplus(beta=2) | 13(kind='linear') | log_softmax(dim=1)"
	if got := n.Chain.String(); got != want {
		t.Errorf("the line is\n%s\nwant\n%s", got, want)
	}
	if len(n.Unused) > 0 {
		t.Errorf("unused: %v", n.Unused)
	}
}

// A module of one's own needs a line; the settings of its parts come from the
// file, and what the line says has to agree with them.
func TestAModulesSettingsComeFromTheFile(t *testing.T) {
	f, in, out := pickled(t, "custom")
	if _, ok := Sequential(f.Modules()); ok {
		t.Error("it is taken for a Sequential")
	}
	for _, line := range []string{
		"conv | norm | transpose(1, 2) | rnn | last | head",
		"conv(stride=2, padding=(1,)) | norm(kind=group_norm, num_groups=2) | transpose(1, 2) | rnn(nonlinearity='relu', batch_first=True) | last | head.0 | head.1 | head.2 | head.3.0 | softmax(dim=-1)",
	} {
		c, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Build(f, c, Options{Modules: f.Modules()})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, evaluate(t, n, in), out, 2e-6)
		alone, err := Build(f, n.Chain, Options{})
		if err != nil {
			t.Fatalf("%s: %v", n.Chain, err)
		}
		compare(t, evaluate(t, alone, in), out, 2e-6)
	}
	for line, says := range map[string]string{
		"conv(stride=1) | norm":               "conv(stride=1): the module in the file has stride=(2,)",
		"norm(kind='layer_norm')":             "in the file it is a torch.nn.modules.normalization.GroupNorm",
		"rnn(batch_first=False)":              "the module in the file has batch_first=True",
		"rnn(nonlinearity='tanh')":            "nonlinearity='relu'",
		"rnn | head | last":                   "", // the head keeps the steps
		"conv | norm | head":                  "",
		"conv | norm | transpose(1, 2) | hea": "did you mean head?",
		"head(p=1)":                           "takes no arguments",
	} {
		c, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Build(f, c, Options{Modules: f.Modules()})
		if says == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want: %s", line, err, says)
		}
	}
	if _, err := Build(f, mustParse(t, "rnn"), Options{Modules: f.Modules(), Layout: TimeFirst}); !errors.Is(err, ErrArgument) {
		t.Errorf("time first of a layer that is batch first: %v", err)
	}
}

func mustParse(t *testing.T, line string) *Chain {
	t.Helper()
	c, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Older files of RNNs have no attribute nonlinearity; their mode tells it.
func TestAnRNNsModeTellsItsFunction(t *testing.T) {
	f, in, out := pickled(t, "custom")
	modules := f.Modules()
	m := modules[0].Modules[2]
	m.Attrs = slices.DeleteFunc(slices.Clone(m.Attrs), func(a torchfile.Attr) bool { return a.Name == "nonlinearity" })
	if v, _ := m.Attr("mode"); v != "RNN_RELU" {
		t.Fatalf("the mode is %v", v)
	}
	n, err := Build(f, mustParse(t, "conv | norm | transpose(1, 2) | rnn | last | head"), Options{Modules: modules})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, evaluate(t, n, in), out, 2e-6)
	if !strings.Contains(n.Chain.String(), "nonlinearity='relu'") {
		t.Errorf("the line %s does not say it", n.Chain)
	}
}
