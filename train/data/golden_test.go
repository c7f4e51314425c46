package data_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit/golden"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

const goldenFile = "testdata/golden.json"

// The times after a series are those pandas.date_range goes on with.
func TestFutureTimesArePandas(t *testing.T) {
	for _, c := range golden.Read(t, goldenFile).Futures {
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
	g := golden.Read(t, goldenFile).Forecast
	table, err := data.ReadTable(data.File{Path: write(t, "f.csv", g.CSV)}, data.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := len(table.Rows)
	te := n - int(g.Test)
	va := te - int(g.Valid)
	scaling := data.NewScaling(table.Columns, table.Rows[:va])
	golden.Near(t, "mean", scaling.Mean, g.Mean, 1e-12)
	golden.Near(t, "std", scaling.Std, g.Std, 1e-12)
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
			golden.Near(t, fmt.Sprintf("%s window %d", name, i), b.In.Features.Data, want.X[i], 2e-6)
			golden.Near(t, fmt.Sprintf("%s targets %d", name, i), b.Values.Data, want.Season[i], 2e-6)
		}
	}
}

// The parts are those of torch.randperm, and rows are scaled as scikit-learn
// scales them.
func TestSharesAreGolden(t *testing.T) {
	g := golden.Read(t, goldenFile).Classify
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
		golden.Near(t, "mean", s.Mean, d.Mean, 1e-12)
		golden.Near(t, "std", s.Std, d.Std, 1e-12)
		for i, item := range g.Items {
			golden.Near(t, fmt.Sprintf("item %d", i), s.Apply(item), d.Scaled[i], 1e-6)
		}
	}
}
