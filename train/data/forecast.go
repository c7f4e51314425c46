package data

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// Table is a time series: rows in file order, one number a column.
type Table struct {
	TimeColumn string
	Time       []string
	Columns    []string
	Rows       [][]float64
	Lines      []int // of the file, where the rows stand
}

// ReadTable reads a CSV file with a header line. timeColumn "" is the first
// column; columns nil are all others.
func ReadTable(path, timeColumn string, columns []string) (*Table, error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	head, err := r.Read()
	if err != nil {
		return nil, csvFault(path, err)
	}
	if timeColumn == "" {
		timeColumn = head[0]
	}
	ti := slices.Index(head, timeColumn)
	if ti < 0 {
		return nil, fault(path, 1, "there is no column %q; the header is %s; name yours with --time-column", timeColumn, strings.Join(head, ","))
	}
	t := &Table{TimeColumn: timeColumn, Columns: columns}
	if columns == nil {
		for i, h := range head {
			if i != ti {
				t.Columns = append(t.Columns, h)
			}
		}
	}
	var at []int
	for _, c := range t.Columns {
		i := slices.Index(head, c)
		if i < 0 {
			return nil, fault(path, 1, "there is no column %q; the header is %s; name yours with --columns", c, strings.Join(head, ","))
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return nil, fault(path, 1, "there is no column besides the time; at least one series is needed")
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, csvFault(path, err)
		}
		line, _ := r.FieldPos(0)
		v := make([]float64, len(at))
		for k, i := range at {
			v[k], err = strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
			if err != nil {
				return nil, fault(path, line, "column %q has %q, expected a number; correct it or leave the column out with --columns", t.Columns[k], row[i])
			}
			if math.IsNaN(v[k]) || math.IsInf(v[k], 0) {
				return nil, fault(path, line, "column %q has %q; fill the gap or take the line out", t.Columns[k], row[i])
			}
		}
		t.Rows, t.Time, t.Lines = append(t.Rows, v), append(t.Time, row[ti]), append(t.Lines, line)
	}
}

// timeLayouts are the forms of time the calendar features are read from.
var timeLayouts = []string{"2006-01-02 15:04:05", "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"}

func parseTime(s string) (t time.Time, layout string, ok bool) {
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, strings.TrimSpace(s)); err == nil {
			return t, l, true
		}
	}
	return t, "", false
}

// After returns the times of the n steps after the last row, as far apart as
// the last two rows are; nil if those are no times.
func (t *Table) After(n int) (times []string) {
	if len(t.Time) < 2 {
		return nil
	}
	a, _, ok := parseTime(t.Time[len(t.Time)-2])
	b, layout, ok2 := parseTime(t.Time[len(t.Time)-1])
	if !ok || !ok2 || !b.After(a) {
		return nil
	}
	for k := range n {
		times = append(times, b.Add(time.Duration(k+1)*b.Sub(a)).Format(layout))
	}
	return times
}

// Series is a table made ready for a forecaster.
type Series struct {
	*Table
	cfg      nn.Config
	features [][]float32 // standardised columns, then the calendar
	targets  []int       // columns that are forecast
}

// NewSeries standardises a table by the scaling of cfg.
func NewSeries(path string, t *Table, cfg nn.Config) (*Series, error) {
	s := &Series{Table: t, cfg: cfg}
	f, sc := cfg.Forecast, cfg.Scaling
	for _, name := range f.Targets {
		i := slices.Index(t.Columns, name)
		if i < 0 {
			return nil, fault(path, 1, "there is no column %q to forecast; the columns are %s", name, strings.Join(t.Columns, ","))
		}
		s.targets = append(s.targets, i)
	}
	var last time.Time
	for r, row := range t.Rows {
		var x []float32
		for i, v := range row {
			x = append(x, float32((v-sc.Mean[i])/sc.Std[i]))
		}
		if f.Calendar {
			tm, _, ok := parseTime(t.Time[r])
			if !ok {
				return nil, fault(path, t.Lines[r], "%q is no time like 2006-01-02 15:04:05; correct it or train with --no-calendar", t.Time[r])
			}
			if tm.Before(last) {
				return nil, fault(path, t.Lines[r], "%q is before the line above; sort the file by time", t.Time[r])
			}
			last = tm
			day := 2 * math.Pi * (float64(tm.Hour()) + float64(tm.Minute())/60) / 24
			week := 2 * math.Pi * float64(tm.Weekday()) / 7
			x = append(x, float32(fmath.Sin(day)), float32(fmath.Cos(day)), float32(fmath.Sin(week)), float32(fmath.Cos(week)))
		}
		s.features = append(s.features, x)
	}
	return s, nil
}

// base returns what the forecast of target k, step h ahead of row at, is a
// change of: a standardised value, known at row at-1.
func (s *Series) base(at, h, k int) float32 {
	f, c := s.cfg.Forecast, s.targets[k]
	switch f.Base {
	case "last":
		return s.features[at-1][c]
	case "season":
		return s.features[at-f.Season+h%f.Season][c]
	}
	return 0
}

// fill lays the lags before row at into column c of n of a batch's features.
// With Base "last" the series are seen as differences from their last values,
// so that a level never seen in training is no new input.
func (s *Series) fill(x []float32, at, c, n int) {
	w := len(s.features[0])
	for k := range s.cfg.Forecast.Lags {
		dst := x[(k*n+c)*w : (k*n+c+1)*w]
		copy(dst, s.features[at-s.cfg.Forecast.Lags+k])
		if s.cfg.Forecast.Base == "last" {
			for i, v := range s.features[at-1][:len(s.Columns)] {
				dst[i] -= v
			}
		}
	}
}

