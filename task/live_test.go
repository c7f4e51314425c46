package task_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

// A series that is fed row by row is forecast as the file of its rows is.
func TestForecastersAreLive(t *testing.T) {
	for _, base := range []string{"last", "season", "none"} {
		for _, calendar := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, calendar %v", base, calendar), func(t *testing.T) {
				f := task.NewForecast()
				f.Lags, f.Season, f.Horizon, f.Base, f.NoCalendar = 6, 8, 10, base, !calendar
				f.Targets = []string{"b", "a"}
				rows := 40
				start := time.Date(2024, 2, 27, 21, 30, 0, 0, time.UTC)
				line := func(r int) (a, b float32, at time.Time) {
					return float32(r*r%17) / 4, 100 + float32(r%5)/2, start.Add(time.Duration(r) * time.Hour)
				}
				var csv strings.Builder
				text := func(n int) string {
					csv.Reset()
					csv.WriteString("time,a,b\n")
					for r := range n {
						a, b, at := line(r)
						fmt.Fprintf(&csv, "%s,%v,%v\n", at.Format("2006-01-02 15:04"), a, b)
					}
					return csv.String()
				}
				if _, err := f.Load(write(t, "all.csv", text(rows*3))); err != nil {
					t.Fatal(err)
				}
				cfg := f.Network()
				cfg.RNN.HiddenSize = 5
				m, err := nn.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				m.ResetParameters(rng.New(1))
				target, err := f.Target(m)
				if err != nil {
					t.Fatal(err)
				}
				p, err := live.Over(target, live.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				y := make([]float32, 20)
				for r := range rows {
					a, b, at := line(r)
					x := []float32{a, b}
					if calendar {
						x = append(x, float32(at.Unix()/86400), float32(at.Unix()%86400))
					}
					if err := p.Step(context.Background(), "k", y, x); err != nil {
						t.Fatal(err)
					}
					if r+1 < 8 {
						continue // a file of so few rows is refused
					}
					c, err := f.Continue(&nn.Pass{Model: m, Workers: 1}, data.File{Path: write(t, "part.csv", text(r+1))})
					if err != nil {
						t.Fatal(err)
					}
					for i, got := range y {
						if want := float32(c.Values[i/2][i%2]); math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("row %d, value %d: %v, the file's forecast is %v", r, i, got, want)
						}
					}
				}
			})
		}
	}
	if _, err := task.NewForecast().Target(nil); err == nil {
		t.Error("no model is no error")
	}
}
