package task

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// Forecast continues time series. Options are learnt but for Loss and Rows.
type Forecast struct {
	Cut                 // Valid and Test of 1 or more are rows
	TimeColumn string   // "": the first; argument "time-column"
	Columns    []string // the model sees, nil: all but the time; argument "columns"
	Targets    []string // that are forecast, nil: the last column; argument "target"
	Lags       int      // steps seen; argument "lags"
	Horizon    int      // steps forecast; argument "horizon"
	Season     int      // length of a season; argument "season"
	// Base is what the network gives: the change from the "last" value, from the
	// "season" before, or "none"; argument "base".
	Base       string
	Loss       string // "mse", "l1" or "huber"; argument "loss"
	Rows       int    // use the first rows only, 0: all; argument "rows"
	NoCalendar bool   // the model does not see hour and weekday; argument "no-calendar"
	// TimeFormat is how times are read: one of data.TimeFormats; argument
	// "time-format".
	TimeFormat string
	// Gaps is what becomes of missing rows: one of data.GapRules; argument
	// "gaps".
	Gaps string
	Separated

	Scaling *data.Scaling // learnt; nil before the first Load
}

// NewForecast returns the task with default options.
func NewForecast() *Forecast {
	return &Forecast{Cut: newCut(), Lags: 96, Horizon: 24, Season: 24, Base: "last", Loss: "mse", TimeFormat: "auto", Gaps: "say"}
}

var forecastKind = Kind{
	Name: "forecast", Title: "A forecaster",
	Reads: "a .csv with a time column and number columns",
	New:   func() Task { return NewForecast() },
}

// Kind implements Task.
func (t *Forecast) Kind() Kind { return forecastKind }

// Arguments implements Task.
func (t *Forecast) Arguments() []Argument {
	return append(append(t.arguments(),
		Argument{Name: "time-column", Usage: "forecast: column with the time (default: the first)", Value: &t.TimeColumn},
		Argument{Name: "columns", Usage: "forecast: columns the model sees (default: all)", Value: &t.Columns, Learnt: true},
		Argument{Name: "target", Usage: "forecast: columns to predict (default: the last)", Value: &t.Targets, Learnt: true},
		Argument{Name: "lags", Usage: "forecast: steps seen", Value: &t.Lags, Learnt: true},
		Argument{Name: "horizon", Usage: "forecast: steps ahead", Value: &t.Horizon, Learnt: true},
		Argument{Name: "season", Usage: "forecast: length of a season", Value: &t.Season, Learnt: true},
		Argument{Name: "base", Usage: "forecast: predict the change from the last value, from the season before, or from none", Value: &t.Base, Learnt: true},
		Argument{Name: "loss", Usage: "forecast: mse, l1 or huber", Value: &t.Loss},
		Argument{Name: "rows", Usage: "forecast: use the first rows only; 0: all", Value: &t.Rows},
		Argument{Name: "no-calendar", Usage: "forecast: do not show the model the hour and the day of the week", Value: &t.NoCalendar, Learnt: true},
		Argument{Name: "time-format", Usage: "forecast: how times are read: auto, day-first, month-first, or unix for seconds since 1970", Value: &t.TimeFormat},
		Argument{Name: "gaps", Usage: "forecast: missing and repeated rows: say, refuse, or fill (on straight lines)", Value: &t.Gaps},
	), t.Separated.Arguments()...)
}

// forecasts is what a forecaster's Set has besides batches.
type forecasts struct {
	series *data.Series
	first  int // row from which the forecasts of Part begin
}

// spec is what the series is made by.
func (t *Forecast) spec() data.Forecast {
	return data.Forecast{Time: t.TimeColumn, Targets: t.Targets, Lags: t.Lags, Horizon: t.Horizon, Season: t.Season, Base: t.Base, Calendar: !t.NoCalendar}
}

func (t *Forecast) checkOptions() error {
	if err := t.check(true); err != nil {
		return err
	}
	for arg, n := range map[string]int{"lags": t.Lags, "horizon": t.Horizon, "season": t.Season} {
		if n < 1 {
			return badArg(arg, "is %d, expected at least 1", n)
		}
	}
	if err := oneOf("time-format", t.TimeFormat, data.TimeFormats...); err != nil {
		return err
	}
	if err := oneOf("gaps", t.Gaps, data.GapRules...); err != nil {
		return err
	}
	if err := oneOf("base", t.Base, "last", "season", "none"); err != nil {
		return err
	}
	return oneOf("loss", t.Loss, "mse", "l1", "huber")
}

