package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// golden is what pandas, scikit-learn and PyTorch make of the same data
// (testdata/golden.py).
type golden struct {
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

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// near compares with what was computed in float64; ours became float32.
func near[F float32 | float64](t *testing.T, what string, got []F, want []float64, atol float64) {
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

// The times after a series are those pandas.date_range goes on with.
func TestFutureTimesArePandas(t *testing.T) {
	for _, c := range readGolden(t).Futures {
		csv := "when,x\n"
		for _, s := range c.Times {
			csv += s + ",1\n"
		}
		table, err := data.ReadTable(data.File{Path: write(t, "t.csv", csv)}, data.TableOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if got, why := table.After(len(c.Next)); !slices.Equal(got, c.Next) {
			t.Errorf("%s: %v %s, want %v", c.Name, got, why, c.Next)
		}
	}
}

// The scaling is scikit-learn's of the rows it is given, features and calendar
// are pandas', and no window reaches beyond its end.
func TestSeriesAreGolden(t *testing.T) {
	g := readGolden(t).Forecast
	table, err := data.ReadTable(data.File{Path: write(t, "f.csv", g.CSV)}, data.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := len(table.Rows)
	te := n - int(g.Test)
	va := te - int(g.Valid)
	scaling := data.NewScaling(table.Columns, table.Rows[:va])
	near(t, "mean", scaling.Mean, g.Mean, 1e-12)
	near(t, "std", scaling.Std, g.Std, 1e-12)
	s, err := data.NewSeries(table, data.Forecast{Targets: table.Columns, Lags: g.Lags, Horizon: g.Horizon, Season: g.Season, Base: "season", Calendar: true}, scaling)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string][2]int{"train": {max(g.Lags, g.Season), va}, "valid": {va, te}, "test": {te, n}} {
		want := g.Parts[name]
		var b train.Batch
		part := data.BatchWindows(s, at[0], at[1], 1)
		part.Start(nil)
		if part.Len() != len(want.X) {
			t.Fatalf("%s: %d windows, want %d", name, part.Len(), len(want.X))
		}
		for i := range part.Len() {
			part.Batch(i, &b)
			near(t, fmt.Sprintf("%s window %d", name, i), b.In.Features.Data, want.X[i], 2e-6)
			near(t, fmt.Sprintf("%s targets %d", name, i), b.Values.Data, want.Season[i], 2e-6)
		}
	}
}

// The parts are those of torch.randperm, and rows are scaled as scikit-learn
// scales them.
func TestSharesAreGolden(t *testing.T) {
	g := readGolden(t).Classify
	for _, d := range g.Draws {
		a, b, c := data.Shares(len(g.Items), g.Valid, g.Test, d.Seed)
		if !slices.Equal(a, d.Train) || !slices.Equal(b, d.Valid) || !slices.Equal(c, d.Test) {
			t.Errorf("seed %d: %v %v %v, want %v %v %v", d.Seed, a, b, c, d.Train, d.Valid, d.Test)
		}
		var rows [][]float64
		for _, i := range a {
			rows = append(rows, g.Items[i]...)
		}
		s := data.NewScaling([]string{"1", "2"}, rows)
		near(t, "mean", s.Mean, d.Mean, 1e-12)
		near(t, "std", s.Std, d.Std, 1e-12)
		for i, item := range g.Items {
			near(t, fmt.Sprintf("item %d", i), s.Apply(item), d.Scaled[i], 1e-6)
		}
	}
}
