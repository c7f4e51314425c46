package data

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// Forecast says which steps a forecaster sees and which it names.
type Forecast struct {
	Time    string   `json:"time"`    // the time column; "": the first
	Targets []string `json:"targets"` // columns that are forecast
	Lags    int      `json:"lags"`    // steps seen
	Horizon int      `json:"horizon"` // steps named
	Season  int      `json:"season"`  // of the seasonal-naive forecast, and of the change below
	// Base is what the output is a change of: "none", "last" (the last value
	// seen) or "season" (the value a season before).
	Base string `json:"base"`
	// Calendar adds the hour of the day and the day of the week as features.
	Calendar bool `json:"calendar,omitempty"`
}

// Series is a table made ready for a forecaster.
type Series struct {
	*Table
	forecast Forecast
	scaling  *Scaling
	features [][]float32 // standardised columns, then the calendar
	targets  []int       // columns that are forecast
}

// NewSeries standardises a table by a scaling, whose columns are the table's. The
// calendar wants times that can be read.
func NewSeries(t *Table, f Forecast, sc *Scaling) (*Series, error) {
	s := &Series{Table: t, forecast: f, scaling: sc}
	for _, name := range f.Targets {
		i := slices.Index(t.Columns, name)
		if i < 0 {
			return nil, Fault(t.file, 1, "there is no column %q to forecast; the columns are %s", name, strings.Join(t.Columns, ","))
		}
		s.targets = append(s.targets, i)
	}
	if f.Calendar && t.noTime != nil {
		e := *t.noTime
		return nil, e.Try("say how with %s, correct it, or train with %s", "time-format", "no-calendar")
	}
	for r, row := range t.Rows {
		var at time.Time
		if f.Calendar {
			at = t.clocks.at[r]
		}
		s.features = append(s.features, f.Features(nil, row, at, sc))
	}
	return s, nil
}

// Features appends what is known of a row: the standardised columns and, with
// Calendar, the hour and the weekday of its time.
func (f Forecast) Features(x []float32, row []float64, at time.Time, sc *Scaling) []float32 {
	for i, v := range row {
		x = append(x, float32((v-sc.Mean[i])/sc.Std[i]))
	}
	if f.Calendar {
		day := 2 * math.Pi * (float64(at.Hour()) + float64(at.Minute())/60) / 24
		week := 2 * math.Pi * float64(at.Weekday()) / 7
		x = append(x, float32(fmath.Sin(day)), float32(fmath.Cos(day)), float32(fmath.Sin(week)), float32(fmath.Cos(week)))
	}
	return x
}

// See writes what the model sees of a row's features when last are the newest, of
// which columns are no calendar. With Base "last" the series are seen as
// differences from their last values, so that a level never seen in training is no
// new input.
func (f Forecast) See(dst, row, last []float32, columns int) {
	copy(dst, row)
	if f.Base == "last" {
		for i, v := range last[:columns] {
			dst[i] -= v
		}
	}
}

// BaseRow returns which row's value the forecast h steps ahead, from 0, is a change
// of: 1 for the newest, 2 for the one before; 0 for none.
func (f Forecast) BaseRow(h int) int {
	switch f.Base {
	case "last":
		return 1
	case "season":
		return f.Season - h%f.Season
	}
	return 0
}

// base returns what the forecast of target k, step h ahead of row at, is a
// change of: a standardised value, known at row at-1.
func (s *Series) base(at, h, k int) float32 {
	if back := s.forecast.BaseRow(h); back > 0 {
		return s.features[at-back][s.targets[k]]
	}
	return 0
}

// fill lays the lags before row at into column c of n of a batch's features.
func (s *Series) fill(x []float32, at, c, n int) {
	w := len(s.features[0])
	for k := range s.forecast.Lags {
		s.forecast.See(x[(k*n+c)*w:(k*n+c+1)*w], s.features[at-s.forecast.Lags+k], s.features[at-1], len(s.Columns))
	}
}

// Input returns the model's input for a forecast from row at on.
func (s *Series) Input(at int) nn.Input {
	x := tensor.New(s.forecast.Lags, 1, len(s.features[0]))
	s.fill(x.Data, at, 0, 1)
	return nn.Input{Features: x}
}

// Values turns a model's output for a forecast from row at on into the
// columns' own units: [horizon][target].
func (s *Series) Values(out []float32, at int) [][]float64 {
	v := make([][]float64, s.forecast.Horizon)
	for h := range v {
		for k, c := range s.targets {
			v[h] = append(v[h], s.scaling.Value(out[h*len(s.targets)+k], s.base(at, h, k), c))
		}
	}
	return v
}

// Value is the value of column c, in its unit, that a model's output means as a
// change of base.
func (s *Scaling) Value(out, base float32, c int) float64 {
	z := float64(out) + float64(base)
	return float64(z*s.Std[c]) + s.Mean[c]
}

// Truth returns the columns' values from row at on: [horizon][target].
func (s *Series) Truth(at int) [][]float64 {
	v := make([][]float64, s.forecast.Horizon)
	for h := range v {
		for _, c := range s.targets {
			v[h] = append(v[h], s.Rows[at+h][c])
		}
	}
	return v
}

// Naive returns the last value seen, and the value a season before: what
// every forecaster must beat.
func (s *Series) Naive(at int) (last, season [][]float64) {
	f := s.forecast
	for h := range f.Horizon {
		var a, b []float64
		for _, c := range s.targets {
			a = append(a, s.Rows[at-1][c])
			b = append(b, s.Rows[at-f.Season+h%f.Season][c])
		}
		last, season = append(last, a), append(season, b)
	}
	return last, season
}

// BatchWindows returns the forecasts from the rows first to end-1 on, batch at a
// time, shuffled each epoch; what is forecast lies before end.
func BatchWindows(s *Series, first, end, batch int) train.Data {
	return &windows{ordered: ordered{n: end - s.forecast.Horizon + 1 - first}, s: s, first: first, batch: batch}
}

// CalendarWidth is the number of features that the calendar adds to a step.
func CalendarWidth(f Forecast) int {
	if f.Calendar {
		return 4
	}
	return 0
}

// windows are the forecasts from the rows first to last-1 on.
type windows struct {
	ordered
	s     *Series
	first int
	batch int
}

func (w *windows) Len() int { return (w.n + w.batch - 1) / w.batch }

func (w *windows) Batch(i int, b *train.Batch) {
	items := w.order[i*w.batch : min((i+1)*w.batch, w.n)]
	f, n, width := w.s.forecast, len(items), len(w.s.features[0])
	out := f.Horizon * len(w.s.targets)
	b.Lengths, b.Carry = nil, false
	b.In.Features = tensor.Dense{Shape: append(b.In.Features.Shape[:0], f.Lags, n, width), Data: resize(b.In.Features.Data, f.Lags*n*width)}
	b.Values = tensor.Dense{Shape: append(b.Values.Shape[:0], n, out), Data: resize(b.Values.Data, n*out)}
	for c, it := range items {
		at := w.first + it
		w.s.fill(b.In.Features.Data, at, c, n)
		for h := range f.Horizon {
			for k, col := range w.s.targets {
				b.Values.Data[c*out+h*len(w.s.targets)+k] = w.s.features[at+h][col] - w.s.base(at, h, k)
			}
		}
	}
}

// Std returns the deviations of the forecast columns.
func (s *Series) Std() (std []float64) {
	for _, c := range s.targets {
		std = append(std, s.scaling.Std[c])
	}
	return std
}
