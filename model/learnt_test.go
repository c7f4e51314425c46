package model

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// A model whose initial state is a parameter begins with it, in a run, in chunks, in
// a stream and among rows, and goes on with what was carried: with PyTorch's numbers,
// which are those of the whole sequence.
func TestLearntStates(t *testing.T) {
	src, err := array.Open("testdata/learnt.npz", array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	const sequences, steps, in = 3, 5, 3
	for _, c := range []struct {
		file, output string
		opt          Options
	}{
		{file: "learnt.onnx", output: "y"},
		{file: "bare.onnx", output: "y"},
		{file: "learnt.pt", output: "output", opt: Options{Chain: "lstm(h_0=h0, c_0=c0) | fc", Layout: BatchFirst}},
	} {
		opened := map[string]*Model{"as it is": nil, "written": nil}
		c.opt.States = true
		m, err := c.opt.Open(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		again := filepath.Join(t.TempDir(), "again.onnx")
		if err := m.Save(again); err != nil {
			t.Fatal(err)
		}
		opened["as it is"] = m
		if opened["written"], err = Open(again); err != nil {
			t.Fatal(err)
		}
		defer opened["written"].Close()
		name := strings.TrimSuffix(c.file, filepath.Ext(c.file))
		x, err := checkpoint.Float[float32](src, name+".x")
		if err != nil {
			t.Fatal(err)
		}
		want, err := checkpoint.Float[float32](src, name+".y")
		if err != nil {
			t.Fatal(err)
		}
		out := want.Shape[2]
		for how, m := range opened {
			t.Run(c.file+" "+how, func(t *testing.T) {
				tol := testkit.Tol{Abs: 1e-6, Rel: 1e-5}
				part := func(a, b int) Value { // steps a to b of every sequence
					var data []float32
					for i := range sequences {
						data = append(data, x.Data[(i*steps+a)*in:(i*steps+b)*in]...)
					}
					return of(t, data, sequences, b-a, in)
				}
				given := map[string]Value{"x": part(0, steps)}
				whole, err := m.Run(given)
				if err != nil {
					t.Fatal(err)
				}
				testkit.Close(t, "whole", Data[float32](whole[c.output]), want.Data, tol)
				first, err := m.Run(map[string]Value{"x": part(0, 2)})
				if err != nil {
					t.Fatal(err)
				}
				given = map[string]Value{"x": part(2, steps)}
				for _, s := range m.States() {
					given[s.Input] = first[s.Output]
				}
				second, err := m.Run(given)
				if err != nil {
					t.Fatal(err)
				}
				for i := range sequences {
					testkit.Close(t, "in chunks", Data[float32](second[c.output])[i*3*out:(i+1)*3*out], want.Data[(i*steps+2)*out:(i+1)*steps*out], tol)
				}
				r, err := m.NewRows(sequences, RowsOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if ok, why := r.Batched(); !ok {
					t.Error(why)
				}
				states := make([][]float32, sequences)
				for i := range states {
					states[i] = make([]float32, r.StateLen())
					r.Begin(states[i])
				}
				y := make([]float32, sequences*r.Out())
				for step := range steps {
					if err := r.Step(y, Data[float32](part(step, step+1)), states); err != nil {
						t.Fatal(err)
					}
					for i := range sequences {
						testkit.Close(t, "in steps", y[i*r.Out():][:out], want.Data[(i*steps+step)*out:][:out], tol)
					}
				}
			})
		}
		if d, err := c.opt.Describe(filepath.Join("testdata", c.file)); err != nil || c.file == "learnt.pt" && !strings.Contains(strings.Join(d.Notes, " "), "begins with the state that the file holds") {
			t.Errorf("%v %v", d, err)
		}
	}
}