// parts returns the first row of validation and of test among n.
func (t *Forecast) parts(n int) (valid, test int) {
	rows := func(x float64) int {
		if x >= 1 {
			return int(min(x, float64(n)))
		}
		return int(x * float64(n))
	}
	test = n - rows(t.Test)
	return test - rows(t.Valid), test
}

// Load implements Task. The parts are cut by time; the scaling is that of the
// training part, and no forecast of a part reaches into the next.
func (t *Forecast) Load(path string) (*Set, error) {
	if err := t.checkOptions(); err != nil {
		return nil, err
	}
	table, err := t.table(t.file(path))
	if err != nil {
		return nil, err
	}
	if t.Rows > 0 {
		table.Head(t.Rows)
	}
	n, need := len(table.Rows), max(t.Lags, t.Season)
	va, te := t.parts(n)
	if va < need+t.Horizon || te-va < t.Horizon || n-te < t.Horizon {
		return nil, data.Fault(path, 0, "%d rows (%d for training) are too few for %d lags, a season of %d and a horizon of %d; give more rows or ask for less", n, max(va, 0), t.Lags, t.Season, t.Horizon)
	}
	learning := t.Scaling == nil
	if learning {
		scaling := data.NewScaling(table.Columns, table.Rows[:va])
		if c := scaling.Beyond(); c >= 0 {
			return nil, data.Fault(path, 0, "the numbers of column %q are too large to be standardised; divide them, by 1e100 for instance", table.Columns[c])
		}
		t.Scaling = scaling
		t.Columns = table.Columns
		if table.TimeFormat != "" {
			t.TimeFormat = table.TimeFormat // as it was found here
		}
	}
	if len(t.Targets) == 0 {
		t.Targets = table.Columns[len(table.Columns)-1:]
	}
	notes := table.Notes
	if learning { // a model that is there has its columns
		notes = append(notes, t.keys(table)...)
	}
	s, err := data.NewSeries(table, t.spec(), t.Scaling)
	if err != nil {
		return nil, err
	}
	loss := nn.MSE(nn.Mean)
	switch t.Loss {
	case "l1":
		loss = nn.L1(nn.Mean)
	case "huber":
		loss = nn.Huber(1, nn.Mean)
	}
	return &Set{
		Notes:     notes,
		Objective: &train.Values{Pointwise: loss}, Loss: t.Loss, Unit: t.Loss + " of standardised values", Items: "values",
		Train: data.BatchWindows(s, need, va, t.Batch), Valid: data.BatchWindows(s, va, te, t.Batch), Test: data.BatchWindows(s, te, n, t.Batch),
		About: fmt.Sprintf("a time series of %d rows, columns %s: %s forecast %d steps ahead from %d; rows 0 to %d for training, to %d for validation, to %d for test",
			n, strings.Join(table.Columns, ", "), strings.Join(t.Targets, ", "), t.Horizon, t.Lags, va-1, te-1, n-1),
		forecasts: forecasts{s, te},
	}, nil
}

// keys says which columns number the rows, or tell them apart, and would be trained as
// if their numbers were measured; a sentence each, with what to do.
func (t *Forecast) keys(table *data.Table) (notes []string) {
	for c, name := range table.Columns {
		if slices.Contains(t.Targets, name) {
			continue
		}
		why := ""
		switch {
		case counts(table.Rows, c):
			why = "counts the rows, and reaches numbers after them that training has not seen"
		case isKey.MatchString(name) && whole(table.Rows, c):
			why = "is called like a key and holds whole numbers, which are read as quantities"
		default:
			continue
		}
		rest := slices.Concat(table.Columns[:c], table.Columns[c+1:])
		notes = append(notes, fmt.Sprintf("column %q %s: the model is trained on it; unless it is measured, leave it out with --columns %s", name, why, strings.Join(rest, ",")))
	}
	return notes
}

// isKey is how columns are called that tell things apart.
var isKey = regexp.MustCompile(`(?i)^(.*[_ .-])?(id|key|uuid|index|idx)$|^Unnamed: 0$`)

// counts reports whether a column rises or falls by one whole number from row to row.
func counts(rows [][]float64, c int) bool {
	if len(rows) < 3 {
		return false
	}
	step := rows[1][c] - rows[0][c]
	for i := range rows[1:] {
		if rows[i+1][c]-rows[i][c] != step {
			return false
		}
	}
	return step != 0 && whole(rows, c)
}