// Input returns the model's input for a forecast from row at on.
func (s *Series) Input(at int) nn.Input {
	x := tensor.New(s.cfg.Forecast.Lags, 1, len(s.features[0]))
	s.fill(x.Data, at, 0, 1)
	return nn.Input{Features: x}
}

// Values turns a model's output for a forecast from row at on into the
// columns' own units: [horizon][target].
func (s *Series) Values(out []float32, at int) [][]float64 {
	v := make([][]float64, s.cfg.Forecast.Horizon)
	for h := range v {
		for k, c := range s.targets {
			z := float64(out[h*len(s.targets)+k]) + float64(s.base(at, h, k))
			v[h] = append(v[h], float64(z*s.cfg.Scaling.Std[c])+s.cfg.Scaling.Mean[c])
		}
	}
	return v
}

// Truth returns the columns' values from row at on: [horizon][target].
func (s *Series) Truth(at int) [][]float64 {
	v := make([][]float64, s.cfg.Forecast.Horizon)
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
	f := s.cfg.Forecast
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
	f, n, width := w.s.cfg.Forecast, len(items), len(w.s.features[0])
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

// ForecastOptions says what of a CSV file is forecast and how.
type ForecastOptions struct {
	Time    string
	Columns []string // nil: all but the time
	nn.Forecast
	Loss        string  // "mse", "l1" or "huber"
	Valid, Test float64 // shares, cut by time; above 1: rows
	Limit       int     // rows of the file that are used; 0: all
	Batch       int
}

// Parts returns the first row of validation and of test.
func (o ForecastOptions) Parts(n int) (valid, test int) {
	rows := func(x float64) int {
		if x >= 1 {
			return int(x)
		}
		return int(x * float64(n))
	}
	test = n - rows(o.Test)
	return test - rows(o.Valid), test
}

// NewForecast makes the task of continuing time series; known is the config of
// a trained model, or nil.
func NewForecast(path string, o ForecastOptions, known *nn.Config) (*Task, *Series, error) {
	t, err := ReadTable(path, o.Time, o.Columns)
	if err != nil {
		return nil, nil, err
	}
	if o.Limit > 0 && o.Limit < len(t.Rows) {
		t.Rows, t.Time = t.Rows[:o.Limit], t.Time[:o.Limit]
	}
	f := o.Forecast
	if len(f.Targets) == 0 {
		f.Targets = t.Columns[len(t.Columns)-1:]
	}
	need := max(f.Lags, f.Season)
	va, te := o.Parts(len(t.Rows))
	if va < need+f.Horizon || te-va < f.Horizon || len(t.Rows)-te < f.Horizon {
		return nil, nil, fault(path, 0, "%d rows (%d for training) are too few for %d lags, a season of %d and a horizon of %d; give more rows or ask for less", len(t.Rows), max(va, 0), f.Lags, f.Season, f.Horizon)
	}
	cfg := nn.Config{Task: "forecast", Output: "last", OutFeatures: f.Horizon * len(f.Targets), Forecast: &f}
	if known != nil {
		cfg = *known
	} else {
		cfg.Scaling = scaling(t, va)
	}
	s, err := NewSeries(path, t, cfg)
	if err != nil {
		return nil, nil, err
	}
	cfg.RNN.InputSize = len(s.features[0])
	of := func(first, end int) train.Data {
		return &windows{ordered: ordered{n: end - f.Horizon + 1 - first}, s: s, first: first, batch: o.Batch}
	}
	loss := nn.MSE(nn.Mean)
	switch o.Loss {
	case "l1":
		loss = nn.L1(nn.Mean)
	case "huber":
		loss = nn.Huber(1, nn.Mean)
	}
	return &Task{
		Config: cfg, Objective: &train.Values{Pointwise: loss}, Unit: o.Loss + " of standardised values", Items: "values",
		Train: of(need, va), Valid: of(va, te), Test: of(te, len(t.Rows)),
		About: fmt.Sprintf("a time series of %d rows, columns %s: %s forecast %d steps ahead from %d; rows 0 to %d for training, to %d for validation, to %d for test",
			len(t.Rows), strings.Join(t.Columns, ", "), strings.Join(f.Targets, ", "), f.Horizon, f.Lags, va-1, te-1, len(t.Rows)-1),
	}, s, nil
}

// scaling is the mean and deviation of the first n rows.
func scaling(t *Table, n int) *nn.Scaling {
	s := &nn.Scaling{Columns: t.Columns}
	for c := range t.Columns {
		sum, sq := 0.0, 0.0
		for _, r := range t.Rows[:n] {
			sum += r[c]
		}
		mean := sum / float64(n)
		for _, r := range t.Rows[:n] {
			d := r[c] - mean
			sq += float64(d * d)
		}
		std := math.Sqrt(sq / float64(n))
		if std == 0 { // a constant column stays a constant
			std = 1
		}
		s.Mean, s.Std = append(s.Mean, mean), append(s.Std, std)
	}
	return s
}

// Std returns the deviations of the forecast columns.
func (s *Series) Std() (std []float64) {
	for _, c := range s.targets {
		std = append(std, s.cfg.Scaling.Std[c])
	}
	return std
}

// Span returns the rows from which the forecasts of the validation and of the
// test part begin; 0 for other tasks.
func (t *Task) Span() (valid, test int) {
	if w, ok := t.Test.(*windows); ok {
		test = w.first
	}
	if w, ok := t.Valid.(*windows); ok {
		valid = w.first
	}
	return valid, test
}
