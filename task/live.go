package task

import (
	"fmt"
	"slices"
	"time"

	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/nn"
)

// Target returns the task's forecaster m as a target of live pools: many series,
// each row a step. A step reads a row's columns in their own units, in the order of
// Scaling.Columns, and after them, unless NoCalendar is set, its time: the days
// since 1970 and the second of the day, both of the clock on the wall. It writes
// the Horizon values that follow of each of Targets, [Horizon,targets], in their
// units. As long as fewer rows came than Lags or Season want, the series is taken
// to have stood at its first row before.
//
// It is an ErrFolder for a model that is not the task's.
func (t *Forecast) Target(m *nn.Model) (live.Target, error) {
	if m == nil {
		return nil, fmt.Errorf("%w: there is no model", ErrFolder)
	}
	if why := t.misfit(m.Config()); why != "" {
		return nil, fmt.Errorf("%w: %s", ErrFolder, why)
	}
	f, sc, columns := t.spec(), t.Scaling, len(t.Scaling.Columns)
	var targets []int
	for _, name := range f.Targets {
		c := slices.Index(sc.Columns, name)
		if c < 0 {
			return nil, fmt.Errorf("%w: there is no column %q to forecast", ErrFolder, name)
		}
		targets = append(targets, c)
	}
	width, in := m.Config().RNN.InputSize, columns
	if f.Calendar {
		in += 2
	}
	// back returns row i before the next, of n rows that there are.
	back := func(rows []float32, n, i int) []float32 {
		at := max(n-i, 0)
		return rows[at*width : (at+1)*width]
	}
	return live.OfWindow(m, live.Window{
		Steps: f.Lags, Keep: max(f.Lags, f.Season), In: in, Row: width, Out: f.Horizon * len(targets),
		Name: fmt.Sprintf("forecast %+v of %v with mean %v and deviation %v", f, sc.Columns, sc.Mean, sc.Std),
		Feed: func(row, x []float32) {
			var values [16]float64
			v := values[:0]
			for _, x := range x[:columns] {
				v = append(v, float64(x))
			}
			var at time.Time
			if f.Calendar {
				at = time.Unix(int64(x[columns])*86400+int64(x[columns+1]), 0).UTC()
			}
			f.Features(row[:0], v, at, sc)
		},
		Input: func(seen, rows []float32, n int) {
			last := back(rows, n, 1)
			for k := range f.Lags {
				f.See(seen[k*width:(k+1)*width], back(rows, n, f.Lags-k), last, columns)
			}
		},
		Output: func(y, given, rows []float32, n int) {
			for h := range f.Horizon {
				for k, c := range targets {
					base := float32(0)
					if i := f.BaseRow(h); i > 0 {
						base = back(rows, n, i)[c]
					}
					y[h*len(targets)+k] = float32(sc.Value(given[h*len(targets)+k], base, c))
				}
			}
		},
	})
}
