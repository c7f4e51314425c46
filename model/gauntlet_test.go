package model

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Whole models as people ship them, opened by their contents and run by names,
// give what ONNX Runtime and Keras gave. The files are not part of the project:
// $UNROLL_GAUNTLET names their folder.
func TestGauntlet(t *testing.T) {
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	var files []string
	for _, pattern := range []string{"models/*.onnx", "traps/*.onnx", "real/*.onnx", "keras/*.keras", "keras/*.h5", "real/*.keras"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	ran := 0
	for _, path := range files {
		if strings.HasSuffix(path, ".weights.h5") || strings.HasSuffix(path, "proj.new.onnx") {
			continue // weights alone; a file that no engine runs
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			numbers := recorded(t, path)
			m, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			given := map[string]Value{}
			for i, port := range m.Inputs() {
				given[port.Name] = number(t, numbers, port, "in", i)
			}
			out, err := m.Run(given)
			if err != nil {
				t.Fatal(err)
			}
			for i, port := range m.Outputs() {
				want := number(t, numbers, port, "out", i)
				got := out[port.Name]
				if want.IsZero() {
					continue
				}
				if Data[float32](want) == nil {
					if !slices.Equal(Data[int64](got), Data[int64](want)) {
						t.Errorf("%s differs", port.Name)
					}
					continue
				}
				testkit.Close(t, port.Name, Data[float32](got), Data[float32](want), testkit.Tol{Abs: 1e-5, Rel: 1e-4})
			}
			ran++
		})
	}
	t.Logf("%d of %d files", ran, len(files))
}

// recorded opens the numbers beside a model.
func recorded(t *testing.T, path string) array.Source {
	t.Helper()
	name := strings.TrimSuffix(path, filepath.Ext(path))
	tries := []string{path + ".io.npz", name + ".io.npz"}
	if i := strings.LastIndexByte(filepath.Base(name), '.'); i > 0 {
		tries = append(tries, filepath.Join(filepath.Dir(name), filepath.Base(name)[:i])+".io.npz")
	}
	for _, try := range tries {
		if _, err := os.Stat(try); err == nil {
			src, err := array.Open(try, array.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = src.Close() })
			return src
		}
	}
	t.Skip("no recorded outputs")
	return nil
}

// number reads an array of the recorded ones, as the type of a port.
func number(t *testing.T, src array.Source, port Port, kind string, i int) Value {
	t.Helper()
	for _, name := range []string{kind + "." + port.Name, kind + strconv.Itoa(i)} {
		if _, ok := src.Info(name); !ok {
			continue
		}
		if port.Type == "int64" || port.Type == "int32" {
			v, shape, err := checkpoint.Ints(src, name)
			if err != nil {
				t.Fatal(err)
			}
			if port.Type == "int64" {
				return of(t, v, shape...)
			}
			var narrow []int32
			for _, x := range v {
				narrow = append(narrow, int32(x))
			}
			return of(t, narrow, shape...)
		}
		d, err := checkpoint.Float[float32](src, name)
		if err != nil {
			t.Fatal(err)
		}
		return of(t, d.Data, d.Shape...)
	}
	return Value{}
}

// State dicts run by the lines that stand beside them.
func TestGauntletChains(t *testing.T) {
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	text, err := os.ReadFile(filepath.Join(root, "models", "chains.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 || strings.HasPrefix(line, "#") {
			continue
		}
		t.Run(f[0], func(t *testing.T) {
			path := filepath.Join(root, "models", f[0]+".sd.pt")
			layout := map[string]Layout{"--batch-first": BatchFirst, "--time-first": TimeFirst}[f[1]]
			// The one with a state in and out has it among its recorded inputs.
			m, err := Options{Chain: f[2], Layout: layout, States: f[0] == "stream_gru"}.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			numbers := recorded(t, filepath.Join(root, "models", f[0]+".pt"))
			given := map[string]Value{}
			for i, port := range m.Inputs() {
				given[port.Name] = number(t, numbers, port, "in", i)
			}
			out, err := m.Run(given)
			if err != nil {
				t.Fatal(err)
			}
			want := number(t, numbers, m.Outputs()[0], "out", 0)
			testkit.Close(t, "output", Data[float32](out[m.Outputs()[0].Name]), Data[float32](want), testkit.Tol{Abs: 1e-5, Rel: 1e-4})
		})
	}
}

