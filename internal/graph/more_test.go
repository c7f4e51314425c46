package graph

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// Operators that models have around their layers, and forms of graphs, written by
// testdata/more.py with what ONNX Runtime makes of them.
func TestMoreOperators(t *testing.T) {
	graphs := 0
	for file, b := range zipped(t, "testdata/more.zip") {
		graphs++
		t.Run(strings.TrimSuffix(file, ".onnx"), func(t *testing.T) {
			tol := testkit.Tol{Abs: 1e-6, Rel: 1e-5}
			if strings.HasPrefix(file, "grid") { // a place's last bit is many of a weight's
				tol.Abs = 1e-5
			}
			if err := runNode(t, b, file, tol); err != nil {
				t.Error(err)
			}
		})
	}
	if graphs < 100 {
		t.Errorf("%d graphs", graphs)
	}
}

// An optional value that is absent has no element, and taking it is an error.
func TestAbsentOptional(t *testing.T) {
	empty := Node{Op: "Optional", Outputs: []string{"o"}, Attrs: Attrs{"type": nil}}
	for op, want := range map[string]string{"OptionalHasElement": "", "OptionalGetElement": "absent"} {
		g := &Graph{Opsets: map[string]int64{"": 18}, Outputs: []Port{{Name: "y"}}, Nodes: []Node{empty, {Op: op, Inputs: []string{"o"}, Outputs: []string{"y"}}}}
		p, err := Compile(g, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out := make([]Value, 1)
		switch err := p.Run(nil, out); {
		case want == "" && (err != nil || data[bool](&out[0])[0]):
			t.Errorf("%s: got %v, %v; want false", op, out[0], err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want an error with %q", op, err, want)
		}
	}
}

// Back from one side of a spectrum whose bins do not fit the length, ONNX's reference
// and ONNX Runtime give different numbers: it is refused.
func TestOneSideOfAnotherLength(t *testing.T) {
	for n, right := range map[int64]bool{7: false, 8: true, 9: true, 12: false} {
		length, err := Of([]int64{n}, 1)
		if err != nil {
			t.Fatal(err)
		}
		g := &Graph{
			Opsets: map[string]int64{"": 17}, Outputs: []Port{{Name: "y"}},
			Inputs:    []Port{{Name: "x", Type: F32, Shape: []Dim{{Size: 2}, {Size: 5}, {Size: 2}}}},
			Constants: []Constant{{Name: "n", Value: length}},
			Nodes:     []Node{{Op: "DFT", Inputs: []string{"x", "n"}, Outputs: []string{"y"}, Attrs: Attrs{"axis": int64(1), "inverse": int64(1), "onesided": int64(1)}}},
		}
		p, err := Compile(g, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := New(F32, 2, 5, 2)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Run([]Value{x}, make([]Value, 1))
		if right != (err == nil) || err != nil && !strings.Contains(err.Error(), "has 5 bins") {
			t.Errorf("length %d of 5 bins: got %v, want an error: %v", n, err, !right)
		}
	}
}

// Integers that are given as longer ones are in the range of the file's type.
func TestIntegersInTheFilesRange(t *testing.T) {
	for typ, c := range map[Type]struct {
		fits, not []int64
	}{
		I16: {[]int64{-32768, 32767}, []int64{-32769, 32768}},
		U16: {[]int64{0, 65535}, []int64{-1, 65536}},
		U32: {[]int64{0, 1<<32 - 1}, []int64{-1, 1 << 32}},
		U64: {[]int64{0, 1 << 62}, []int64{-1}},
	} {
		g := &Graph{
			Opsets: map[string]int64{"": 17}, Outputs: []Port{{Name: "y"}},
			Inputs: []Port{{Name: "x", Type: typ, Shape: []Dim{{Size: 2}}}},
			Nodes:  []Node{{Op: "Cast", Inputs: []string{"x"}, Outputs: []string{"y"}, Attrs: Attrs{"to": int64(1)}}},
		}
		p, err := Compile(g, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		run := func(last int64) error {
			x, err := New(typ.Held(), 2)
			if err != nil {
				t.Fatal(err)
			}
			if x.Type == I32 {
				data[int32](&x)[1] = int32(last)
			} else {
				data[int64](&x)[1] = last
			}
			return p.Run([]Value{x}, make([]Value, 1))
		}
		for _, n := range c.fits {
			if err := run(n); err != nil {
				t.Errorf("%s: %d: %v", typ, n, err)
			}
		}
		for _, n := range c.not {
			if err := run(n); err == nil || !strings.Contains(err.Error(), `input "x": element 1 is `) {
				t.Errorf("%s: %d gives %v, want an error", typ, n, err)
			}
		}
	}
}