// whole reports whether a column holds whole numbers.
func whole(rows [][]float64, c int) bool {
	for _, r := range rows {
		if r[c] != math.Trunc(r[c]) {
			return false
		}
	}
	return true
}

// Network implements Task.
func (t *Forecast) Network() nn.Config {
	c := nn.Config{Output: "last", OutFeatures: t.Horizon * len(t.Targets)}
	if t.Scaling != nil {
		c.RNN.InputSize = len(t.Scaling.Mean) + data.CalendarWidth(t.spec())
	}
	return c
}

func (t *Forecast) metadata() metadata {
	s, f := t.source(), t.spec()
	s.Rows, s.Loss = t.Rows, t.Loss
	t.saveIn(s)
	if t.TimeFormat != "auto" {
		s.TimeFormat = t.TimeFormat
	}
	if t.Gaps != "say" {
		s.Gaps = t.Gaps
	}
	return metadata{Scaling: t.Scaling, Forecast: &f, Source: s}
}

func (t *Forecast) restore(m metadata) {
	if f := m.Forecast; f != nil {
		t.TimeColumn, t.Targets, t.Lags, t.Horizon, t.Season, t.Base, t.NoCalendar = f.Time, f.Targets, f.Lags, f.Horizon, f.Season, f.Base, !f.Calendar
	}
	if m.Scaling != nil {
		t.Scaling, t.Columns = m.Scaling, m.Scaling.Columns
	}
	t.Cut.restore(m.Source)
	if s := m.Source; s != nil && s.Loss != "" {
		t.Rows, t.Loss = s.Rows, s.Loss
		t.restoreFrom(s)
		if s.TimeFormat != "" {
			t.TimeFormat = s.TimeFormat
		}
		if s.Gaps != "" {
			t.Gaps = s.Gaps
		}
	}
}

// maxSteps bounds lags, season and horizon of a model folder.
const maxSteps = 1 << 24

func (t *Forecast) misfit(c nn.Config) string {
	var m misfits
	m.output(c, "last")
	m.scaled(t.Scaling, 0)
	m.number("num_embeddings", c.NumEmbeddings, 0, "because forecasts read numbers and not tokens")
	m.want(len(t.Targets) > 0, "forecast has no targets")
	for _, steps := range []struct {
		name string
		n    int
	}{{"lags", t.Lags}, {"season", t.Season}, {"horizon", t.Horizon}} {
		m.want(steps.n > 0 && steps.n < maxSteps, "%s of forecast is %d, expected 1 to %d", steps.name, steps.n, maxSteps-1)
	}
	if m.first == "" { // products of what is bounded
		m.number("out_features", c.OutFeatures, t.Horizon*len(t.Targets), "horizon times targets")
		m.number("input_size", c.RNN.InputSize, len(t.Scaling.Mean)+data.CalendarWidth(t.spec()), "the columns and the calendar")
	}
	return m.first
}

// watch adds up the errors of the model and of both naive forecasts.
func (t *Forecast) watch(set *Set, e *Measurement) func(b *train.Batch, y tensor.Dense) error {
	e.MAE, e.MSE, e.Scaled = map[string]float64{}, map[string]float64{}, map[string]float64{}
	s, at, out := set.series, set.first, t.Horizon*len(t.Targets)
	std := s.Std()
	return func(_ *train.Batch, y tensor.Dense) error {
		for n := range len(y.Data) / out {
			truth := s.Truth(at)
			last, season := s.Naive(at)
			for name, v := range map[string][][]float64{"model": s.Values(y.Data[n*out:(n+1)*out], at), "naive": last, "seasonal naive": season} {
				for h := range truth {
					for k := range truth[h] {
						d := v[h][k] - truth[h][k]
						e.MAE[name] += math.Abs(d)
						e.MSE[name] += d * d
						e.Scaled[name] += d * d / (std[k] * std[k])
					}
				}
			}
			c := float64(len(truth) * len(truth[0]))
			e.MAE["n"], e.MSE["n"], e.Scaled["n"] = e.MAE["n"]+c, e.MSE["n"]+c, e.Scaled["n"]+c
			at++
		}
		return nil
	}
}