// Of the gauntlet's ONNX files that stream, with their states made inputs and outputs,
// steps of two sequences together give what ONNX Runtime gave for the whole.
func TestGauntletStreams(t *testing.T) {
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	files, err := filepath.Glob(filepath.Join(root, "models/*.old.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	streamed := 0
	for _, path := range files {
		if strings.Contains(path, "stream_gru") {
			continue // recorded from a state of its own
		}
		m, err := Options{States: true}.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.NewRows(2, RowsOptions{})
		if err != nil {
			t.Logf("%s: %v", filepath.Base(path), err)
			_ = m.Close()
			continue
		}
		numbers := recorded(t, path)
		x := number(t, numbers, m.Inputs()[0], "in", 0)
		flat := Data[float32](x)
		for _, v := range Data[int64](x) {
			flat = append(flat, float32(v))
		}
		want := number(t, numbers, m.Outputs()[0], "out", 0)
		B, T, in, out := x.Shape()[0], x.Shape()[1], r.In(), r.Out()
		if B*T*in != len(flat) {
			t.Logf("%s: a step is a run, of %d numbers", filepath.Base(path), in)
			_ = m.Close()
			continue
		}
		states := make([][]float32, B)
		for i := range states {
			states[i] = make([]float32, r.StateLen())
			r.Begin(states[i])
		}
		got, each := make([]float32, len(Data[float32](want))), len(Data[float32](want)) == B*T*out
		y, row := make([]float32, B*out), make([]float32, B*in)
		for s := range T {
			for i := range B {
				copy(row[i*in:], flat[(i*T+s)*in:][:in])
			}
			if err := r.Step(y, row, states); err != nil {
				t.Fatal(err)
			}
			for i := range B {
				if each {
					copy(got[(i*T+s)*out:], y[i*out:][:out])
				} else {
					copy(got[i*out:], y[i*out:][:out])
				}
			}
		}
		batched, _ := r.Batched()
		t.Logf("%s: %d steps, batched %v", filepath.Base(path), T, batched)
		testkit.Close(t, filepath.Base(path), got, Data[float32](want), testkit.Tol{Abs: 1e-5, Rel: 1e-4})
		streamed++
		_ = m.Close()
	}
	if streamed < 7 {
		t.Errorf("%d of %d stream", streamed, len(files))
	}
}

// One network saved in many ways is one network, however its weights are kept.
func TestGauntletForms(t *testing.T) {
	root := os.Getenv("UNROLL_GAUNTLET")
	if root == "" {
		t.Skip("UNROLL_GAUNTLET names no folder of models")
	}
	numbers := recorded(t, filepath.Join(root, "models", "lstm_last.pt"))
	for name, abs := range map[string]float64{
		"half.pt": 1e-3, "bf16.pt": 1e-2, "double.pt": 1e-5, "dataparallel.pth": 1e-5, "compiled.pt": 1e-5, "lightning.ckpt": 1e-5,
		"optimizer_first.pt": 1e-5, "legacy_format.pt": 1e-5, "model_and_ema.pt": 1e-5, "numpy_dict.npz": 1e-5,
		"weight_norm.pt": 1e-5, "weight_norm_old.pt": 1e-5, "quant_dynamic.sd.pt": 5e-2, "quant_dynamic.module.pt": 5e-2,
		"list_of_weights.pt": 1e-5, "numpy_dict.pkl": 1e-5,
	} {
		t.Run(name, func(t *testing.T) {
			opt := Options{Chain: "lstm | last | fc", Layout: BatchFirst}
			if name == "model_and_ema.pt" {
				opt.Prefix = "model"
			}
			m, err := opt.Open(filepath.Join(root, "forms", name))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			in, outs := m.Inputs()[0], m.Outputs()
			got, err := m.Run(map[string]Value{in.Name: number(t, numbers, in, "in", 0)})
			if err != nil {
				t.Fatal(err)
			}
			want := number(t, numbers, outs[0], "out", 0)
			testkit.Close(t, outs[0].Name, Data[float32](got[outs[0].Name]), Data[float32](want), testkit.Tol{Abs: abs})
		})
	}
}
