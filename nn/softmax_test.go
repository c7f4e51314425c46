package nn_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
)

// The numbers are PyTorch's; testdata/softmax.py made them.
func TestSoftmaxIsThatOfPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/softmax.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		X       [][]string
		Softmax [][]float64
		Log     [][]string `json:"log_softmax"`
		Argmax  []int
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	read := func(rows [][]string) (v []float64) {
		for _, r := range rows {
			for _, s := range r {
				x, err := strconv.ParseFloat(s, 64)
				if err != nil {
					t.Fatal(err)
				}
				v = append(v, x)
			}
		}
		return v
	}
	x := read(f.X)
	got := make([]float64, len(x))
	if err := nn.Softmax(got, x, 5); err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "softmax", got, concat(f.Softmax), testkit.Tol{Abs: 1e-300, Rel: 1e-14})
	copy(got, x)
	if err := nn.LogSoftmax(got, got, 5); err != nil { // in place
		t.Fatal(err)
	}
	testkit.Close(t, "log_softmax", got, read(f.Log), testkit.Tol{Abs: 1e-14, Rel: 1e-14})
	for i, want := range f.Argmax {
		if got := nn.Argmax(x[5*i : 5*i+5]); got != want {
			t.Errorf("argmax of row %d: %d, PyTorch has %d", i, got, want)
		}
	}
}

func TestSoftmaxAtTheEdge(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, x := range [][]float64{{1, nan}, {nan, 1}, {1, inf}, {-inf, -inf}} {
		got := make([]float64, 2)
		if err := nn.Softmax(got, x, 2); err != nil || !math.IsNaN(got[0]) && !math.IsNaN(got[1]) {
			t.Errorf("%v: %v, %v; PyTorch gives NaN", x, got, err)
		}
	}
	for want, x := range map[int][]float64{-1: nil, 0: {2, 2}, 1: {1, nan, nan}, 2: {-3, -2, -1}} {
		if got := nn.Argmax(x); got != want {
			t.Errorf("argmax of %v: %d, want %d", x, got, want)
		}
	}
	for name, err := range map[string]error{
		"no classes":  nn.Softmax(make([]float32, 2), make([]float32, 2), 0),
		"half a row":  nn.Softmax(make([]float32, 3), make([]float32, 3), 2),
		"a short dst": nn.LogSoftmax(make([]float32, 1), make([]float32, 2), 2),
	} {
		if !errors.Is(err, nn.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