// Continuation is what follows a series.
type Continuation struct {
	// TimeColumn names Time: the time of each step, or "step" where the file has
	// no times that can be counted on from; then Time are the steps' numbers.
	TimeColumn string
	Time       []string
	Targets    []string
	Values     [][]float64 // [horizon][target], in the columns' units
	Notes      []string    // what was found in the file, a sentence each
}

// table reads a file.
func (t *Forecast) table(f data.File) (*data.Table, error) {
	d, err := t.Dialect()
	if err != nil {
		return nil, err
	}
	return data.ReadTable(f, data.TableOptions{Time: t.TimeColumn, Columns: t.Columns, Dialect: d, TimeFormat: t.TimeFormat, Gaps: t.Gaps})
}

// seen reads a file to forecast from its end.
func (t *Forecast) seen(f data.File) (*data.Table, *data.Series, error) {
	table, err := t.table(f)
	if err != nil {
		return nil, nil, err
	}
	if need := max(t.Lags, t.Season); len(table.Rows) < need {
		return nil, nil, data.Fault(f.Name(), 0, "%d rows, the model wants at least %d", len(table.Rows), need)
	}
	s, err := data.NewSeries(table, t.spec(), t.Scaling)
	return table, s, err
}

// Continue forecasts what follows the last row of a file. The errors are data's
// for a file that cannot be used, and the pass's.
func (t *Forecast) Continue(p *nn.Pass, f data.File) (c Continuation, err error) {
	table, s, err := t.seen(f)
	if err != nil {
		return c, err
	}
	at := len(table.Rows)
	y, _, err := p.Forward(s.Input(at), unroll.State{})
	if err != nil {
		return c, err
	}
	c.Targets, c.Values = t.Targets, s.Values(y.Data, at)
	times, why := table.After(len(c.Values))
	c.TimeColumn, c.Time, c.Notes = table.TimeColumn, times, table.Notes
	if c.Time == nil {
		c.Notes = append(c.Notes, fmt.Sprintf("%s: steps are numbered: %s", f.Name(), why))
		c.TimeColumn = "step"
		for h := range c.Values {
			c.Time = append(c.Time, strconv.Itoa(h+1))
		}
	}
	return c, nil
}

// Answer implements Task: the steps that follow the CSV file q.Input, as CSV or
// JSON.
func (t *Forecast) Answer(_ context.Context, m *nn.Model, q Query) error {
	if q.Input == "" {
		return badArg("input", "is missing: a CSV file to continue")
	}
	if q.Text {
		return badArg("text", "makes no sense: a forecaster continues a file")
	}
	c, err := t.Continue(&nn.Pass{Model: m, Workers: 1}, fileOf(q.Input, q.In))
	if err != nil {
		return err
	}
	for _, n := range c.Notes {
		q.log("unroll: %s", n)
	}
	if !q.JSON {
		return c.csv(q)
	}
	for h, row := range c.Values {
		o := map[string]any{c.TimeColumn: c.Time[h], "step": h + 1}
		for k, name := range c.Targets {
			o[name] = row[k]
		}
		if err := q.object(o); err != nil {
			return err
		}
	}
	return nil
}

// number is x as JSON has it: the fewest digits that read back to the same bits.
func number(x float64) string {
	b, err := json.Marshal(x)
	if err != nil { // NaN and infinities
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return string(b)
}

func (c *Continuation) csv(q Query) error {
	w := csv.NewWriter(q.Out)
	if err := w.Write(append([]string{c.TimeColumn}, c.Targets...)); err != nil {
		return err
	}
	for h, row := range c.Values {
		line := []string{c.Time[h]}
		for _, x := range row {
			line = append(line, number(x))
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// ending is a path's ending in lower case.
func ending(path string) string { return strings.ToLower(filepath.Ext(path)) }

// Sequence implements Task: what the model sees of the last rows of a .csv file.
func (t *Forecast) Sequence(path string, _ int) (r Reading, ok bool, err error) {
	if e := ending(path); e != ".csv" && e != ".tsv" {
		return r, false, nil
	}
	table, s, err := t.seen(data.File{Path: path})
	if err != nil {
		return r, true, err
	}
	r.Kind, r.Features = "series", s.Input(len(table.Rows)).Features
	r.Columns = append(r.Columns, t.Scaling.Columns...)
	if !t.NoCalendar {
		r.Columns = append(r.Columns, "hour sin", "hour cos", "weekday sin", "weekday cos")
	}
	return r, true, nil
}
