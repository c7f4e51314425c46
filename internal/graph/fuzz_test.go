package graph

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// FuzzRun reads, compiles and runs what a file says, within small limits: nothing
// panics, and every error is of a kind.
func FuzzRun(f *testing.F) {
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/*/*.onnx")
	if err != nil || len(paths) < 90 {
		f.Fatal(len(paths), err)
	}
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil && len(b) < 4096 {
			f.Add(b)
		}
	}
	i := 0
	for _, b := range zipped(f, "testdata/nodes.zip") {
		if i++; i%5 == 1 && len(b) < 4096 {
			f.Add(b)
		}
	}
	limits := Limits{Memory: 8 << 20, FoldMemory: 8 << 20, Work: 1 << 22, FoldWork: 1 << 22, Steps: 1 << 10}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := onnx.Parse(b, "x.onnx")
		if err != nil {
			return
		}
		g, err := FromONNX(file)
		if err != nil {
			judge(t, err)
			return
		}
		States(g)
		p, err := Compile(g, limits)
		if err != nil {
			judge(t, err)
			return
		}
		in := make([]Value, len(g.Inputs))
		for i, port := range g.Inputs {
			shape := make([]int, len(port.Shape))
			for k, d := range port.Shape {
				if shape[k] = d.Size; d.Size < 0 {
					shape[k] = 2
				}
			}
			if n, err := elements(F64, shape); err != nil || n > 1<<16 {
				return
			}
			if in[i], err = New(port.Type, shape...); err != nil {
				t.Fatal(err)
			}
		}
		out := make([]Value, len(g.Outputs))
		for range 2 {
			if err := p.Run(in, out); err != nil {
				judge(t, err)
				return
			}
		}
		if _, _, _, _, err := p.BatchAxes(in); err != nil {
			judge(t, err)
		}
	})
}

func judge(t *testing.T, err error) {
	t.Helper()
	for _, kind := range []error{ErrGraph, ErrOperator, ErrInput, ErrLimit, checkpoint.ErrFormat, checkpoint.ErrDType} {
		if errors.Is(err, kind) && !strings.Contains(err.Error(), "defect") {
			return
		}
	}
	t.Fatalf("an error of no kind, or a defect: %v", err)
}
