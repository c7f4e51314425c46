package chain

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// The gauntlet: models as people save them, with PyTorch's outputs beside them.
// They are not part of the project; $UNROLL_GAUNTLET names the folder, and
// $UNROLL_GAUNTLET_PYPI one with resemblyzer/pretrained.pt as its package has it.
func gauntlet(t *testing.T) string {
	t.Helper()
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	return root
}

func TestGauntletChains(t *testing.T) {
	root := gauntlet(t)
	f, err := os.Open(filepath.Join(root, "models", "chains.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		if strings.HasPrefix(in.Text(), "#") {
			continue
		}
		part := strings.SplitN(in.Text(), "\t", 3)
		opt := Options{Layout: BatchFirst}
		if part[1] == "--time-first" {
			opt.Layout = TimeFirst
		}
		n++
		t.Run(part[0], func(t *testing.T) {
			model := filepath.Join(root, "models", part[0])
			against(t, model+".sd.pt", part[2], opt, model+".io.npz", 1e-5)
		})
	}
	if n < 15 {
		t.Errorf("%d chains, expected 15", n)
	}
}

func TestGauntletForms(t *testing.T) {
	root := gauntlet(t)
	io := filepath.Join(root, "models", "lstm_last.io.npz")
	for name, tol := range map[string]float64{
		"half.pt": 1e-3, "bf16.pt": 1e-2, "double.pt": 1e-5, "dataparallel.pth": 1e-5, "compiled.pt": 1e-5, "lightning.ckpt": 1e-5,
		"optimizer_first.pt": 1e-5, "legacy_format.pt": 1e-5, "model_and_ema.pt": 1e-5, "numpy_dict.npz": 1e-5,
		"weight_norm.pt": 1e-5, "weight_norm_old.pt": 1e-5, "quant_dynamic.sd.pt": 5e-2, "quant_dynamic.module.pt": 5e-2,
		"list_of_weights.pt": 1e-5, "numpy_dict.pkl": 1e-5,
	} {
		t.Run(name, func(t *testing.T) {
			opt := Options{Layout: BatchFirst}
			if name == "model_and_ema.pt" {
				opt.Prefix = "model"
			}
			against(t, filepath.Join(root, "forms", name), "lstm | last | fc", opt, io, tol)
		})
	}
}

func TestGauntletReal(t *testing.T) {
	root := gauntlet(t)
	against(t, filepath.Join(root, "real", "stock_lstm.pth"), "lstm | last | fc1 | relu | fc2", Options{Layout: BatchFirst}, filepath.Join(root, "real", "stock_lstm.io.npz"), 1e-5)
	if more := os.Getenv("UNROLL_GAUNTLET_PYPI"); more != "" {
		against(t, filepath.Join(more, "resemblyzer", "pretrained.pt"), "lstm | h_last | linear | relu | normalize(dim=1)", Options{Layout: BatchFirst}, filepath.Join(root, "real", "resemblyzer.io.npz"), 1e-5)
	}
}

// source opens a file of weights.
func source(t *testing.T, path string, opt *Options) checkpoint.Source {
	t.Helper()
	if filepath.Ext(path) == ".npz" {
		src, err := array.Open(path, array.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = src.Close() })
		return statedict.Fold(src, nil)
	}
	f, err := torchfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	opt.Modules = f.Modules()
	return statedict.Fold(f, Settings(f.Modules()))
}

// against runs a line over a file and compares with recorded outputs.
func against(t *testing.T, path, line string, opt Options, io string, tol float64) {
	t.Helper()
	c, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	in, err := array.Open(io, array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, opt.States = in.Info("in1")
	src := source(t, path, &opt)
	n, err := Build(src, c, opt)
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate(t, n, tensors(t, in, "in"))
	want := tensors(t, in, "out")
	compare(t, got, want[:len(got)], tol)
	// The line as it was understood says all that the options did.
	again, err := Build(src, n.Chain, Options{Prefix: opt.Prefix, States: opt.States})
	if err != nil {
		t.Fatalf("%s: %v", n.Chain, err)
	}
	compare(t, evaluate(t, again, tensors(t, in, "in")), got, 0)
}

// tensors reads the arrays called kind0, kind1, ...
func tensors(t *testing.T, src checkpoint.Source, kind string) (list []graph.Value) {
	t.Helper()
	for i := range 8 {
		info, ok := src.Info(kind + string(rune('0'+i)))
		if !ok {
			return list
		}
		list = append(list, valueOf(t, src, info.Name))
	}
	return list
}

func evaluate(t *testing.T, n *Network, in []graph.Value) []graph.Value {
	t.Helper()
	out, err := tryEvaluate(t, n, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryEvaluate(t *testing.T, n *Network, in []graph.Value) ([]graph.Value, error) {
	t.Helper()
	p, err := graph.Compile(n.Graph, graph.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]graph.Value, len(n.Graph.Outputs))
	return out, p.Run(in, out)
}

func compare(t *testing.T, got, want []graph.Value, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d outputs, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Type != want[i].Type || !slices.Equal(got[i].Shape, want[i].Shape) {
			t.Errorf("output %d is %s, want %s", i, got[i], want[i])
			continue
		}
		switch want[i].Type {
		case graph.F32:
			if err := testkit.Near(graph.Data[float32](got[i]), graph.Data[float32](want[i]), testkit.Tol{Abs: tol, Rel: tol}); err != nil {
				t.Errorf("output %d: %v", i, err)
			}
		case graph.I64:
			if !slices.Equal(graph.Data[int64](got[i]), graph.Data[int64](want[i])) {
				t.Errorf("output %d is %v, want %v", i, graph.Data[int64](got[i]), graph.Data[int64](want[i]))
			}
		case graph.Bool:
			if !slices.Equal(graph.Data[bool](got[i]), graph.Data[bool](want[i])) {
				t.Errorf("output %d is %v, want %v", i, graph.Data[bool](got[i]), graph.Data[bool](want[i]))
			}
		default:
			t.Errorf("output %d is %s", i, want[i])
		}
	}
}
