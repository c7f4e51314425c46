// Package golden is what pandas, scikit-learn and PyTorch make of the data of
// train/data/testdata/golden.json (golden.py beside it), for the tests of packages
// that prepare data.
package golden

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// Data is all of it.
type Data struct {
	Futures []struct {
		Name        string
		Times, Next []string
	}
	Forecast struct {
		CSV                   string
		Lags, Horizon, Season int
		Valid, Test           float64
		Mean, Std             []float64
		Parts                 map[string]struct{ X, Y, Season [][]float64 }
	}
	Classify struct {
		Items       [][][]float64
		Valid, Test float64
		Draws       []struct {
			Seed               uint64
			Train, Valid, Test []int
			Mean, Std          []float64
			Scaled             [][]float64
		}
	}
}

// Read returns it, from the file as the test's package sees it.
func Read(t testing.TB, path string) (g Data) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Near compares with what was computed in float64; ours became float32.
func Near[F float32 | float64](t testing.TB, what string, got []F, want []float64, atol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= atol+1e-6*math.Abs(w)) {
			t.Errorf("%s: number %d is %v, want %v", what, i, got[i], w)
			return
		}
	}
}
