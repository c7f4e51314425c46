package task_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit/golden"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

const goldenFile = "../train/data/testdata/golden.json"

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// Parts, scaling, calendar and windows of a forecaster are those of
// scikit-learn and pandas: the scaling has seen the training part alone, and no
// part's targets reach into the next.
func TestForecastSetsAreGolden(t *testing.T) {
	g := golden.Read(t, goldenFile).Forecast
	for _, base := range []string{"none", "season"} {
		f := task.NewForecast()
		f.Cut = task.Cut{Batch: 4, Valid: g.Valid, Test: g.Test}
		f.Lags, f.Horizon, f.Season, f.Base, f.Targets = g.Lags, g.Horizon, g.Season, base, []string{"a", "b"}
		s, err := f.Load(write(t, "f.csv", g.CSV))
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, "mean", f.Scaling.Mean, g.Mean, 1e-12)
		golden.Near(t, "std", f.Scaling.Std, g.Std, 1e-12)
		for name, part := range map[string]train.Data{"train": s.Train, "valid": s.Valid, "test": s.Test} {
			want := g.Parts[name]
			targets := want.Y
			if base == "season" {
				targets = want.Season
			}
			at := 0
			var b train.Batch
			part.Start(nil)
			for i := range part.Len() {
				part.Batch(i, &b)
				n, width := b.In.Features.Shape[1], b.In.Features.Shape[2]
				for c := range n {
					var x []float32
					for k := range g.Lags {
						x = append(x, b.In.Features.Data[(k*n+c)*width:(k*n+c+1)*width]...)
					}
					if at == len(targets) {
						t.Fatalf("%s has more than %d windows", name, at)
					}
					out := len(targets[at])
					golden.Near(t, fmt.Sprintf("%s window %d", name, at), x, want.X[at], 2e-6)
					golden.Near(t, fmt.Sprintf("%s targets %d", name, at), b.Values.Data[c*out:(c+1)*out], targets[at], 2e-6)
					at++
				}
			}
			if at != len(targets) {
				t.Errorf("%s: %d windows, want %d", name, at, len(targets))
			}
		}
	}
}

// Parts are drawn as torch.randperm draws, and numbers scaled as scikit-learn
// scales those of the training part.
func TestClassifySetsAreGolden(t *testing.T) {
	g := golden.Read(t, goldenFile).Classify
	var lines strings.Builder
	for i, item := range g.Items {
		b, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "{\"text\":%s,\"label\":\"%c\"}\n", b, 'x'+i%2)
	}
	path := write(t, "c.jsonl", lines.String())
	for _, d := range g.Draws {
		c := task.NewClassify()
		c.Cut, c.Level = task.Cut{Batch: 100, Valid: g.Valid, Test: g.Test, Seed: d.Seed}, "number"
		s, err := c.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, "mean", c.Scaling.Mean, d.Mean, 1e-12)
		golden.Near(t, "std", c.Scaling.Std, d.Std, 1e-12)
		for name, part := range map[string]struct {
			train.Data
			items []int
		}{"train": {s.Train, d.Train}, "valid": {s.Valid, d.Valid}, "test": {s.Test, d.Test}} {
			var b train.Batch
			part.Start(nil)
			part.Batch(0, &b)
			n := len(b.Lengths)
			if n != len(part.items) {
				t.Fatalf("seed %d: %d items in %s, want %d", d.Seed, n, name, len(part.items))
			}
			for i, item := range part.items {
				var x []float32
				for k := range b.Lengths[i] {
					x = append(x, b.In.Features.Data[(k*n+i)*2:(k*n+i)*2+2]...)
				}
				golden.Near(t, fmt.Sprintf("seed %d, %s item %d", d.Seed, name, i), x, d.Scaled[item], 1e-6)
				if b.Classes[i] != item%2 {
					t.Errorf("seed %d, %s item %d has class %d", d.Seed, name, i, b.Classes[i])
				}
			}
		}
	}
}
